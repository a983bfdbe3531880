//! What each command does.

mod models;
mod runs;

use std::{path::PathBuf, time::Instant};

use crate::{
    App,
    choice::Choice,
    commands::Command,
    history::History,
    plots,
    projects::open_project::OpenProject,
    queue::commands::folder_for,
    state::Dialog,
    text::{self, Text, t},
    timeline::player::{Move, Player},
    viewer::view::View,
    work::{self, Browse, Clip, Clips, FileTask, Machine, ModelStep, ProjectSource, Usage},
};
use base::region::Polygon;

impl App {
    pub(crate) fn execute(&mut self, command: Command) {
        let state = &mut self.state;
        match command {
            Command::Open(path) => self.open(path),
            Command::OpenNext => {
                if let Some(path) = state.dropped.pop_front() {
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
                self.keeper.send(FileTask::Discard(left));
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
                work::list_models(self.mail.clone(), state.library.clone(), state.preferences.models.clone());
            }
            Command::Model(pt, step) => {
                state.dialog = None;
                work::open_model(self.mail.clone(), state.library.clone(), pt, step);
            }
            Command::Preset(change) => {
                state.dialog = None;
                self.keeper.send(FileTask::Presets(change));
            }
            Command::PlanExport(settings) => state.export.take(settings),
            Command::ExportPresets(path) => {
                state.dialog = None;
                self.keeper.send(FileTask::ExportPresets(path));
            }
            Command::Tune => self.tune(),
            Command::Exchange => {
                let choice = state.choice.exchanged();
                self.execute(Command::Change("a or b", choice));
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
                    choice.plan.edits.leave_out.polygons_mut().push(polygon);
                    self.execute(Command::Change("leave out", choice));
                }
            }
            Command::SavePlot { curve, path } => {
                state.dialog = None;
                plots::save::save(self.mail.clone(), curve, &state.results, path);
            }
            Command::ShowPlots(plots) => state.preferences.plots = plots,
            Command::Queue(command) => self.queue(command),
            Command::Machine(machine) => self.set_machine(machine),
            Command::ClearCache => work::clear_cache(self.mail.clone(), self.clips.store()),
            Command::Stabilise => {
                if state.why_not_stabilise().is_none() && !state.is_running() {
                    self.stabilise();
                }
            }
            Command::Cancel => self.cancel(),
            Command::HoldRun => {
                if let Some(job) = state.run.as_ref().filter(|job| job.running) {
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
            Command::Mark(mark) => {
                let mut choice = state.choice.clone();
                choice.plan.range = mark.applied(choice.plan.range, state.player.frame);
                self.execute(Command::Change(mark.name(), choice));
            }
            Command::Peak { forwards } => {
                if let Some(frame) = state.results.peak(state.player.frame, forwards) {
                    self.execute(Command::Player(Move::Go(frame)));
                }
            }
            Command::View(mode) => state.view.mode = mode,
            Command::Fit => state.view.zoom = None,
            Command::ActualSize => state.view.zoom = Some(1.0 / self.ctx.pixels_per_point()),
            Command::RawOnly(held) => state.view.raw_only = held,
            Command::Show(dialog) => {
                if dialog != Dialog::Export || state.why_not_export().is_none() {
                    self.propose_folder();
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
                text::set_language(language);
            }
            Command::Scale(scale) => {
                state.preferences.scale = scale;
                self.ctx.set_zoom_factor(scale);
            }
            Command::Dismiss(text) => state.toasts.dismiss(&text),
            Command::CopyText(text) => self.ctx.copy_text(text),
            Command::Quit => {
                if self.may_close() {
                    self.execute(Command::QuitAtOnce);
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
            work::open_model(self.mail.clone(), self.state.library.clone(), path, ModelStep::Look);
        } else {
            self.state.opening = Some(path.clone());
            work::look_into(self.mail.clone(), path);
        }
    }

    /// What a new clip begins with.
    pub(crate) fn opened(&mut self, clip: Clip) {
        self.stop_run();
        self.stop_measuring();
        self.stop_tuning();
        let state = &mut self.state;
        state.preferences.opened(&clip.path);
        state.project = OpenProject::default();
        // Undo would bring back what belongs to another picture.
        state.history = History::default();
        state.drawing = None;
        state.tuned = None;
        state.choice = state.choice.for_another_clip();
        state.player = Player::default();
        let mode = state.view.mode;
        state.view = View { mode, ..View::default() };
        state.results.clear();
        state.run = None;
        state.export.folder.clear();
        self.shown = None;
        self.screen.clear();
        state.clip = Some(clip);
    }

    fn choose(&mut self, choice: Choice) {
        let state = &mut self.state;
        let before = std::mem::replace(&mut state.choice, choice);
        if state.choice.plan.source != before.plan.source || state.choice.plan.every != before.plan.every {
            // The network then says other things: nothing that is shown is true of them.
            self.state.results.clear();
            self.stop_run();
            self.stop_measuring();
        } else if !state.choice.plan.makes_same_masks(&before.plan) || state.choice.is_b != before.is_b {
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

    fn propose_folder(&mut self) {
        let Some(clip) = &self.state.clip else { return };
        if self.state.export.folder.is_empty() {
            self.state.export.folder = folder_for(&clip.path).display().to_string();
        }
    }
}
