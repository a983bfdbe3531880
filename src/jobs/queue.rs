//! The queue of a window: clips that are done one after another. They can be put in another order,
//! held, stopped, tried again and taken out, and they are still there after a restart.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ClipJob, Machine};
use base::files::write_atomically;
use pipeline::{CancelToken, PipelineError, RunProgress, Snapshot};
use plan::Plan;

/// A clip and what shall be done with it, as it was decided when it came into the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueuedClip {
    /// Of its own as long as it is in the queue.
    #[serde(default)]
    pub id: u64,
    /// The file, or the folder of images.
    pub video: PathBuf,
    /// Resolved when its turn comes.
    #[serde(rename = "steps")]
    pub plan: Plan,
    /// Folder for the files.
    pub out: PathBuf,
    /// Replace files that are there.
    #[serde(default)]
    pub replace: bool,
    /// How far it is.
    #[serde(default)]
    pub state: ClipState,
    /// Why it failed, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How far a queued clip is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClipState {
    /// Its turn has not come.
    #[default]
    Waiting,
    /// It is being worked on.
    Running,
    /// Its files are written.
    Done,
    /// Its error says why.
    Failed,
    /// The user has stopped it.
    Cancelled,
}

/// How long [`Queue::finish`] waits for the disk.
const FINISH_PATIENCE: Duration = Duration::from_secs(2);

/// Clones share one queue. When the last one is dropped, the clip that runs is stopped; it is waiting again
/// when the queue is opened the next time.
#[derive(Clone)]
pub struct Queue(Arc<Owner>);

struct Owner(Arc<Shared>);

struct Shared {
    state: Mutex<QueueState>,
    changed: Condvar,
    path: PathBuf,
}

struct RunningClip {
    id: u64,
    progress: RunProgress,
    cancel: CancelToken,
}

/// What the worker takes out of the queue.
struct NextClip {
    clip: QueuedClip,
    progress: RunProgress,
    cancel: CancelToken,
    machine: Machine,
}

struct QueueState {
    clips: Vec<QueuedClip>,
    /// What was in the file and is no clip that this version can read; it stays there.
    unreadable: Vec<Value>,
    next_id: u64,
    running: Option<RunningClip>,
    is_held: bool,
    is_open: bool,
    machine: Machine,
    /// How often it has changed, and how often it had when it was written to the disk.
    changes: u64,
    written: u64,
    /// Why the queue can't be kept on the disk.
    unsaved: Option<String>,
    changed: Box<dyn Fn() + Send>,
}

/// What there is to show.
#[derive(Clone, Debug, Default)]
pub struct QueueSnapshot {
    /// In the order in which they are done.
    pub clips: Vec<QueuedClip>,
    /// Of the clip that runs: network and masks.
    pub progress: Option<[Snapshot; 2]>,
    /// Nothing new begins, and what runs waits.
    pub is_held: bool,
    /// Why the queue can't be kept on the disk, if it can't.
    pub unsaved: Option<String>,
}

impl Queue {
    /// Takes up the queue that was kept at `path`; it is held if there is anything to do, so that
    /// nothing begins by itself. Files are read and written by threads of its own. `changed` is
    /// called from them when something happens.
    pub fn open(path: &Path, machine: Machine, changed: impl Fn() + Send + 'static) -> Self {
        let state = QueueState {
            clips: Vec::new(),
            unreadable: Vec::new(),
            next_id: 0,
            is_held: false,
            running: None,
            is_open: true,
            machine,
            changes: 0,
            written: 0,
            unsaved: None,
            changed: Box::new(changed),
        };
        let shared =
            Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), path: path.to_owned() });
        let (worker, keeper) = (shared.clone(), shared.clone());
        thread::spawn(move || {
            worker.load();
            thread::spawn(move || keeper.keep());
            worker.work();
        });
        Self(Arc::new(Owner(shared)))
    }

    /// The queue as it is now.
    pub fn snapshot(&self) -> QueueSnapshot {
        let state = self.0.0.state();
        let snapshots = |running: &RunningClip| {
            let RunProgress { network, masks } = &running.progress;
            [network.snapshot(), masks.snapshot()]
        };
        QueueSnapshot {
            clips: state.clips.clone(),
            progress: state.running.as_ref().map(snapshots),
            is_held: state.is_held,
            unsaved: state.unsaved.clone(),
        }
    }

    /// Adds a clip at the end of the queue. `replace` lets it replace files that are in `out` already.
    pub fn add(&self, video: PathBuf, plan: Plan, out: PathBuf, replace: bool) {
        self.change(|state| {
            let id = state.next_id;
            state.next_id += 1;
            let clip = QueuedClip { id, video, plan, out, replace, state: ClipState::Waiting, error: None };
            state.clips.push(clip);
        });
    }

    /// The clips that begin from now on may use this much of the machine.
    pub fn set_machine(&self, machine: Machine) {
        self.0.0.state().machine = machine;
    }

    /// Moves a clip down by so many places, or up if negative, as far as the queue goes.
    pub fn shift(&self, id: u64, places: isize) {
        self.change(|state| {
            let Some(from) = state.clips.iter().position(|clip| clip.id == id) else { return };
            let to = from.saturating_add_signed(places).min(state.clips.len() - 1);
            let clip = state.clips.remove(from);
            state.clips.insert(to, clip);
        });
    }

    /// Holds the queue, so that nothing new begins and what runs waits; or lets it go on.
    pub fn hold(&self, held: bool) {
        self.change(|state| {
            state.is_held = held;
            if let Some(running) = &state.running {
                running.cancel.pause(held);
            }
        });
    }

    /// Stops a clip that waits or runs. It keeps its place.
    pub fn cancel(&self, id: u64) {
        self.change(|state| {
            state.stop(id);
            state.set(id, ClipState::Cancelled, None);
        });
    }

    /// Puts a clip that is over back to waiting, with the same settings.
    pub fn retry(&self, id: u64) {
        self.change(|state| {
            if !state.is_running(id) {
                state.set(id, ClipState::Waiting, None);
            }
        });
    }

    /// Takes a clip out of the queue; its files stay.
    pub fn remove(&self, id: u64) {
        self.change(|state| {
            state.stop(id);
            state.clips.retain(|clip| clip.id != id);
        });
    }

    /// Waits, not for long, until the disk has it all.
    pub fn finish(&self) {
        let shared = &self.0.0;
        let is_unwritten = |state: &mut QueueState| state.written != state.changes;
        drop(shared.changed.wait_timeout_while(shared.state(), FINISH_PATIENCE, is_unwritten));
    }

    fn change(&self, change: impl FnOnce(&mut QueueState)) {
        change(&mut self.0.0.state());
        self.0.0.tell();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_open = false;
        if let Some(running) = &state.running {
            running.cancel.cancel();
        }
        drop(state);
        self.0.changed.notify_all();
    }
}

impl QueueState {
    fn is_running(&self, id: u64) -> bool {
        self.running.as_ref().is_some_and(|running| running.id == id)
    }

    fn stop(&self, id: u64) {
        if let Some(running) = self.running.as_ref().filter(|running| running.id == id) {
            running.cancel.cancel();
        }
    }

    fn set(&mut self, id: u64, to: ClipState, error: Option<String>) {
        if let Some(clip) = self.clips.iter_mut().find(|clip| clip.id == id) {
            (clip.state, clip.error) = (to, error);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something has changed.
    fn tell(&self) {
        let mut state = self.state();
        state.changes += 1;
        (state.changed)();
        drop(state);
        self.changed.notify_all();
    }

    fn load(&self) {
        let kept = self.read();
        let mut state = self.state();
        let entries = match kept {
            Ok(entries) => entries,
            Err(why) => {
                state.unsaved = Some(why);
                Vec::new()
            }
        };
        let mut kept = Vec::new();
        for entry in entries {
            let Ok(mut clip) = serde_json::from_value::<QueuedClip>(entry.clone()) else {
                state.unreadable.push(entry);
                continue;
            };
            clip.id = state.next_id;
            state.next_id += 1;
            if clip.state == ClipState::Running {
                clip.state = ClipState::Waiting;
            }
            kept.push(clip);
        }
        state.is_held |= kept.iter().any(|clip| clip.state == ClipState::Waiting);
        state.clips.splice(0..0, kept);
        (state.changed)();
    }

    /// The entries of the file. One that is no queue is put aside, so that it is not written over;
    /// the error says where.
    fn read(&self) -> Result<Vec<Value>, String> {
        let Ok(text) = fs::read(&self.path) else { return Ok(Vec::new()) };
        serde_json::from_slice(&text).map_err(|error| {
            let aside = self.path.with_extension("unreadable.json");
            let _ = fs::rename(&self.path, &aside);
            format!(
                "the queue could not be read ({error}) and begins anew; what there was is in {}",
                aside.display()
            )
        })
    }

    /// Writes the queue to the disk whenever it has changed.
    fn keep(&self) {
        let mut state = self.state();
        loop {
            if state.written != state.changes {
                let clips = state.clips.iter().map(serde_json::to_value);
                let entries = clips.collect::<Result<Vec<_>, _>>().map(|mut entries| {
                    entries.extend_from_slice(&state.unreadable);
                    entries
                });
                let changes = state.changes;
                drop(state);
                let entries = entries.map_err(|error| error.to_string());
                let unsaved = entries.and_then(|entries| self.write(&entries)).err();
                state = self.state();
                (state.unsaved, state.written) = (unsaved, changes);
                self.changed.notify_all();
            } else if state.is_open {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            } else {
                return;
            }
        }
    }

    fn write(&self, entries: &[Value]) -> Result<(), String> {
        fs::create_dir_all(self.path.parent().unwrap_or(Path::new(".")))
            .map_err(|error| error.to_string())?;
        write_atomically(&self.path, |file| serde_json::to_writer_pretty(file, entries).map_err(Into::into))
            .map_err(|error| error.to_string())
    }

    fn work(&self) {
        while let Some(NextClip { clip, progress, cancel, machine }) = self.next() {
            let QueuedClip { id, video, plan, out, replace, state: _, error: _ } = clip;
            let done = machine.resolve(plan).map_err(PipelineError::from).and_then(|plan| {
                let job = ClipJob { video, plan: Arc::new(plan), out, replace };
                job.run(&machine, &progress, &cancel)
            });
            let mut state = self.state();
            state.running = None;
            match done {
                // The window goes; the clip stays as it is for the next one.
                _ if !state.is_open => return,
                Ok(_) => state.set(id, ClipState::Done, None),
                Err(PipelineError::Cancelled) => state.set(id, ClipState::Cancelled, None),
                Err(error) => state.set(id, ClipState::Failed, Some(error.to_string())),
            }
            drop(state);
            self.tell();
        }
    }

    /// Waits for the first clip that may run.
    fn next(&self) -> Option<NextClip> {
        let mut state = self.state();
        loop {
            if !state.is_open {
                return None;
            }
            let first =
                state.clips.iter().find(|clip| clip.state == ClipState::Waiting).filter(|_| !state.is_held);
            if let Some(clip) = first.cloned() {
                let (progress, cancel) = (RunProgress::default(), CancelToken::new());
                let (progress_of, cancel_of) = (progress.clone(), cancel.clone());
                state.running = Some(RunningClip { id: clip.id, progress: progress_of, cancel: cancel_of });
                state.set(clip.id, ClipState::Running, None);
                let machine = state.machine.clone();
                drop(state);
                self.tell();
                return Some(NextClip { clip, progress, cancel, machine });
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
