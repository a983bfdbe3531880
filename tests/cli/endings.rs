//! Runs that end before they are done: a full disk, and Ctrl-C.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use steadymask::project::Project;

use crate::{
    needs::{self, DEEPLAB},
    workbench::{Outcome, Workbench, masks, nothing_shows, outcome, run_arguments, tree},
};

/// A small disk, while this lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, with a message, where this user may not mount one.
    fn mount(folder: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&folder)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        needs::check(false, "the right to mount a small disk", "root has it");
        None
    }
}

impl SmallDisk {
    fn grow(&self, size: &str) {
        let grown = Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0).status();
        assert!(grown.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_nothing_but_a_sentence() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    let clip =
        bench.clip("clip.mp4", "320x240", 96, "-vf noise=alls=80:allf=t -c:v libx264 -pix_fmt yuv420p");
    bench.mattes("mattes", (320, 240), 96);
    let refused = |outcome: Outcome, words: &[&str]| {
        println!("{}", outcome.err.trim_end());
        assert_eq!(outcome.code, Some(5), "{}", outcome.err);
        assert_eq!(outcome.err.trim_end().lines().count(), 1, "{}", outcome.err);
        assert!(outcome.err.matches("os error").count() <= 1, "said once: {}", outcome.err);
        assert!(words.iter().all(|word| outcome.err.contains(word)), "{}", outcome.err);
    };
    // Too little for the PNGs; too little for videos to begin with, and to go on with.
    for (name, size) in [("small", "200k"), ("medium", "4000k"), ("large", "8500k")] {
        let Some(disk) = SmallDisk::mount(bench.path(name), size) else { return };
        let kinds = if size == "200k" { "png,csv" } else { "overlay,ffv1" };
        let options = format!("--masks mattes --class disc --out {name}/out --export {kinds}");
        refused(bench.run(&clip, &options), &[name, "could not be written", "free space"]);
        nothing_shows(&bench.path(&format!("{name}/out")));
        if size == "200k" {
            disk.grow("64m");
            bench.run_well(&clip, &options);
            assert_eq!(masks(&bench.path("small/out/raw/disc")).len(), 96, "it goes on when there is room");
        }
    }
    let Some(disk) = SmallDisk::mount(bench.path("store"), "100k") else { return };
    let arguments = [
        "run", "clip.mp4", "--masks", "mattes", "--class", "disc", "--cache", "store", "--out", "out",
        "--export", "png",
    ];
    refused(bench.outcome(&arguments), &["store", "could not be written", "--cache"]);
    nothing_shows(&bench.path("out"));
    disk.grow("64m");
    let again = bench.outcome(&arguments);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert_eq!(masks(&bench.path("out/raw/disc")).len(), 96);
}

#[test]
fn projects_and_presets_survive_a_full_disk() {
    let bench = Workbench::new();
    let Some(disk) = SmallDisk::mount(bench.path("small"), "128k") else { return };
    let path = bench.path("small/a.steadymask.json");
    let mut project = Project::new("clip.mp4".into());
    project.classes = vec!["before".into()];
    let saved = project.save(&path).unwrap();
    let save_preset = |name: &str| {
        let mut command = bench.command(&["presets", "save", name, "--preset", "gentle"]);
        command.env("XDG_DATA_HOME", bench.path("small"));
        outcome(command)
    };
    assert_eq!(save_preset("before").code, Some(0));

    fs::write(bench.path("small/ballast"), vec![1; 200_000]).unwrap_err();
    project.classes = vec!["after".repeat(4000)];
    let words = project.save(&path).unwrap_err().to_string();
    assert!(words.contains("a.steadymask.json: could not be written") && words.contains("free space"));
    assert_eq!(Project::load(&path).unwrap(), saved, "what was there is whole");
    let refused = save_preset("after");
    assert_eq!(refused.code, Some(5), "{}", refused.err);
    assert!(
        refused.err.contains("presets.sqlite") && refused.err.contains("free some space"),
        "{}",
        refused.err
    );

    disk.grow("1m");
    project.save(&path).unwrap();
    assert_eq!(save_preset("after").code, Some(0));
    let mut list = bench.command(&["presets"]);
    list.env("XDG_DATA_HOME", bench.path("small"));
    let list = outcome(list).out;
    assert!(list.contains("before") && list.contains("after"), "{list}");
    let names = tree(&bench.path("small"));
    assert_eq!(names.iter().filter(|name| !name.contains('/')).count(), 2, "{names:?}");
}

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

fn logits(bench: &Workbench) -> Option<PathBuf> {
    let clips = fs::read_dir(bench.path("cache")).ok()?.flatten();
    let tracks = clips.filter_map(|clip| fs::read_dir(clip.path()).ok()).flatten().flatten();
    tracks.map(|track| track.path()).find(|path| path.to_string_lossy().contains("/logits-"))
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
