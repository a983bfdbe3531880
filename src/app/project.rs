//! The project that is open: what of the window is saved, and how it comes back.

use std::path::{Path, PathBuf};

use super::{
    App,
    choice::Choice,
    commands::Command,
    state::{Clip, Dialog, State},
    text::{Text, fill, t},
    view::Mode,
    work::{Job, OpenedProject, ProjectSource},
};
use crate::project::{self, Comparison, Kept, Network, Project};

/// Nothing yet, or what was opened or saved last.
#[derive(Debug, Default)]
pub struct OpenProject {
    pub file: Option<PathBuf>,
    /// As it is in the file, with the fields that are not known here.
    pub saved: Option<Project>,
    /// What the next save begins with: `saved`, or what a crash left.
    base: Option<Project>,
    /// What was last kept against a crash.
    kept: Option<Kept>,
}

const MODES: [(Mode, &str); Mode::ALL.len()] = [
    (Mode::Side, "side-by-side"),
    (Mode::Wipe, "wipe"),
    (Mode::Overlay, "overlay"),
    (Mode::Difference, "difference"),
    (Mode::Matte, "matte"),
    (Mode::Heat, "probability"),
    (Mode::Compare, "a-b"),
];

impl OpenProject {
    /// Of the opened clip; what it holds is not in any file yet.
    fn begin(file: Option<PathBuf>, base: Project, saved: Option<Project>) -> Self {
        Self { file, saved, base: Some(base), kept: None }
    }

    pub fn is_open(&self) -> bool {
        self.base.is_some()
    }

    pub fn is_changed(&self, state: &State) -> bool {
        self.file.is_some()
            && snapshot(state)
                .is_some_and(|now| !self.saved.as_ref().is_some_and(|saved| now.is_same_work(saved)))
    }
}

/// The window's work as a project; `None` where nothing is open.
pub fn snapshot(state: &State) -> Option<Project> {
    let clip = state.clip.as_ref()?;
    let Choice { model, every, classes, settings, other, is_b, leave_out } = state.choice.clone();
    let base = state.project.base.clone();
    let mut project = base.unwrap_or_else(|| Project::new(clip.path.clone()));
    if project.video.path != clip.path {
        project.video.path.clone_from(&clip.path);
        project.video.fingerprint.clear();
    }
    let every = Some(every).filter(|every| !every.is_one()).map(Into::into);
    project.network = model.map(|name| Network { name, every, ..project.network.take().unwrap_or_default() });
    project.classes = classes;
    project.smoothing.settings = settings;
    project.comparison = other.map(|other| {
        let mut comparison = project.comparison.take().unwrap_or_default();
        (comparison.is_b, comparison.other.settings) = (is_b, other);
        comparison
    });
    (project.range.first, project.range.last) = (state.player.first, state.player.last);
    project.leave_out = leave_out;
    project.view.frame = state.player.frame;
    let word = MODES.iter().find(|(mode, _)| *mode == state.view.mode).map_or("", |(_, word)| word);
    project.view.mode = word.to_owned();
    Some(project)
}

impl App {
    /// The clip of a project is there: everything as it was.
    pub(super) fn project_opened(&mut self, opened: OpenedProject, clip: Clip, changed: bool) {
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
        let Project { network, classes, smoothing, comparison, range, leave_out, view, .. } =
            (*project).clone();
        let (other, is_b) = match comparison {
            Some(Comparison { other, is_b, .. }) => (Some(other.settings), is_b),
            None => (None, false),
        };
        let (model, every) = match network {
            Some(Network { name, every, .. }) => (Some(name), every.and_then(|every| every.try_into().ok())),
            None => (state.choice.model.clone(), None),
        };
        let every = every.unwrap_or_default();
        let settings = smoothing.settings;
        state.choice = Choice { model, every, classes, settings, other, is_b, leave_out };
        state.history = Default::default();
        (state.player.first, state.player.last) = (range.first, range.last);
        state.player.frame = view.frame.min(state.frames().saturating_sub(1));
        if let Some((mode, _)) = MODES.iter().find(|(_, word)| *word == view.mode) {
            state.view.mode = *mode;
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
        self.run(Command::Stabilise);
    }

    pub(super) fn open_project(&mut self, source: ProjectSource) {
        self.state.opening = Some(source.path().to_owned());
        super::work::open_project(self.mail.clone(), source);
    }

    pub(super) fn save(&mut self, path: Option<PathBuf>) {
        let Some(project) = snapshot(&self.state) else { return };
        match path.or_else(|| self.state.project.file.clone()) {
            Some(path) => {
                let path = project::named(path);
                self.keeper.send(Job::Save { path, project: Box::new(project) });
            }
            None => {
                let path = project::named(project.video.path.with_extension("")).display().to_string();
                self.state.dialog = Some(Dialog::SaveProject { path });
            }
        }
    }

    pub(super) fn saved(&mut self, path: PathBuf, result: Result<Project, String>) {
        match result {
            Ok(project) => {
                let state = &mut self.state;
                state.preferences.opened(&path);
                state.toasts.info(fill(Text::Saved, &[&path.display()]));
                state.project = OpenProject::begin(Some(path), project.clone(), Some(project));
                if self.quit_when_saved {
                    self.run(Command::Quit);
                }
            }
            Err(error) => {
                self.quit_when_saved = false;
                self.state.toasts.error(error);
            }
        }
    }

    /// Keeps what is open against a crash, when it has changed.
    pub(super) fn keep(&mut self) {
        let Some(project) = snapshot(&self.state) else { return };
        let kept = Kept { saved_as: self.state.project.file.clone(), project };
        if self.state.project.kept.as_ref() != Some(&kept) {
            self.state.project.kept = Some(kept.clone());
            self.keeper.send(Job::Keep(Box::new(kept)));
        }
    }

    /// What the window is called: a dot is work that is not saved.
    pub(super) fn title(&self) -> String {
        let state = &self.state;
        let file_name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = state.project.file.as_deref().map(file_name).or_else(|| Some(state.clip.as_ref()?.name()));
        let dot = if state.project.is_changed(state) { "• " } else { "" };
        name.map_or_else(|| "Steadymask".to_owned(), |name| format!("{dot}{name} – Steadymask"))
    }

    /// Whether the window may close now; if not, the user is asked.
    pub(super) fn may_close(&mut self) -> bool {
        if self.quitting || !self.state.project.is_changed(&self.state) {
            return true;
        }
        self.state.dialog = Some(Dialog::Unsaved);
        false
    }

    pub(super) fn restore(&mut self, left: Box<project::LeftOver>) {
        let Kept { saved_as, project } = left.kept.clone();
        self.keeper.send(Job::Discard(left));
        self.open_project(ProjectSource::Kept { file: saved_as, project: Box::new(project) });
        self.state.toasts.info(t(Text::Restored));
    }
}
