//! Everything a user can do, as data, and the one place where it is done.

use std::{path::PathBuf, sync::Arc, time::Instant};

use super::{
    App,
    state::{Choice, Dialog, Exporting, Job, Measuring, Player, Playing},
    text::{Language, Text, t},
    theme::ThemeChoice,
    view::{Mode, View},
    work::{self, StableMasks, StartSession},
};
use crate::pipeline::{CancelToken, Export, Progress, RunProgress};

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    Open(PathBuf),
    OpenNext,
    Browse,
    BrowseFolder,
    ListModels,
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
    Theme(ThemeChoice),
    Language(Language),
    Scale(f32),
    Dismiss(String),
    CopyText(String),
    Quit,
}

const MAX_RECENT: usize = 6;

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
            Command::Browse => work::browse(self.mail.clone(), false, t(Text::OpenVideo)),
            Command::BrowseFolder => work::browse(self.mail.clone(), true, t(Text::ExportFolder)),
            Command::ListModels => {
                state.models = None;
                work::list_models(self.mail.clone());
            }
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
            Command::Fit => state.view = View { zoom: None, ..std::mem::take(&mut state.view) },
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
            Command::Quit => self.ctx.send_viewport_cmd(eframe::egui::ViewportCommand::Close),
        }
    }

    fn open(&mut self, path: PathBuf) {
        self.stats.opening();
        self.state.opening = Some(path.clone());
        work::look_into(self.mail.clone(), path);
    }

    /// What a new clip begins with.
    pub(super) fn opened(&mut self, clip: super::state::Clip) {
        self.stop_job();
        self.stop_measuring();
        let state = &mut self.state;
        let recent = &mut state.preferences.recent;
        recent.retain(|known| known != &clip.path);
        recent.insert(0, clip.path.clone());
        recent.truncate(MAX_RECENT);
        state.player = Player::default();
        let mode = state.view.mode;
        state.view = View { mode, ..View::default() };
        state.results.clear();
        state.job = None;
        state.plan.folder.clear();
        self.shown = None;
        let title = format!("{} – Steadymask", clip.name());
        self.ctx.send_viewport_cmd(eframe::egui::ViewportCommand::Title(title));
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
        let (Some(clip), Some(model)) = (&state.clip, state.model()) else { return };
        let (cancel, progress) = (CancelToken::new(), RunProgress::default());
        StartSession {
            job: id,
            video: clip.path.clone(),
            size: clip.info.size,
            model: model.name.clone(),
            range: state.range(),
            progress: progress.network.clone(),
            cancel: cancel.clone(),
        }
        .spawn(self.mail.clone(), self.clips.clone());
        state.job = Some(Job {
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
        let stable = Arc::new(StableMasks::new(recipe));
        work::measure(self.mail.clone(), stable.clone(), pass, progress.clone(), cancel.clone());
        self.state.measuring = Some(Measuring { pass, cancel, progress, running: true, stable });
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
        if let Some(exporting) = &self.state.exporting {
            exporting.cancel.cancel();
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
            out: PathBuf::from(state.plan.folder.trim()),
            force: state.plan.force,
            size: clip.info.size,
            frames_per_sec: clip.info.frames_per_sec,
            memory_bytes: work::JOB_BYTES / 2,
        };
        let (progress, cancel) = (RunProgress::default(), CancelToken::new());
        progress.masks.set_total(Some(session.range.count(clip.frames)));
        work::export(self.mail.clone(), job, session, progress.clone(), cancel.clone());
        state.exporting = Some(Exporting { cancel, progress });
        state.dialog = None;
    }
}
