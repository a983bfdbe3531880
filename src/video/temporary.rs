//! A file under a temporary name beside its final one, so that no half file ever has the
//! final name.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Dropped without [`persist`](Self::persist), the file is removed.
pub struct Temporary {
    path: PathBuf,
    target: PathBuf,
}

impl Temporary {
    /// The name is hidden, unique, and ends as `target` does: OpenCV chooses the container
    /// by it. Nothing is created yet.
    pub fn beside(target: &Path) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut name = std::ffi::OsString::from(format!(".part-{}-{count}-", std::process::id()));
        name.push(target.file_name().unwrap_or_default());
        Self { path: target.with_file_name(name), target: target.to_owned() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Flushes the file to the disk and gives it its final name, replacing what has it.
    pub fn persist(self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        std::fs::rename(&self.path, &self.target)?;
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Some file systems can't flush a folder; the file itself is safe.
        let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After `persist` it is gone already.
        let _ = std::fs::remove_file(&self.path);
    }
}
