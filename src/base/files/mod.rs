//! Files that are complete or absent, folders of unfinished files, and disk space.

mod atomic;
mod disk;
mod part;
mod unfinished;

use std::path::{Path, PathBuf};

pub use atomic::write_atomically;
pub use disk::{folder_bytes, free_bytes, remove_folder};
pub use part::PartFile;
pub use unfinished::{UnfinishedFolder, remove_unfinished};

/// A file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: could not be written: {cause}; check the free space and the permissions of its folder", .path.display())]
pub struct FileError {
    /// The file's final path.
    pub path: PathBuf,
    /// The system's reason.
    pub cause: std::io::Error,
}

impl FileError {
    /// For `map_err` while writing `path`.
    pub fn on(path: &Path) -> impl Fn(std::io::Error) -> Self + use<'_> {
        move |cause| Self { path: path.to_owned(), cause }
    }
}
