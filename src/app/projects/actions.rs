//! Projects are opened, saved, and kept against a crash.

use std::path::{Path, PathBuf};

use crate::{
    App,
    choice::Choice,
    commands::Command,
    projects::open_project::OpenProject,
    state::Dialog,
    text::{Text, fill, t},
    viewer::view::Mode,
    work::{self, Clip, FileTask, OpenedProject, ProjectSource},
};
use plan::MaskSource;
use project::{self, Comparison, Project, RecoveryRecord};

impl App {
    /// The clip of a project is there: everything as it was.
    pub(crate) fn project_opened(&mut self, opened: OpenedProject, clip: Clip, changed: bool) {
        let OpenedProject { file, mut project, mut saved } = opened;
        let name = clip.name();
        // Where a video was found again is no work to be saved.
        for project in saved.iter_mut().chain([&mut project]) {
            project.video.path.clone_from(&clip.path);
        }
        if changed {
            project.video.fingerprint.clear();
        }
        self.opened(clip);
        let state = &mut self.state;
        let (plan, view) = (project.plan(), project.view.clone());
        let (other, is_b) = match project.comparison.clone() {
            Some(Comparison { other, is_b, .. }) => (Some(other.settings), is_b),
            None => (None, false),
        };
        if let Some(export) = plan.export.clone() {
            state.export.take(export);
        }
        // A project that names no network takes the one that is chosen.
        let model = plan.source.network().and_then(|network| network.name.clone());
        let model = model.or_else(|| state.choice.model().map(String::from));
        state.choice = Choice { plan, other, is_b };
        if let (MaskSource::Network(network), Some(model)) = (&mut state.choice.plan.source, model) {
            network.name = Some(model);
        }
        state.history = Default::default();
        state.player.frame = view.frame.min(state.frames().saturating_sub(1));
        if let Some(mode) = Mode::of_word(&view.mode) {
            state.view.mode = mode;
        }
        state.project = OpenProject::begin(file.clone(), *project, saved.map(|saved| *saved));
        if let Some(file) = file {
            state.preferences.opened(&file);
        }
        if changed {
            state.toasts.error(fill(Text::VideoChanged, &[&name]));
        }
        self.default_model();
        // Work goes on where it stood: what is stored is there at once.
        self.execute(Command::Stabilise);
    }

    pub(crate) fn open_project(&mut self, source: ProjectSource) {
        self.state.opening = Some(source.path().to_owned());
        work::open_project(self.mail.clone(), source);
    }

    pub(crate) fn save(&mut self, path: Option<PathBuf>) {
        let Some(project) = self.state.snapshot() else { return };
        match path.or_else(|| self.state.project.file.clone()) {
            Some(path) => {
                let path = project::named(path);
                let video = self.state.clip.as_ref().map(|clip| clip.video.clone());
                self.keeper.send(FileTask::Save { path, project: Box::new(project), video });
            }
            None => {
                let path = project::named(project.video.path.with_extension("")).display().to_string();
                self.state.dialog = Some(Dialog::SaveProject { path });
            }
        }
    }

    pub(crate) fn saved(&mut self, path: PathBuf, result: Result<Project, String>) {
        match result {
            Ok(project) => {
                let state = &mut self.state;
                state.preferences.opened(&path);
                state.toasts.info(fill(Text::Saved, &[&path.display()]));
                state.project = OpenProject::begin(Some(path), project.clone(), Some(project));
                if self.quit_when_saved {
                    self.execute(Command::Quit);
                }
            }
            Err(error) => {
                self.quit_when_saved = false;
                self.state.toasts.error(error);
            }
        }
    }

    /// Keeps what is open against a crash, when it has changed.
    pub(crate) fn keep(&mut self) {
        let Some(project) = self.state.snapshot() else { return };
        let kept = RecoveryRecord { saved_as: self.state.project.file.clone(), project };
        if self.state.project.kept.as_ref() != Some(&kept) {
            self.state.project.kept = Some(kept.clone());
            self.keeper.send(FileTask::Keep(Box::new(kept)));
        }
    }

    /// What the window is called: a dot is work that is not saved.
    pub(crate) fn title(&self) -> String {
        let state = &self.state;
        let file_name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = state.project.file.as_deref().map(file_name).or_else(|| Some(state.clip.as_ref()?.name()));
        let dot = if state.is_changed() { "• " } else { "" };
        name.map_or_else(|| "Steadymask".to_owned(), |name| format!("{dot}{name} – Steadymask"))
    }

    /// Whether the window may close now; if not, the user is asked.
    pub(crate) fn may_close(&mut self) -> bool {
        if self.quitting || !self.state.is_changed() {
            return true;
        }
        self.state.dialog = Some(Dialog::Unsaved);
        false
    }

    pub(crate) fn restore(&mut self, left: Box<project::RecoveryFile>) {
        let RecoveryRecord { saved_as, project } = left.record.clone();
        self.keeper.send(FileTask::Discard(left));
        self.open_project(ProjectSource::Kept { file: saved_as, project: Box::new(project) });
        self.state.toasts.info(t(Text::Restored));
    }
}
