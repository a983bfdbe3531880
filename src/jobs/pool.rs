//! Workers that look at images. Each decodes, runs the network and measures on a core of its
//! own, so that all cores are full while there is work, and nothing waits to be handed over.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    thread,
};

use super::{Full, ImagePlan, Looked, networks::Networks, queue::Queue};
use crate::{
    frame::Frame,
    pipeline::PipelineError,
    process,
    video::{ImageBytes, read_image},
};

/// An image to look at.
pub struct ImageRequest {
    pub plan: Arc<ImagePlan>,
    pub image: ImageBytes,
    /// Folder for the plan's files.
    pub out: Option<PathBuf>,
    /// Called once, by a worker.
    pub reply: Box<dyn FnOnce(Result<Looked, PipelineError>) + Send>,
}

impl ImageRequest {
    fn bytes(&self) -> usize {
        match &self.image {
            ImageBytes::File(_) => 0,
            ImageBytes::Memory(_, bytes) => bytes.len(),
        }
    }
}

/// Dropping it lets the workers finish what is in line.
pub struct ImagePool {
    queue: Arc<Queue<ImageRequest>>,
}

struct Worker {
    queue: Arc<Queue<ImageRequest>>,
    networks: Arc<Networks>,
    max_pixels: usize,
}

impl ImagePool {
    /// With a worker for each core. `most_waiting` requests are kept in line; an image of more
    /// than `max_pixels` is refused.
    pub fn new(memory_bytes: usize, most_waiting: usize, max_pixels: usize) -> Self {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let queue = Arc::new(Queue::new(most_waiting, memory_bytes / 4));
        let networks = Arc::new(Networks::new(memory_bytes, workers));
        for _ in 0..workers {
            let worker = Worker { queue: queue.clone(), networks: networks.clone(), max_pixels };
            thread::spawn(move || worker.run());
        }
        Self { queue }
    }

    /// Waits for room in the line.
    pub fn submit(&self, request: ImageRequest) {
        let bytes = request.bytes();
        self.queue.push(request, bytes);
    }

    /// # Errors
    /// When the line is full.
    pub fn try_submit(&self, request: ImageRequest) -> Result<(), Full> {
        let bytes = request.bytes();
        self.queue.try_push(request, bytes)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }
}

impl Drop for ImagePool {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Worker {
    fn run(self) {
        process::give_way_a_little();
        // Its loops over pixels run right here: the other cores have workers of their own.
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
        loop {
            let requests = self
                .queue
                .take(MOST_AT_ONCE, |a, b| Arc::ptr_eq(&a.plan, &b.plan) && self.networks.batch(&a.plan) > 1);
            if requests.is_empty() {
                return;
            }
            match &alone {
                Ok(alone) => alone.install(|| self.work(requests)),
                Err(_) => self.work(requests),
            }
        }
    }

    /// Decodes all, gives those of one size to the network together, and answers each.
    fn work(&self, requests: Vec<ImageRequest>) {
        let mut decoded: Vec<(ImageRequest, Frame)> = Vec::new();
        for request in requests {
            match guarded(|| self.decode(&request)) {
                Ok(frame) => decoded.push((request, frame)),
                Err(error) => (request.reply)(Err(error)),
            }
        }
        while let Some((_, first)) = decoded.first() {
            let size = first.size();
            let (same, others): (Vec<_>, Vec<_>) =
                decoded.into_iter().partition(|(_, frame)| frame.size() == size);
            decoded = others;
            self.look(same);
        }
    }

    fn decode(&self, request: &ImageRequest) -> Result<Frame, PipelineError> {
        let frame = read_image(&request.image, self.max_pixels)?;
        request.plan.check(request.image.name(), frame.size())?;
        Ok(frame)
    }

    /// Of one plan and one size.
    fn look(&self, batch: Vec<(ImageRequest, Frame)>) {
        let Some((request, _)) = batch.first() else { return };
        let plan = request.plan.clone();
        let segmented = guarded(|| {
            let frames: Vec<&Frame> = batch.iter().map(|(_, frame)| frame).collect();
            Ok(self.networks.borrow(&plan)?.segment(&frames)?)
        });
        match segmented {
            Ok(all) => {
                for ((request, frame), logits) in batch.into_iter().zip(all) {
                    let to = (request.image.name(), request.out.as_deref());
                    let looked = guarded(|| plan.finish(frame, &logits, to));
                    (request.reply)(looked);
                }
            }
            // One of them may be at fault: each alone then.
            Err(_) if batch.len() > 1 => batch.into_iter().for_each(|one| self.look(vec![one])),
            Err(error) => {
                if let Some((request, _)) = batch.into_iter().next() {
                    (request.reply)(Err(error));
                }
            }
        }
    }
}

/// More are never taken from the line at once.
const MOST_AT_ONCE: usize = 8;

/// A decoder that panics on a broken file must not take the worker with it.
fn guarded<T>(work: impl FnOnce() -> Result<T, PipelineError>) -> Result<T, PipelineError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(PipelineError::Internal("a worker panicked over this image".into())))
}
