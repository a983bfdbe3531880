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
    plans::Plans,
};
use crate::{
    export::write_atomically,
    jobs::{ClipJob, ImagePlan, ImagePool, ImageRequest, Looked, Machine},
    pipeline::{CancelToken, Finished, PipelineError, Progress, RunProgress},
    video::ImageBytes,
};

pub struct Batch {
    pub inputs: Vec<Input>,
    /// For inputs without one of their own.
    pub pipeline: String,
    pub out: PathBuf,
    pub machine: Machine,
    /// Try again what failed for good.
    pub retry_failed: bool,
}

/// How many came to what.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    pub total: usize,
    pub succeeded: usize,
    /// Of them, those that were done before.
    pub skipped: usize,
    /// Path and cause; of ten thousand the first.
    pub failures: Vec<(String, String)>,
    pub failed: usize,
    /// In plain words.
    pub notes: Vec<String>,
}

const MOST_FAILURES: usize = 10_000;
/// Requests that wait for a worker.
const MOST_WAITING: usize = 64;
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
struct Job {
    input: Input,
    text: String,
    key: String,
    plan: Arc<ImagePlan>,
    tries: usize,
}

/// What workers tell the batch.
struct Desk {
    entries: SyncSender<Entry>,
    state: Mutex<DeskState>,
    changed: Condvar,
}

#[derive(Default)]
struct DeskState {
    under_way: usize,
    again: Vec<Job>,
}

impl Desk {
    /// An error of a job that may pass puts it back in line.
    fn answer(&self, mut job: Job, came_of_it: Result<Entry, PipelineError>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match came_of_it {
            Err(error) if error.may_pass() && job.tries + 1 < TRIES => {
                job.tries += 1;
                state.again.push(job);
            }
            Err(PipelineError::Cancelled) => {}
            Ok(entry) => self.tell(entry),
            Err(error) => self.tell(job.failed(&error)),
        }
        state.under_way -= 1;
        self.changed.notify_all();
    }

    /// Where nobody listens any more, the batch has failed and says so itself.
    fn tell(&self, entry: Entry) {
        let _ = self.entries.send(entry);
    }

    fn begin(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).under_way += 1;
    }

    /// Waits until nothing is under way, and gives what shall be tried again.
    fn wait(&self, cancel: &CancelToken) -> Vec<Job> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.under_way > 0 && !cancel.is_cancelled() {
            let wait = self.changed.wait_timeout(state, Duration::from_millis(100));
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut state.again)
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
        let mut plans = Plans::open(&self.out)?;
        let mut tally = Tally { total: self.inputs.len(), ..Tally::default() };
        progress.set_total(Some(tally.total));
        let mut jobs = Vec::new();
        for input in self.inputs {
            let plan = plans.plan(input.pipeline.as_deref().unwrap_or(&self.pipeline), &self.machine)?;
            let job = Job::new(input, plan);
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

        let (entries, receiver) = mpsc::sync_channel(MOST_WAITING);
        let desk = Arc::new(Desk { entries, state: Mutex::default(), changed: Condvar::new() });
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
            work(jobs, &self.out, &self.machine, desk, &stop);
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
fn work(mut jobs: Vec<Job>, out: &Path, machine: &Machine, desk: Arc<Desk>, stop: &CancelToken) {
    // Half for images, half for the clip beside them.
    let pool = ImagePool::new(machine.memory_bytes / 2, MOST_WAITING, max_pixels(machine));
    let machine = &Machine { memory_bytes: machine.memory_bytes / 2, ..machine.clone() };
    while !jobs.is_empty() && !stop.is_cancelled() {
        let (images, clips): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.input.is_image());
        thread::scope(|scope| {
            scope.spawn(|| {
                for job in clips {
                    if stop.is_cancelled() {
                        break;
                    }
                    desk.begin();
                    let came_of_it = job.run_clip(out, machine, stop);
                    desk.answer(job, came_of_it);
                }
            });
            for job in images {
                if stop.is_cancelled() {
                    break;
                }
                desk.begin();
                pool.submit(job.request(out, desk.clone()));
            }
        });
        jobs = desk.wait(stop);
        if !jobs.is_empty() && !stop.is_cancelled() {
            thread::sleep(PAUSE);
        }
    }
}

impl Job {
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

    fn looked(&self, out: &Path, looked: Looked) -> Entry {
        let status = match (&self.plan.plan().detect_box, &looked.detection) {
            (None, _) => Status::Done,
            (Some(_), Some(_)) => Status::Detected,
            (Some(_), None) => Status::Undetected,
        };
        let size = Some([looked.size.width(), looked.size.height()]);
        let files = relative(&looked.files, out);
        Entry { frames: 1, size, detection: looked.detection, files, ..self.entry(status) }
    }

    fn finished(&self, out: &Path, finished: &Finished) -> Entry {
        let classes = finished.report.summaries.iter().map(Into::into).collect();
        let files = relative(&finished.files, out);
        Entry { frames: finished.report.frames, classes, files, ..self.entry(Status::Done) }
    }

    fn run_clip(&self, out: &Path, machine: &Machine, stop: &CancelToken) -> Result<Entry, PipelineError> {
        let (video, plan) = (self.input.path.clone(), self.plan.plan().clone());
        let job = ClipJob { video, plan, out: out.join(self.input.folder()) };
        let finished = job.run(machine, &RunProgress::default(), stop)?;
        Ok(self.finished(out, &finished))
    }

    fn request(self, out: &Path, desk: Arc<Desk>) -> ImageRequest {
        let root = out.to_owned();
        ImageRequest {
            plan: self.plan.clone(),
            image: ImageBytes::File(self.input.path.clone()),
            out: Some(out.join(self.input.folder())),
            reply: Box::new(move |looked| {
                let came_of_it = looked.map(|looked| self.looked(&root, looked));
                desk.answer(self, came_of_it);
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
pub fn one(
    input: Input,
    index: usize,
    pipeline: &str,
    out: &Path,
    machine: &Machine,
    cancel: &CancelToken,
) -> Result<Result<Entry, PipelineError>, BatchError> {
    let parts = out.join(PARTS);
    fs::create_dir_all(&parts).map_err(BatchError::write(&parts))?;
    let mut plans = Plans::open(out)?;
    let plan = plans.plan(input.pipeline.as_deref().unwrap_or(pipeline), machine)?;
    let job = Job::new(input, plan);
    let path = part_path(out, index);
    if let Some(done) = read_part(&path).filter(|done| done.key == job.key && done.status != Status::Failed) {
        return Ok(Ok(done));
    }
    let came_of_it = if job.input.is_image() {
        let pool = ImagePool::new(machine.memory_bytes, 1, max_pixels(machine));
        let (sender, answer) = mpsc::channel();
        let out_folder = Some(out.join(job.input.folder()));
        let image = ImageBytes::File(job.input.path.clone());
        let reply = Box::new(move |looked| drop(sender.send(looked)));
        pool.submit(ImageRequest { plan: job.plan.clone(), image, out: out_folder, reply });
        let looked =
            answer.recv().unwrap_or_else(|_| Err(PipelineError::Internal("a worker stopped".into())));
        looked.map(|looked| job.looked(out, looked))
    } else {
        job.run_clip(out, machine, cancel)
    };
    let entry = match &came_of_it {
        Ok(entry) => entry.clone(),
        Err(PipelineError::Cancelled) => return Ok(came_of_it),
        Err(error) => job.failed(error),
    };
    write_atomically(&path, |file| serde_json::to_writer(file, &entry).map_err(Into::into))
        .map_err(|error| BatchError::write(&path)(std::io::Error::other(error.to_string())))?;
    Ok(came_of_it)
}
