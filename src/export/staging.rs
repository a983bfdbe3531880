//! The hidden folder in which the files of an export stay until all of them are complete.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use rayon::prelude::*;

use super::{ExportError, names::SequenceNames};
use base::files::UnfinishedFolder;
use video::VideoError;

const PREFIX: &str = ".steadymask-";

/// Present while files are moved to their places.
const PUBLISHING: &str = ".publishing";

/// A hidden folder inside the target's. Files are made in it and moved to their places when
/// all of them are finished, so a run leaves all of its files or none.
///
/// When it is dropped before that, single files are removed, and so are folders that were created for
/// them. Sequences stay hidden: the next run of the same job finds their frames and continues.
pub struct Staging {
    target: PathBuf,
    folder: PathBuf,
    force: bool,
    outputs: Vec<Output>,
    unfinished: UnfinishedFolder,
    /// Held open for its lock: a folder without a lock was left by a process that was killed.
    _lock: File,
}

/// Relative to the target.
enum Output {
    File(PathBuf),
    /// What an earlier run left of it is replaced as a whole, so that a shorter clip does not
    /// end with frames of a longer one.
    Sequence(SequenceNames),
}

impl Staging {
    /// Goes on in the folder that a job with the same `key`, a file name, left behind.
    ///
    /// # Errors
    /// When `target` can't be made or written.
    pub fn begin(target: &Path, key: &str, force: bool) -> Result<Self, ExportError> {
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
            let (folder, lock) = open_folder(target, key)?;
            remove_abandoned(target);
            remove_unfinished(&folder);
            Ok((folder, lock))
        };
        let (folder, lock) = begin().map_err(|error: std::io::Error| {
            made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
            ExportError::on(target)(error)
        })?;
        // Killed while it moved files, the run before ours was done: they are ours to replace.
        let force = force || folder.join(PUBLISHING).exists();
        Ok(Self {
            target: target.to_owned(),
            unfinished: UnfinishedFolder::new(folder.clone(), made),
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
        self.check_new(&name)?;
        let staged = self.folder.join(&name);
        self.prepare(name.parent())?;
        self.outputs.push(Output::File(name));
        Ok(staged)
    }

    /// Where to write numbered files; their folder is there, and in it what an interrupted run
    /// of this job has written of them.
    ///
    /// # Errors
    /// When there are such files already that may not be replaced.
    pub fn sequence(&mut self, files: SequenceNames) -> Result<SequenceNames, ExportError> {
        if !self.force
            && let Some(path) = members(&files.within(&self.target))?.into_iter().next()
        {
            return Err(ExportError::Exists { path });
        }
        self.check_new(&files.path(0))?;
        self.prepare(Some(&files.folder))?;
        let staged = files.within(&self.folder);
        self.unfinished.keep(staged.folder.clone());
        self.outputs.push(Output::Sequence(files));
        Ok(staged)
    }

    /// No two outputs have one name.
    fn check_new(&self, name: &Path) -> Result<(), ExportError> {
        let is_taken = self.outputs.iter().any(|output| match output {
            Output::File(other) => other == name,
            Output::Sequence(other) => other.path(0) == name,
        });
        if is_taken { Err(ExportError::SameName(name.to_owned())) } else { Ok(()) }
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
                Output::Sequence(names) => files.extend(members(&names.within(&self.folder))?),
            }
        }
        // Side by side: a disk flushes many files nearly as quickly as one.
        files.par_iter().try_for_each(|path| {
            let synced = File::open(path).and_then(|file| file.sync_all());
            synced.map_err(ExportError::on(path))
        })
    }

    /// Moves everything to its place and gives the paths: files, and folders of sequences.
    pub fn publish(mut self) -> Result<Vec<PathBuf>, ExportError> {
        File::create(self.folder.join(PUBLISHING)).map_err(ExportError::on(&self.target))?;
        let mut published = Vec::new();
        for output in &self.outputs {
            let path = match output {
                Output::File(name) => {
                    let path = self.target.join(name);
                    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
                    let moved = made.and_then(|()| fs::rename(self.folder.join(name), &path));
                    moved.map_err(ExportError::on(&path))?;
                    path
                }
                Output::Sequence(files) => {
                    let (staged, placed) = (files.within(&self.folder), files.within(&self.target));
                    replace_sequence(&staged, &placed)?;
                    placed.folder
                }
            };
            if !published.contains(&path) {
                published.push(path);
            }
        }
        self.unfinished.keep_nothing();
        // A name that is on the disk before the folder is can be lost with it.
        for folder in published.iter().flat_map(|path| path.parent()) {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(published)
    }

    /// The same error with the path that the user knows.
    pub fn with_target_path(&self, mut error: ExportError) -> ExportError {
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

/// The files of a sequence that are there.
fn members(files: &SequenceNames) -> Result<Vec<PathBuf>, ExportError> {
    let entries = match fs::read_dir(&files.folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries.map_err(ExportError::on(&files.folder))?,
    };
    let of_these = entries.flatten().filter(|entry| files.contains(&entry.file_name().to_string_lossy()));
    Ok(of_these.map(|entry| entry.path()).collect())
}

/// Moves a sequence to its place; what is there of it goes first.
fn replace_sequence(staged: &SequenceNames, placed: &SequenceNames) -> Result<(), ExportError> {
    let made = placed.folder.parent().map_or(Ok(()), fs::create_dir_all);
    made.map_err(ExportError::on(&placed.folder))?;
    // In one step where nothing is there; and then for all sequences of that folder.
    if !staged.folder.exists() || fs::rename(&staged.folder, &placed.folder).is_ok() {
        return Ok(());
    }
    fs::create_dir_all(&placed.folder).map_err(ExportError::on(&placed.folder))?;
    for path in members(placed)? {
        if !staged.folder.join(path.file_name().unwrap_or_default()).exists() {
            fs::remove_file(&path).map_err(ExportError::on(&path))?;
        }
    }
    for path in members(staged)? {
        let place = placed.folder.join(path.file_name().unwrap_or_default());
        fs::rename(&path, &place).map_err(ExportError::on(&place))?;
    }
    Ok(())
}

/// The hidden folder of this key, locked. Where another process has it, one of our own.
fn open_folder(target: &Path, key: &str) -> io::Result<(PathBuf, File)> {
    let folder = target.join(format!("{PREFIX}{key}"));
    match fs::create_dir(&folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let lock = File::open(&folder)?;
    if lock.try_lock().is_ok() {
        return Ok((folder, lock));
    }
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(target)?.keep();
    let lock = File::open(&folder)?;
    lock.try_lock()?;
    Ok((folder, lock))
}

/// Removes files that a killed process was in the middle of: they are hidden, and of videos
/// they are large. What can't be removed is left.
fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_unfinished(&entry.path());
        } else if name.as_encoded_bytes().starts_with(b".") && name != PUBLISHING {
            let _ = fs::remove_file(entry.path());
        }
    }
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
    use crate::names::Names;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn numbered() -> SequenceNames {
        Names::new(Path::new("clip.mp4"), None).sequence("raw", Some("person"), "png")
    }

    #[test]
    fn the_same_job_goes_on_and_another_begins_anew() {
        let root = tempfile::tempdir().unwrap();
        let frames = |key: &str| {
            let mut staging = Staging::begin(root.path(), key, false).unwrap();
            let sequence = staging.sequence(numbered()).unwrap();
            let there = members(&sequence).unwrap().len();
            fs::write(sequence.path(there), "mask").unwrap();
            fs::write(staging.file("overlay.mp4").unwrap(), "half").unwrap();
            there
        };
        assert_eq!(frames("a"), 0);
        assert_eq!(frames("a"), 1);
        assert_eq!(names(root.path()), [".steadymask-a"]);
        assert_eq!(names(&root.path().join(".steadymask-a")), ["raw"], "single files go");
        assert_eq!(frames("b"), 0);
        assert_eq!(names(root.path()), [".steadymask-b"]);
    }

    #[test]
    fn a_kill_in_the_middle_of_publishing_is_made_good() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(".steadymask-a");
        fs::create_dir_all(folder.join("raw/person")).unwrap();
        fs::write(folder.join(PUBLISHING), "").unwrap();
        fs::write(root.path().join("metrics.csv"), "moved already").unwrap();
        let mut staging = Staging::begin(root.path(), "a", false).unwrap();
        fs::write(staging.file("metrics.csv").unwrap(), "again").unwrap();
        staging.publish().unwrap();
        assert_eq!(names(root.path()), ["metrics.csv"]);
        let error = Staging::begin(root.path(), "a", false).unwrap().file("metrics.csv");
        assert!(matches!(error, Err(ExportError::Exists { .. })));
    }

    #[test]
    fn two_outputs_of_one_name_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let mut staging = Staging::begin(root.path(), "a", false).unwrap();
        staging.file("a.mp4").unwrap();
        assert!(matches!(staging.file("a.mp4"), Err(ExportError::SameName(_))));
    }

    #[test]
    fn what_a_kill_left_unfinished_does_not_pile_up() {
        let root = tempfile::tempdir().unwrap();
        // As a killed process leaves it: nothing is dropped.
        let folder = root.path().join(".steadymask-a");
        fs::create_dir_all(folder.join("raw/person")).unwrap();
        for name in [PUBLISHING, ".part-17-0-overlay.mp4", "raw/person/000000.png", "raw/person/.part-17-1-a"]
        {
            fs::write(folder.join(name), "a part").unwrap();
        }
        let mut staging = Staging::begin(root.path(), "a", false).unwrap();
        assert!(staging.force, "it was done, and is ours to replace");
        let sequence = staging.sequence(numbered()).unwrap();
        assert_eq!(names(&folder), [PUBLISHING, "raw"]);
        assert_eq!(names(&sequence.folder), ["000000.png"]);
    }

    #[test]
    fn everything_appears_at_once_or_nothing_does() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("a/b");
        let make = |force: bool, frames: &[usize]| {
            let mut staging = Staging::begin(&target, "key", force)?;
            fs::write(staging.file("plots/iou.svg")?, "plot").unwrap();
            let sequence = staging.sequence(numbered())?;
            frames.iter().for_each(|&frame| fs::write(sequence.path(frame), "mask").unwrap());
            staging.sync()?;
            Ok::<_, ExportError>(staging)
        };
        drop(make(false, &[]).unwrap());
        assert!(names(root.path()).is_empty(), "made folders go too");

        let published = make(false, &[0, 1]).unwrap().publish().unwrap();
        assert_eq!(published, [target.join("plots/iou.svg"), target.join("raw/person")]);
        assert_eq!(names(&target), ["plots", "raw"]);
        assert_eq!(names(&target.join("raw/person")), ["000000.png", "000001.png"]);

        assert!(matches!(make(false, &[]), Err(ExportError::Exists { .. })));
        fs::write(target.join("raw/person/notes.txt"), "mine").unwrap();
        make(true, &[0]).unwrap().publish().unwrap();
        assert_eq!(names(&target.join("raw/person")), ["000000.png", "notes.txt"]);
        assert_eq!(names(&target), ["plots", "raw"]);
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("raw"), "a file").unwrap();
        let mut staging = Staging::begin(root.path(), "key", true).unwrap();
        let error = staging.sequence(numbered()).unwrap_err().to_string();
        assert!(error.contains("/raw: could not be written: a file of this name is in the way"), "{error}");
        let error = Staging::begin(&root.path().join("raw"), "key", true).err().unwrap().to_string();
        assert!(error.contains("in the way"), "{error}");
        let error = ExportError::Write { path: staging.folder.join("x.mkv"), cause: String::new() };
        assert!(
            staging
                .with_target_path(error)
                .to_string()
                .starts_with(&*root.path().join("x.mkv").to_string_lossy())
        );
    }

    #[test]
    fn what_a_killed_process_left_goes_with_the_next_run() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(".steadymask-killed")).unwrap();
        let other = Staging::begin(root.path(), "key", false).unwrap();
        assert_eq!(names(root.path()).len(), 1);
        let one = Staging::begin(root.path(), "key", false).unwrap();
        assert!(other.folder.is_dir() && one.folder.is_dir());
    }
}
