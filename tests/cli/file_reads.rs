//! What is large is opened and read once: the video, and the network.

use std::{fs, path::Path};

use crate::{
    needs::SELFIE,
    workbench::{Workbench, outcome},
};

/// The lines of the log that say this of a file whose path ends so.
fn count(log: &str, what: &str, file: &str) -> usize {
    log.lines().filter(|line| line.contains(what) && line.contains(file)).count()
}

/// Opened, fingerprinted, and its network hashed.
fn reads(bench: &Workbench, clip: &Path, arguments: &[&str]) -> [usize; 3] {
    let mut command = bench.command_at_home(arguments);
    command.env("RUST_LOG", "steadymask=debug").env("NO_COLOR", "1");
    let outcome = outcome(command);
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    let clip = clip.file_name().unwrap().to_str().unwrap();
    [("opening a video", clip), ("fingerprinting a video", clip), ("hashing a network", "selfie.pt")]
        .map(|(what, file)| count(&outcome.err, what, file))
}

#[test]
fn a_run_opens_and_fingerprints_its_video_once() {
    let Some((bench, clip)) = Workbench::with_people(SELFIE) else { return };
    let path = clip.to_str().unwrap();
    let run = |export: &str, out: &str| {
        let arguments = "--model selfie --device cpu --class person --to 5".split(' ');
        // With nothing stored.
        let arguments =
            ["run", path, "--export", export, "--out", out, "--cache", out].into_iter().chain(arguments);
        reads(&bench, &clip, &arguments.collect::<Vec<_>>())
    };
    assert_eq!(run("csv", "numbers"), [1, 1, 1]);
    // Pictures are decoded once more, for pass 3.
    assert_eq!(run("overlay", "pictures"), [2, 1, 1]);
}

#[test]
fn a_batch_of_one_clip_hashes_its_network_once() {
    let Some((bench, clip)) = Workbench::with_people(SELFIE) else { return };
    let steps = r#"[{"step": "decode", "to": 5}, {"step": "segment", "model": "selfie", "device": "cpu",
        "classes": ["person"]}, {"step": "export", "kinds": ["csv"]}]"#;
    fs::write(bench.path("steps.json"), steps).unwrap();
    assert_eq!(bench.outcome_at_home(&["pipelines", "save", "numbers", "steps.json"]).code, Some(0));
    let batch = ["batch", clip.to_str().unwrap(), "--pipeline", "numbers", "--out", "out"];
    assert_eq!(reads(&bench, &clip, &batch), [1, 1, 1]);
}
