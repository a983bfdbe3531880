//! Clips that wait in line in a window: they can be put in another order, held, stopped, tried
//! again and taken out, and they are still there after a restart.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{ClipJob, Machine};
use crate::{
    export::write_atomically,
    pipeline::{CancelToken, PipelineError, RunProgress, Snapshot},
    project::{Plan, Step},
};

/// A clip and what shall be done with it, as it was decided when it came into the line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Of its own as long as it is in line.
    #[serde(default)]
    pub id: u64,
    pub video: PathBuf,
    pub steps: Vec<Step>,
    pub out: PathBuf,
    #[serde(default)]
    pub state: LineState,
    /// Why it failed, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineState {
    #[default]
    Waiting,
    Running,
    Done,
    Failed,
    Cancelled,
}

/// What the last words get to reach the disk.
const FINISH_PATIENCE: Duration = Duration::from_secs(2);

/// Clones are one. When the last is dropped, what runs is stopped, and goes on another time.
#[derive(Clone)]
pub struct Lineup(Arc<Owner>);

struct Owner(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    path: PathBuf,
}

struct State {
    clips: Vec<Waiting>,
    next_id: u64,
    running: Option<(u64, RunProgress, CancelToken)>,
    is_held: bool,
    is_open: bool,
    machine: Machine,
    /// How often it has changed, and how often it had when it was written to the disk.
    changes: u64,
    written: u64,
    /// Why the line can't be kept on the disk.
    unsaved: Option<String>,
    changed: Box<dyn Fn() + Send>,
}

/// What there is to show.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub clips: Vec<Waiting>,
    /// Of the clip that runs: network and masks.
    pub progress: Option<[Snapshot; 2]>,
    pub is_held: bool,
    pub unsaved: Option<String>,
}

impl Lineup {
    /// Takes up the line that was kept at `path`; it is held if there is anything to do, so that
    /// nothing begins by itself. Files are read and written by threads of its own. `changed` is
    /// called from them when something happens.
    pub fn open(path: &Path, machine: Machine, changed: impl Fn() + Send + 'static) -> Self {
        let state = State {
            clips: Vec::new(),
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

    pub fn shown(&self) -> Shown {
        let state = self.0.0.state();
        let snapshots = |(_, progress, _): &(u64, RunProgress, CancelToken)| {
            [progress.network.snapshot(), progress.masks.snapshot()]
        };
        Shown {
            clips: state.clips.clone(),
            progress: state.running.as_ref().map(snapshots),
            is_held: state.is_held,
            unsaved: state.unsaved.clone(),
        }
    }

    /// To the end of the line.
    pub fn add(&self, video: PathBuf, steps: Vec<Step>, out: PathBuf) {
        self.change(|state| {
            let id = state.next_id;
            state.next_id += 1;
            state.clips.push(Waiting { id, video, steps, out, state: LineState::Waiting, error: None });
        });
    }

    /// What comes next takes this much of the machine.
    pub fn set_machine(&self, machine: Machine) {
        self.0.0.state().machine = machine;
    }

    /// So many places down, or up; as far as the line goes.
    pub fn shift(&self, id: u64, places: isize) {
        self.change(|state| {
            let Some(from) = state.clips.iter().position(|clip| clip.id == id) else { return };
            let to = from.saturating_add_signed(places).min(state.clips.len() - 1);
            let clip = state.clips.remove(from);
            state.clips.insert(to, clip);
        });
    }

    /// Nothing new begins, and what runs waits; or all goes on.
    pub fn hold(&self, held: bool) {
        self.change(|state| {
            state.is_held = held;
            if let Some((.., cancel)) = &state.running {
                cancel.pause(held);
            }
        });
    }

    /// Stops it, if it waits or runs. It keeps its place.
    pub fn cancel(&self, id: u64) {
        self.change(|state| {
            state.stop(id);
            state.set(id, LineState::Cancelled, None);
        });
    }

    /// Once more, with the same settings.
    pub fn retry(&self, id: u64) {
        self.change(|state| {
            if !state.is_running(id) {
                state.set(id, LineState::Waiting, None);
            }
        });
    }

    /// Takes it out of the line; its files stay.
    pub fn remove(&self, id: u64) {
        self.change(|state| {
            state.stop(id);
            state.clips.retain(|clip| clip.id != id);
        });
    }

    /// Waits, not for long, until the disk has it all.
    pub fn finish(&self) {
        let shared = &self.0.0;
        let is_unwritten = |state: &mut State| state.written != state.changes;
        drop(shared.changed.wait_timeout_while(shared.state(), FINISH_PATIENCE, is_unwritten));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.0.state());
        self.0.0.tell();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_open = false;
        if let Some((.., cancel)) = &state.running {
            cancel.cancel();
        }
        drop(state);
        self.0.changed.notify_all();
    }
}

impl State {
    fn is_running(&self, id: u64) -> bool {
        self.running.as_ref().is_some_and(|(running, ..)| *running == id)
    }

    fn stop(&self, id: u64) {
        if let Some((.., cancel)) = self.running.as_ref().filter(|_| self.is_running(id)) {
            cancel.cancel();
        }
    }

    fn set(&mut self, id: u64, to: LineState, error: Option<String>) {
        if let Some(clip) = self.clips.iter_mut().find(|clip| clip.id == id) {
            (clip.state, clip.error) = (to, error);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
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
        let kept =
            fs::read(&self.path).ok().and_then(|text| serde_json::from_slice::<Vec<Waiting>>(&text).ok());
        let mut state = self.state();
        let mut kept = kept.unwrap_or_default();
        for clip in &mut kept {
            clip.id = state.next_id;
            state.next_id += 1;
            if clip.state == LineState::Running {
                clip.state = LineState::Waiting;
            }
        }
        state.is_held |= kept.iter().any(|clip| clip.state == LineState::Waiting);
        state.clips.splice(0..0, kept);
        (state.changed)();
    }

    /// Writes the line to the disk whenever it has changed.
    fn keep(&self) {
        let mut state = self.state();
        loop {
            if state.written != state.changes {
                let (clips, changes) = (state.clips.clone(), state.changes);
                drop(state);
                let unsaved = self.write(&clips).err();
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

    fn write(&self, clips: &[Waiting]) -> Result<(), String> {
        fs::create_dir_all(self.path.parent().unwrap_or(Path::new(".")))
            .map_err(|error| error.to_string())?;
        write_atomically(&self.path, |file| serde_json::to_writer_pretty(file, clips).map_err(Into::into))
            .map_err(|error| error.to_string())
    }

    fn work(&self) {
        while let Some((clip, progress, cancel, machine)) = self.next() {
            let done = Plan::of(&clip.steps)
                .map_err(|error| PipelineError::Internal(error.to_string()))
                .and_then(|plan| {
                    ClipJob { video: clip.video, plan, out: clip.out }.run(&machine, &progress, &cancel)
                });
            let mut state = self.state();
            state.running = None;
            match done {
                // The window goes; the clip stays as it is for the next one.
                _ if !state.is_open => return,
                Ok(_) => state.set(clip.id, LineState::Done, None),
                Err(PipelineError::Cancelled) => state.set(clip.id, LineState::Cancelled, None),
                Err(error) => state.set(clip.id, LineState::Failed, Some(error.to_string())),
            }
            drop(state);
            self.tell();
        }
    }

    /// Waits for the first clip that may run.
    fn next(&self) -> Option<(Waiting, RunProgress, CancelToken, Machine)> {
        let mut state = self.state();
        loop {
            if !state.is_open {
                return None;
            }
            let first =
                state.clips.iter().find(|clip| clip.state == LineState::Waiting).filter(|_| !state.is_held);
            if let Some(clip) = first.cloned() {
                let (progress, cancel) = (RunProgress::default(), CancelToken::new());
                state.running = Some((clip.id, progress.clone(), cancel.clone()));
                state.set(clip.id, LineState::Running, None);
                let machine = state.machine.clone();
                drop(state);
                self.tell();
                return Some((clip, progress, cancel, machine));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
#[path = "lineup_tests.rs"]
mod tests;
