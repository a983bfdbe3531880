//! The window's work as a project.

use crate::{choice::Choice, state::State};
use export::ExportSettings;
use plan::Plan;
use project::Project;

impl State {
    /// The window's work as a project; `None` where nothing is open.
    pub fn snapshot(&self) -> Option<Project> {
        let clip = self.clip.as_ref()?;
        let Choice { plan, other, is_b } = self.choice.clone();
        let base = self.project.base.clone();
        let mut project = base.unwrap_or_else(|| Project::new(clip.path.clone()));
        if project.video.path != clip.path {
            project.video.path.clone_from(&clip.path);
            project.video.fingerprint.clear();
        }
        let known = project.plan();
        // Files are saved once they are chosen: what is as usual says nothing.
        let export = self.export.settings().or(known.export.clone());
        let is_usual = known.export.is_none() && export == Some(ExportSettings::default());
        project.set_plan(&Plan { export: export.filter(|_| !is_usual), ..plan });
        project.comparison = other.map(|other| {
            let mut comparison = project.comparison.take().unwrap_or_default();
            (comparison.is_b, comparison.other.settings) = (is_b, other);
            comparison
        });
        project.view.frame = self.player.frame;
        project.view.mode = self.view.mode.word().to_owned();
        Some(project)
    }

    /// Whether there is work that is not in the project's file.
    pub fn is_changed(&self) -> bool {
        let project = &self.project;
        project.file.is_some()
            && self
                .snapshot()
                .is_some_and(|now| !project.saved.as_ref().is_some_and(|saved| now.is_same_work(saved)))
    }
}
