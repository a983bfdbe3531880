//! What runs behind the window, begun and stopped: the network, the pass behind it, the search
//! for a setting, exports.

use std::{path::PathBuf, sync::Arc};

use super::{
    App,
    state::{Exporting, Job, Measuring, Tuning},
    text::{Text, t},
    work::{self, StableMasks, StartSession},
};
use crate::pipeline::{CancelToken, Export, Progress, RunProgress};

impl App {
    pub(super) fn stabilise(&mut self) {
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
            every: state.choice.every,
            machine: state.preferences.machine.clone(),
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
        let memory_bytes = self.state.preferences.machine.job_bytes() / 2;
        let stable = Arc::new(StableMasks::new(recipe, self.state.preferences.machine.preview_bytes()));
        let (mail, masks) = (self.mail.clone(), stable.clone());
        work::measure(mail, masks, memory_bytes, pass, progress.clone(), cancel.clone());
        self.state.measuring = Some(Measuring { pass, cancel, progress, running: true, stable });
    }

    pub(super) fn tune(&mut self) {
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

    pub(super) fn cancel(&mut self) {
        if self.state.drawing.is_some() {
            self.state.drawing = None;
        } else if let Some(exporting) = &self.state.exporting {
            exporting.cancel.cancel();
        } else if self.state.tuning.is_some() {
            self.stop_tuning();
        } else if self.state.is_running() {
            self.stop_job();
            self.state.toasts.info(t(Text::Cancelled));
        }
    }

    /// Stops pass 1; what it has done stays usable.
    pub(super) fn stop_job(&mut self) {
        if let Some(job) = &mut self.state.job {
            job.cancel.cancel();
            job.running = false;
        }
    }

    pub(super) fn stop_measuring(&mut self) {
        if let Some(measuring) = &mut self.state.measuring {
            measuring.cancel.cancel();
            measuring.running = false;
        }
    }

    pub(super) fn stop_tuning(&mut self) {
        if let Some(tuning) = self.state.tuning.take() {
            tuning.cancel.cancel();
        }
    }

    /// Ends what runs, before the window goes.
    pub(super) fn stop_all(&mut self) {
        self.stop_job();
        self.stop_measuring();
        self.stop_tuning();
        if let Some(exporting) = &self.state.exporting {
            exporting.cancel.cancel();
        }
    }

    pub(super) fn export(&mut self) {
        let state = &mut self.state;
        let (Some(clip), Some(session)) = (&state.clip, state.session().cloned()) else { return };
        let job = Export {
            video: clip.path.clone(),
            manifest: session.manifest.clone(),
            classes: state.groups(),
            range: session.range,
            every: session.tracks.every,
            settings: state.choice.settings,
            auto: false,
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
