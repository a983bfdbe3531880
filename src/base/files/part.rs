//! A file under a temporary name beside its final one, so that a half-written file never has the
//! final name.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A file in the making. It is removed when this is dropped without [`persist`](Self::persist).
pub struct PartFile {
    path: PathBuf,
    target: PathBuf,
}

impl PartFile {
    /// Chooses a hidden, unique name beside `target` with its extension, from which OpenCV and
    /// FFmpeg choose the container. Nothing is created yet.
    pub fn beside(target: &Path) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut name = std::ffi::OsString::from(format!(".part-{}-{count}-", std::process::id()));
        name.push(target.file_name().unwrap_or_default());
        Self { path: target.with_file_name(name), target: target.to_owned() }
    }

    /// Writes one file of a sequence. `write` creates it as `NAME.part`, always the same name, so
    /// that what a killed process left behind is overwritten. It is not flushed to the disk: a
    /// sequence is flushed as a whole, which is much quicker.
    ///
    /// # Errors
    /// Those of `write`, and when the file can't be renamed.
    pub fn write<E: From<io::Error>>(
        target: &Path,
        write: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        let part = Self { path: target.with_extension("part"), target: target.to_owned() };
        write(&part.path)?;
        Ok(std::fs::rename(&part.path, target)?)
    }

    /// The temporary path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Flushes the file to the disk and gives it its final name, replacing a file of that name.
    ///
    /// # Errors
    /// When the file does not exist, or can't be flushed or renamed.
    pub fn persist(self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        std::fs::rename(&self.path, &self.target)?;
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Some file systems can't flush a folder; the file itself is safe.
        let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        // After `persist` it is gone already.
        let _ = std::fs::remove_file(&self.path);
    }
}
