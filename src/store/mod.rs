//! What pass 1 found out, kept on disk: so that the same video opens again at once, and a
//! slider, a threshold or another class never runs the network again.
//!
//! A clip has a folder of its own, named after its content, with one [`Track`] for each
//! network and each way of measuring motion.

mod records;
mod track;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

pub use track::{Stored, Track, Writing};

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

/// The folder of all clips' results.
pub struct Store {
    root: PathBuf,
    limit_bytes: u64,
}

/// One clip's folder, ours alone while it is open.
pub struct ClipStore {
    folder: PathBuf,
    /// Held, not read: the lock goes with the file.
    _lock: File,
    /// Where another process has the clip open, we work in a folder that goes with us.
    _private: Option<tempfile::TempDir>,
}

const LOCK_NAME: &str = "lock";

impl Store {
    /// What the user has not used for longest is removed when there is more than
    /// `limit_bytes`.
    pub fn new(root: PathBuf, limit_bytes: u64) -> Self {
        Self { root, limit_bytes }
    }

    /// The folder for caches that the system names for this user.
    pub fn default_root() -> PathBuf {
        directories::ProjectDirs::from("", "", "steadymask")
            .map_or_else(|| std::env::temp_dir().join("steadymask"), |dirs| dirs.cache_dir().to_owned())
            .join("clips")
    }

    /// Opens the folder of the clip whose content has this fingerprint.
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

    /// Removes what is kept of the clip, unless somebody has it open.
    pub fn forget(&self, fingerprint: &str) {
        let folder = self.root.join(fingerprint);
        if File::open(folder.join(LOCK_NAME)).is_ok_and(|lock| lock.try_lock().is_ok()) {
            // What can't be removed makes room later, by age.
            let _ = fs::remove_dir_all(&folder);
        }
    }

    /// What all clips take on the disk.
    pub fn bytes(&self) -> u64 {
        self.clips().iter().map(|(_, _, bytes)| bytes).sum()
    }

    /// When each clip was last used, its folder and its size.
    fn clips(&self) -> Vec<(SystemTime, PathBuf, u64)> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let clips = entries.filter_map(|entry| {
            let used = fs::metadata(entry.path().join(LOCK_NAME)).ok()?.modified().ok()?;
            Some((used, entry.path(), folder_bytes(&entry.path())))
        });
        clips.collect()
    }

    /// Removes clips nobody has open, oldest first, until the limit is kept. What can't be
    /// looked at or removed is left: the store must not stop the work it serves.
    pub fn trim(&self) {
        let mut clips = self.clips();
        clips.sort();
        let mut total: u64 = clips.iter().map(|clip| clip.2).sum();
        for (_, folder, bytes) in clips {
            if total <= self.limit_bytes {
                break;
            }
            let free = File::open(folder.join(LOCK_NAME)).is_ok_and(|lock| lock.try_lock().is_ok());
            if free && fs::remove_dir_all(&folder).is_ok() {
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

    /// Opens the track of this name, a file name, as it was left.
    pub fn track<T: Stored>(&self, name: &str) -> Result<Track<T>, StoreError> {
        Track::open(&self.folder.join(name).with_extension("records"))
    }
}

fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes(Vec<u8>);

    impl Stored for Bytes {
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
