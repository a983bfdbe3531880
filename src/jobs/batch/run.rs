//! The work of a batch: images on all cores, clips one after another beside them.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        mpsc::{self, SyncSender},
    },
    thread,
    time::Duration,
};

use sha2::{Digest as _, Sha256};

use super::{
    BatchError, Entry, Input, Ledger, Status,
    ledger::{PARTS, part_path, read_part},
    path_text,
    pinned::PinnedPipelines,
};
use crate::{ClipJob, ImagePlan, ImagePool, ImageRequest, ImageResult, Machine};
use base::files::write_atomically;
use pipeline::{CancelToken, PipelineError, Progress, RunProgress, RunResult};
use video::ImageBytes;

/// Many inputs through pipelines: images side by side on all cores, clips one after another.
pub struct Batch {
    /// What there is to do.
    pub inputs: Vec<Input>,
    /// For inputs without one of their own.
    pub pipeline: String,
    /// Folder for the results. The same one again goes on where it was.
    pub out: PathBuf,
    /// What the work may use.
    pub machine: Machine,
    /// Try again what failed for good.
    pub retry_failed: bool,
}

/// How many came to what.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Inputs.
    pub total: usize,
    /// Now or before.
    pub succeeded: usize,
    /// Of them, those that were done before.
    pub skipped: usize,
    /// Path and cause; of ten thousand the first.
    pub failures: Vec<(String, String)>,
    /// How many failures there are, beyond those listed too.
    pub failed: usize,
    /// In plain words.
    pub notes: Vec<String>,
}

const MOST_FAILURES: usize = 10_000;
/// Requests that are queued for a worker.
const MAX_QUEUED: usize = 64;
/// Bytes for a pixel on its way: the picture, its probabilities, masks.
const BYTES_PER_PIXEL: usize = 8;
/// How often what may pass is tried, and how long is waited before.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// One picture may take what all workers have.
fn max_pixels(machine: &Machine) -> usize {
    machine.memory_bytes / BYTES_PER_PIXEL
}

/// An input with what shall be done to it.
#[derive(Clone)]
struct InputJob {
    input: Input,
    text: String,
    key: String,
    plan: Arc<ImagePlan>,
    tries: usize,
}

/// Counts the jobs in flight, collects those to try again, and sends results to the ledger.
struct Scheduler {
    entries: SyncSender<Entry>,
    state: Mutex<SchedulerState>,
    changed: Condvar,
}

#[derive(Default)]
struct SchedulerState {
    in_flight: usize,
    retries: Vec<InputJob>,
}

impl Scheduler {
    /// Takes the outcome of a job. One that failed for a reason that may pass is tried again.
    fn complete(&self, mut job: InputJob, outcome: Result<Entry, PipelineError>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Err(error) if error.may_pass() && job.tries + 1 < TRIES => {
                job.tries += 1;
                state.retries.push(job);
            }
            Err(PipelineError::Cancelled) => {}
            Ok(entry) => self.record(entry),
            Err(error) => self.record(job.failed(&error)),
        }
        state.in_flight -= 1;
        self.changed.notify_all();
    }

    /// Where nobody listens any more, the batch has failed and says so itself.
    fn record(&self, entry: Entry) {
        let _ = self.entries.send(entry);
    }

    fn begin(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).in_flight += 1;
    }

    /// Waits until nothing is under way, and gives what shall be tried again.
    fn wait(&self, cancel: &CancelToken) -> Vec<InputJob> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.in_flight > 0 && !cancel.is_cancelled() {
            let wait = self.changed.wait_timeout(state, Duration::from_millis(100));
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut state.retries)
    }
}

impl Batch {
    /// Does all that is not done yet. `progress` counts what is on the disk; `tell` hears of
    /// every failure.
    ///
    /// # Errors
    /// When nothing can be done at all, or nothing can be written any more. What fails for one
    /// input is in the tally.
    pub fn run(
        self,
        progress: &Progress,
        tell: impl Fn(&Entry) + Send + Sync,
        cancel: &CancelToken,
    ) -> Result<Tally, BatchError> {
        let ledger = Ledger::open(&self.out)?;
        let mut plans = PinnedPipelines::open(&self.out)?;
        let mut tally = Tally { total: self.inputs.len(), ..Tally::default() };
        progress.set_total(Some(tally.total));
        let mut jobs = Vec::new();
        for input in self.inputs {
            let plan = plans.plan(input.pipeline.as_deref().unwrap_or(&self.pipeline), &self.machine)?;
            let job = InputJob::new(input, plan);
            if ledger.is_done(&job.text, &job.key, self.retry_failed) {
                progress.skip(1);
                tally.skipped += 1;
                if ledger.has_failed(&job.text) {
                    tally.failed += 1;
                    tally.failures.push((job.text, "it failed before; --retry-failed tries again".into()));
                } else {
                    tally.succeeded += 1;
                }
            } else {
                jobs.push(job);
            }
        }
        tally.notes = plans.notes;

        let (entries, receiver) = mpsc::sync_channel(MAX_QUEUED);
        let scheduler = Arc::new(Scheduler { entries, state: Mutex::default(), changed: Condvar::new() });
        let stop = cancel.child();
        let counted = Mutex::new(&mut tally);
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let written = ledger.follow(receiver, |entry| {
                    let mut tally = counted.lock().unwrap_or_else(PoisonError::into_inner);
                    match entry.error.clone() {
                        Some(error) => {
                            tally.failed += 1;
                            tell(entry);
                            if tally.failures.len() < MOST_FAILURES {
                                tally.failures.push((entry.input.clone(), error));
                            }
                        }
                        None => tally.succeeded += 1,
                    }
                    progress.advance();
                });
                // Results that can't be kept are not worth making.
                written.inspect_err(|_| stop.cancel())
            });
            work(jobs, &self.out, &self.machine, scheduler, &stop);
            writer.join().unwrap_or_else(|_| {
                Err(BatchError::write(&self.out)(std::io::Error::other("the writer panicked")))
            })
        })?;
        if !cancel.is_cancelled() {
            progress.finish();
        }
        Ok(tally)
    }
}

/// Does the jobs, and again what may pass. When it returns, nobody sends entries any more, or
/// all is cancelled.
fn work(
    mut jobs: Vec<InputJob>,
    out: &Path,
    machine: &Machine,
    scheduler: Arc<Scheduler>,
    stop: &CancelToken,
) {
    // Half for images, half for the clip beside them.
    let pool = ImagePool::new(machine.memory_bytes / 2, MAX_QUEUED, max_pixels(machine));
    let machine = &Machine { memory_bytes: machine.memory_bytes / 2, ..machine.clone() };
    while !jobs.is_empty() && !stop.is_cancelled() {
        let (images, clips): (Vec<InputJob>, Vec<InputJob>) =
            jobs.into_iter().partition(|job| job.input.is_image());
        thread::scope(|scope| {
            scope.spawn(|| {
                for job in clips {
                    if stop.is_cancelled() {
                        break;
                    }
                    scheduler.begin();
                    let outcome = job.run_clip(out, machine, stop);
                    scheduler.complete(job, outcome);
                }
            });
            for job in images {
                if stop.is_cancelled() {
                    break;
                }
                scheduler.begin();
                pool.submit(job.request(out, scheduler.clone()));
            }
        });
        jobs = scheduler.wait(stop);
        if !jobs.is_empty() && !stop.is_cancelled() {
            thread::sleep(PAUSE);
        }
    }
}

impl InputJob {
    fn new(input: Input, plan: Arc<ImagePlan>) -> Self {
        let text = path_text(&input.path);
        // A file that is not there has a key too, which changes when it comes.
        let file =
            fs::metadata(&input.path).map_or((0, 0, 0), |file| (file.len(), file.mtime(), file.mtime_nsec()));
        let key = Sha256::digest(format!("{text} {file:?} {}", plan.key()));
        let key = key.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Self { input, text, key, plan, tries: 0 }
    }

    fn entry(&self, status: Status) -> Entry {
        Entry {
            input: self.text.clone(),
            key: self.key.clone(),
            status,
            error: None,
            may_pass: false,
            frames: 0,
            size: None,
            detection: None,
            classes: Vec::new(),
            files: Vec::new(),
        }
    }

    fn failed(&self, error: &PipelineError) -> Entry {
        let (error, may_pass) = (Some(error.to_string()), error.may_pass());
        Entry { error, may_pass, ..self.entry(Status::Failed) }
    }

    fn image_entry(&self, out: &Path, result: ImageResult) -> Entry {
        let status = match (&self.plan.plan().detect_box, &result.detection) {
            (None, _) => Status::Done,
            (Some(_), Some(_)) => Status::Detected,
            (Some(_), None) => Status::Undetected,
        };
        let size = Some([result.size.width(), result.size.height()]);
        let files = relative(&result.files, out);
        Entry { frames: 1, size, detection: result.detection, files, ..self.entry(status) }
    }

    fn clip_entry(&self, out: &Path, result: &RunResult) -> Entry {
        let classes = result.report.summaries.iter().map(Into::into).collect();
        let files = relative(&result.files, out);
        Entry { frames: result.report.frames, classes, files, ..self.entry(Status::Done) }
    }

    fn run_clip(&self, out: &Path, machine: &Machine, stop: &CancelToken) -> Result<Entry, PipelineError> {
        let (video, plan) = (self.input.path.clone(), self.plan.resolved().clone());
        // What the ledger does not have is not done, whatever lies there.
        let job = ClipJob { video, plan, out: out.join(self.input.folder()), replace: true };
        let result = job.run(machine, &RunProgress::default(), stop)?;
        Ok(self.clip_entry(out, &result))
    }

    fn request(self, out: &Path, scheduler: Arc<Scheduler>) -> ImageRequest {
        let root = out.to_owned();
        ImageRequest {
            plan: self.plan.clone(),
            image: ImageBytes::File(self.input.path.clone()),
            out: Some(out.join(self.input.folder())),
            reply: Box::new(move |result| {
                let outcome = result.map(|result| self.image_entry(&root, result));
                scheduler.complete(self, outcome);
            }),
        }
    }
}

fn relative(files: &[PathBuf], out: &Path) -> Vec<String> {
    files.iter().map(|file| path_text(file.strip_prefix(out).unwrap_or(file))).collect()
}

/// Does one input, unless it is done, and keeps the result under its number, for a batch with
/// the same folder to take in. Several machines can do this at once.
///
/// # Errors
/// The outer one when nothing can be read or written; the inner one is the input's own.
pub fn run_one(
    input: Input,
    index: usize,
    pipeline: &str,
    out: &Path,
    machine: &Machine,
    cancel: &CancelToken,
) -> Result<Result<Entry, PipelineError>, BatchError> {
    let parts = out.join(PARTS);
    fs::create_dir_all(&parts).map_err(BatchError::write(&parts))?;
    let mut plans = PinnedPipelines::open(out)?;
    let plan = plans.plan(input.pipeline.as_deref().unwrap_or(pipeline), machine)?;
    let job = InputJob::new(input, plan);
    let path = part_path(out, index);
    if let Some(done) = read_part(&path).filter(|done| done.key == job.key && done.status != Status::Failed) {
        return Ok(Ok(done));
    }
    let outcome = if job.input.is_image() {
        let pool = ImagePool::new(machine.memory_bytes, 1, max_pixels(machine));
        let (sender, answer) = mpsc::channel();
        let out_folder = Some(out.join(job.input.folder()));
        let image = ImageBytes::File(job.input.path.clone());
        let reply = Box::new(move |result| drop(sender.send(result)));
        pool.submit(ImageRequest { plan: job.plan.clone(), image, out: out_folder, reply });
        let result =
            answer.recv().unwrap_or_else(|_| Err(PipelineError::Internal("a worker stopped".into())));
        result.map(|result| job.image_entry(out, result))
    } else {
        job.run_clip(out, machine, cancel)
    };
    let entry = match &outcome {
        Ok(entry) => entry.clone(),
        Err(PipelineError::Cancelled) => return Ok(outcome),
        Err(error) => job.failed(error),
    };
    write_atomically(&path, |file| serde_json::to_writer(file, &entry).map_err(Into::into))
        .map_err(|error| BatchError::write(&path)(std::io::Error::other(error.to_string())))?;
    Ok(outcome)
}
