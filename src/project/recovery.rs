//! A copy of the open project, kept on disk while the program runs, so that a crash loses nothing.
//!
//! Each process has a file of its own and a lock beside it. A file whose lock is free was
//! left by a process that did not end as it should.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use super::Project;
use base::files::{FileError, write_atomically};

/// What was open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoveryRecord {
    /// Where it was saved, if ever.
    pub saved_as: Option<PathBuf>,
    /// As it was last seen.
    pub project: Project,
}

/// The file of this process. It is removed on drop, when the program ends as it should.
pub struct Recovery {
    path: PathBuf,
    /// Held, not read.
    _lock: tempfile::NamedTempFile,
}

const LOCK: &str = "lock";
const KEPT: &str = "kept";

impl Recovery {
    /// # Errors
    /// When nothing can be written in `folder`.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock =
            tempfile::Builder::new().prefix("window-").suffix(&format!(".{LOCK}")).tempfile_in(folder)?;
        lock.as_file().lock()?;
        Ok(Self { path: lock.path().with_extension(KEPT), _lock: lock })
    }

    /// Writes down what is open now, in place of what was before.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn keep(&self, record: &RecoveryRecord) -> Result<(), FileError> {
        write_atomically(&self.path, |out| Ok(serde_json::to_writer(out, record)?))
    }
}

impl Drop for Recovery {
    fn drop(&mut self) {
        // It may never have been written.
        let _ = fs::remove_file(&self.path);
    }
}

/// What a process left behind that did not end as it should.
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveryFile {
    /// What the process had open.
    pub record: RecoveryRecord,
    path: PathBuf,
}

impl RecoveryFile {
    /// The newest one in `folder`. Older ones, and those that can't be read, are removed.
    pub fn newest(folder: &Path) -> Option<Self> {
        let mut found: Vec<(SystemTime, PathBuf)> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|extension| extension == LOCK))
            .filter(|entry| File::open(entry.path()).is_ok_and(|lock| lock.try_lock().is_ok()))
            .filter_map(|lock| {
                let path = lock.path().with_extension(KEPT);
                let time = fs::metadata(&path).and_then(|metadata| metadata.modified());
                if time.is_err() {
                    // Nothing was open there.
                    let _ = fs::remove_file(lock.path());
                }
                Some((time.ok()?, path))
            })
            .collect();
        found.sort_unstable();
        let mut newest = None;
        while let Some((_, path)) = found.pop() {
            let text = fs::read_to_string(&path).unwrap_or_default();
            match serde_json::from_str(&text) {
                Ok(record) if newest.is_none() => newest = Some(Self { record, path }),
                _ => remove(&path),
            }
        }
        newest
    }

    /// Removes it: it was taken up again, or is not wanted.
    pub fn discard(self) {
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    // What can't be removed is offered once more, which does no harm.
    let _ = fs::remove_file(path);
    let _ = fs::remove_file(path.with_extension(LOCK));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(video: &str) -> RecoveryRecord {
        RecoveryRecord { saved_as: None, project: Project::new(video.into()) }
    }

    #[test]
    fn what_a_living_process_keeps_is_its_own_and_a_dead_one_s_is_offered_once() {
        let folder = tempfile::tempdir().unwrap();
        let recovery = Recovery::begin(folder.path()).unwrap();
        recovery.keep(&record("a.mp4")).unwrap();
        assert_eq!(RecoveryFile::newest(folder.path()), None);

        // As a killed process leaves it: the files are there and the lock is free.
        let path = folder.path().join("window-dead.kept");
        fs::write(path.with_extension(LOCK), "").unwrap();
        fs::write(&path, serde_json::to_string(&record("b.mp4")).unwrap()).unwrap();
        let left = RecoveryFile::newest(folder.path()).unwrap();
        assert_eq!(left.record, record("b.mp4"));
        left.discard();
        assert_eq!(RecoveryFile::newest(folder.path()), None);

        // A file that is damaged is nobody's.
        fs::write(path.with_extension(LOCK), "").unwrap();
        fs::write(&path, "{").unwrap();
        assert_eq!(RecoveryFile::newest(folder.path()), None);
        assert!(!path.exists());

        drop(recovery);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a proper end leaves nothing");
    }
}
