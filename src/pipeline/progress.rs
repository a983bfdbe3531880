//! How far a job is, and the way to stop it. Both are shared with whoever watches.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::PipelineError;

/// How often paused work looks whether it may go on.
const PAUSE_POLL: Duration = Duration::from_millis(20);

/// Stops a job. Made anew for each job and never reset; clones share one state.
///
/// It can hold work back, too: what is paused waits at its next [checkpoint](Self::checkpoint).
#[derive(Clone, Debug, Default)]
pub struct CancelToken {
    cancelled: Arc<AtomicBool>,
    paused: Arc<AtomicBool>,
    parent: Option<Arc<CancelToken>>,
}

impl CancelToken {
    /// A token of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// For good.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Whether it, or one it is a child of, is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
            || self.parent.as_ref().is_some_and(|parent| parent.is_cancelled())
    }

    /// Holds work back, or lets it go on.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
    }

    /// Whether it, or one it is a child of, is paused.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire) || self.parent.as_ref().is_some_and(|parent| parent.is_paused())
    }

    /// Waits while paused.
    ///
    /// # Errors
    /// [`PipelineError::Cancelled`] once cancelled, paused or not.
    pub fn checkpoint(&self) -> Result<(), PipelineError> {
        loop {
            if self.is_cancelled() {
                return Err(PipelineError::Cancelled);
            }
            if !self.is_paused() {
                return Ok(());
            }
            thread::sleep(PAUSE_POLL);
        }
    }

    /// A token that is cancelled and paused with this one, and can be without it.
    pub fn child(&self) -> Self {
        Self { parent: Some(Arc::new(self.clone())), ..Self::default() }
    }
}

/// The frames that one pass has done. Cheap to clone; clones share one count.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counter>);

#[derive(Debug, Default)]
struct Counter {
    done: AtomicUsize,
    /// 0 while it is not known.
    total: AtomicUsize,
    /// How many were done without work.
    skipped: AtomicUsize,
    /// When the first frame that took work was done.
    started: Mutex<Option<Instant>>,
    finished: AtomicBool,
    notes: Mutex<Vec<String>>,
}

/// The progress of a pass at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Snapshot {
    /// Frames.
    pub done: usize,
    /// Frames; `None` while it is not known.
    pub total: Option<usize>,
    /// Without frames that took no work; `None` before the second one that did.
    pub frames_per_sec: Option<f64>,
    /// How long the rest takes at this rate.
    pub left: Option<Duration>,
    /// Whether the pass has come to its end.
    pub finished: bool,
}

impl Progress {
    /// With so many frames to do, if that is known.
    pub fn new(total: Option<usize>) -> Self {
        let progress = Self::default();
        progress.set_total(total);
        progress
    }

    /// Containers' claims are wrong at times, so the total may change on the way.
    pub fn set_total(&self, total: Option<usize>) {
        self.0.total.store(total.unwrap_or(0), Ordering::Relaxed);
    }

    /// One frame more is done.
    pub fn advance(&self) {
        self.0.started.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
        self.0.done.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts frames that were done already: they say nothing of the rate.
    pub fn skip(&self, frames: usize) {
        self.0.skipped.fetch_add(frames, Ordering::Relaxed);
        self.0.done.fetch_add(frames, Ordering::Relaxed);
    }

    /// Something that the user should know, in a sentence.
    pub fn note(&self, note: String) {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    /// What was noted since this was asked last.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is done is all there was.
    pub fn finish(&self) {
        self.set_total(Some(self.0.done.load(Ordering::Relaxed)));
        self.0.finished.store(true, Ordering::Relaxed);
    }

    /// How far the pass is now.
    pub fn snapshot(&self) -> Snapshot {
        let done = self.0.done.load(Ordering::Relaxed);
        let total = match self.0.total.load(Ordering::Relaxed) {
            0 => None,
            total => Some(total.max(done)),
        };
        let started = *self.0.started.lock().unwrap_or_else(PoisonError::into_inner);
        // The clock starts with the first frame, so that frame's own time is not counted.
        let timed = done.saturating_sub(1 + self.0.skipped.load(Ordering::Relaxed));
        let frames_per_sec = started.filter(|_| timed > 0).and_then(|started| {
            let elapsed_secs = started.elapsed().as_secs_f64();
            (elapsed_secs > 0.0).then(|| timed as f64 / elapsed_secs)
        });
        let left = total.zip(frames_per_sec).and_then(|(total, frames_per_sec)| {
            Duration::try_from_secs_f64((total - done) as f64 / frames_per_sec).ok()
        });
        Snapshot { done, total, frames_per_sec, left, finished: self.0.finished.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_never_less_than_what_is_done() {
        let progress = Progress::new(Some(2));
        for _ in 0..3 {
            progress.advance();
        }
        let snapshot = progress.snapshot();
        assert_eq!((snapshot.done, snapshot.total), (3, Some(3)));
        assert_eq!(snapshot.left, Some(Duration::ZERO));
        progress.finish();
        assert!(progress.snapshot().finished);
    }

    #[test]
    fn a_child_is_cancelled_with_its_parent_only() {
        let parent = CancelToken::new();
        let (one, other) = (parent.child(), parent.child());
        one.cancel();
        assert!(one.is_cancelled() && !other.is_cancelled() && !parent.is_cancelled());
        parent.cancel();
        assert!(other.is_cancelled());
    }

    #[test]
    fn paused_work_waits_and_can_still_be_cancelled() {
        let token = CancelToken::new();
        token.pause(true);
        let child = token.child();
        let passed = Arc::new(AtomicBool::new(false));
        let (theirs, work) = (passed.clone(), child.clone());
        let waiting = thread::spawn(move || {
            work.checkpoint().unwrap();
            theirs.store(true, Ordering::SeqCst);
            work.pause(true);
            work.checkpoint()
        });
        thread::sleep(4 * PAUSE_POLL);
        assert!(!passed.load(Ordering::SeqCst));
        token.pause(false);
        while !passed.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        token.cancel();
        assert!(matches!(waiting.join().unwrap(), Err(PipelineError::Cancelled)));
    }

    #[test]
    fn what_was_done_already_does_not_speed_up_the_rate() {
        let progress = Progress::new(Some(1000));
        progress.skip(990);
        progress.advance();
        assert_eq!(progress.snapshot().frames_per_sec, None);
        std::thread::sleep(Duration::from_millis(20));
        progress.advance();
        let snapshot = progress.snapshot();
        assert_eq!(snapshot.done, 992);
        assert!(snapshot.frames_per_sec.unwrap() <= 50.0, "{snapshot:?}");
    }

    #[test]
    fn nothing_is_made_up_before_the_first_frame() {
        let snapshot = Progress::new(None).snapshot();
        assert_eq!((snapshot.total, snapshot.frames_per_sec, snapshot.left), (None, None, None));
    }
}
