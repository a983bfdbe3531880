//! Disk space: what folders take up and what is free; and removing folders.

use std::{fs, io, path::Path};

/// Bytes that this user can still write to the disk of `path`, which need not exist yet; `None`
/// where the system doesn't say.
pub fn free_bytes(path: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let folder = path.ancestors().skip(1).find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let folder = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut numbers = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a 0, and the numbers are read only after success.
    unsafe {
        (libc::statvfs(folder.as_ptr(), numbers.as_mut_ptr()) == 0).then(|| {
            let numbers = numbers.assume_init();
            numbers.f_bavail * numbers.f_frsize
        })
    }
}

/// The size of all files below `folder`. What can't be read counts as 0.
pub fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

/// Removes a folder and its contents. It is renamed first, so that nobody finds half of it. A
/// folder that does not exist counts as removed.
///
/// # Errors
/// When something in it can't be removed.
pub fn remove_folder(folder: &Path) -> io::Result<()> {
    let gone = folder.with_extension("gone");
    let folder = if fs::rename(folder, &gone).is_ok() { &gone } else { folder };
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
