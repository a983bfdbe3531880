//! Finding videos, projects and networks.

use std::{
    path::{Path, PathBuf},
    thread,
};

use super::{super::state::Clip, Event, Mail, ModelInfo, words};
use crate::{
    export::write_atomically,
    project::{Located, Project, locate},
    segment::{
        Manifest, SegmentError,
        library::Library,
        torchscript::{CudaStatus, cuda_status},
    },
    video::{self, VideoSource},
};

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
pub fn list_models(mail: Mail, own: Vec<PathBuf>) {
    thread::spawn(move || {
        let library = Library::new(None);
        let best = library.best();
        let own = own.into_iter().map(|pt| pt.display().to_string());
        let mut models: Vec<ModelInfo> = library
            .names()
            .into_iter()
            .chain(own)
            .filter_map(|name| {
                let found = library.find(&name, false);
                let found =
                    found.inspect_err(|error| tracing::info!("{name} is not offered: {error}")).ok()?;
                Some(ModelInfo { name, manifest: found.manifest })
            })
            .collect();
        models.sort_by_key(|model| best != Some(model.name.as_str()));
        mail.send(Event::Models(models));
    });
}

/// Looks whether networks can run on a GPU, which takes a while where there is one.
pub fn look_for_cuda(mail: Mail) {
    thread::spawn(move || {
        let status: CudaStatus = cuda_status().clone();
        mail.send(Event::Cuda(status));
    });
}

/// What is known of a `.pt` that the user brought.
pub enum ModelFound {
    Ready(ModelInfo),
    /// A TorchScript file is a program.
    Untrusted {
        pt: PathBuf,
        sha256: String,
    },
    /// It has no manifest beside it.
    Undescribed(PathBuf),
    Wrong(String),
}

/// What to do with a `.pt`.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelStep {
    Look,
    /// Open it from now on without asking.
    Trust {
        sha256: String,
    },
    /// Write its manifest.
    Describe(Box<Manifest>),
}

pub fn open_model(mail: Mail, pt: PathBuf, step: ModelStep) {
    thread::spawn(move || {
        let found = take_step(&pt, step).map_or_else(ModelFound::Wrong, |()| look_at_model(&pt));
        mail.send(Event::Model(Box::new(found)));
    });
}

fn take_step(pt: &Path, step: ModelStep) -> Result<(), String> {
    match step {
        ModelStep::Look => Ok(()),
        ModelStep::Trust { sha256 } => {
            let name = pt.file_stem().unwrap_or_default().to_string_lossy();
            let folder = pt.parent().unwrap_or(Path::new("."));
            let trusted = Library::new(None).trust(folder, &sha256, &name);
            trusted.map_err(|error| {
                format!("the list of trusted networks can't be written ({error}); check the free space and the permissions of the data folder")
            })
        }
        ModelStep::Describe(manifest) => write_atomically(&pt.with_extension("json"), |out| {
            Ok(serde_json::to_writer_pretty(out, &manifest)?)
        })
        .map_err(|error| words(&error)),
    }
}

fn look_at_model(pt: &Path) -> ModelFound {
    if pt.is_file() && !pt.with_extension("json").exists() {
        return ModelFound::Undescribed(pt.to_owned());
    }
    match Library::new(None).find(&pt.display().to_string(), false) {
        Ok(found) => {
            ModelFound::Ready(ModelInfo { name: pt.display().to_string(), manifest: found.manifest })
        }
        Err(SegmentError::Untrusted { path, sha256 }) => ModelFound::Untrusted { pt: path, sha256 },
        Err(error) => ModelFound::Wrong(words(&error)),
    }
}

/// Looks what is in a file.
pub fn look_into(mail: Mail, path: PathBuf) {
    thread::spawn(move || {
        // The source decodes on, in threads that take after this one.
        crate::process::give_way_a_little();
        let result = clip(&path);
        mail.send(Event::Opened { path, result });
    });
}

fn clip(path: &Path) -> Result<(Clip, Box<dyn VideoSource>), String> {
    let source = video::open(path).map_err(|error| words(&error))?;
    let info = source.info().clone();
    let frames = source.counted_frames().or(info.claimed_frames).unwrap_or(1).max(1);
    Ok((Clip { path: path.to_owned(), info, frames }, source))
}

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
                (OpenedProject { file, project, saved: None }, Located::Same(video))
            }
        };
        let found = match located {
            Located::Missing => Ok(ProjectFound::Lost),
            Located::Same(path) => clip(&path)
                .map(|(clip, _)| ProjectFound::Ready { clip: Box::new(clip), video_changed: false }),
            Located::Changed(path) => {
                clip(&path).map(|(clip, _)| ProjectFound::Ready { clip: Box::new(clip), video_changed: true })
            }
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
            let made = std::fs::create_dir_all(&folder).map_err(crate::export::ExportError::on(&folder));
            made.and_then(|()| write_atomically(&path, |out| out.write_all(SAMPLE)))
        };
        mail.send(match written {
            Ok(()) => Event::Chosen(path),
            Err(error) => Event::Failed(words(&error)),
        });
    });
}
