//! The queue of jobs on clips, and the workers that run them.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::{
    Service,
    database::{DatabaseError, JobRecord, JobState, Stage},
    job_folder::{RESULTS, remove, source_in},
};
use base::{
    bounded::{BoundedQueue, Full},
    files::folder_bytes,
    frame::FrameRange,
};
use export::{ExportKind, ExportSettings};
use jobs::{ClipJob, Machine};
use pipeline::{CancelToken, PipelineError, RunProgress, Snapshot};
use plan::Plan;

/// A job that a worker is on.
#[derive(Clone)]
struct RunningJob {
    progress: RunProgress,
    cancel: CancelToken,
}

pub struct ClipWorkers {
    queue: BoundedQueue<String>,
    running: Mutex<HashMap<String, RunningJob>>,
    /// Stops everything that runs; it goes on after a restart.
    stop: CancelToken,
}

impl ClipWorkers {
    pub fn new(most_waiting: usize) -> Self {
        Self {
            queue: BoundedQueue::new(most_waiting, usize::MAX),
            running: Mutex::default(),
            stop: CancelToken::new(),
        }
    }

    pub fn try_add(&self, id: &str) -> Result<(), Full> {
        self.queue.try_push(id.to_owned(), 0)
    }

    /// Waits for room, as is right for jobs that were let in before a restart.
    pub fn add(&self, id: String) {
        // Closed, it is taken up again at the next start.
        let _ = self.queue.push(id, 0);
    }

    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// How many jobs come before this one.
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
        let rate = |job: &RunningJob| {
            let (network, masks) = (job.progress.network.snapshot(), job.progress.masks.snapshot());
            masks.frames_per_sec.or(network.frames_per_sec).unwrap_or(0.0)
        };
        running.values().map(rate).fold(0.0, |sum, rate| sum + rate)
    }

    /// Takes the job out of the queue, or stops it. Whether a worker had it.
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

    fn running(&self) -> MutexGuard<'_, HashMap<String, RunningJob>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the workers, with what an earlier process has not finished.
pub fn open(service: &Arc<Service>) {
    for _ in 0..service.options.workers {
        let service = service.clone();
        thread::spawn(move || {
            loop {
                let Some(id) = service.clip_workers.queue.pop() else { return };
                if service.clip_workers.stop.is_cancelled() {
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
    thread::spawn(move || left.into_iter().for_each(|id| service.clip_workers.add(id)));
}

fn work(service: &Service, id: &str) -> Result<(), DatabaseError> {
    let Some(job) = service.database.job(id)?.filter(|job| !job.state.is_over()) else { return Ok(()) };
    let running = RunningJob { progress: RunProgress::default(), cancel: service.clip_workers.stop.child() };
    service.clip_workers.running().insert(id.to_owned(), running.clone());
    service.database.set_state(id, JobState::Running, None, None)?;
    let done = catch_unwind(AssertUnwindSafe(|| run(service, &job, &running)))
        .unwrap_or_else(|_| Err(PipelineError::Internal("a worker panicked over this clip".into())));
    let folder = service.job_folder(id);
    let bytes = Some(folder_bytes(&folder));
    let set_state = |state, error: Option<&str>| service.database.set_state(id, state, error, bytes);
    // Nobody sees it end before its state says so.
    let mut all_running = service.clip_workers.running();
    let kept = match done {
        Ok(frames) => {
            service.telemetry.clip_done(frames);
            set_state(JobState::Done, None)
        }
        // It is taken up again at the next start.
        Err(PipelineError::Cancelled) if service.clip_workers.stop.is_cancelled() => Ok(()),
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
fn public_text(error: &PipelineError, job: &JobRecord, folder: &Path) -> String {
    let text = error.to_string();
    let source = source_in(folder).unwrap_or_default();
    text.replace(&*source.to_string_lossy(), &job.file_name)
        .replace(&*folder.to_string_lossy(), &job.file_name)
}

/// How many frames there are.
fn run(service: &Service, job: &JobRecord, running: &RunningJob) -> Result<usize, PipelineError> {
    let folder = service.job_folder(&job.id);
    let video = source_in(&folder)
        .ok_or_else(|| PipelineError::Video(video::VideoError::Missing(job.file_name.clone().into())))?;
    let plan = job.plan.clone().ok_or_else(|| PipelineError::Internal("a job without a plan".into()))?;
    // One more than is allowed, to see whether there is more; containers' counts are claims.
    let most = service.options.max_frames as usize;
    let FrameRange { first, last } = plan.range;
    let range = FrameRange { first, last: last.min(first.saturating_add(most)) };
    let plan = Plan { range, export: Some(exports(plan.export.clone())), ..plan };
    let machine = Machine {
        memory_bytes: service.machine.memory_bytes / service.options.workers,
        ..service.machine.clone()
    };
    let plan = Arc::new(machine.resolve(plan)?);
    // Results of other settings are replaced.
    let clip = ClipJob { video, plan, out: folder.join(RESULTS), replace: true };
    let RunningJob { progress, cancel } = running;
    let frames = match job.stage {
        Stage::Upload => 0,
        Stage::Segment => {
            clip.prepare(&machine)?.analyse(&progress.network, cancel)?;
            progress.network.snapshot().done
        }
        Stage::Stabilize => clip.run(&machine, progress, cancel)?.report.frames,
    };
    if frames > most {
        return Err(PipelineError::Video(video::VideoError::Unreadable {
            path: job.file_name.clone().into(),
            cause: format!("it has more than {most} frames, which is the most here"),
            remedy: "give a range with to".into(),
        }));
    }
    Ok(frames)
}

/// What the page shows is always there, under the usual names.
fn exports(asked: Option<ExportSettings>) -> ExportSettings {
    let mut export = asked.unwrap_or_default();
    export.options.names = None;
    for kind in [ExportKind::Png, ExportKind::Csv, ExportKind::Json] {
        if !export.kinds.contains(&kind) {
            export.kinds.push(kind);
        }
    }
    export
}
