//! What is kept on disk: projects, a copy of the open one in case of a crash, and the user's presets and
//! pipelines.

#![warn(missing_docs)]

mod file;
mod locate;
mod pipelines;
mod presets;
mod recovery;

use std::path::PathBuf;

pub use file::{
    Comparison, EXTENSION, Network, Project, Range, Smoothing, Unknown, VERSION, Video, View, is_project,
    named,
};
pub use locate::{VideoLocation, locate};
pub use pipelines::{Pipeline, Pipelines, PipelinesError};
pub use presets::{Preset, PresetError, Presets};
pub use recovery::{Recovery, RecoveryFile, RecoveryRecord};

use base::files::FileError;

/// The folder that the system names for this user's data.
pub fn data_folder() -> PathBuf {
    directories::ProjectDirs::from("", "", "steadymask")
        .map_or_else(|| std::env::temp_dir().join("steadymask"), |dirs| dirs.data_dir().to_owned())
}

/// Why a project can't be opened or saved.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says in its message what is wrong")]
pub enum ProjectError {
    #[error("{}: the project can't be read ({cause}); check the path and the permissions", .path.display())]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("{}: this is not a project that Steadymask can open ({cause}); mend it in a text editor, or open the video and begin anew", .path.display())]
    Wrong { path: PathBuf, cause: String },
    #[error("{}: this project was saved by a newer Steadymask (its format is {found}, this program knows {VERSION}), and is left as it is; update Steadymask, or save under another name", .path.display())]
    Newer { path: PathBuf, found: u64 },
    #[error("{}: its video {} is not there any more; put it beside the project, or open the project in the window and say where it is", .path.display(), .video.display())]
    NoVideo { path: PathBuf, video: PathBuf },
    #[error(transparent)]
    Write(#[from] FileError),
}
