//! Many files through a pipeline: the results, and what a kill leaves of them.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt as _,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    needs::{self, SELFIE},
    workbench::{Outcome, Workbench, outcome},
};

const STEPS: &str = r#"[{"step": "segment", "model": "selfie", "classes": ["person"], "device": "cpu"},
    {"step": "clean-up", "min-area-px": 4}, {"step": "detect-box"}]"#;

fn command(bench: &Workbench, arguments: &str) -> Command {
    bench.command_at_home(&arguments.split_whitespace().collect::<Vec<_>>())
}

fn batch(bench: &Workbench, arguments: &str) -> Outcome {
    outcome(command(bench, &format!("batch {arguments}")))
}

/// A bench with the pipeline «box» and pictures in the folder `in`.
fn bench(images: usize) -> Option<Workbench> {
    if !needs::network(SELFIE) {
        return None;
    }
    let bench = Workbench::new();
    fs::write(bench.path("steps.json"), STEPS).unwrap();
    let saved = outcome(command(&bench, "pipelines save box steps.json"));
    assert_eq!(saved.code, Some(0), "{}", saved.err);
    fs::create_dir(bench.path("in")).unwrap();
    for at in 0..images {
        let at = at as u8;
        let picture = image::RgbImage::from_fn(64, 48, |x, y| {
            image::Rgb([x as u8 * 3, y as u8 * 5, at.wrapping_mul(7)])
        });
        picture.save(bench.path("in").join(format!("{at:04}.png"))).unwrap();
    }
    Some(bench)
}

/// Without the header, sorted.
fn rows(bench: &Workbench, out: &str) -> Vec<Vec<String>> {
    let mut csv = csv::Reader::from_path(bench.path(out).join("results.csv")).unwrap();
    let mut rows: Vec<Vec<String>> =
        csv.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    rows.sort();
    rows
}

#[test]
fn exit_codes_tell_all_some_none_and_any_name_will_do() {
    let Some(bench) = bench(3) else { return };
    let all = batch(&bench, "in --pipeline box --out out");
    assert_eq!(all.code, Some(0), "{}", all.err);
    assert!(all.out.contains("3 inputs: 3 succeeded, 0 failed"), "{}", all.out);

    fs::write(bench.path("in/broken.jpg"), "no picture").unwrap();
    let odd = OsString::from_vec(b"odd \xff,\"\n.png".to_vec());
    fs::copy(bench.path("in/0000.png"), bench.path("in").join(odd)).unwrap();
    let some = batch(&bench, "in --pipeline box --out out");
    assert_eq!(some.code, Some(6), "{}", some.err);
    assert!(some.out.contains("5 inputs: 4 succeeded, 1 failed (3 were done before)"), "{}", some.out);
    assert!(some.err.contains("broken.jpg: the image can't be read"), "{}", some.err);
    let names: Vec<String> = rows(&bench, "out").iter().map(|row| row[0].clone()).collect();
    assert_eq!(
        names,
        ["in/0000.png", "in/0001.png", "in/0002.png", "in/broken.jpg", r#"in/odd \xff,"\x0a.png"#]
    );

    let none = batch(&bench, "in/broken.jpg --pipeline box --out none");
    assert_eq!(none.code, Some(7), "{}", none.err);
    fs::copy(bench.path("in/0001.png"), bench.path("in/broken.jpg")).unwrap();
    let mended = batch(&bench, "in/broken.jpg --pipeline box --out none");
    assert_eq!(mended.code, Some(0), "{}", mended.err);
    assert_eq!(rows(&bench, "none").len(), 1, "the last word counts");
}

#[test]
fn a_batch_that_is_killed_goes_on_and_comes_to_the_same() {
    let Some(bench) = bench(250) else { return };
    let plain = batch(&bench, "in --pipeline box --out plain");
    assert_eq!(plain.code, Some(0), "{}", plain.err);
    let lines = || fs::read_to_string(bench.path("killed/results.jsonl")).unwrap_or_default().lines().count();
    for round in 1..=3 {
        let mut child =
            command(&bench, "batch in --pipeline box --out killed").stderr(Stdio::null()).spawn().unwrap();
        while lines() < 60 * round && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // As if the last kill had come in the middle of a line.
    let path = bench.path("killed/results.jsonl");
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 9]).unwrap();
    let rest = batch(&bench, "in --pipeline box --out killed --json");
    assert_eq!(rest.code, Some(0), "{}", rest.err);
    let tally: serde_json::Value = serde_json::from_str(&rest.out).unwrap();
    assert!(tally["skipped"].as_u64().unwrap() >= 60, "{tally}");
    assert_eq!(rows(&bench, "killed"), rows(&bench, "plain"));
    assert_eq!(lines(), 250, "nothing was done twice");
}

#[test]
fn lines_of_a_manifest_are_done_alone_and_put_together() {
    let Some(bench) = bench(2) else { return };
    fs::write(
        bench.path("jobs.jsonl"),
        "{\"input\": \"in/0000.png\"}\n{\"input\": \"in/0001.png\"}\n{\"input\": \"gone.png\"}\n",
    )
    .unwrap();
    let line = |index: usize| {
        batch(&bench, &format!("--manifest jobs.jsonl --pipeline box --out out --index {index}"))
    };
    assert_eq!(
        [line(0).code, line(0).code, line(2).code, line(3).code],
        [Some(0), Some(0), Some(3), Some(3)]
    );
    let whole = batch(&bench, "--manifest jobs.jsonl --pipeline box --out out");
    assert_eq!(whole.code, Some(6), "{}", whole.err);
    assert!(whole.out.contains("3 inputs: 2 succeeded, 1 failed (2 were done before)"), "{}", whole.out);
    assert_eq!(rows(&bench, "out").len(), 3);
}

#[test]
fn videos_and_images_go_together_and_a_changed_pipeline_waits_for_another_folder() {
    let Some(bench) = bench(1).filter(|_| needs::ffmpeg()) else { return };
    bench.clip("in/clip.mp4", "96x64", 6, "-c:v libx264 -pix_fmt yuv420p");
    let export = r#"[{"step": "decode", "to": 3}, {"step": "segment", "model": "selfie", "classes": ["person"]},
        {"step": "smooth", "method": "median", "window": 3}, {"step": "export", "kinds": ["png", "json"]}]"#;
    fs::write(bench.path("steps.json"), export).unwrap();
    assert_eq!(outcome(command(&bench, "pipelines save files steps.json")).code, Some(0));
    let done = batch(&bench, "in --pipeline files --out out");
    assert_eq!(done.code, Some(0), "{}", done.err);
    let found = rows(&bench, "out");
    let of = |name: &str| found.iter().find(|row| row[0] == name).unwrap().clone();
    assert_eq!((of("in/0000.png")[2].as_str(), of("in/clip.mp4")[2].as_str()), ("1", "4"));
    let folders: Vec<_> =
        fs::read_dir(bench.path("out")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let of_clip =
        folders.iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with("clip-")).unwrap();
    assert_eq!(fs::read_dir(of_clip.join("smoothed/person")).unwrap().count(), 4);
    let of_image =
        folders.iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with("0000-")).unwrap();
    assert!(of_image.join("smoothed/person/000000.png").is_file());

    assert_eq!(outcome(command(&bench, "pipelines remove files")).code, Some(0));
    let again = batch(&bench, "in --pipeline files --out out");
    assert_eq!(again.code, Some(0), "a batch keeps the pipeline it began with: {}", again.err);
    let elsewhere = batch(&bench, "in --pipeline files --out other");
    assert_eq!(elsewhere.code, Some(2));
    assert!(
        elsewhere.err.contains("there is no pipeline «files»; use one of person-box"),
        "{}",
        elsewhere.err
    );
}
