//! Everything a user can do, as data. `actions` does it.

use std::path::PathBuf;

use crate::{
    choice::Choice,
    plots::curve::Curve,
    queue::commands::QueueCommand,
    state::Dialog,
    text::Language,
    theme::ThemeChoice,
    timeline::player::{Mark, Move},
    viewer::view::Mode,
    work::{Machine, ModelStep, PresetChange},
};
use export::ExportSettings;
use project::{Project, RecoveryFile};

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Open(PathBuf),
    OpenNext,
    OpenSample,
    Browse,
    BrowseFolder,
    /// For the video that a project has lost.
    BrowseLostVideo,
    /// A project whose video the user has found.
    OpenFound {
        file: Option<PathBuf>,
        project: Box<Project>,
        video: PathBuf,
    },
    Restore(Box<RecoveryFile>),
    Forget(Box<RecoveryFile>),
    /// To its own file; without one the user is asked.
    Save,
    SaveAs(Option<PathBuf>),
    /// And then close the window.
    SaveAndQuit,
    ListModels,
    Model(PathBuf, ModelStep),
    Preset(PresetChange),
    /// Fill the export dialog in as a preset says.
    PlanExport(ExportSettings),
    ExportPresets(PathBuf),
    /// Look for the setting that suits the clip.
    Tune,
    /// B in the place of A, or A in the place of B.
    Exchange,
    /// Begin a polygon, or leave it.
    Draw(bool),
    AddCorner([f32; 2]),
    RemoveCorner,
    ClosePolygon,
    SavePlot {
        curve: Curve,
        path: PathBuf,
    },
    ShowPlots(Vec<Curve>),
    Queue(QueueCommand),
    Stabilise,
    Cancel,
    /// Pauses pass 1, or lets it go on.
    HoldRun,
    /// A new choice, and what of it was changed.
    Change(&'static str, Choice),
    Undo,
    Redo,
    Player(Move),
    Mark(Mark),
    Peak {
        forwards: bool,
    },
    View(Mode),
    Fit,
    ActualSize,
    RawOnly(bool),
    Show(Dialog),
    CloseDialog,
    Export,
    ShowClass(usize),
    Machine(Machine),
    ClearCache,
    Theme(ThemeChoice),
    Language(Language),
    Scale(f32),
    Dismiss(String),
    CopyText(String),
    Quit,
    /// Whatever is not saved.
    QuitAtOnce,
}
