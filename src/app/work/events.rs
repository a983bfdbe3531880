//! What work sends to the window, and the way there.

use std::{
    path::PathBuf,
    sync::{Arc, mpsc},
};

use eframe::egui;

use crate::work::{
    clip::Clip,
    networks::{ModelFound, ModelInfo},
    opened_project::{OpenedProject, ProjectFound},
    session::Session,
    view_request::ViewUpdate,
};
use metrics::{ClassSummary, FrameMetrics};
use pipeline::{RunResult, TuningResult};
use project::{Preset, Project, RecoveryFile};
use segment::CudaStatus;
use video::VideoSource;

/// A pass of smoothing and measuring; later ones have larger numbers.
pub type PassId = u64;

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
    LeftOver(Box<RecoveryFile>),
    Presets(Result<Vec<Preset>, String>),
    Tuned {
        id: u64,
        result: Result<Box<TuningResult>, String>,
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
    View(Box<ViewUpdate>),
    /// The picture of a frame that was shown by its proxy.
    SharpPicture {
        path: PathBuf,
        index: usize,
        image: Arc<egui::ColorImage>,
    },
    /// The frame could not be shown.
    ViewFailed {
        path: PathBuf,
        error: String,
    },
    /// The clip has this many frames.
    Counted {
        path: PathBuf,
        frames: usize,
    },
    Session {
        run: u64,
        session: Arc<Session>,
    },
    Device {
        run: u64,
        name: String,
    },
    Coverage {
        run: u64,
        coverage: Vec<f32>,
    },
    /// Pass 1 is over; `Ok(None)` when it was cancelled.
    Analysed {
        run: u64,
        result: Result<Option<RunSummary>, String>,
    },
    Rows {
        pass: PassId,
        rows: Vec<FrameMetrics>,
    },
    Measured {
        pass: PassId,
        result: Result<Option<Vec<ClassSummary>>, String>,
    },
    Exported(Result<Option<Box<RunResult>>, String>),
}

/// How pass 1 ended.
pub struct RunSummary {
    /// In plain words, what of the file could not be decoded.
    pub loss: Option<String>,
    /// How many frames the clip has, where that is known by now.
    pub frames: Option<usize>,
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
