//! What the machine may give, and what it gives.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use segment::Device;
use store::Store;

/// Kept from one start to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    pub device: Device,
    /// Of a network step on the CPU; 0 takes every core.
    pub threads: usize,
    /// For everything in flight.
    pub memory_mib: usize,
    /// Results that are kept; the user's own folder, or the system's.
    pub cache_folder: Option<PathBuf>,
    pub cache_gib: u64,
}

impl Default for Machine {
    fn default() -> Self {
        Self { device: Device::Auto, threads: 0, memory_mib: 512, cache_folder: None, cache_gib: 20 }
    }
}

impl Machine {
    pub const MEMORY_MIB: [usize; 5] = [256, 512, 1024, 2048, 4096];
    pub const CACHE_GIB: [u64; 5] = [2, 5, 20, 50, 200];

    /// For pictures and probabilities of the preview.
    pub fn preview_bytes(&self) -> PreviewBytes {
        PreviewBytes::of(3 * (self.memory_mib << 20) / 8)
    }

    /// For everything in flight of a job.
    pub fn job_bytes(&self) -> usize {
        5 * (self.memory_mib << 20) / 8
    }

    pub fn cache_bytes(&self) -> u64 {
        self.cache_gib << 30
    }
}

/// How the preview's bytes are shared out.
#[derive(Clone, Copy)]
pub struct PreviewBytes {
    /// For decoded frames.
    pub pictures: usize,
    pub drafts: usize,
    pub full: usize,
    /// For the masks of pass 2.
    pub stable: usize,
}

impl PreviewBytes {
    pub fn of(all: usize) -> Self {
        let share = |parts: usize| all / 24 * parts;
        Self { pictures: share(5), drafts: share(8), full: share(7), stable: share(4) }
    }
}

/// Read by the window at every frame, written beside it.
#[derive(Debug, Default)]
pub struct Usage {
    memory_bytes: AtomicU64,
    cache_bytes: AtomicU64,
}

const MEMORY_EVERY: Duration = Duration::from_secs(1);
/// In units of the one above: a folder with many clips takes longer to sum up.
const CACHE_EVERY: u32 = 10;

impl Usage {
    /// Looks again and again, for as long as the window holds what this gives.
    pub fn watch(cache: PathBuf) -> Arc<Self> {
        let usage = Arc::new(Self::default());
        let watched = Arc::downgrade(&usage);
        thread::spawn(move || {
            for turn in 0u32.. {
                let Some(usage) = watched.upgrade() else { break };
                usage.memory_bytes.store(memory_bytes().unwrap_or(0), Ordering::Relaxed);
                if turn.is_multiple_of(CACHE_EVERY) {
                    usage.cache_bytes.store(Store::new(cache.clone(), 0).bytes(), Ordering::Relaxed);
                }
                drop(usage);
                thread::sleep(MEMORY_EVERY);
            }
        });
        usage
    }

    /// What the process holds.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    pub fn cache_bytes(&self) -> u64 {
        self.cache_bytes.load(Ordering::Relaxed)
    }
}

/// From the kernel's own page.
fn memory_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
