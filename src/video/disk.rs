//! Room on the disk.

use std::path::Path;

/// Free on the disk that `path` lies or will lie on, for us; `None` where the system doesn't
/// say.
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
