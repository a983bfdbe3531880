//! What can't be done is said in a sentence with the way out, told apart by the exit code,
//! and leaves nothing behind.

use std::{fs, path::Path, process::Command};

use crate::{
    needs::{self, SELFIE},
    workbench::{Outcome, Workbench, nothing_shows},
};

const WRONG_USE: i32 = 2;
const INPUT: i32 = 3;
const MODEL: i32 = 4;
const OUTPUT: i32 = 5;

/// Expects one sentence that has all of `words`, a way out, and nothing that shows in `out`.
fn refused(bench: &Workbench, outcome: &Outcome, code: i32, words: &[&str]) {
    let Outcome { code: actual, out, err } = outcome;
    assert_eq!(*actual, Some(code), "{err}");
    print!("{err}");
    assert!(out.is_empty(), "{out}");
    assert!(err.starts_with("steadymask: ") && err.ends_with('\n'), "{err}");
    assert_eq!(err.trim_end().lines().count(), 1, "{err}");
    assert!(err.contains("; "), "a way out: {err}");
    for word in words {
        assert!(err.contains(word), "«{word}» in {err}");
    }
    nothing_shows(&bench.path("out"));
}

#[test]
fn inputs_that_are_no_video() {
    let Some(bench) = Workbench::with_clip_and_mattes() else { return };
    fs::write(bench.path("empty.mp4"), "").unwrap();
    fs::write(bench.path("text.mp4"), "milk, bread, and a video camera\n".repeat(99)).unwrap();
    let tone = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "sine=duration=1"])
        .arg(bench.path("tone.m4a"))
        .status();
    assert!(tone.unwrap().success());
    for (name, cause) in [
        ("missing.mp4", "no such file"),
        ("empty.mp4", "is empty"),
        ("text.mp4", "not a video"),
        ("tone.m4a", "sound and no video"),
    ] {
        let outcome = bench.run(Path::new(name), "--masks mattes --class disc --out out");
        refused(&bench, &outcome, INPUT, &[name, cause]);
    }
    let outcome = bench.run(Path::new("missing.mp4"), "--model nothing --class disc --out out");
    refused(&bench, &outcome, INPUT, &["missing.mp4", "no such file"]);
    let outcome = bench.run(Path::new("clip.mp4"), "--masks nowhere --class disc --out out");
    refused(&bench, &outcome, INPUT, &["nowhere", "no such file"]);
    let outcome = bench.outcome(&["info", "text.mp4"]);
    refused(&bench, &outcome, INPUT, &["text.mp4", "not a video"]);
}

#[test]
fn a_long_side_where_the_input_of_the_network_is_fixed() {
    let Some(bench) = Workbench::with_clip_and_mattes().filter(|_| needs::network(SELFIE)) else { return };
    let words = ["selfie", "its input is always 256×256", "leave the long side out"];
    let clip = Path::new("clip.mp4");
    let run = bench.run(clip, "--model selfie --class person --long-side 320 --out out");
    refused(&bench, &run, MODEL, &words);
    let steps = r#"[{"step": "resize", "long-side": 320}, {"step": "segment", "model": "selfie", "classes": ["person"]}]"#;
    fs::write(bench.path("steps.json"), steps).unwrap();
    assert_eq!(bench.outcome_at_home(&["pipelines", "save", "sized", "steps.json"]).code, Some(0));
    let batch = bench.outcome_at_home(&["batch", "clip.mp4", "--pipeline", "sized", "--out", "out"]);
    assert_eq!((batch.code, &batch.err), (Some(MODEL), &run.err), "in the same words");
}

#[test]
fn fewer_masks_than_frames() {
    let Some(bench) = Workbench::with_clip_and_mattes() else { return };
    fs::remove_file(bench.path("mattes/000011.png")).unwrap();
    let outcome = bench.run(Path::new("clip.mp4"), "--masks mattes --class disc --out out");
    refused(&bench, &outcome, MODEL, &["frame 11", "mattes ends before it", "--to"]);
}

#[test]
fn models_that_can_not_be_used() {
    let Some(bench) = Workbench::with_clip_and_mattes() else { return };
    let run = |options: &str| bench.run(Path::new("clip.mp4"), &format!("{options} --out out"));
    refused(&bench, &run("--model yolo --class person"), MODEL, &["yolo", "no model of this name"]);
    refused(&bench, &run("--model no/such.pt --class person"), MODEL, &["no/such.pt", "no such file"]);

    fs::write(bench.path("mine.pt"), "no TorchScript at all").unwrap();
    refused(&bench, &run("--model ./mine.pt --class person"), MODEL, &["mine.json"]);
    let manifest = r#"{"classes": ["background", "person"], "input": {"rule": "fixed", "width": 64, "height": 64},
        "mean": [0, 0, 0], "std": [1, 1, 1], "activation": "softmax", "upsampling": "half_pixel",
        "output_stride": 1}"#;
    fs::write(bench.path("mine.json"), manifest).unwrap();
    refused(&bench, &run("--model ./mine.pt --class person"), MODEL, &["mine.pt", "--trust-model"]);
    refused(&bench, &run("--model ./mine.pt --trust-model --class person"), MODEL, &["mine.pt"]);
    refused(
        &bench,
        &run("--model ./mine.pt --trust-model --class cow"),
        MODEL,
        &["cow", "background, person"],
    );
    if needs::network(SELFIE) {
        let outcome = run("--model selfie --class person,zebra");
        refused(&bench, &outcome, MODEL, &["selfie has no class «zebra»", "person"]);
    }
}

#[test]
fn wrong_use() {
    let Some(bench) = Workbench::with_clip_and_mattes() else { return };
    let run = |options: &str| {
        bench.run(Path::new("clip.mp4"), &format!("--masks mattes --class disc --out out {options}"))
    };
    // Found while the arguments are read: a message and a hint of its own form.
    for (options, words) in [
        ("--method magic", ["magic", "--method"]),
        ("--window 4", ["odd", "--window"]),
        ("--alpha 0", ["alpha", "0"]),
        ("--from minus", ["minus", "--from"]),
        ("--memory 1", ["64M", "--memory"]),
        ("--colour red", ["--colour", "--help"]),
    ] {
        let outcome = run(options);
        assert_eq!(outcome.code, Some(WRONG_USE), "{}", outcome.err);
        assert!(words.iter().all(|word| outcome.err.contains(word)), "{}", outcome.err);
        assert!(!bench.path("out").exists());
    }
    refused(&bench, &run("--from 5 --to 3"), WRONG_USE, &["--from 5", "--to 3"]);
    for _ in 0..2 {
        // The second time the number of frames is known.
        refused(&bench, &run("--from 12"), WRONG_USE, &["frame 12 is past the end", "12 frames, 0 to 11"]);
    }
    refused(&bench, &run("--from 900 --to 1000"), WRONG_USE, &["frame 900", "12 frames, 0 to 11"]);
    bench.run_well(Path::new("clip.mp4"), "--masks mattes --class disc --out whole --export csv");
    refused(&bench, &run("--from 12"), WRONG_USE, &["frame 12 is past the end", "12 frames, 0 to 11"]);
    refused(&bench, &run("--class cat"), WRONG_USE, &["one mask for each frame", "one --class"]);
}

#[test]
fn an_output_folder_that_can_not_be_written() {
    let Some(bench) = Workbench::with_clip_and_mattes() else { return };
    let run = |out: &str, options: &str| {
        let options = format!("--masks mattes --class disc --out {out} {options}");
        bench.run(Path::new("clip.mp4"), &options)
    };
    fs::write(bench.path("file"), "in the way").unwrap();
    refused(&bench, &run("file", ""), OUTPUT, &["file: could not be written", "in the way"]);
    refused(&bench, &run("file/below", ""), OUTPUT, &["file/below", "could not be written"]);
    refused(&bench, &run("out/deep/er", "--cache file"), OUTPUT, &["file", "--cache"]);
    assert_eq!(fs::read_to_string(bench.path("file")).unwrap(), "in the way");

    fs::create_dir(bench.path("half")).unwrap();
    fs::write(bench.path("half/smoothed"), "in the way").unwrap();
    refused(&bench, &run("half", "--force"), OUTPUT, &["half/smoothed", "in the way"]);
    assert_eq!(crate::workbench::tree(&bench.path("half")).len(), 1);
}
