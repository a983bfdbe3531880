//! Interleaves another process with this one: each works only in its turn. The speed of a machine drifts,
//! so what is compared has to be measured at the same time; side by side the two would share the cores.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::{fs::FileExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// The line that the other process writes first, when what is measured begins.
pub const STARTED: &str = "begun";

/// How long the other process was stopped in all, which it can't know of itself: nanoseconds in a file.
pub struct Pauses(File);

impl Pauses {
    /// For the one that stops the other.
    ///
    /// # Errors
    /// When the file can't be made.
    pub fn create(path: &Path) -> Result<Self> {
        let pauses = Self(File::create(path).with_context(|| path.display().to_string())?);
        pauses.set(Duration::ZERO)?;
        Ok(pauses)
    }

    /// For the one that is stopped.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self(File::open(path).with_context(|| path.display().to_string())?))
    }

    pub fn total(&self) -> Duration {
        let mut nanos = [0; 8];
        match self.0.read_exact_at(&mut nanos, 0) {
            Ok(()) => Duration::from_nanos(u64::from_ne_bytes(nanos)),
            Err(_) => Duration::ZERO,
        }
    }

    fn set(&self, total: Duration) -> Result<()> {
        Ok(self.0.write_all_at(&(total.as_nanos() as u64).to_ne_bytes(), 0)?)
    }
}

/// Dropped, it kills the process.
pub struct InterleavedProcess {
    process_group: i32,
    events: Receiver<ProcessEvent>,
    pauses: Pauses,
    stopped: Instant,
    paused: Duration,
    worked: Duration,
    output: Option<String>,
}

enum ProcessEvent {
    Started(Instant),
    Ended { at: Instant, output: std::io::Result<String> },
}

impl InterleavedProcess {
    /// Starts it, and stops it before it has done much.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn spawn(command: &mut Command, pauses: Pauses) -> Result<Self> {
        let program = command.get_program().display().to_string();
        let mut child =
            command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context(program)?;
        let process_group = i32::try_from(child.id()).context("the number of a process")?;
        let out = child.stdout.take().context("standard output")?;
        let (sender, events) = mpsc::channel();
        thread::spawn(move || {
            let mut out = BufReader::new(out);
            let mut line = String::new();
            let begun = out.read_line(&mut line).map(|_| ProcessEvent::Started(Instant::now()));
            let mut rest = String::new();
            let output = begun.and_then(|begun| {
                let _ = sender.send(begun);
                out.read_to_string(&mut rest)
            });
            let at = Instant::now();
            // What it wrote is judged by who reads it.
            let _ = child.wait();
            let _ = sender.send(ProcessEvent::Ended { at, output: output.map(|_| rest) });
        });
        let (paused, worked) = (Duration::ZERO, Duration::ZERO);
        let mut other =
            Self { process_group, events, pauses, stopped: Instant::now(), paused, worked, output: None };
        other.stop();
        Ok(other)
    }

    /// Lets it work for `turn`, or until it ends.
    pub fn take_turn(&mut self, turn: Duration) -> Result<()> {
        if self.output.is_some() {
            return Ok(());
        }
        self.paused += self.stopped.elapsed();
        self.pauses.set(self.paused)?;
        self.send(libc::SIGCONT);
        let mut since = Instant::now();
        let until = since + turn;
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(ProcessEvent::Started(at)) => {
                    self.worked = Duration::ZERO;
                    since = at.max(since);
                }
                Ok(ProcessEvent::Ended { at, output }) => {
                    self.worked += at.saturating_duration_since(since);
                    self.output = Some(output.context("what the other process said")?);
                    return Ok(());
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.stop();
                    self.worked += self.stopped - since;
                    return Ok(());
                }
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the other process was lost"),
            }
        }
    }

    /// How long it had its turn from [`STARTED`] to its end, and what it wrote after that, once it has
    /// ended.
    pub fn result(&self) -> Option<(Duration, &str)> {
        self.output.as_deref().map(|output| (self.worked, output))
    }

    fn stop(&mut self) {
        self.send(libc::SIGSTOP);
        self.stopped = Instant::now();
    }

    fn send(&self, signal: i32) {
        // SAFETY: no memory is touched. The group is that of a process which has not been waited for, or
        // only just: its end is told right after.
        unsafe { libc::kill(-self.process_group, signal) };
    }
}

impl Drop for InterleavedProcess {
    fn drop(&mut self) {
        if self.output.is_none() {
            self.send(libc::SIGKILL);
            while !matches!(self.events.recv(), Ok(ProcessEvent::Ended { .. }) | Err(_)) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Duration::from_millis(100);

    fn shell(script: &str) -> InterleavedProcess {
        let file = tempfile::NamedTempFile::new().unwrap();
        let pauses = Pauses::create(file.path()).unwrap();
        InterleavedProcess::spawn(Command::new("sh").args(["-c", script]), pauses).unwrap()
    }

    #[test]
    fn only_turns_count_and_what_came_before_does_not() {
        let mut other =
            shell("sleep 0.3; echo begun; i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; echo done");
        let begun = Instant::now();
        let mut turns = 0;
        while other.result().is_none() {
            other.take_turn(TURN).unwrap();
            turns += 1;
            thread::sleep(3 * TURN);
        }
        let (worked, output) = other.result().unwrap();
        assert_eq!(output, "done\n");
        assert!(worked <= TURN * (turns + 1), "{worked:?} in {turns} turns");
        assert!(worked + 3 * TURN * (turns - 1) <= begun.elapsed());
        assert!(other.pauses.0.metadata().unwrap().len() == 8 && other.paused >= 3 * TURN * (turns - 1));
    }

    #[test]
    fn it_does_not_work_out_of_turn() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("count");
        let mut other = shell(&format!("echo begun; while :; do echo >> '{}'; done", file.display()));
        other.take_turn(TURN).unwrap();
        assert!(other.result().is_none());
        thread::sleep(TURN);
        let written = std::fs::metadata(&file).unwrap().len();
        thread::sleep(3 * TURN);
        assert_eq!(std::fs::metadata(&file).unwrap().len(), written);
    }

    #[test]
    fn dropped_it_is_gone() {
        let other = shell("echo begun; while :; do :; done");
        let process_group = other.process_group;
        drop(other);
        // SAFETY: signal 0 only asks whether there is somebody.
        assert_eq!(unsafe { libc::kill(-process_group, 0) }, -1);
    }

    #[test]
    fn one_that_fails_says_nothing() {
        let mut other = shell("exit 3");
        while other.result().is_none() {
            other.take_turn(TURN).unwrap();
        }
        assert_eq!(other.result().unwrap().1, "");
    }
}
