//! Files that are complete or absent, never half written.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Write},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use tempfile::{NamedTempFile, TempPath};

use super::FileError;

/// Writes a file under a temporary name, flushes it to the disk, and renames it to `path`.
///
/// # Errors
/// When the file can't be created, written or renamed; `path` is then as it was.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FileError> {
    let file = temporary_for(path).map_err(FileError::on(path))?;
    let mut buffered = BufWriter::new(file);
    write(&mut buffered).map_err(FileError::on(path))?;
    let file = buffered.into_inner().map_err(|error| FileError::on(path)(error.into_error()))?;
    persist(file, path)
}

/// A hidden file beside `path`, always of the same name, so that what a killed process left behind
/// is overwritten. While another process is writing that file, one with a random name.
fn temporary_for(path: &Path) -> io::Result<NamedTempFile> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    let part = path.with_file_name(name);
    let open = || {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&part)?;
        file.try_lock().map_err(io::Error::from)?;
        // Whoever held the lock may have given the file its name in the meantime.
        let is_still_there = fs::metadata(&part)?.ino() == file.metadata()?.ino();
        if is_still_there { file.set_len(0).map(|()| file) } else { Err(ErrorKind::NotFound.into()) }
    };
    match open() {
        Ok(file) => Ok(NamedTempFile::from_parts(file, TempPath::try_from_path(part)?)),
        Err(_) => NamedTempFile::new_in(path.parent().unwrap_or(Path::new("."))),
    }
}

/// Flushes a temporary file to the disk and renames it, readable by everyone.
fn persist(file: NamedTempFile, path: &Path) -> Result<(), FileError> {
    let readable = fs::Permissions::from_mode(0o644);
    file.as_file().set_permissions(readable).map_err(FileError::on(path))?;
    file.as_file().sync_all().map_err(FileError::on(path))?;
    file.persist(path).map_err(|error| FileError::on(path)(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_has_left_is_written_over_and_another_writers_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let part = folder.path().join(".a.csv.part");
        fs::write(&part, "much more than will be there in the end").unwrap();
        let write =
            |text: &'static str| write_atomically(&path, |out| out.write_all(text.as_bytes())).unwrap();
        write("one");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        write_atomically(&path, |out| {
            write("two");
            out.write_all(b"three")
        })
        .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_atomically(&path, |_| Err(ErrorKind::Other.into())).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
