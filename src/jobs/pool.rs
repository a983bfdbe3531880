//! Workers for images. Each decodes, runs the network and measures on a core of its own, so that all cores
//! are busy while there is work.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    thread,
};

use base::{
    bounded::{BoundedQueue, Full},
    frame::Frame,
};
use pipeline::PipelineError;
use video::{ImageBytes, read_image};

use super::{ImagePlan, ImageResult, networks::NetworkPool};

/// An image to process.
pub struct ImageRequest {
    /// What is done with it. Requests of one plan may go through the network together.
    pub plan: Arc<ImagePlan>,
    /// A file, or the bytes of one.
    pub image: ImageBytes,
    /// Folder for the plan's files.
    pub out: Option<PathBuf>,
    /// Called once, by a worker.
    pub reply: Box<dyn FnOnce(Result<ImageResult, PipelineError>) + Send>,
}

impl ImageRequest {
    fn bytes(&self) -> usize {
        match &self.image {
            ImageBytes::File(_) => 0,
            ImageBytes::Memory(_, bytes) => bytes.len(),
        }
    }
}

/// Workers with a queue of images. When it is dropped, the workers finish what is queued.
pub struct ImagePool {
    queue: Arc<BoundedQueue<ImageRequest>>,
}

struct Worker {
    queue: Arc<BoundedQueue<ImageRequest>>,
    networks: Arc<NetworkPool>,
    max_pixels: usize,
}

impl ImagePool {
    /// With a worker for each core. Up to `most_waiting` requests are queued; an image of more than
    /// `max_pixels` is refused.
    pub fn new(memory_bytes: usize, most_waiting: usize, max_pixels: usize) -> Self {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let queue = Arc::new(BoundedQueue::new(most_waiting, memory_bytes / 4));
        let networks = Arc::new(NetworkPool::new(memory_bytes, workers));
        for _ in 0..workers {
            let worker = Worker { queue: queue.clone(), networks: networks.clone(), max_pixels };
            thread::spawn(move || worker.run());
        }
        Self { queue }
    }

    /// Waits for room in the queue.
    pub fn submit(&self, request: ImageRequest) {
        let bytes = request.bytes();
        // It is open as long as the pool is there.
        let _ = self.queue.push(request, bytes);
    }

    /// # Errors
    /// When the queue is full.
    pub fn try_submit(&self, request: ImageRequest) -> Result<(), Full> {
        let bytes = request.bytes();
        self.queue.try_push(request, bytes)
    }

    /// Whether a request would be refused now.
    pub fn is_full(&self) -> bool {
        self.queue.is_full()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }
}

impl Drop for ImagePool {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Worker {
    fn run(self) {
        // Its loops over pixels run right here: the other cores have workers of their own.
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
        loop {
            let requests = self.queue.pop_run(MOST_AT_ONCE, |a, b| {
                Arc::ptr_eq(&a.plan, &b.plan) && self.networks.batch_size(&a.plan) > 1
            });
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

/// More are never taken from the queue at once.
const MOST_AT_ONCE: usize = 8;

/// A decoder that panics on a broken file must not take the worker with it.
fn guarded<T>(work: impl FnOnce() -> Result<T, PipelineError>) -> Result<T, PipelineError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(PipelineError::Internal("a worker panicked over this image".into())))
}
