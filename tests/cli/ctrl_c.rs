//! Ctrl-C, and what asks a program to end without a terminal.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    needs::DEEPLAB,
    workbench::{Workbench, logits, masks, nothing_shows, run_arguments, tree},
};

/// A run of the larger network that is interrupted once it has done some frames.
struct Interrupted {
    child: Child,
    /// Each line that it says, and when.
    said: thread::JoinHandle<Vec<(Instant, String)>>,
    at: Instant,
}

impl Interrupted {
    fn after_some_frames(bench: &Workbench, clip: &Path, options: &str, signal: i32) -> Self {
        let mut command = bench.command(&run_arguments(clip, options));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let before = stored_bytes(bench);
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = thread::spawn(move || lines.map(|line| (Instant::now(), line.unwrap())).collect());
        let begun = Instant::now();
        while stored_bytes(bench) < before + 50_000 {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            assert!(begun.elapsed() < Duration::from_secs(60), "the network does nothing");
            thread::sleep(Duration::from_millis(20));
        }
        let interrupted = Self { child, said, at: Instant::now() };
        interrupted.send(signal);
        interrupted
    }

    fn send(&self, signal: i32) {
        // SAFETY: a signal to our own child, which has not been waited for.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// The exit code, how long acknowledging and ending took, and the text.
    fn end(mut self) -> (Option<i32>, Duration, Duration, String) {
        let code = self.child.wait().unwrap().code();
        let gone = self.at.elapsed();
        let said = self.said.join().unwrap();
        let acknowledged = said.iter().find(|(_, line)| line.contains("stopping"));
        let acknowledged = acknowledged.map_or(Duration::MAX, |(when, _)| when.duration_since(self.at));
        let text = said.into_iter().map(|(_, line)| line + "\n").collect();
        (code, acknowledged, gone, text)
    }
}

/// What the network has done.
fn stored_bytes(bench: &Workbench) -> u64 {
    logits(bench).map_or(0, |path| fs::metadata(path).unwrap().len())
}

#[test]
fn ctrl_c_ends_at_once_and_the_same_command_goes_on() {
    let Some((bench, clip)) = Workbench::with_people(DEEPLAB) else { return };
    let options = format!("--model {DEEPLAB} --class person --to 11");
    let run = format!("{options} --out out");
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let done = stored_bytes(&bench);
        let interrupted = Interrupted::after_some_frames(&bench, &clip, &run, signal);
        let (code, acknowledged, gone, text) = interrupted.end();
        println!("acknowledged after {acknowledged:?}, gone after {gone:?}");
        assert_eq!(code, Some(130), "{text}");
        assert!(acknowledged < Duration::from_millis(500) && gone < Duration::from_secs(1), "{text}");
        assert!(text.contains("cancelled") && text.contains("goes on"), "{text}");
        nothing_shows(&bench.path("out"));
        assert!(stored_bytes(&bench) >= done);
    }
    let stored = fs::read(logits(&bench).unwrap()).unwrap();
    bench.run_well(&clip, &run);
    let after = fs::read(logits(&bench).unwrap()).unwrap();
    // The end may have been a frame that was being written.
    assert!(after.len() > stored.len() && after.starts_with(&stored[..50_000]), "it went on from there");

    let undisturbed = Workbench::new();
    undisturbed.run_well(&clip, &format!("{options} --out out"));
    for side in ["raw/person", "smoothed/person"] {
        let bytes = |bench: &Workbench| {
            let folder = bench.path("out").join(side);
            tree(&folder).into_iter().map(|name| fs::read(folder.join(name)).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(masks(&bench.path("out").join(side)).len(), 12);
        assert!(bytes(&bench) == bytes(&undisturbed), "{side}: as if nothing had happened");
    }
}

#[test]
fn a_second_ctrl_c_does_not_wait_and_leaves_nothing_either() {
    let Some((bench, clip)) = Workbench::with_people(DEEPLAB) else { return };
    let options = format!("--model {DEEPLAB} --class person --out out");
    let interrupted = Interrupted::after_some_frames(&bench, &clip, &options, libc::SIGINT);
    interrupted.send(libc::SIGINT);
    let (code, _, gone, text) = interrupted.end();
    assert_eq!(code, Some(130), "{text}");
    assert!(gone < Duration::from_secs(1), "{gone:?}");
    nothing_shows(&bench.path("out"));
}
