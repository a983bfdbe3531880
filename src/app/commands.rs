//! Everything a user can do, as data, and the one place where it is done.

use std::{path::PathBuf, sync::Arc, time::Instant};

use super::{
    App,
    machine::{Machine, Usage},
    plots::{self, Curve},
    project::OpenProject,
    state::{self, Choice, Dialog, Exporting, Measuring, Player, Playing, Tuning},
    text::{Language, Text, t},
    theme::ThemeChoice,
    view::{Mode, View},
    work::{self, Browse, Clips, Job, ModelStep, PresetChange, ProjectSource, StableMasks, StartSession},
};
use crate::{
    pipeline::{CancelToken, Export, Progress, RunProgress},
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
    Stabilise,
    Cancel,
    /// Pauses pass 1, or lets it go on.
    HoldRun,
    /// A new choice, and what of it was changed.
    Change(&'static str, Choice),
    Undo,
    Redo,
    Go(usize),
    Step(i64),
    Play(f64),
    PlayPause,
    Pause,
    MarkIn,
    MarkOut,
    ClearMarks,
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
            Command::Go(frame) => {
                state.player.playing = None;
                state.player.frame = frame.min(state.frames().saturating_sub(1));
            }
            Command::Step(by) => {
                let to = state.player.frame as i64 + by;
                self.run(Command::Go(to.max(0) as usize));
            }
            Command::Play(speed) => self.play(speed),
            Command::PlayPause => {
                if state.player.playing.is_some() {
                    state.player.playing = None;
                } else {
                    // At the end there is nothing left to play: begin again.
                    if state.player.frame + 1 >= state.frames() {
                        state.player.frame = 0;
                    }
                    self.play(1.0);
                }
            }
            Command::Pause => state.player.playing = None,
            Command::MarkIn => {
                state.player.first = Some(state.player.frame);
                state.player.last = state.player.last.filter(|&last| last >= state.player.frame);
            }
            Command::MarkOut => {
                state.player.last = Some(state.player.frame);
                state.player.first = state.player.first.filter(|&first| first <= state.player.frame);
            }
            Command::ClearMarks => (state.player.first, state.player.last) = (None, None),
            Command::Peak { forwards } => {
                if let Some(frame) = state.results.peak(state.player.frame, forwards) {
                    self.run(Command::Go(frame));
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
        let state = &mut self.state;
        state.preferences.opened(&clip.path);
        state.project = OpenProject::default();
        state.drawing = None;
        state.tuned = None;
        if !state.choice.leave_out.is_empty() {
            // It was of another picture.
            state.choice.leave_out = Region::default();
        }
        state.player = Player::default();
        let mode = state.view.mode;
        state.view = View { mode, ..View::default() };
        state.results.clear();
        state.job = None;
        state.plan.folder.clear();
        self.shown = None;
        state.clip = Some(clip);
    }

    fn play(&mut self, speed: f64) {
        let player = &mut self.state.player;
        player.playing = Some(Playing { speed, from: player.frame, since: Instant::now() });
    }

    fn stabilise(&mut self) {
        self.stop_job();
        let id = self.state.id();
        let state = &mut self.state;
        let (Some(clip), Some(model)) = (&state.clip, state.model().cloned()) else { return };
        let (cancel, progress) = (CancelToken::new(), RunProgress::default());
        StartSession {
            job: id,
            video: clip.path.clone(),
            size: clip.info.size,
            model: model.name.clone(),
            range: state.range(),
            machine: state.preferences.machine.clone(),
            progress: progress.network.clone(),
            cancel: cancel.clone(),
        }
        .spawn(self.mail.clone(), self.clips.clone());
        state.job = Some(state::Job {
            id,
            model: model.name.clone(),
            range: state.range(),
            cancel,
            progress,
            session: None,
            running: true,
            complete: false,
            device: None,
        });
        let names: Vec<String> = state.groups().iter().map(|group| group.name().to_owned()).collect();
        state.results.clear();
        state.results.begin(&names);
    }

    /// Smooths and measures everything under the settings of now.
    pub(super) fn measure(&mut self) {
        self.stop_measuring();
        self.state.changed = None;
        let Some(recipe) = self.state.recipe() else { return };
        let pass = self.state.id();
        let (progress, cancel) = (Progress::default(), CancelToken::new());
        let names: Vec<String> = recipe.groups.iter().map(|group| group.name().to_owned()).collect();
        self.state.results.begin(&names);
        let memory_bytes = self.state.preferences.machine.job_bytes() / 2;
        let stable = Arc::new(StableMasks::new(recipe, self.state.preferences.machine.preview_bytes()));
        let (mail, masks) = (self.mail.clone(), stable.clone());
        work::measure(mail, masks, memory_bytes, pass, progress.clone(), cancel.clone());
        self.state.measuring = Some(Measuring { pass, cancel, progress, running: true, stable });
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

    fn tune(&mut self) {
        let (state, progress, cancel) = (&mut self.state, Progress::default(), CancelToken::new());
        if state.tuning.is_some() || state.why_not_tune().is_some() {
            return;
        }
        let Some(recipe) = state.recipe() else { return };
        let memory_bytes = state.preferences.machine.job_bytes() / 2;
        work::tune(self.mail.clone(), recipe, memory_bytes, progress.clone(), cancel.clone());
        state.tuning = Some(Tuning { cancel, progress });
    }

    fn choose(&mut self, choice: Choice) {
        let state = &mut self.state;
        if choice.model != state.choice.model {
            // Another network says other things: nothing that is shown is true of it.
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

    fn cancel(&mut self) {
        if self.state.drawing.is_some() {
            self.state.drawing = None;
        } else if let Some(exporting) = &self.state.exporting {
            exporting.cancel.cancel();
        } else if let Some(tuning) = &self.state.tuning {
            tuning.cancel.cancel();
        } else if self.state.is_running() {
            self.stop_job();
            self.state.toasts.info(t(Text::Cancelled));
        }
    }

    /// Stops pass 1; what it has done stays usable.
    fn stop_job(&mut self) {
        if let Some(job) = &mut self.state.job {
            job.cancel.cancel();
            job.running = false;
        }
    }

    fn stop_measuring(&mut self) {
        if let Some(measuring) = &mut self.state.measuring {
            measuring.cancel.cancel();
            measuring.running = false;
        }
    }

    /// Ends what runs, before the window goes.
    pub(super) fn stop_all(&mut self) {
        self.stop_job();
        self.stop_measuring();
        if let Some(tuning) = &self.state.tuning {
            tuning.cancel.cancel();
        }
        if let Some(exporting) = &self.state.exporting {
            exporting.cancel.cancel();
        }
    }

    fn fill_plan(&mut self) {
        let Some(clip) = &self.state.clip else { return };
        if self.state.plan.folder.is_empty() {
            let stem = clip.path.file_stem().unwrap_or_default().to_string_lossy();
            let folder = clip.path.with_file_name(format!("{stem}-steady"));
            self.state.plan.folder = folder.display().to_string();
        }
    }

    fn export(&mut self) {
        let state = &mut self.state;
        let (Some(clip), Some(session)) = (&state.clip, state.session().cloned()) else { return };
        let job = Export {
            video: clip.path.clone(),
            manifest: session.manifest.clone(),
            classes: state.groups(),
            range: session.range,
            settings: state.choice.settings,
            leave_out: state.choice.leave_out.clone(),
            exports: state.plan.kinds.clone(),
            options: state.plan.options().unwrap_or_default(),
            out: PathBuf::from(state.plan.folder.trim()),
            force: state.plan.force,
            memory_bytes: state.preferences.machine.job_bytes() / 2,
        };
        let (progress, cancel) = (RunProgress::default(), CancelToken::new());
        progress.masks.set_total(Some(session.range.count(clip.frames)));
        work::export(self.mail.clone(), job, session, progress.clone(), cancel.clone());
        state.exporting = Some(Exporting { cancel, progress });
        state.dialog = None;
    }
}
