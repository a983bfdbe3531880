//! One value for each frame, by frame index, which can be read while others are being written.

use std::{
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{StoreError, records::Records};

/// A type of values that a [`Track`] can hold.
pub trait TrackValue: Sized {
    /// The value as bytes.
    fn encode(&self) -> Vec<u8>;

    /// `None` when the bytes are not what [`encode`](Self::encode) gives.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// The key of the number of frames, once it is known, and the text about lost frames.
const LENGTH_KEY: u64 = u64::MAX;
const LENGTH_BYTES: usize = 8;
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// How often a waiting reader checks whether to go on waiting.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A file of one value for each frame, such as the network's output or the flow. Readers and a
/// writer may use it at the same time.
pub struct Track<T> {
    path: PathBuf,
    records: Records,
    state: Mutex<State>,
    changed: Condvar,
    holds: PhantomData<fn() -> T>,
}

struct State {
    writers: usize,
    last_sync: Instant,
}

impl<T: TrackValue> Track<T> {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            path: path.to_owned(),
            records: Records::open(path).map_err(StoreError::on(path, "opened"))?,
            state: Mutex::new(State { writers: 0, last_sync: Instant::now() }),
            changed: Condvar::new(),
            holds: PhantomData,
        })
    }

    /// Stores the value of frame `index`. The file is flushed to the disk about once a second.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn put(&self, index: usize, value: &T) -> Result<(), StoreError> {
        self.append(index as u64, &value.encode())
    }

    /// The value of frame `index`, or `None` when it is missing or damaged.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn get(&self, index: usize) -> Result<Option<T>, StoreError> {
        let bytes = self.records.read(index as u64).map_err(StoreError::on(&self.path, "read"))?;
        Ok(bytes.and_then(|bytes| T::decode(&bytes)))
    }

    /// Whether there is a value for frame `index`.
    pub fn contains(&self, index: usize) -> bool {
        self.records.contains(index as u64)
    }

    /// Waits for the value of frame `index` while there is a [writer](Self::begin_writing) and
    /// `go_on()` is true.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn wait(&self, index: usize, go_on: impl Fn() -> bool) -> Result<Option<T>, StoreError> {
        self.wait_for(index, go_on);
        self.get(index)
    }

    /// The same, without reading the value.
    pub fn wait_for(&self, index: usize, go_on: impl Fn() -> bool) {
        let mut state = self.state();
        while !self.contains(index) && state.writers > 0 && go_on() {
            state = self.changed.wait_timeout(state, LOOK_INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Announces values until the guard is dropped.
    pub fn begin_writing(self: &Arc<Self>) -> WriteGuard<T> {
        self.state().writers += 1;
        WriteGuard(self.clone())
    }

    /// Whether there is a [writer](Self::begin_writing).
    pub fn has_writer(&self) -> bool {
        self.state().writers > 0
    }

    /// How many frames the clip has, once [`set_length`](Self::set_length) was called.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn length(&self) -> Result<Option<usize>, StoreError> {
        let bytes = self.ending()?;
        let length = bytes.as_deref().and_then(|bytes| bytes.first_chunk::<LENGTH_BYTES>());
        Ok(length.map(|&bytes| u64::from_le_bytes(bytes) as usize))
    }

    /// What of the video could not be decoded, as given to [`set_length`](Self::set_length).
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn loss(&self) -> Result<Option<String>, StoreError> {
        let text =
            self.ending()?.and_then(|bytes| String::from_utf8(bytes.get(LENGTH_BYTES..)?.to_vec()).ok());
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// Call this after the last frame. `loss` says in plain words what could not be decoded.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn set_length(&self, frames: usize, loss: Option<&str>) -> Result<(), StoreError> {
        let length = (frames as u64).to_le_bytes();
        self.append(LENGTH_KEY, &[&length, loss.unwrap_or_default().as_bytes()].concat())
    }

    fn ending(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.records.read(LENGTH_KEY).map_err(StoreError::on(&self.path, "read"))
    }

    /// The track's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The indices of all frames that have a value.
    pub fn indices(&self) -> Vec<usize> {
        let keys = self.records.keys().into_iter();
        keys.filter(|&key| key != LENGTH_KEY).map(|key| key as usize).collect()
    }

    /// The size of its file.
    pub fn bytes(&self) -> u64 {
        self.records.bytes()
    }

    fn append(&self, key: u64, payload: &[u8]) -> Result<(), StoreError> {
        self.records.append(key, payload).map_err(StoreError::on(&self.path, "written"))?;
        self.changed.notify_all();
        let due = {
            let mut state = self.state();
            let due = state.last_sync.elapsed() >= SYNC_INTERVAL;
            if due {
                state.last_sync = Instant::now();
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

/// While this exists, readers wait for values that are not there yet.
pub struct WriteGuard<T: TrackValue>(Arc<Track<T>>);

impl<T: TrackValue> Drop for WriteGuard<T> {
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

    impl TrackValue for u32 {
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
        let begin_writing = track.begin_writing();
        thread::scope(|scope| {
            let reader = scope
                .spawn(|| (0..).map_while(|index| track.wait(index, || true).unwrap()).collect::<Vec<_>>());
            for index in 0..20 {
                track.put(index, &(index as u32 * 7)).unwrap();
            }
            track.set_length(20, Some("cut off")).unwrap();
            drop(begin_writing);
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
        let _writing = track.begin_writing();
        assert_eq!(track.wait(0, || false).unwrap(), None);
    }
}
