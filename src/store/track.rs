//! One thing known of each frame, by frame index: it can be read while it is being made.

use std::{
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{StoreError, records::Records};

/// What a [`Track`] can hold.
pub trait Stored: Sized {
    fn encode(&self) -> Vec<u8>;

    /// `None` when the bytes are not what [`encode`](Self::encode) gives.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// Under this key stand the number of frames, once all of them were seen, and the loss.
const LENGTH_KEY: u64 = u64::MAX;
const LENGTH_BYTES: usize = 8;
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// How often a waiting reader looks whether it shall go on waiting.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

pub struct Track<T> {
    path: PathBuf,
    records: Records,
    state: Mutex<State>,
    changed: Condvar,
    holds: PhantomData<fn() -> T>,
}

struct State {
    writers: usize,
    synced: Instant,
}

impl<T: Stored> Track<T> {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            path: path.to_owned(),
            records: Records::open(path).map_err(StoreError::on(path, "opened"))?,
            state: Mutex::new(State { writers: 0, synced: Instant::now() }),
            changed: Condvar::new(),
            holds: PhantomData,
        })
    }

    /// Stores the value of frame `index`. It is on the disk a second later at most.
    pub fn put(&self, index: usize, value: &T) -> Result<(), StoreError> {
        self.append(index as u64, &value.encode())
    }

    /// The value of frame `index`, or `None` when it is not there or no longer whole.
    pub fn get(&self, index: usize) -> Result<Option<T>, StoreError> {
        let bytes = self.records.read(index as u64).map_err(StoreError::on(&self.path, "read"))?;
        Ok(bytes.and_then(|bytes| T::decode(&bytes)))
    }

    pub fn contains(&self, index: usize) -> bool {
        self.records.contains(index as u64)
    }

    /// Waits for the value of frame `index` as long as somebody is [writing](Self::writing)
    /// and `go_on()`.
    pub fn wait(&self, index: usize, go_on: impl Fn() -> bool) -> Result<Option<T>, StoreError> {
        self.wait_for(index, go_on);
        self.get(index)
    }

    /// The same, without the value.
    pub fn wait_for(&self, index: usize, go_on: impl Fn() -> bool) {
        let mut state = self.state();
        while !self.contains(index) && state.writers > 0 && go_on() {
            state = self.changed.wait_timeout(state, LOOK_INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Says that values will come until the guard is dropped.
    pub fn writing(self: &Arc<Self>) -> Writing<T> {
        self.state().writers += 1;
        Writing(self.clone())
    }

    /// Whether somebody is [writing](Self::writing).
    pub fn is_written(&self) -> bool {
        self.state().writers > 0
    }

    /// How many frames the clip has, once [`set_length`](Self::set_length) said so.
    pub fn length(&self) -> Result<Option<usize>, StoreError> {
        let bytes = self.ending()?;
        let length = bytes.as_deref().and_then(|bytes| bytes.first_chunk::<LENGTH_BYTES>());
        Ok(length.map(|&bytes| u64::from_le_bytes(bytes) as usize))
    }

    /// What of the file could not be decoded, as [`set_length`](Self::set_length) was told.
    pub fn loss(&self) -> Result<Option<String>, StoreError> {
        let text =
            self.ending()?.and_then(|bytes| String::from_utf8(bytes.get(LENGTH_BYTES..)?.to_vec()).ok());
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// To be called when the last frame has been seen. `loss` says in plain words what could
    /// not be.
    pub fn set_length(&self, frames: usize, loss: Option<&str>) -> Result<(), StoreError> {
        let length = (frames as u64).to_le_bytes();
        self.append(LENGTH_KEY, &[&length, loss.unwrap_or_default().as_bytes()].concat())
    }

    fn ending(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.records.read(LENGTH_KEY).map_err(StoreError::on(&self.path, "read"))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The indices of all frames there are.
    pub fn indices(&self) -> Vec<usize> {
        let keys = self.records.keys().into_iter();
        keys.filter(|&key| key != LENGTH_KEY).map(|key| key as usize).collect()
    }

    pub fn bytes(&self) -> u64 {
        self.records.bytes()
    }

    fn append(&self, key: u64, payload: &[u8]) -> Result<(), StoreError> {
        self.records.append(key, payload).map_err(StoreError::on(&self.path, "written"))?;
        self.changed.notify_all();
        let due = {
            let mut state = self.state();
            let due = state.synced.elapsed() >= SYNC_INTERVAL;
            if due {
                state.synced = Instant::now();
            }
            due
        };
        if due { self.sync() } else { Ok(()) }
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.records.sync().map_err(StoreError::on(&self.path, "written"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While this lives, readers wait for what is not there yet.
pub struct Writing<T: Stored>(Arc<Track<T>>);

impl<T: Stored> Drop for Writing<T> {
    fn drop(&mut self) {
        if let Err(error) = self.0.sync() {
            tracing::warn!("{error}");
        }
        self.0.state().writers -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    impl Stored for u32 {
        fn encode(&self) -> Vec<u8> {
            self.to_le_bytes().to_vec()
        }

        fn decode(bytes: &[u8]) -> Option<Self> {
            Some(Self::from_le_bytes(bytes.try_into().ok()?))
        }
    }

    fn track() -> (tempfile::TempDir, Arc<Track<u32>>) {
        let folder = tempfile::tempdir().unwrap();
        let track = Track::open(&folder.path().join("track")).unwrap();
        (folder, Arc::new(track))
    }

    #[test]
    fn a_reader_follows_a_writer_to_the_end() {
        let (_folder, track) = track();
        let writing = track.writing();
        thread::scope(|scope| {
            let reader = scope
                .spawn(|| (0..).map_while(|index| track.wait(index, || true).unwrap()).collect::<Vec<_>>());
            for index in 0..20 {
                track.put(index, &(index as u32 * 7)).unwrap();
            }
            track.set_length(20, Some("cut off")).unwrap();
            drop(writing);
            assert_eq!(reader.join().unwrap(), (0..20).map(|index| index * 7).collect::<Vec<_>>());
        });
        assert_eq!(track.length().unwrap(), Some(20));
        assert_eq!(track.loss().unwrap().as_deref(), Some("cut off"));
        track.set_length(20, None).unwrap();
        assert_eq!((track.length().unwrap(), track.loss().unwrap()), (Some(20), None));
        assert_eq!(track.indices().len(), 20);
    }

    #[test]
    fn nobody_waits_for_what_nobody_writes() {
        let (_folder, track) = track();
        assert_eq!(track.wait(0, || true).unwrap(), None);
        let _writing = track.writing();
        assert_eq!(track.wait(0, || false).unwrap(), None);
    }
}
