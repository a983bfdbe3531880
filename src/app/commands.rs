//! Everything a user can do, as data, and the one place where it is done.

use std::{path::PathBuf, time::Instant};

use super::{
    App,
    choice::Choice,
    history::History,
    lineup::{LineCommand, folder_for},
    machine::{Machine, Usage},
    player::{Move, Player},
    plots::{self, Curve},
    project::OpenProject,
    state::Dialog,
    text::{Language, Text, t},
    theme::ThemeChoice,
    view::{Mode, View},
    work::{self, Browse, Clips, Job, ModelStep, PresetChange, ProjectSource},
};
use crate::{
    export::ExportSettings,
    project::{self, LeftOver, Project},
    region::{Polygon, Region},
};

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
    Restore(Box<LeftOver>),
    Forget(Box<LeftOver>),
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
    Line(LineCommand),
    Stabilise,
    Cancel,
    /// Pauses pass 1, or lets it go on.
    HoldRun,
    /// A new choice, and what of it was changed.
    Change(&'static str, Choice),
    Undo,
    Redo,
    Player(Move),
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

impl App {
    pub(super) fn run(&mut self, command: Command) {
        let state = &mut self.state;
        match command {
            Command::Open(path) => self.open(path),
            Command::OpenNext => {
                if let Some(path) = state.waiting.pop_front() {
                    self.open(path);
                }
            }
            Command::OpenSample => work::open_sample(self.mail.clone(), state.store_folder.clone()),
            Command::Browse => work::browse(self.mail.clone(), Browse::File, t(Text::OpenVideo)),
            Command::BrowseFolder => work::browse(self.mail.clone(), Browse::Folder, t(Text::ExportFolder)),
            Command::BrowseLostVideo => {
                work::browse(self.mail.clone(), Browse::LostVideo, t(Text::OpenVideo));
            }
            Command::OpenFound { file, project, video } => {
                state.dialog = None;
                self.open_project(ProjectSource::Found { file, project, video });
            }
            Command::Restore(left) => {
                state.dialog = None;
                self.restore(left);
            }
            Command::Forget(left) => {
                state.dialog = None;
                self.keeper.send(Job::Discard(left));
            }
            Command::Save => self.save(None),
            Command::SaveAs(Some(path)) => {
                state.dialog = None;
                self.save(Some(path));
            }
            Command::SaveAs(None) => {
                if let Some(clip) = &state.clip {
                    let path = state.project.file.clone();
                    let path = path.unwrap_or_else(|| project::named(clip.path.with_extension("")));
                    state.dialog = Some(Dialog::SaveProject { path: path.display().to_string() });
                }
            }
            Command::SaveAndQuit => {
                state.dialog = None;
                self.quit_when_saved = true;
                self.save(None);
            }
            Command::ListModels => {
                state.models = None;
                work::list_models(self.mail.clone(), state.preferences.models.clone());
            }
            Command::Model(pt, step) => {
                state.dialog = None;
                work::open_model(self.mail.clone(), pt, step);
            }
            Command::Preset(change) => {
                state.dialog = None;
                self.keeper.send(Job::Presets(change));
            }
            Command::PlanExport(settings) => state.plan.take(settings),
            Command::ExportPresets(path) => {
                state.dialog = None;
                self.keeper.send(Job::ExportPresets(path));
            }
            Command::Tune => self.tune(),
            Command::Exchange => {
                let choice = state.choice.exchanged();
                self.run(Command::Change("a or b", choice));
            }
            Command::Draw(begin) => state.drawing = begin.then(Vec::new),
            Command::AddCorner(corner) => {
                if let Some(corners) = &mut state.drawing {
                    corners.push(corner);
                }
            }
            Command::RemoveCorner => {
                if let Some(corners) = &mut state.drawing {
                    corners.pop();
                }
            }
            Command::ClosePolygon => {
                let corners = state.drawing.take().unwrap_or_default();
                // Fewer than three corners are no part of the picture.
                if let Ok(polygon) = Polygon::new(corners) {
                    let mut choice = state.choice.clone();
                    choice.leave_out.polygons_mut().push(polygon);
                    self.run(Command::Change("leave out", choice));
                }
            }
            Command::SavePlot { curve, path } => {
                state.dialog = None;
                plots::save(self.mail.clone(), curve, &state.results, path);
            }
            Command::ShowPlots(plots) => state.preferences.plots = plots,
            Command::Line(command) => self.line(command),
            Command::Machine(machine) => self.set_machine(machine),
            Command::ClearCache => self.clips.clear(self.mail.clone()),
            Command::Stabilise => {
                if state.why_not_stabilise().is_none() && !state.is_running() {
                    self.stabilise();
                }
            }
            Command::Cancel => self.cancel(),
            Command::HoldRun => {
                if let Some(job) = state.job.as_ref().filter(|job| job.running) {
                    job.cancel.pause(!job.cancel.is_paused());
                }
            }
            Command::Change(what, choice) => {
                if choice != state.choice {
                    state.history.note(what, &state.choice);
                    self.choose(choice);
                }
            }
            Command::Undo => {
                if let Some(choice) = state.history.undo(&state.choice) {
                    self.choose(choice);
                }
            }
            Command::Redo => {
                if let Some(choice) = state.history.redo(&state.choice) {
                    self.choose(choice);
                }
            }
            Command::Player(wish) => {
                let frames = state.frames();
                state.player.run(wish, frames);
            }
            Command::Peak { forwards } => {
                if let Some(frame) = state.results.peak(state.player.frame, forwards) {
                    self.run(Command::Player(Move::Go(frame)));
                }
            }
            Command::View(mode) => state.view.mode = mode,
            Command::Fit => state.view.zoom = None,
            Command::ActualSize => state.view.zoom = Some(1.0 / self.ctx.pixels_per_point()),
            Command::RawOnly(held) => state.view.raw_only = held,
            Command::Show(dialog) => {
                if dialog != Dialog::Export || state.why_not_export().is_none() {
                    self.fill_plan();
                    self.state.dialog = Some(dialog);
                }
            }
            Command::CloseDialog => state.dialog = None,
            Command::Export => self.export(),
            Command::ShowClass(class) => {
                state.results.class = class;
                state.results.revision += 1;
            }
            Command::Theme(theme) => {
                state.preferences.theme = theme;
                theme.apply(&self.ctx);
            }
            Command::Language(language) => {
                state.preferences.language = language;
                super::text::set_language(language);
            }
            Command::Scale(scale) => {
                state.preferences.scale = scale;
                self.ctx.set_zoom_factor(scale);
            }
            Command::Dismiss(text) => state.toasts.dismiss(&text),
            Command::CopyText(text) => self.ctx.copy_text(text),
            Command::Quit => {
                if self.may_close() {
                    self.run(Command::QuitAtOnce);
                }
            }
            Command::QuitAtOnce => {
                self.quitting = true;
                self.ctx.send_viewport_cmd(eframe::egui::ViewportCommand::Close);
            }
        }
    }

    /// By what it is called: a project, a network, or else a video.
    fn open(&mut self, path: PathBuf) {
        self.stats.opening();
        if project::is_project(&path) {
            self.open_project(ProjectSource::File(path));
        } else if path.extension().is_some_and(|extension| extension == "pt") {
            work::open_model(self.mail.clone(), path, ModelStep::Look);
        } else {
            self.state.opening = Some(path.clone());
            work::look_into(self.mail.clone(), path);
        }
    }

    /// What a new clip begins with.
    pub(super) fn opened(&mut self, clip: super::state::Clip) {
        self.stop_job();
        self.stop_measuring();
        self.stop_tuning();
        let state = &mut self.state;
        state.preferences.opened(&clip.path);
        state.project = OpenProject::default();
        // Undo would bring back what belongs to another picture.
        state.history = History::default();
        state.drawing = None;
        state.tuned = None;
        state.choice.leave_out = Region::default();
        state.player = Player::default();
        let mode = state.view.mode;
        state.view = View { mode, ..View::default() };
        state.results.clear();
        state.job = None;
        state.plan.folder.clear();
        self.shown = None;
        state.clip = Some(clip);
    }

    fn choose(&mut self, choice: Choice) {
        let state = &mut self.state;
        if choice.model != state.choice.model || choice.every != state.choice.every {
            // The network then says other things: nothing that is shown is true of them.
            state.results.clear();
            state.choice = choice;
            self.stop_job();
            self.stop_measuring();
        } else {
            state.choice = choice;
            state.changed = Some(Instant::now());
        }
        self.state.preferences.choice = self.state.choice.clone();
    }

    /// What differs from the machine of now takes hold at once, or with the next run.
    fn set_machine(&mut self, machine: Machine) {
        let state = &mut self.state;
        let store = machine.cache_folder.clone().unwrap_or_else(|| self.store.clone());
        if store != state.store_folder || machine.cache_gib != state.preferences.machine.cache_gib {
            self.clips = Clips::in_folder(store.clone(), machine.cache_bytes());
            state.usage = Usage::watch(store.clone());
            state.store_folder = store;
        }
        self.screen.set_limits(self.clips.clone(), machine.preview_bytes());
        state.preferences.machine = machine;
    }

    fn fill_plan(&mut self) {
        let Some(clip) = &self.state.clip else { return };
        if self.state.plan.folder.is_empty() {
            self.state.plan.folder = folder_for(&clip.path).display().to_string();
        }
    }
}
