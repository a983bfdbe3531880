//! A saved project in place of a video: what the options don't say, it does.

use std::path::{Path, PathBuf};

use plan::Plan;
use project::{Project, ProjectError, VideoLocation, locate};

/// The project's video, and its plan.
///
/// # Errors
/// When the project can't be opened, or its video is nowhere to be found.
pub fn open(path: &Path) -> Result<(PathBuf, Plan), ProjectError> {
    let project = Project::load(path)?;
    let video = match locate(&project.video, path) {
        VideoLocation::Same(video) => video,
        VideoLocation::Changed(video) => {
            eprintln!(
                "steadymask: {}: is not the file that it was when the project was saved",
                video.display()
            );
            video
        }
        VideoLocation::Missing => {
            return Err(ProjectError::NoVideo { path: path.to_owned(), video: project.video.path });
        }
    };
    Ok((video, project.plan()))
}
