//! Networks for several workers: each copy serves one at a time, and copies are made while the
//! memory allows it.

use std::{
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, PoisonError},
};

use segment::{CudaStatus, Device, SegmentError, Segmenter, cuda_status};

use super::ImagePlan;

/// What a copy takes beside its weights: torch's buffers for one picture.
const COPY_BYTES: usize = 64 << 20;
/// Weights are read, unpacked and packed again for the convolutions.
const COPIES_OF_WEIGHTS: usize = 4;
/// Pictures that go through a GPU at once.
const GPU_BATCH: usize = 8;

/// The networks that are loaded.
pub struct NetworkPool {
    state: Mutex<Copies>,
    changed: Condvar,
    most_bytes: usize,
    workers: usize,
}

#[derive(Default)]
struct Copies {
    /// The least recently used first.
    idle: Vec<IdleCopy>,
    /// All copies, idle or in use.
    loaded: Vec<LoadedCopy>,
}

struct IdleCopy {
    of: LoadedCopy,
    network: Box<dyn Segmenter>,
}

#[derive(Clone)]
struct LoadedCopy {
    /// The hash of the network.
    key: String,
    bytes: usize,
}

impl Copies {
    fn bytes(&self) -> usize {
        self.loaded.iter().map(|copy| copy.bytes).sum()
    }

    fn forget(&mut self, key: &str) {
        if let Some(at) = self.loaded.iter().position(|copy| copy.key == key) {
            self.loaded.swap_remove(at);
        }
    }
}

impl NetworkPool {
    /// `most_bytes` are for all copies together; `workers` use them at once.
    pub fn new(most_bytes: usize, workers: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), most_bytes, workers }
    }

    /// How many pictures are best given to the network of this plan at once. A core is busy
    /// with one.
    pub fn batch_size(&self, plan: &ImagePlan) -> usize {
        if on_gpu(plan) { GPU_BATCH } else { 1 }
    }

    /// A copy of the plan's network, to be used alone. Waits where all copies are in use and
    /// there is no room for one more.
    ///
    /// # Errors
    /// When the network can't be loaded.
    pub fn borrow(&self, plan: &ImagePlan) -> Result<NetworkLease<'_>, SegmentError> {
        let key = plan.network_key();
        let bytes = COPY_BYTES + COPIES_OF_WEIGHTS * plan.network_bytes();
        // A network that is too large for a copy each gets all cores instead.
        let is_shared = on_gpu(plan) || bytes * self.workers > self.most_bytes;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(at) = state.idle.iter().rposition(|idle| idle.of.key == key) {
                let IdleCopy { of, network } = state.idle.remove(at);
                return Ok(NetworkLease { networks: self, of, network: Some(network) });
            }
            let copies = state.loaded.iter().filter(|copy| copy.key == key).count();
            let may_load = copies == 0 || !is_shared;
            while may_load && state.bytes() + bytes > self.most_bytes && !state.idle.is_empty() {
                let other = state.idle.remove(0).of;
                state.forget(&other.key);
            }
            if may_load && (copies == 0 || state.bytes() + bytes <= self.most_bytes) {
                break;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let of = LoadedCopy { key: key.to_owned(), bytes };
        state.loaded.push(of.clone());
        drop(state);
        let threads = if is_shared { 0 } else { 1 };
        let loaded = plan.load(threads).inspect_err(|_| {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).forget(key);
            self.changed.notify_all();
        });
        Ok(NetworkLease { networks: self, of, network: Some(loaded?) })
    }
}

fn on_gpu(plan: &ImagePlan) -> bool {
    plan.device() != Device::Cpu && matches!(cuda_status(), CudaStatus::Ready { .. })
}

/// Gives the network back when dropped; one whose user panicked is let go.
pub struct NetworkLease<'a> {
    networks: &'a NetworkPool,
    of: LoadedCopy,
    network: Option<Box<dyn Segmenter>>,
}

impl Deref for NetworkLease<'_> {
    type Target = Box<dyn Segmenter>;

    fn deref(&self) -> &Self::Target {
        // Taken only in `drop`.
        self.network.as_ref().unwrap_or_else(|| unreachable!())
    }
}

impl DerefMut for NetworkLease<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.network.as_mut().unwrap_or_else(|| unreachable!())
    }
}

impl Drop for NetworkLease<'_> {
    fn drop(&mut self) {
        let mut state = self.networks.state.lock().unwrap_or_else(PoisonError::into_inner);
        match self.network.take().filter(|_| !std::thread::panicking()) {
            Some(network) => state.idle.push(IdleCopy { of: self.of.clone(), network }),
            None => state.forget(&self.of.key),
        }
        drop(state);
        self.networks.changed.notify_all();
    }
}
