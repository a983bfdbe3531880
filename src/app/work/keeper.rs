//! What is written for the user beside exports: projects, what is kept against a crash,
//! presets. One thread does it in order, so that no two writes of one file meet.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
};

use crate::work::{
    error_words::words,
    events::{Event, Mail},
};
use base::files::{FileError, write_atomically};
use export::ExportSettings;
use project::{Preset, PresetError, Presets, Project, Recovery, RecoveryFile, RecoveryRecord};
use smooth::Settings;

/// What the thread that writes does.
pub enum FileTask {
    Save {
        path: PathBuf,
        project: Box<Project>,
        /// The project's, where it is open.
        video: Option<Arc<video::Clip>>,
    },
    Keep(Box<RecoveryRecord>),
    /// Look whether a crash left something.
    LookForLeftOver,
    Discard(Box<RecoveryFile>),
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

/// What the window holds of the thread that writes.
pub struct Keeper {
    tasks: Option<mpsc::Sender<FileTask>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Keeper {
    /// `data` is the folder of the user's data.
    pub fn new(mail: Mail, data: PathBuf) -> Self {
        let (tasks, queue) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut worker = Worker {
                mail,
                presets: data.join("presets.sqlite"),
                open: data.join("open"),
                recovery: None,
                has_warned: false,
            };
            for task in queue {
                worker.run(task);
            }
        });
        Self { tasks: Some(tasks), thread: Some(thread) }
    }

    pub fn send(&self, task: FileTask) {
        if let Some(tasks) = &self.tasks {
            // The thread lives as long as this.
            let _ = tasks.send(task);
        }
    }

    /// Waits until all is written. What was kept against a crash goes: this is a proper end.
    pub fn finish(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    mail: Mail,
    presets: PathBuf,
    open: PathBuf,
    recovery: Option<Recovery>,
    /// That nothing is kept against a crash.
    has_warned: bool,
}

impl Worker {
    fn run(&mut self, task: FileTask) {
        match task {
            FileTask::Save { path, mut project, video } => {
                if project.video.fingerprint.is_empty() {
                    // Without it the video is found by its name alone.
                    let fingerprint = video.map(|video| video.fingerprint());
                    project.video.fingerprint = fingerprint.and_then(Result::ok).unwrap_or_default();
                }
                let result = project.save(&path).map_err(|error| words(&error));
                self.mail.send(Event::Saved { path, result: result.map(Box::new) });
            }
            FileTask::Keep(kept) => self.keep(&kept),
            FileTask::LookForLeftOver => {
                if let Some(left) = RecoveryFile::newest(&self.open) {
                    self.mail.send(Event::LeftOver(Box::new(left)));
                }
            }
            FileTask::Discard(left) => left.discard(),
            FileTask::Presets(change) => {
                self.mail.send(Event::Presets(self.change(change)));
            }
            FileTask::ExportPresets(path) => {
                self.mail.send(Event::FileSaved(self.export_presets(&path).map(|()| path)));
            }
        }
    }

    /// Where that fails work goes on, with nothing to fall back on. The user is told once.
    fn keep(&mut self, kept: &RecoveryRecord) {
        let result = self.try_keep(kept);
        if let Err(error) = &result
            && !self.has_warned
        {
            self.mail.send(Event::NotKept(words(error)));
        }
        self.has_warned = result.is_err();
    }

    fn try_keep(&mut self, kept: &RecoveryRecord) -> Result<(), FileError> {
        let recovery = match self.recovery.take() {
            Some(recovery) => recovery,
            None => Recovery::begin(&self.open).map_err(FileError::on(&self.open))?,
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
