//! Projects on their way into the window.

use std::path::{Path, PathBuf};

use crate::work::clip::Clip;
use project::Project;

/// Where a project comes from.
pub enum ProjectSource {
    File(PathBuf),
    /// A crash left it.
    Kept {
        file: Option<PathBuf>,
        project: Box<Project>,
    },
    /// The user says where its video is.
    Found {
        file: Option<PathBuf>,
        project: Box<Project>,
        video: PathBuf,
    },
}

impl ProjectSource {
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Kept { project, .. } => &project.video.path,
            Self::Found { video, .. } => video,
        }
    }
}

pub enum ProjectFound {
    Ready {
        clip: Box<Clip>,
        /// It has other content than when the project was saved.
        video_changed: bool,
    },
    /// Its video is nowhere.
    Lost,
}

/// A project that was read.
pub struct OpenedProject {
    pub file: Option<PathBuf>,
    pub project: Box<Project>,
    /// As it is in the file, where that is known.
    pub saved: Option<Box<Project>>,
}
