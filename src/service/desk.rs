//! The line of jobs on clips, and the workers that do them.

use std::{
    collections::HashMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use super::{
    Service,
    database::{Job, JobState, Stage},
};
use crate::{
    export::ExportKind,
    jobs::{ClipJob, Full, Machine, Queue},
    pipeline::{CancelToken, PipelineError, RunProgress, Snapshot},
    project::{ExportStep, Plan},
};

/// A job that a worker has.
#[derive(Clone)]
struct Running {
    progress: RunProgress,
    cancel: CancelToken,
}

pub struct Desk {
    queue: Queue<String>,
    running: Mutex<HashMap<String, Running>>,
    /// Stops everything that runs; it goes on after a restart.
    stop: CancelToken,
}

impl Desk {
    pub fn new(most_waiting: usize) -> Self {
        Self {
            queue: Queue::new(most_waiting, usize::MAX),
            running: Mutex::default(),
            stop: CancelToken::new(),
        }
    }

    pub fn try_add(&self, id: &str) -> Result<(), Full> {
        self.queue.try_push(id.to_owned(), 0)
    }

    /// Waits for room, as is right for jobs that were let in before a restart.
    pub fn add(&self, id: String) {
        self.queue.push(id, 0);
    }

    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// How many are before this one in line.
    pub fn place(&self, id: &str) -> Option<usize> {
        self.queue.position(|waiting| waiting == id)
    }

    /// How far the job is: network and masks.
    pub fn snapshots(&self, id: &str) -> Option<[Snapshot; 2]> {
        let running = self.running();
        running.get(id).map(|job| [job.progress.network.snapshot(), job.progress.masks.snapshot()])
    }

    /// Of all jobs that run.
    pub fn frames_per_sec(&self) -> f64 {
        let running = self.running();
        let rate = |job: &Running| {
            let (network, masks) = (job.progress.network.snapshot(), job.progress.masks.snapshot());
            masks.frames_per_sec.or(network.frames_per_sec).unwrap_or(0.0)
        };
        running.values().map(rate).fold(0.0, |sum, rate| sum + rate)
    }

    /// Takes the job out of line. Whether a worker has it, and is told to stop.
    pub fn cancel(&self, id: &str) -> bool {
        self.queue.remove(|waiting| waiting == id);
        self.running().get(id).map(|job| job.cancel.cancel()).is_some()
    }

    pub fn shut_down(&self) {
        self.stop.cancel();
        self.queue.close();
    }

    pub fn is_idle(&self) -> bool {
        self.running().is_empty()
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the workers, with what an earlier process has not finished.
pub fn open(service: &Arc<Service>) {
    for _ in 0..service.options.workers {
        let service = service.clone();
        thread::spawn(move || {
            loop {
                let Some(id) = service.desk.queue.take(1, |_, _| false).pop() else { return };
                if service.desk.stop.is_cancelled() {
                    return;
                }
                if let Err(error) = work(&service, &id) {
                    tracing::error!("job {id}: {error}");
                }
            }
        });
    }
    let left = service.database.jobs().unwrap_or_default();
    let left: Vec<String> = left.into_iter().filter(|job| !job.state.is_over()).map(|job| job.id).collect();
    let service = service.clone();
    thread::spawn(move || left.into_iter().for_each(|id| service.desk.add(id)));
}

fn work(service: &Service, id: &str) -> Result<(), super::database::DatabaseError> {
    let Some(job) = service.database.job(id)?.filter(|job| !job.state.is_over()) else { return Ok(()) };
    let running = Running { progress: RunProgress::default(), cancel: service.desk.stop.child() };
    service.desk.running().insert(id.to_owned(), running.clone());
    service.database.set_state(id, JobState::Running, None, None)?;
    let done = catch_unwind(AssertUnwindSafe(|| run(service, &job, &running)))
        .unwrap_or_else(|_| Err(PipelineError::Internal("a worker panicked over this clip".into())));
    let folder = service.job_folder(id);
    let bytes = Some(folder_bytes(&folder));
    let set_state = |state, error: Option<&str>| service.database.set_state(id, state, error, bytes);
    // Nobody sees it end before its state says so.
    let mut all_running = service.desk.running();
    let kept = match done {
        Ok(frames) => {
            service.telemetry.clip_done(frames);
            set_state(JobState::Done, None)
        }
        // It is taken up again at the next start.
        Err(PipelineError::Cancelled) if service.desk.stop.is_cancelled() => Ok(()),
        Err(error) => {
            service.telemetry.clip_failed();
            set_state(JobState::Failed, Some(&public_text(&error, &job, &folder)))
        }
    };
    all_running.remove(id);
    drop(all_running);
    if service.database.job(id)?.is_none() {
        // Deleted while it ran.
        remove(&folder);
    }
    kept
}

/// What a client may read of an error: its own name for the file, and no path of this machine.
fn public_text(error: &PipelineError, job: &Job, folder: &Path) -> String {
    let text = error.to_string();
    let source = source_in(folder).unwrap_or_default();
    text.replace(&*source.to_string_lossy(), &job.file_name)
        .replace(&*folder.to_string_lossy(), &job.file_name)
}

/// How many frames there are.
fn run(service: &Service, job: &Job, running: &Running) -> Result<usize, PipelineError> {
    let folder = service.job_folder(&job.id);
    let video = source_in(&folder).ok_or_else(|| {
        PipelineError::Video(crate::video::VideoError::Missing(job.file_name.clone().into()))
    })?;
    let mut plan = Plan::of(&job.steps).map_err(|error| PipelineError::Internal(error.to_string()))?;
    // One more than is allowed, to see whether there is more; containers' counts are claims.
    let most = service.options.max_frames;
    let last = most.saturating_add(plan.decode.from.unwrap_or(0));
    plan.decode.to = Some(plan.decode.to.unwrap_or(u32::MAX).min(last));
    plan.export = Some(exports(plan.export.take()));
    let machine = Machine {
        memory_bytes: service.machine.memory_bytes / service.options.workers,
        ..service.machine.clone()
    };
    let clip = ClipJob { video, plan, out: folder.join(RESULTS) };
    let Running { progress, cancel } = running;
    let frames = match job.stage {
        Stage::Upload => 0,
        Stage::Segment => {
            clip.prepare(&machine)?.analyse(&progress.network, cancel)?;
            progress.network.snapshot().done
        }
        Stage::Stabilize => clip.run(&machine, progress, cancel)?.report.frames,
    };
    if frames > most as usize {
        return Err(PipelineError::Video(crate::video::VideoError::Unreadable {
            path: job.file_name.clone().into(),
            cause: format!("it has more than {most} frames, which is the most here"),
            remedy: "give a range with to".into(),
        }));
    }
    Ok(frames)
}

pub const RESULTS: &str = "results";

/// What the page shows is always there, under the usual names.
fn exports(asked: Option<ExportStep>) -> ExportStep {
    let mut step = ExportStep { names: None, ..asked.unwrap_or_default() };
    for kind in [ExportKind::Png, ExportKind::Csv, ExportKind::Json] {
        if !step.kinds.contains(&kind) {
            step.kinds.push(kind);
        }
    }
    step
}

/// The uploaded file of a job.
pub fn source_in(folder: &Path) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.find(|path| path.file_stem().is_some_and(|stem| stem == "source"))
}

pub fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Under another name first, so that nobody finds half of it.
pub fn remove(folder: &Path) {
    let gone = folder.with_extension("gone");
    let folder = if fs::rename(folder, &gone).is_ok() { &gone } else { folder };
    if let Err(error) = fs::remove_dir_all(folder).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    }) {
        tracing::warn!("{}: could not be removed: {error}", folder.display());
    }
}
