//! What can be done with the queue.

use std::path::{Path, PathBuf};

/// What can be done with the queue.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueCommand {
    /// The files that were dropped together with the open one.
    AddDropped,
    AddOpen,
    /// So many places down, or up.
    Shift(u64, isize),
    Hold(bool),
    Cancel(u64),
    Retry(u64),
    Remove(u64),
}

/// Beside the clip, as the export dialog proposes.
pub fn folder_for(video: &Path) -> PathBuf {
    let stem = video.file_stem().unwrap_or_default().to_string_lossy();
    video.with_file_name(format!("{stem}-steady"))
}
