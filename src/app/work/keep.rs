//! What is written for the user beside exports: projects, what is kept against a crash,
//! presets. One thread does it in order, so that no two writes of one file meet.

use std::{path::PathBuf, sync::mpsc, thread};

use super::{Event, Mail, words};
use crate::{
    project::{Kept, LeftOver, Preset, PresetError, Presets, Project, Recovery},
    smooth::Settings,
    video,
};

pub enum Job {
    Save {
        path: PathBuf,
        project: Box<Project>,
    },
    Keep(Box<Kept>),
    /// Look whether a crash left something.
    LookForLeftOver,
    Discard(Box<LeftOver>),
    Presets(PresetChange),
}

#[derive(Clone, Debug, PartialEq)]
pub enum PresetChange {
    List,
    Save(String, Settings),
    Rename(String, String),
    Delete(String),
}

/// The hand that the window holds.
pub struct Keeper {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Keeper {
    /// `data` is the folder of the user's data.
    pub fn new(mail: Mail, data: PathBuf) -> Self {
        let (jobs, queue) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut desk =
                Desk { mail, presets: data.join("presets.sqlite"), open: data.join("open"), recovery: None };
            for job in queue {
                desk.run(job);
            }
        });
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    pub fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The thread lives as long as this.
            let _ = jobs.send(job);
        }
    }

    /// Waits until all is written. What was kept against a crash goes: this is a proper end.
    pub fn finish(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Desk {
    mail: Mail,
    presets: PathBuf,
    open: PathBuf,
    recovery: Option<Recovery>,
}

impl Desk {
    fn run(&mut self, job: Job) {
        match job {
            Job::Save { path, mut project } => {
                if project.video.fingerprint.is_empty() {
                    // Without it the video is found by its name alone.
                    project.video.fingerprint = video::fingerprint(&project.video.path).unwrap_or_default();
                }
                let result = project.save(&path).map_err(|error| words(&error));
                self.mail.send(Event::Saved { path, result: result.map(Box::new) });
            }
            Job::Keep(kept) => self.keep(&kept),
            Job::LookForLeftOver => {
                if let Some(left) = LeftOver::newest(&self.open) {
                    self.mail.send(Event::LeftOver(Box::new(left)));
                }
            }
            Job::Discard(left) => left.discard(),
            Job::Presets(change) => {
                let presets = self.change(change).map_err(|error| words(&error));
                self.mail.send(Event::Presets(presets));
            }
        }
    }

    /// Where that fails work goes on, with nothing to fall back on.
    fn keep(&mut self, kept: &Kept) {
        if self.recovery.is_none() {
            self.recovery = Recovery::begin(&self.open)
                .inspect_err(|error| tracing::warn!("nothing is kept against a crash: {error}"))
                .ok();
        }
        if let Some(Err(error)) = self.recovery.as_ref().map(|recovery| recovery.keep(kept)) {
            tracing::warn!("nothing is kept against a crash: {error}");
        }
    }

    fn change(&self, change: PresetChange) -> Result<Vec<Preset>, PresetError> {
        if change == PresetChange::List && !self.presets.exists() {
            return Ok(Presets::built_in());
        }
        let presets = Presets::open(&self.presets)?;
        match change {
            PresetChange::List => {}
            PresetChange::Save(name, settings) => presets.save(&name, &settings)?,
            PresetChange::Rename(old, new) => presets.rename(&old, &new)?,
            PresetChange::Delete(name) => presets.delete(&name)?,
        }
        presets.all()
    }
}
