//! A full disk: a sentence, nothing half written, and it goes on when there is room.

use std::{fs, path::PathBuf, process::Command};

use steadymask::project::Project;

use crate::{
    needs,
    workbench::{Outcome, Workbench, masks, nothing_shows, outcome, tree},
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
