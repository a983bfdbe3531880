//! Settings of the process: memory that torch reuses, thread priorities, and a safe exit.

use std::io::Write as _;

use crate::files;

/// Makes the C library keep freed memory for the next allocation, in one arena for all threads. One
/// network step allocates and frees some hundred blocks of up to tens of MB; memory fresh from the
/// system is cleared page by page, which took one twentieth of the step. Call this before threads
/// start.
pub fn keep_freed_memory() {
    #[cfg(target_env = "gnu")]
    for (what, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_MMAP_MAX, 0),
        (libc::M_TOP_PAD, 64 << 20),
        (libc::M_TRIM_THRESHOLD, 1 << 30),
    ] {
        // SAFETY: sets a tunable number; a refusal does no harm.
        unsafe { libc::mallopt(what, value) };
    }
}

/// Returns the memory that [`keep_freed_memory`] has kept to the system when it is dropped. Make it
/// the last field of a struct that uses much memory, so that it is dropped after the others.
pub struct TrimMemoryOnDrop;

impl Drop for TrimMemoryOnDrop {
    fn drop(&mut self) {
        #[cfg(target_env = "gnu")]
        // SAFETY: takes the C library's own lock.
        unsafe {
            libc::malloc_trim(0)
        };
    }
}

/// Lowers the priority of this thread and of those it starts (niceness 10), for work in the
/// background.
pub fn lower_priority() {
    set_niceness(10);
}

/// Lowers the priority less (niceness 5), for work that a user waits for while the window must stay
/// responsive.
pub fn lower_priority_slightly() {
    set_niceness(5);
}

/// Lowers the priority of this new thread, and of those it starts, below that of its parent: work
/// beside the network uses the time that the network leaves, and must not delay one of the network's
/// threads, for which all others would wait.
pub fn lower_priority_below_parent() {
    // SAFETY: adds to the calling thread's niceness; a refusal does no harm.
    unsafe { libc::nice(5) };
}

fn set_niceness(niceness: i32) {
    // SAFETY: sets the calling thread's niceness; a refusal does no harm.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, niceness) };
}

/// Exits at once with this code, without running destructors. Returning from `main` while a thread
/// is inside torch crashes, because the libraries are unloaded under it. Files must be flushed and
/// in place before; [unfinished folders](files::UnfinishedFolder) are removed here, and standard
/// output and error are flushed.
pub fn exit_now(code: i32) -> ! {
    files::remove_unfinished();
    // A closed pipe at the other end must not keep us from exiting.
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().flush();
    // SAFETY: exits the process; nothing runs afterwards.
    unsafe { libc::_exit(code) }
}
