//! Networks for several workers: each copy serves one at a time, and copies are made while the
//! memory allows it.

use std::{
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, PoisonError},
};

use super::ImagePlan;
use crate::segment::{
    SegmentError, Segmenter,
    torchscript::{CudaStatus, Device, Options, cuda_status},
};

/// What a copy takes beside its weights: torch's buffers for one picture.
const COPY_BYTES: usize = 64 << 20;
/// Weights are read, unpacked and packed again for the convolutions.
const COPIES_OF_WEIGHTS: usize = 4;
/// Pictures that go through a GPU at once.
const GPU_BATCH: usize = 8;

pub struct Networks {
    state: Mutex<State>,
    changed: Condvar,
    most_bytes: usize,
    workers: usize,
}

#[derive(Default)]
struct State {
    /// The least recently used first.
    idle: Vec<(String, usize, Box<dyn Segmenter>)>,
    /// Of the copies that are idle or in use.
    loaded: Vec<(String, usize)>,
}

impl State {
    fn bytes(&self) -> usize {
        self.loaded.iter().map(|(_, bytes)| bytes).sum()
    }

    fn forget(&mut self, key: &str) {
        if let Some(at) = self.loaded.iter().position(|(loaded, _)| loaded == key) {
            self.loaded.swap_remove(at);
        }
    }
}

impl Networks {
    pub fn new(most_bytes: usize, workers: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), most_bytes, workers }
    }

    /// How many pictures are best given to the network of this plan at once. A core is busy
    /// with one.
    pub fn batch(&self, plan: &ImagePlan) -> usize {
        if on_gpu(plan) { GPU_BATCH } else { 1 }
    }

    /// A copy of the plan's network, to be used alone. Waits where all copies are in use and
    /// there is no room for one more.
    pub fn borrow(&self, plan: &ImagePlan) -> Result<Borrowed<'_>, SegmentError> {
        let key = plan.network_key();
        let bytes = COPY_BYTES + COPIES_OF_WEIGHTS * plan.network_bytes();
        // A network that is too large for a copy each gets all cores instead.
        let is_shared = on_gpu(plan) || bytes * self.workers > self.most_bytes;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(at) = state.idle.iter().rposition(|(idle, ..)| idle == key) {
                let (key, bytes, network) = state.idle.remove(at);
                return Ok(Borrowed { networks: self, key, bytes, network: Some(network) });
            }
            let copies = state.loaded.iter().filter(|(loaded, _)| loaded == key).count();
            let may_load = copies == 0 || !is_shared;
            while may_load && state.bytes() + bytes > self.most_bytes && !state.idle.is_empty() {
                let (other, ..) = state.idle.remove(0);
                state.forget(&other);
            }
            if may_load && (copies == 0 || state.bytes() + bytes <= self.most_bytes) {
                state.loaded.push((key.to_owned(), bytes));
                break;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        let threads = if is_shared { 0 } else { 1 };
        let options = Options { device: plan.device(), threads, ..Options::default() };
        let loaded = plan.load(options).inspect_err(|_| {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).forget(key);
            self.changed.notify_all();
        });
        Ok(Borrowed { networks: self, key: key.to_owned(), bytes, network: Some(loaded?) })
    }
}

fn on_gpu(plan: &ImagePlan) -> bool {
    plan.device() != Device::Cpu && matches!(cuda_status(), CudaStatus::Ready { .. })
}

/// Gives the network back when dropped; one whose user panicked is let go.
pub struct Borrowed<'a> {
    networks: &'a Networks,
    key: String,
    bytes: usize,
    network: Option<Box<dyn Segmenter>>,
}

impl Deref for Borrowed<'_> {
    type Target = Box<dyn Segmenter>;

    fn deref(&self) -> &Self::Target {
        // Taken only in `drop`.
        self.network.as_ref().unwrap_or_else(|| unreachable!())
    }
}

impl DerefMut for Borrowed<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.network.as_mut().unwrap_or_else(|| unreachable!())
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let mut state = self.networks.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.network.take().filter(|_| !std::thread::panicking()) {
            Some(network) => state.idle.push((std::mem::take(&mut self.key), self.bytes, network)),
            None => state.forget(&self.key),
        }
        drop(state);
        self.networks.changed.notify_all();
    }
}
