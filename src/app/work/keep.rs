//! What is written for the user beside exports: projects, what is kept against a crash,
//! presets. One thread does it in order, so that no two writes of one file meet.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use super::{Event, Mail, words};
use crate::{
    export::{ExportError, ExportSettings, write_atomically},
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
    /// Write the user's presets to a file, which [`PresetChange::Import`] takes.
    ExportPresets(PathBuf),
}

#[derive(Clone, Debug, PartialEq)]
pub enum PresetChange {
    List,
    Save(String, Settings, Option<ExportSettings>),
    Rename(String, String),
    Delete(String),
    /// Those in a file that the window or «steadymask presets export» wrote.
    Import(PathBuf),
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
            let mut desk = Desk {
                mail,
                presets: data.join("presets.sqlite"),
                open: data.join("open"),
                recovery: None,
                has_warned: false,
            };
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
    /// That nothing is kept against a crash.
    has_warned: bool,
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
                self.mail.send(Event::Presets(self.change(change)));
            }
            Job::ExportPresets(path) => {
                self.mail.send(Event::FileSaved(self.export_presets(&path).map(|()| path)));
            }
        }
    }

    /// Where that fails work goes on, with nothing to fall back on. The user is told once.
    fn keep(&mut self, kept: &Kept) {
        let result = self.try_keep(kept);
        if let Err(error) = &result
            && !self.has_warned
        {
            self.mail.send(Event::NotKept(words(error)));
        }
        self.has_warned = result.is_err();
    }

    fn try_keep(&mut self, kept: &Kept) -> Result<(), ExportError> {
        let recovery = match self.recovery.take() {
            Some(recovery) => recovery,
            None => Recovery::begin(&self.open).map_err(ExportError::on(&self.open))?,
        };
        self.recovery.insert(recovery).keep(kept)
    }

    fn change(&self, change: PresetChange) -> Result<Vec<Preset>, String> {
        if change == PresetChange::List && !self.presets.exists() {
            return Ok(Presets::built_in());
        }
        let import = match &change {
            PresetChange::Import(path) => {
                fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?
            }
            _ => String::new(),
        };
        let make = || {
            let presets = Presets::open(&self.presets)?;
            match change {
                PresetChange::List => {}
                PresetChange::Save(name, smoothing, export) => {
                    presets.save(&name, &smoothing, export.as_ref())?;
                }
                PresetChange::Rename(old, new) => presets.rename(&old, &new)?,
                PresetChange::Delete(name) => presets.delete(&name)?,
                PresetChange::Import(_) => drop(presets.import(&import)?),
            }
            presets.all()
        };
        make().map_err(|error: PresetError| words(&error))
    }

    fn export_presets(&self, path: &Path) -> Result<(), String> {
        let json = Presets::open(&self.presets).and_then(|presets| presets.export());
        let json = json.map_err(|error| words(&error))?;
        write_atomically(path, |out| out.write_all(json.as_bytes())).map_err(|error| words(&error))
    }
}
