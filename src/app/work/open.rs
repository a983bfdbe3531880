//! Finding videos, projects and networks.

use std::{path::PathBuf, thread};

use crate::work::{
    clip::open_clip,
    error_words::words,
    events::{Event, Mail},
    networks::{ModelFound, ModelStep, installed, look_at, take_step},
    opened_project::{OpenedProject, ProjectFound, ProjectSource},
};
use base::files::{FileError, write_atomically};
use project::{Project, VideoLocation, locate};
use segment::{CudaStatus, Library, cuda_status};
use store::Store;

/// What a dialog of the system is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browse {
    /// A video, a project or a network to open.
    File,
    /// A folder for an export.
    Folder,
    /// The video of a project that has lost it.
    LostVideo,
}

/// Asks the system's dialog. Where a system has no dialog nothing comes back.
pub fn browse(mail: Mail, what: Browse, title: &'static str) {
    thread::spawn(move || {
        let dialog = rfd::FileDialog::new().set_title(title);
        let event = match what {
            Browse::File => dialog.pick_file().map(Event::Chosen),
            Browse::Folder => dialog.pick_folder().map(Event::FolderChosen),
            Browse::LostVideo => dialog.pick_file().map(Event::LostVideoChosen),
        };
        if let Some(event) = event {
            mail.send(event);
        }
    });
}

/// Lists the networks that can be opened without asking: those that are installed, and those
/// of the user's own `.pt` files that are still there.
pub fn list_models(mail: Mail, library: Library, own: Vec<PathBuf>) {
    thread::spawn(move || {
        mail.send(Event::Models(installed(&library, own)));
    });
}

/// Looks whether networks can run on a GPU, which takes a while where there is one.
pub fn look_for_cuda(mail: Mail) {
    thread::spawn(move || {
        let status: CudaStatus = cuda_status().clone();
        mail.send(Event::Cuda(status));
    });
}

/// Takes the step, and looks what the `.pt` is then.
pub fn open_model(mail: Mail, library: Library, pt: PathBuf, step: ModelStep) {
    thread::spawn(move || {
        let found =
            take_step(&library, &pt, step).map_or_else(ModelFound::Wrong, |()| look_at(&library, &pt));
        mail.send(Event::Model(Box::new(found)));
    });
}

/// Looks what is in a file.
pub fn look_into(mail: Mail, path: PathBuf) {
    thread::spawn(move || {
        // The source decodes on, in threads that take after this one.
        base::process::lower_priority_slightly();
        let result = open_clip(&path);
        mail.send(Event::Opened { path, result });
    });
}

/// Reads a project and looks for its video.
pub fn open_project(mail: Mail, source: ProjectSource) {
    thread::spawn(move || {
        let opening = source.path().to_owned();
        let (opened, located) = match source {
            ProjectSource::File(path) => match Project::load(&path).map(Box::new) {
                Ok(project) => {
                    let located = locate(&project.video, &path);
                    (OpenedProject { file: Some(path), saved: Some(project.clone()), project }, located)
                }
                Err(error) => {
                    mail.send(Event::Opened { path: opening, result: Err(words(&error)) });
                    return;
                }
            },
            ProjectSource::Kept { file, project } => {
                let located = locate(&project.video, file.as_deref().unwrap_or(&project.video.path));
                let saved = file.as_deref().and_then(|file| Project::load(file).ok()).map(Box::new);
                (OpenedProject { file, project, saved }, located)
            }
            ProjectSource::Found { file, project, video } => {
                (OpenedProject { file, project, saved: None }, VideoLocation::Same(video))
            }
        };
        let found = match located {
            VideoLocation::Missing => Ok(ProjectFound::Lost),
            VideoLocation::Same(path) => open_clip(&path)
                .map(|(clip, _)| ProjectFound::Ready { clip: Box::new(clip), video_changed: false }),
            VideoLocation::Changed(path) => open_clip(&path)
                .map(|(clip, _)| ProjectFound::Ready { clip: Box::new(clip), video_changed: true }),
        };
        match found {
            Ok(found) => mail.send(Event::Project { opening, opened, found }),
            Err(error) => mail.send(Event::Opened { path: opening, result: Err(error) }),
        }
    });
}

/// The bundled clip, and the name that its file has.
const SAMPLE: &[u8] = include_bytes!("../../../assets/sample/pedestrians.mp4");
const SAMPLE_NAME: &str = "pedestrians.mp4";

/// Writes the bundled clip into the cache, where it isn't there yet, and opens it.
pub fn open_sample(mail: Mail, cache: PathBuf) {
    thread::spawn(move || {
        let folder = cache.join("sample");
        let path = folder.join(SAMPLE_NAME);
        let is_there = std::fs::metadata(&path).is_ok_and(|file| file.len() == SAMPLE.len() as u64);
        let written = if is_there {
            Ok(())
        } else {
            let made = std::fs::create_dir_all(&folder).map_err(FileError::on(&folder));
            made.and_then(|()| write_atomically(&path, |out| out.write_all(SAMPLE)))
        };
        mail.send(match written {
            Ok(()) => Event::Chosen(path),
            Err(error) => Event::Failed(words(&error)),
        });
    });
}

/// Removes all stored results but those of the clip that is open.
pub fn clear_cache(mail: Mail, store: Store) {
    thread::spawn(move || {
        store.trim();
        mail.send(Event::CacheCleared);
    });
}
