//! `kill -9` at any moment: nothing that has a name is incomplete, what was done is kept, and
//! the end is the same as if nothing had happened.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    needs::{self, SELFIE},
    workbench::{Workbench, logits, tree},
};

/// Kills of each kind; twenty by hand: `STEADYMASK_KILLS=20 cargo test --test cli kill`.
fn kills() -> usize {
    std::env::var("STEADYMASK_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

fn start(bench: &Workbench, arguments: &[&str]) -> Child {
    let mut command = bench.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Numbers that look random and are the same each time (a linear congruence of Knuth's).
struct Moments(u64);

impl Moments {
    fn within(&mut self, longest: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        longest.mul_f64((self.0 >> 33) as f64 / (1u64 << 31) as f64)
    }
}

/// Every file and what is in it; videos too, since the same frames make the same file.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = tree(folder).into_iter().filter(|name| !name.ends_with('/'));
    files.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

/// Whatever has a name of its own is whole.
fn only_whole_files(out: &Path, whole: &BTreeMap<String, Vec<u8>>) {
    if !out.exists() {
        return;
    }
    for (name, bytes) in contents(out) {
        if !name.starts_with(".steadymask-") {
            assert!(whole.get(&name) == Some(&bytes), "{name} is not whole");
        }
    }
}

/// What a run gives must not depend on what interrupted it.
fn same(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) {
    assert!(one.keys().eq(other.keys()), "{:?} {:?}", one.keys(), other.keys());
    for (name, bytes) in one {
        assert!(other[name] == *bytes, "{name} differs");
    }
}

/// Kills runs of `arguments` until enough were hit in the middle, and lets the last one end.
fn killed_again_and_again(
    bench: &Workbench,
    arguments: &[&str],
    undisturbed: Duration,
    whole: &BTreeMap<String, Vec<u8>>,
    start_anew: impl Fn(),
) {
    let mut moments = Moments(arguments.len() as u64);
    let mut hit = 0;
    while hit < kills() {
        let mut child = start(bench, arguments);
        thread::sleep(moments.within(undisturbed.mul_f64(0.6)));
        let stored = logits(bench).and_then(|path| fs::read(path).ok()).unwrap_or_default();
        if child.try_wait().unwrap().is_some() {
            start_anew();
            continue;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        hit += 1;
        only_whole_files(&bench.path("out"), whole);
        let kept = logits(bench).map(|path| fs::read(path).unwrap()).unwrap_or_default();
        assert!(kept.starts_with(&stored), "what pass 1 had written is kept");
    }
    let last = bench.outcome(arguments);
    assert_eq!(last.code, Some(0), "{}", last.err);
    same(&contents(&bench.path("out")), whole);
}

#[test]
fn both_passes_survive_kills() {
    let Some((whole, clip)) = Workbench::with_people(SELFIE) else { return };
    let clip = clip.to_str().unwrap();
    let options = ["--model", SELFIE, "--class", "person", "--cache", "cache"];
    let more = ["--export", "png,png-alpha,ffv1,ffv1-alpha,overlay,csv,coco", "--out", "out"];
    let arguments = |command| [&[command, clip][..], &options[..], &more[..]].concat();

    let begun = Instant::now();
    assert_eq!(whole.outcome(&arguments("run")).code, Some(0));
    let pass_1_and_3 = begun.elapsed();
    let contents_of_whole = contents(&whole.path("out"));
    let bench = Workbench::new();
    let clear = |bench: &Workbench, what: &[&str]| {
        what.iter().for_each(|name| drop(fs::remove_dir_all(bench.path(name))));
    };
    let run = arguments("run");
    killed_again_and_again(&bench, &run, pass_1_and_3, &contents_of_whole, || {
        clear(&bench, &["out", "cache"])
    });

    clear(&bench, &["out"]);
    let export = arguments("export");
    let begun = Instant::now();
    assert_eq!(bench.outcome(&export).code, Some(0));
    let pass_3 = begun.elapsed();
    clear(&bench, &["out"]);
    killed_again_and_again(&bench, &export, pass_3, &contents_of_whole, || clear(&bench, &["out"]));
}

#[test]
fn a_sequence_that_was_killed_goes_on_where_it_was() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    bench.clip("clip.mp4", "320x240", 150, "-c:v libx264 -preset ultrafast -pix_fmt yuv420p");
    bench.mattes("mattes", (320, 240), 150);
    let options = "--masks mattes --class disc --cache cache --out out --export png-alpha,overlay,csv";
    let arguments: Vec<&str> = ["run", "clip.mp4"].into_iter().chain(options.split(' ')).collect();
    let mut child = start(&bench, &arguments);
    let begun = Instant::now();
    let hidden = loop {
        let files = if bench.path("out").exists() { tree(&bench.path("out")) } else { Default::default() };
        if let Some(name) = files.into_iter().find(|name| name.ends_with("cutout/disc/000012.png")) {
            break name;
        }
        assert!(child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(2));
    };
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(hidden.starts_with(".steadymask-"), "{hidden}");
    let when = |path: PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    let written = when(bench.path("out").join(hidden));
    let again = bench.outcome(&arguments);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert_eq!(when(bench.path("out/cutout/disc/000012.png")), written, "it is the same file");
    let files = tree(&bench.path("out"));
    assert_eq!(files.iter().filter(|name| name.ends_with(".png")).count(), 150);
    assert!(files.iter().all(|name| !name.contains(".steadymask") && !name.contains("part")), "{files:?}");
}

#[test]
fn a_damaged_record_is_made_anew_and_the_others_are_kept() {
    let Some((bench, clip)) = Workbench::with_people(SELFIE) else { return };
    let options = format!("--model {SELFIE} --class person --to 20 --export png");
    bench.run_well(&clip, &format!("{options} --out out"));
    let path = logits(&bench).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0x40;
    fs::write(&path, &damaged).unwrap();
    let refused = bench.outcome(&[
        "export",
        clip.to_str().unwrap(),
        "--model",
        SELFIE,
        "--class",
        "person",
        "--to",
        "20",
        "--cache",
        "cache",
        "--out",
        "none",
        "--export",
        "png",
    ]);
    assert_eq!(refused.code, Some(4), "the damage is seen: {}", refused.err);
    bench.run_well(&clip, &format!("{options} --out again"));
    let after = fs::read(&path).unwrap();
    assert!(after.starts_with(&damaged[..whole.len() / 3]), "what was good is kept");
    assert!(after.len() < whole.len() + whole.len() / 10, "one frame was made anew");
    same(&contents(&bench.path("again")), &contents(&bench.path("out")));
}
