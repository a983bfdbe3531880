//! A saved project in place of a video: what the options don't say, it does.

use super::run::RunArgs;
use crate::project::{Located, Project, ProjectError, locate};

/// Fills in what was not given.
///
/// # Errors
/// When the project can't be opened, or its video is nowhere to be found.
pub fn fill_in(args: &mut RunArgs) -> Result<(), ProjectError> {
    let path = args.video.clone();
    let project = Project::load(&path)?;
    args.video = match locate(&project.video, &path) {
        Located::Same(video) => video,
        Located::Changed(video) => {
            eprintln!(
                "steadymask: {}: is not the file that it was when the project was saved",
                video.display()
            );
            video
        }
        Located::Missing => return Err(ProjectError::NoVideo { path, video: project.video.path }),
    };
    if let Some(network) = project.network.filter(|_| args.network.masks.is_none()) {
        args.network.model = args.network.model.take().or(Some(network.name));
        // A number that is none of ours is passed over, like a word for a view.
        args.network.every = args.network.every.or(network.every.and_then(|every| every.try_into().ok()));
    }
    if args.network.class.is_empty() {
        args.network.class = project.classes;
    }
    args.smoothing.base = Some(project.smoothing.settings);
    args.range.from = args.range.from.or(project.range.first);
    args.range.to = args.range.to.or(project.range.last);
    if args.leave_out.is_empty() {
        args.leave_out = project.leave_out.polygons().to_vec();
    }
    Ok(())
}
