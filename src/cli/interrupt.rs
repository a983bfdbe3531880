//! Ctrl-C: acknowledged at once, and obeyed within a second.

use std::{
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use super::ExitCode;
use base::process;
use pipeline::{CancelToken, PipelineError};

const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// What a cancelled job gets to remove its unfinished files. A network step takes longer and
/// can't be interrupted: it is left behind.
const PATIENCE: Duration = Duration::from_millis(700);

/// Makes SIGINT, SIGTERM and SIGHUP cancel the token; a second one ends the process there
/// and then.
pub fn cancel_on_signal(cancel: &CancelToken) -> anyhow::Result<()> {
    let cancel = cancel.clone();
    ctrlc::set_handler(move || {
        if cancel.is_cancelled() {
            process::exit_now(ExitCode::Cancelled as i32);
        }
        eprintln!("\nsteadymask: stopping …");
        cancel.cancel();
    })?;
    Ok(())
}

/// Runs `job` in a thread of its own and calls `watch` now and then until it ends, or until
/// it was cancelled and patience is over.
pub fn run_watched<T: Send + 'static>(
    cancel: &CancelToken,
    job: impl FnOnce() -> Result<T, PipelineError> + Send + 'static,
    mut watch: impl FnMut(),
) -> Result<T, PipelineError> {
    let (sender, result) = mpsc::channel();
    thread::spawn(move || sender.send(job()));
    let mut cancelled: Option<Instant> = None;
    loop {
        match result.recv_timeout(POLL_INTERVAL) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => watch(),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PipelineError::Internal("the job panicked".into()));
            }
        }
        if cancel.is_cancelled() && cancelled.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return Err(PipelineError::Cancelled);
        }
    }
}
