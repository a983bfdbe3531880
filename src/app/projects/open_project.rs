//! The file of the project that is open.

use std::path::PathBuf;

use project::{Project, RecoveryRecord};

/// Nothing yet, or what was opened or saved last.
#[derive(Debug, Default)]
pub struct OpenProject {
    pub file: Option<PathBuf>,
    /// As it is in the file, with the fields that are not known here.
    pub saved: Option<Project>,
    /// What the next save begins with: `saved`, or what a crash left.
    pub base: Option<Project>,
    /// What was last kept against a crash.
    pub kept: Option<RecoveryRecord>,
}

impl OpenProject {
    /// Of the opened clip; what it holds is not in any file yet.
    pub fn begin(file: Option<PathBuf>, base: Project, saved: Option<Project>) -> Self {
        Self { file, saved, base: Some(base), kept: None }
    }

    pub fn is_open(&self) -> bool {
        self.base.is_some()
    }
}
