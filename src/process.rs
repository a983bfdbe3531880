//! What a process that runs torch must mind at its start and at its end.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A folder of unfinished files, removed when this is dropped, and by [`exit_now`], which
/// drops nothing. Folders in it that are [kept](Self::keep) stay where they have files.
pub struct Passing(Remains);

#[derive(Clone, PartialEq)]
struct Remains {
    folder: PathBuf,
    /// Innermost first.
    parents: Vec<PathBuf>,
    kept: Vec<PathBuf>,
}

static REMAINS: Mutex<Vec<Remains>> = Mutex::new(Vec::new());

impl Passing {
    /// Of `parents`, innermost first, those go too that are empty then.
    pub fn new(folder: PathBuf, parents: Vec<PathBuf>) -> Self {
        let remains = Remains { folder, parents, kept: Vec::new() };
        all_remains().push(remains.clone());
        Self(remains)
    }

    /// Lets what is in `folder`, below this one, stay.
    pub fn keep(&mut self, folder: PathBuf) {
        self.set_kept([&self.0.kept[..], &[folder]].concat());
    }

    pub fn keep_nothing(&mut self) {
        self.set_kept(Vec::new());
    }

    fn set_kept(&mut self, kept: Vec<PathBuf>) {
        if let Some(known) = all_remains().iter_mut().find(|remains| **remains == self.0) {
            known.kept.clone_from(&kept);
        }
        self.0.kept = kept;
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.0.remove();
        all_remains().retain(|remains| *remains != self.0);
    }
}

impl Remains {
    fn remove(&self) {
        if self.kept.iter().any(|folder| has_files(folder)) {
            self.prune(&self.folder);
            return;
        }
        // Under another name first: a thread that is still writing can't add files to it then.
        let moved = self.folder.with_extension("gone");
        let folder = if fs::rename(&self.folder, &moved).is_ok() { &moved } else { &self.folder };
        let _ = fs::remove_dir_all(folder);
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
                // Refused where something is in it.
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

fn all_remains() -> MutexGuard<'static, Vec<Remains>> {
    REMAINS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the C library keep what is freed for who asks next, in one arena for all threads. A network
/// step asks for some hundred blocks of up to tens of MB and frees them; from the system they come
/// cleared, page by page, and that took one twentieth of the step. To be called before threads start.
pub fn keep_freed_memory() {
    #[cfg(target_env = "gnu")]
    for (what, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_MMAP_MAX, 0),
        (libc::M_TOP_PAD, 64 << 20),
        (libc::M_TRIM_THRESHOLD, 1 << 30),
    ] {
        // SAFETY: sets a number; where it is refused nothing is lost.
        unsafe { libc::mallopt(what, value) };
    }
}

/// The last field of what took much memory: once the others are dropped, the system gets back what
/// [`keep_freed_memory`] has kept.
pub struct KeptMemory;

impl Drop for KeptMemory {
    fn drop(&mut self) {
        #[cfg(target_env = "gnu")]
        // SAFETY: the C library's own lock holds other threads off.
        unsafe {
            libc::malloc_trim(0)
        };
    }
}

/// Lets this thread, and those that it starts, give way to threads that a user waits for.
pub fn give_way() {
    set_niceness(10);
}

/// The same for what a user waits for too, but not as much as for the pointer to move.
pub fn give_way_a_little() {
    set_niceness(5);
}

/// Lets this thread, which is new, and those that it starts, give way to the thread that started
/// it: what runs beside the network fills the gaps that the network leaves, and must not hold up
/// one of its threads while the others wait for it.
pub fn step_back() {
    // SAFETY: adds to a number of the calling thread; where it is refused nothing is lost.
    unsafe { libc::nice(5) };
}

fn set_niceness(niceness: i32) {
    // SAFETY: sets a number of the calling thread; where it is refused nothing is lost.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) };
}

/// Ends the process at once, without destructors. Returning from `main` while a thread is
/// inside torch crashes: the libraries are taken down under it. Files must be flushed and in
/// place before this is called; what is [`Passing`] is removed, and standard output and error
/// are flushed here.
pub fn exit_now(code: i32) -> ! {
    all_remains().iter().for_each(Remains::remove);
    // A closed pipe at the other end is no reason to stay.
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().flush();
    // SAFETY: ends the process; nothing of it runs afterwards.
    unsafe { libc::_exit(code) }
}
