//! What lies in the folder of a job: the uploaded file and, once there are any, its results.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base::files::remove_folder;

/// The folder of the results, in the folder of their job.
pub const RESULTS: &str = "results";

/// The uploaded file of a job.
pub fn source_in(folder: &Path) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.find(|path| path.file_stem().is_some_and(|stem| stem == "source"))
}

/// Removes a job's folder; where that fails the log says so.
pub fn remove(folder: &Path) {
    if let Err(error) = remove_folder(folder) {
        tracing::warn!("{}: could not be removed: {error}", folder.display());
    }
}
