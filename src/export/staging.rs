//! Where the files of an export lie until all of them are whole.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::ExportError;
use crate::{process::Passing, video::VideoError};

const PREFIX: &str = ".steadymask-";

/// A hidden folder inside the target's. Files are made in it and moved to their places when
/// all of them are finished, so a run leaves all of its files or none; dropped before, the
/// folder goes, and those that were made for it.
pub struct Staging {
    target: PathBuf,
    folder: PathBuf,
    force: bool,
    outputs: Vec<Output>,
    /// Held, not read: a folder without a lock was left by a process that was killed.
    _lock: File,
    _passing: Passing,
}

/// Relative to the target.
enum Output {
    File(PathBuf),
    /// A folder of numbered files: what an earlier run left in it is replaced as a whole, so
    /// that a shorter clip does not end with frames of a longer one.
    Sequence(PathBuf),
}

impl Staging {
    /// # Errors
    /// When `target` can't be made or written.
    pub fn begin(target: &Path, force: bool) -> Result<Self, ExportError> {
        if target.exists() && !target.is_dir() {
            return Err(in_the_way(target));
        }
        let made: Vec<PathBuf> = target
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
            .map(Path::to_owned)
            .collect();
        let begin = || {
            fs::create_dir_all(target)?;
            remove_abandoned(target);
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(target)?.keep();
            let lock = File::open(&folder)?;
            lock.try_lock()?;
            Ok((folder, lock))
        };
        let (folder, lock) = begin().map_err(|error: std::io::Error| {
            made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
            ExportError::on(target)(error)
        })?;
        Ok(Self {
            target: target.to_owned(),
            _passing: Passing::new(folder.clone(), made),
            folder,
            force,
            outputs: Vec::new(),
            _lock: lock,
        })
    }

    /// Where to write the file of this name, relative to the target.
    ///
    /// # Errors
    /// When it is there already and may not be replaced.
    pub fn file(&mut self, name: impl Into<PathBuf>) -> Result<PathBuf, ExportError> {
        let name = name.into();
        let path = self.target.join(&name);
        if path.is_dir() {
            return Err(in_the_way(&path));
        }
        if !self.force && path.exists() {
            return Err(ExportError::Exists { path });
        }
        let staged = self.folder.join(&name);
        self.prepare(name.parent())?;
        self.outputs.push(Output::File(name));
        Ok(staged)
    }

    /// Where to write numbered files; the folder is there.
    ///
    /// # Errors
    /// When it has files already that may not be replaced.
    pub fn sequence(&mut self, name: impl Into<PathBuf>) -> Result<PathBuf, ExportError> {
        let name = name.into();
        let path = self.target.join(&name);
        let occupied = fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some());
        if !self.force && occupied {
            return Err(ExportError::Exists { path });
        }
        self.prepare(Some(&name))?;
        let staged = self.folder.join(&name);
        self.outputs.push(Output::Sequence(name));
        Ok(staged)
    }

    /// Makes a folder for files and sees to it that it can be made in the target too.
    fn prepare(&self, folder: Option<&Path>) -> Result<(), ExportError> {
        let Some(folder) = folder else { return Ok(()) };
        for ancestor in folder.ancestors().map(|ancestor| self.target.join(ancestor)) {
            if ancestor.exists() && !ancestor.is_dir() {
                return Err(in_the_way(&ancestor));
            }
        }
        fs::create_dir_all(self.folder.join(folder)).map_err(ExportError::on(&self.target.join(folder)))
    }

    /// Flushes all files to the disk.
    pub fn sync(&self) -> Result<(), ExportError> {
        let mut files = Vec::new();
        for output in &self.outputs {
            match output {
                Output::File(name) => files.push(self.folder.join(name)),
                Output::Sequence(name) => files.extend(files_of(&self.folder.join(name))?),
            }
        }
        // Side by side: a disk flushes many files nearly as quickly as one.
        files.par_iter().try_for_each(|path| {
            let synced = File::open(path).and_then(|file| file.sync_all());
            synced.map_err(ExportError::on(path))
        })
    }

    /// Moves everything to its place and gives the paths: files, and folders of sequences.
    pub fn publish(self) -> Result<Vec<PathBuf>, ExportError> {
        let mut published = Vec::new();
        for output in &self.outputs {
            let (Output::File(name) | Output::Sequence(name)) = output;
            let (staged, path) = (self.folder.join(name), self.target.join(name));
            let folder = if matches!(output, Output::File(_)) { path.parent() } else { Some(&*path) };
            folder.map_or(Ok(()), fs::create_dir_all).map_err(ExportError::on(&path))?;
            match output {
                Output::File(_) => fs::rename(&staged, &path).map_err(ExportError::on(&path))?,
                Output::Sequence(_) => replace_sequence(&staged, &path)?,
            }
            published.push(path);
        }
        Ok(published)
    }

    /// The same error with the path that the user knows.
    pub fn in_place(&self, mut error: ExportError) -> ExportError {
        if let ExportError::Write { path, .. } | ExportError::Video(VideoError::Write { path, .. }) =
            &mut error
            && let Ok(name) = path.strip_prefix(&self.folder)
        {
            *path = self.target.join(name);
        }
        error
    }
}

fn in_the_way(path: &Path) -> ExportError {
    let what = if path.is_dir() { "a folder" } else { "a file" };
    let cause = format!("{what} of this name is in the way");
    ExportError::Write { path: path.to_owned(), cause }
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, ExportError> {
    let entries = fs::read_dir(folder).map_err(ExportError::on(folder))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// Moves the files of one folder into another, whose own files of that kind go first.
fn replace_sequence(staged: &Path, folder: &Path) -> Result<(), ExportError> {
    let is_png = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "png");
    for path in files_of(folder)?.into_iter().filter(is_png) {
        fs::remove_file(&path).map_err(ExportError::on(&path))?;
    }
    for path in files_of(staged)? {
        let place = folder.join(path.file_name().unwrap_or_default());
        fs::rename(&path, &place).map_err(ExportError::on(&place))?;
    }
    Ok(())
}

/// Removes what processes left that were killed. What can't be removed is left: it is hidden.
fn remove_abandoned(target: &Path) {
    let Ok(entries) = fs::read_dir(target) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_ours = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
        if is_ours && File::open(&path).is_ok_and(|folder| folder.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn everything_appears_at_once_or_nothing_does() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("a/b");
        let make = |force: bool, frames: &[&str]| {
            let mut staging = Staging::begin(&target, force)?;
            fs::write(staging.file("plots/iou.svg")?, "plot").unwrap();
            let sequence = staging.sequence("raw/person")?;
            frames.iter().for_each(|name| fs::write(sequence.join(name), "mask").unwrap());
            staging.sync()?;
            Ok::<_, ExportError>(staging)
        };
        drop(make(false, &["0.png"]).unwrap());
        assert!(names(root.path()).is_empty(), "made folders go too");

        let published = make(false, &["0.png", "1.png"]).unwrap().publish().unwrap();
        assert_eq!(published, [target.join("plots/iou.svg"), target.join("raw/person")]);
        assert_eq!(names(&target), ["plots", "raw"]);
        assert_eq!(names(&target.join("raw/person")), ["0.png", "1.png"]);

        assert!(matches!(make(false, &[]), Err(ExportError::Exists { .. })));
        fs::write(target.join("raw/person/notes.txt"), "mine").unwrap();
        make(true, &["0.png"]).unwrap().publish().unwrap();
        assert_eq!(names(&target.join("raw/person")), ["0.png", "notes.txt"]);
        assert_eq!(names(&target), ["plots", "raw"]);
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("raw"), "a file").unwrap();
        let mut staging = Staging::begin(root.path(), true).unwrap();
        let error = staging.sequence("raw/person").unwrap_err().to_string();
        assert!(error.contains("/raw: could not be written: a file of this name is in the way"), "{error}");
        let error = Staging::begin(&root.path().join("raw"), true).err().unwrap().to_string();
        assert!(error.contains("in the way"), "{error}");
        let error = ExportError::Write { path: staging.folder.join("x.mkv"), cause: String::new() };
        assert!(
            staging.in_place(error).to_string().starts_with(&*root.path().join("x.mkv").to_string_lossy())
        );
    }

    #[test]
    fn what_a_killed_process_left_goes_with_the_next_run() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(".steadymask-killed")).unwrap();
        let other = Staging::begin(root.path(), false).unwrap();
        assert_eq!(names(root.path()).len(), 1);
        let one = Staging::begin(root.path(), false).unwrap();
        assert!(other.folder.is_dir() && one.folder.is_dir());
    }
}
