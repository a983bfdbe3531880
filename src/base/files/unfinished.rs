//! Folders of unfinished files, removed when their producer ends, however it ends.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A folder of unfinished files. It is removed when this is dropped, and by [`remove_unfinished`],
/// which an exit without destructors calls. Folders in it that are [kept](Self::keep) stay if they
/// have files.
pub struct UnfinishedFolder(Cleanup);

#[derive(Clone, PartialEq)]
struct Cleanup {
    folder: PathBuf,
    /// Innermost first.
    parents: Vec<PathBuf>,
    kept: Vec<PathBuf>,
}

static CLEANUPS: Mutex<Vec<Cleanup>> = Mutex::new(Vec::new());

impl UnfinishedFolder {
    /// `parents`, innermost first, are removed too if they are empty by then.
    pub fn new(folder: PathBuf, parents: Vec<PathBuf>) -> Self {
        let cleanup = Cleanup { folder, parents, kept: Vec::new() };
        cleanups().push(cleanup.clone());
        Self(cleanup)
    }

    /// Keeps the contents of `folder`, which lies below this one.
    pub fn keep(&mut self, folder: PathBuf) {
        self.set_kept([&self.0.kept[..], &[folder]].concat());
    }

    /// Keeps nothing after all.
    pub fn keep_nothing(&mut self) {
        self.set_kept(Vec::new());
    }

    fn set_kept(&mut self, kept: Vec<PathBuf>) {
        if let Some(known) = cleanups().iter_mut().find(|cleanup| **cleanup == self.0) {
            known.kept.clone_from(&kept);
        }
        self.0.kept = kept;
    }
}

impl Drop for UnfinishedFolder {
    fn drop(&mut self) {
        self.0.remove();
        cleanups().retain(|cleanup| *cleanup != self.0);
    }
}

impl Cleanup {
    fn remove(&self) {
        if self.kept.iter().any(|folder| has_files(folder)) {
            self.prune(&self.folder);
            return;
        }
        // A thread that is still writing can't add files to it then, and there is nobody to tell.
        let _ = super::remove_folder(&self.folder);
        for parent in &self.parents {
            let _ = fs::remove_dir(parent);
        }
    }

    /// Removes everything below `folder` but what is kept.
    fn prune(&self, folder: &Path) {
        let entries = fs::read_dir(folder).ok().filter(|_| !self.kept.iter().any(|kept| kept == folder));
        for path in entries.into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                self.prune(&path);
                // Fails where something is in it.
                let _ = fs::remove_dir(&path);
            } else {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn has_files(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

fn cleanups() -> MutexGuard<'static, Vec<Cleanup>> {
    CLEANUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all unfinished folders of this process, before an exit without destructors.
pub fn remove_unfinished() {
    cleanups().iter().for_each(Cleanup::remove);
}
