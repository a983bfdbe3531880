//! What runs beside the window: nothing here waits on the window, and the window waits on
//! nothing here. Work sends [`Event`]s; the window takes them once a frame.

mod finisher;
mod keep;
mod layers;
mod measure;
mod open;
mod painter;
mod pictures;
mod proxies;
mod screen;
mod session;
mod stable;
mod tune;

use std::{path::PathBuf, sync::Arc, sync::mpsc};

use eframe::egui;

pub use keep::{Job, Keeper, PresetChange};
pub use layers::Look;
pub use measure::measure;
pub use open::{
    Browse, ModelFound, ModelStep, OpenedProject, ProjectFound, ProjectSource, browse, list_models,
    look_for_cuda, look_into, open_model, open_project, open_sample,
};
pub use screen::{Layers, Painted, Picture, Quality, Recipe, Screen, Source, Wanted};
pub use session::{Clips, Session, StartSession, export};
pub use stable::StableMasks;
pub use tune::tune;

use super::state::Clip;
use crate::{
    metrics::{ClassSummary, FrameMetrics},
    pipeline::{Finished, Tuned},
    project::{LeftOver, Preset, Project},
    segment::{Manifest, torchscript::CudaStatus},
    video::VideoSource,
};

/// How the preview's bytes are shared out.
#[derive(Clone, Copy)]
pub struct PreviewBytes {
    /// For decoded frames.
    pictures: usize,
    drafts: usize,
    full: usize,
    /// For the masks of pass 2.
    stable: usize,
}

impl PreviewBytes {
    pub fn of(all: usize) -> Self {
        let share = |parts: usize| all / 24 * parts;
        Self { pictures: share(5), drafts: share(8), full: share(7), stable: share(4) }
    }
}

/// A pass of smoothing and measuring; later ones have larger numbers.
pub type Pass = u64;

#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// Of one that is installed, or the path of the user's own `.pt`.
    pub name: String,
    pub manifest: Manifest,
}

impl ModelInfo {
    /// Without the folder that it lies in.
    pub fn title(name: &str) -> &str {
        name.rsplit('/').next().unwrap_or(name).trim_end_matches(".pt")
    }
}

pub enum Event {
    /// A file was chosen in a dialog.
    Chosen(PathBuf),
    FolderChosen(PathBuf),
    LostVideoChosen(PathBuf),
    /// Something small, which needs no more than to be told.
    Failed(String),
    Cuda(CudaStatus),
    Model(Box<ModelFound>),
    Project {
        opening: PathBuf,
        opened: OpenedProject,
        found: ProjectFound,
    },
    Saved {
        path: PathBuf,
        result: Result<Box<Project>, String>,
    },
    LeftOver(Box<LeftOver>),
    Presets(Result<Vec<Preset>, String>),
    Tuned {
        id: u64,
        result: Result<Box<Tuned>, String>,
    },
    CacheCleared,
    FileSaved(Result<PathBuf, String>),
    /// What is open would be lost in a crash; why.
    NotKept(String),
    Models(Vec<ModelInfo>),
    Opened {
        path: PathBuf,
        /// With the source, which need not be opened twice.
        result: Result<(Clip, Box<dyn VideoSource>), String>,
    },
    /// The picture and masks of a frame.
    Painted(Box<Painted>),
    /// The picture of a frame that was shown by its proxy.
    Sharp {
        path: PathBuf,
        index: usize,
        image: Arc<egui::ColorImage>,
    },
    /// The frame could not be shown.
    NotPainted {
        path: PathBuf,
        error: String,
    },
    /// The clip has this many frames.
    Counted {
        path: PathBuf,
        frames: usize,
    },
    Session {
        job: u64,
        session: Arc<Session>,
    },
    Device {
        job: u64,
        name: String,
    },
    Coverage {
        job: u64,
        coverage: Vec<f32>,
    },
    /// Pass 1 is over; `Ok(None)` when it was cancelled.
    Analysed {
        job: u64,
        result: Result<Option<Option<String>>, String>,
    },
    Rows {
        pass: Pass,
        rows: Vec<FrameMetrics>,
    },
    Measured {
        pass: Pass,
        result: Result<Option<Vec<ClassSummary>>, String>,
    },
    Exported(Result<Option<Box<Finished>>, String>),
}

/// Where work sends its events; wakes the window.
#[derive(Clone)]
pub struct Mail {
    sender: mpsc::Sender<Event>,
    ctx: egui::Context,
}

impl Mail {
    pub fn new(ctx: egui::Context) -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel();
        (Self { sender, ctx }, receiver)
    }

    /// When the window is gone nobody listens, and nobody needs to.
    pub fn send(&self, event: Event) {
        let _ = self.sender.send(event);
        self.ctx.request_repaint();
    }
}

/// An error with its causes, on one line.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
