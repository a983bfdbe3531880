//! The results of pass 1 on disk, so that a video opens again at once, and another threshold, class
//! or smoothing never runs the network again.
//!
//! Each clip has a folder, named after its content, with one [`Track`] for each network and for each
//! way of estimating motion.

#![warn(missing_docs)]

mod encoding;
mod records;
mod track;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use base::files::folder_bytes;
pub use encoding::SegmentedFrame;
pub use track::{Track, TrackValue, WriteGuard};

/// The store could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: the store of results could not be {action}: {cause}; free some space or name another folder with --cache", .path.display())]
pub struct StoreError {
    path: PathBuf,
    action: &'static str,
    cause: io::Error,
}

impl StoreError {
    fn on<'a>(path: &'a Path, action: &'static str) -> impl Fn(io::Error) -> Self + use<'a> {
        move |cause| Self { path: path.to_owned(), action, cause }
    }

    /// Whether the disk had no room left.
    pub fn is_full_disk(&self) -> bool {
        matches!(self.cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// The folder with the results of all clips.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    limit_bytes: u64,
}

/// One clip's folder, locked while it is open.
pub struct ClipStore {
    folder: PathBuf,
    /// The lock is released when the file is closed.
    _lock: File,
    /// While another process has the clip open, a temporary folder is used.
    _private: Option<tempfile::TempDir>,
}

/// A clip's folder as the limit sees it, ordered by its last use.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct ClipFolder {
    last_used: SystemTime,
    path: PathBuf,
    bytes: u64,
}

const LOCK_NAME: &str = "lock";

impl Store {
    /// A store in the folder `root`. The clips that were not used for longest are removed when all
    /// together take more than `limit_bytes`.
    pub fn new(root: PathBuf, limit_bytes: u64) -> Self {
        Self { root, limit_bytes }
    }

    /// A folder in the user's cache folder.
    pub fn default_root() -> PathBuf {
        directories::ProjectDirs::from("", "", "steadymask")
            .map_or_else(|| std::env::temp_dir().join("steadymask"), |dirs| dirs.cache_dir().to_owned())
            .join("clips")
    }

    /// Opens the folder of the clip whose content has this fingerprint.
    ///
    /// # Errors
    /// When the folder can't be created or locked.
    pub fn clip(&self, fingerprint: &str) -> Result<ClipStore, StoreError> {
        fs::create_dir_all(&self.root).map_err(StoreError::on(&self.root, "created"))?;
        let clip = ClipStore::open(self.root.join(fingerprint))?;
        self.trim();
        if let Some(clip) = clip {
            return Ok(clip);
        }
        tracing::info!("another process has this clip open; its results are not shared");
        let private = tempfile::tempdir_in(&self.root).map_err(StoreError::on(&self.root, "written"))?;
        match ClipStore::open(private.path().to_owned())? {
            Some(clip) => Ok(ClipStore { _private: Some(private), ..clip }),
            None => Err(StoreError::on(private.path(), "locked")(io::ErrorKind::WouldBlock.into())),
        }
    }

    /// Removes the clip's results, unless a process has it open.
    pub fn forget(&self, fingerprint: &str) {
        let folder = self.root.join(fingerprint);
        if File::open(folder.join(LOCK_NAME)).is_ok_and(|lock| lock.try_lock().is_ok()) {
            // What can't be removed now is removed later, by age.
            let _ = fs::remove_dir_all(&folder);
        }
    }

    /// How much all clips take on the disk.
    pub fn bytes(&self) -> u64 {
        self.clips().iter().map(|clip| clip.bytes).sum()
    }

    fn clips(&self) -> Vec<ClipFolder> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let clips = entries.filter_map(|entry| {
            let last_used = fs::metadata(entry.path().join(LOCK_NAME)).ok()?.modified().ok()?;
            Some(ClipFolder { last_used, bytes: folder_bytes(&entry.path()), path: entry.path() })
        });
        clips.collect()
    }

    /// Removes clips that no process has open, the least recently used first, until the limit is kept.
    /// What can't be read or removed is left, since the store must not stop the work it serves.
    pub fn trim(&self) {
        let mut clips = self.clips();
        clips.sort();
        let mut total: u64 = clips.iter().map(|clip| clip.bytes).sum();
        for ClipFolder { path, bytes, .. } in clips {
            if total <= self.limit_bytes {
                break;
            }
            let is_free = File::open(path.join(LOCK_NAME)).is_ok_and(|lock| lock.try_lock().is_ok());
            if is_free && fs::remove_dir_all(&path).is_ok() {
                total -= bytes;
            }
        }
    }
}

impl ClipStore {
    /// `None` when another process has it open.
    fn open(folder: PathBuf) -> Result<Option<Self>, StoreError> {
        fs::create_dir_all(&folder).map_err(StoreError::on(&folder, "created"))?;
        let path = folder.join(LOCK_NAME);
        let lock = File::create(&path).map_err(StoreError::on(&path, "created"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { folder, _lock: lock, _private: None })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(StoreError::on(&path, "locked")(error)),
        }
    }

    /// Opens the track of this name, which must be a file name, with the values it has.
    ///
    /// # Errors
    /// When its file can't be opened or is open already.
    pub fn track<T: TrackValue>(&self, name: &str) -> Result<Track<T>, StoreError> {
        Track::open(&self.folder.join(name).with_extension("records"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(Vec<u8>);

    impl TrackValue for Bytes {
        fn encode(&self) -> Vec<u8> {
            self.0.clone()
        }

        fn decode(bytes: &[u8]) -> Option<Self> {
            Some(Self(bytes.to_vec()))
        }
    }

    #[test]
    fn a_clip_open_elsewhere_gets_a_private_folder() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::new(root.path().to_owned(), u64::MAX);
        let first = store.clip("a").unwrap();
        let second = store.clip("a").unwrap();
        assert_ne!(first.folder, second.folder);
        let private = second.folder.clone();
        drop(second);
        assert!(!private.exists());
        drop(first);
        assert!(store.clip("a").unwrap().folder.ends_with("a"));
    }

    #[test]
    fn the_oldest_clip_makes_room_and_an_open_one_stays() {
        let root = tempfile::tempdir().unwrap();
        let fill = |store: &Store, name: &str| {
            let clip = store.clip(name).unwrap();
            clip.track::<Bytes>("t").unwrap().put(0, &Bytes(vec![0; 1000])).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(15));
            clip
        };
        let store = Store::new(root.path().to_owned(), 2500);
        let open = fill(&store, "open");
        drop(fill(&store, "old"));
        drop(fill(&store, "new"));
        drop(store.clip("newest").unwrap());
        assert!(open.folder.exists());
        assert!(!root.path().join("old").exists());
        assert!(root.path().join("new").exists());
    }
}
