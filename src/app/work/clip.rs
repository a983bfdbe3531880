//! The clip that is open.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::work::error_words::words;
use video::{VideoInfo, VideoSource};

/// The opened video.
#[derive(Clone, Debug)]
pub struct Clip {
    pub path: PathBuf,
    pub info: VideoInfo,
    /// Claimed at first, counted later.
    pub frames: usize,
    /// The file, opened and fingerprinted once.
    pub video: Arc<video::Clip>,
}

impl Clip {
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }
}

/// A clip, and a source that nothing was read from yet.
///
/// # Errors
/// Why the file can't be read as a video, in words.
pub fn open_clip(path: &Path) -> Result<(Clip, Box<dyn VideoSource>), String> {
    let video = video::Clip::open(path).map_err(|error| words(&error))?;
    let source = video.source().map_err(|error| words(&error))?;
    let info = video.info().clone();
    let frames = source.counted_frames().or(info.claimed_frames).unwrap_or(1).max(1);
    Ok((Clip { path: path.to_owned(), info, frames, video: Arc::new(video) }, source))
}
