//! What runs behind the window, begun and stopped: the network, the pass behind it, the search
//! for a setting, exports.

use std::{path::PathBuf, sync::Arc};

use crate::{
    App,
    state::{Exporting, Measuring, NetworkRun, Tuning},
    text::{Text, t},
    work::{self, NetworkPass, StableMasks},
};
use pipeline::{CancelToken, Export, Progress, RunProgress};

impl App {
    pub(crate) fn stabilise(&mut self) {
        self.stop_run();
        let id = self.state.id();
        let state = &mut self.state;
        let (Some(clip), Some(model)) = (&state.clip, state.model().cloned()) else { return };
        let Some(plan) = state.resolved() else { return };
        let (cancel, progress) = (CancelToken::new(), RunProgress::default());
        NetworkPass {
            run: id,
            clip: clip.video.clone(),
            plan: Arc::new(plan),
            machine: state.preferences.machine.clone(),
            progress: progress.network.clone(),
            cancel: cancel.clone(),
        }
        .spawn(self.mail.clone(), self.clips.clone());
        state.run = Some(NetworkRun {
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
    pub(crate) fn measure(&mut self) {
        self.stop_measuring();
        self.state.changed = None;
        let Some(recipe) = self.state.recipe() else { return };
        let pass = self.state.id();
        let (progress, cancel) = (Progress::default(), CancelToken::new());
        let names: Vec<String> = recipe.plan.classes().iter().map(|group| group.name().to_owned()).collect();
        self.state.results.begin(&names);
        let memory_bytes = self.state.preferences.machine.job_bytes() / 2;
        let stable = Arc::new(StableMasks::new(recipe, self.state.preferences.machine.preview_bytes()));
        let (mail, masks) = (self.mail.clone(), stable.clone());
        work::measure(mail, masks, memory_bytes, pass, progress.clone(), cancel.clone());
        self.state.measuring = Some(Measuring { pass, cancel, progress, running: true, stable });
    }

    pub(crate) fn tune(&mut self) {
        let (id, progress, cancel) = (self.state.id(), Progress::default(), CancelToken::new());
        let state = &mut self.state;
        if state.tuning.is_some() || state.why_not_tune().is_some() {
            return;
        }
        let Some(recipe) = state.recipe() else { return };
        let memory_bytes = state.preferences.machine.job_bytes() / 2;
        work::tune(self.mail.clone(), id, recipe, memory_bytes, progress.clone(), cancel.clone());
        state.tuning = Some(Tuning { id, cancel, progress });
    }

    pub(crate) fn cancel(&mut self) {
        if self.state.drawing.is_some() {
            self.state.drawing = None;
        } else if let Some(exporting) = &self.state.exporting {
            exporting.cancel.cancel();
        } else if self.state.tuning.is_some() {
            self.stop_tuning();
        } else if self.state.is_running() {
            self.stop_run();
            self.state.toasts.info(t(Text::Cancelled));
        }
    }

    /// Stops pass 1; what it has done stays usable.
    pub(crate) fn stop_run(&mut self) {
        if let Some(job) = &mut self.state.run {
            job.cancel.cancel();
            job.running = false;
        }
    }

    pub(crate) fn stop_measuring(&mut self) {
        if let Some(measuring) = &mut self.state.measuring {
            measuring.cancel.cancel();
            measuring.running = false;
        }
    }

    pub(crate) fn stop_tuning(&mut self) {
        if let Some(tuning) = self.state.tuning.take() {
            tuning.cancel.cancel();
        }
    }

    /// Ends what runs, before the window goes.
    pub(crate) fn stop_all(&mut self) {
        self.stop_run();
        self.stop_measuring();
        self.stop_tuning();
        if let Some(exporting) = &self.state.exporting {
            exporting.cancel.cancel();
        }
    }

    /// Exports what lies between the in and the out point now. Where pass 1 has not been there, it
    /// goes there first, and the export follows it.
    pub(crate) fn export(&mut self) {
        let state = &mut self.state;
        let (Some(clip), Some(session), Some(plan)) =
            (&state.clip, state.session().cloned(), state.resolved())
        else {
            return;
        };
        state.dialog = None;
        if session.range() != state.range() {
            self.export_follows = true;
            return self.stabilise();
        }
        let job = Export {
            clip: clip.video.clone(),
            plan: Arc::new(plan),
            out: PathBuf::from(state.export.folder.trim()),
            replace: state.export.replace,
            memory_bytes: state.preferences.machine.job_bytes() / 2,
        };
        let (progress, cancel) = (RunProgress::default(), CancelToken::new());
        progress.masks.set_total(Some(session.range().count(clip.frames)));
        work::export(self.mail.clone(), job, session, progress.clone(), cancel.clone());
        state.exporting = Some(Exporting { cancel, progress });
    }
}
