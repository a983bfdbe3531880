//! Work that lasts, without the window: projects, presets, and what is left out.

use std::{fs, path::Path};

use steadymask::project::Project;

use crate::{
    needs,
    workbench::{Outcome, Workbench, masks, outcome},
};

/// The program with a data folder of its own.
fn at_home(bench: &Workbench, arguments: &[&str]) -> Outcome {
    outcome({
        let mut command = bench.command(arguments);
        command.env("XDG_DATA_HOME", bench.path("data"));
        command
    })
}

#[test]
fn masks_are_empty_where_it_is_left_out_and_unchanged_elsewhere() {
    let Some(bench) = Workbench::with_clip_and_mattes() else { return };
    for settings in ["--motion on", "--motion off --input masks --window 3"] {
        let run = |out: &str, more: &str| {
            let options = format!(
                "--masks mattes --class disc --export png,csv,json {settings} --out {out} --force{more}"
            );
            bench.run_well(Path::new("clip.mp4"), &options);
            ["raw", "smoothed"].map(|side| masks(&bench.path(out).join(side).join("disc")))
        };
        let whole = run("whole", "");
        let part = run("part", " --leave-out 20,16,40,16,40,48,20,48 --leave-out -5,-5,9,-5,9,9");
        for (whole, part) in whole.iter().flatten().zip(part.iter().flatten()) {
            for ((x, y, whole), part) in whole.1.enumerate_pixels().zip(part.1.pixels()) {
                let inside = (20..40).contains(&x) && (16..48).contains(&y);
                assert!(
                    if inside { part.0 == [0] } else { part == whole || settings.contains("on") },
                    "{x}, {y}"
                );
            }
        }
        assert!(part[0][0].1.pixels().any(|pixel| pixel.0 == [255]), "there is a disc outside");
        let report = fs::read_to_string(bench.path("part/metrics.json")).unwrap();
        assert!(report.contains("leave_out"), "{report}");
    }
    let wrong = bench.run(Path::new("clip.mp4"), "--masks mattes --class disc --out out --leave-out 1,2,3");
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("three or more corners"), "{}", wrong.err);
}

#[test]
fn a_project_stands_for_a_video_and_its_options() {
    let Some(bench) = Workbench::with_clip_and_mattes() else { return };
    fs::create_dir(bench.path("moved")).unwrap();
    fs::rename(bench.path("clip.mp4"), bench.path("moved/clip.mp4")).unwrap();
    let project = r#"{
        "version": 1, "video": {"path": "/gone/clip.mp4"}, "classes": ["disc"], "range": {"first": 2, "last": 6},
        "smoothing": {"method": "median", "window": 3, "motion": "off"}, "leave_out": [[[0, 0], [96, 0], [96, 20], [0, 20]]]
    }"#;
    fs::write(bench.path("moved/a.steadymask.json"), project).unwrap();
    let options = "--masks mattes --export png,json --out out";
    bench.run_well(Path::new("moved/a.steadymask.json"), options);
    let found = masks(&bench.path("out/smoothed/disc"));
    assert_eq!(found.len(), 5);
    assert!(
        found.iter().all(|(_, mask)| mask.enumerate_pixels().all(|(_, y, pixel)| y >= 20 || pixel.0 == [0]))
    );
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(bench.path("out/metrics.json")).unwrap()).unwrap();
    assert_eq!((&report["settings"]["method"], &report["settings"]["window"]), (&"median".into(), &3.into()));

    bench.run_well(Path::new("moved/a.steadymask.json"), &format!("{options} --force --window 5 --to 4"));
    assert_eq!(masks(&bench.path("out/raw/disc")).len(), 3, "an option goes before the project");

    fs::remove_file(bench.path("moved/clip.mp4")).unwrap();
    let gone = bench.run(Path::new("moved/a.steadymask.json"), "--masks mattes --out other");
    assert_eq!(gone.code, Some(3));
    assert!(gone.err.contains("/gone/clip.mp4 is not there any more; "), "{}", gone.err);
    let newer = project.replace("\"version\": 1", "\"version\": 9");
    fs::write(bench.path("moved/a.steadymask.json"), newer).unwrap();
    let refused = bench.run(Path::new("moved/a.steadymask.json"), "--masks mattes --out other");
    assert_eq!(refused.code, Some(3));
    assert!(refused.err.contains("newer Steadymask") && !bench.path("other").exists(), "{}", refused.err);
}

#[test]
fn presets_are_listed_kept_and_used_by_name() {
    let bench = Workbench::new();
    let well = |arguments: &[&str]| {
        let outcome = at_home(&bench, arguments);
        assert_eq!(outcome.code, Some(0), "{}", outcome.err);
        outcome.out
    };
    let own = ["presets", "save", "Calm sea", "--preset", "gentle", "--min-area", "40"];
    assert_eq!(well(&own), "");
    let list = well(&["presets"]);
    for name in ["default", "gentle", "rock-solid", "seed", "Calm sea"] {
        assert!(list.lines().any(|line| line.starts_with(name)), "{name} in {list}");
    }
    assert!(list.lines().last().unwrap().ends_with("--min-area 40"), "{list}");
    let own = ["presets", "save", "Cut out", "--preset", "seed", "--export", "prores,csv", "--edges", "soft"];
    well(&own);
    let list = well(&["presets"]);
    assert!(list.lines().last().unwrap().ends_with("--export prores,csv --edges soft"), "{list}");
    let json = well(&["presets", "export"]);
    well(&["presets", "delete", "cut out"]);
    well(&["presets", "rename", "calm sea", "Storm"]);
    fs::write(bench.path("own.json"), &json).unwrap();
    assert_eq!(well(&["presets", "import", "own.json"]), "Calm sea\nCut out\n");
    assert_eq!(well(&["presets"]).lines().count(), 4 + 3);
    well(&["presets", "delete", "storm"]);
    for (arguments, words) in [
        (&["presets", "delete", "storm"][..], "there is no preset «storm»; use one of default"),
        (&["presets", "delete", "seed"], "comes with the program; choose another name"),
        (
            &["presets", "save", "x", "--preset", "nothing"],
            "use one of default, gentle, rock-solid, seed, Calm sea, Cut out",
        ),
    ] {
        let refused = at_home(&bench, arguments);
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        assert!(refused.err.contains(words), "{}", refused.err);
    }
    if needs::ffmpeg() {
        bench.clip("clip.mp4", "96x64", 4, "-c:v libx264 -pix_fmt yuv420p");
        bench.mattes("mattes", (96, 64), 4);
        let run = "run clip.mp4 --masks mattes --class disc --export json --out out --cache cache --preset";
        let mut arguments: Vec<&str> = run.split(' ').collect();
        arguments.push("calm SEA");
        well(&arguments);
        let report: serde_json::Value =
            serde_json::from_slice(&fs::read(bench.path("out/metrics.json")).unwrap()).unwrap();
        assert_eq!(
            (&report["settings"]["alpha"], &report["settings"]["min-area-px"]),
            (&0.3.into(), &40.into())
        );
        let run = "run clip.mp4 --masks mattes --class disc --out cut --cache cache --preset";
        let mut arguments: Vec<&str> = run.split(' ').collect();
        arguments.push("cut out");
        well(&arguments);
        let mut names: Vec<_> =
            fs::read_dir(bench.path("cut")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["cutout_disc.mov", "metrics.csv"], "what the preset exports");
    }
}

/// What the test below kills; by itself it does nothing.
#[test]
#[ignore = "it saves a project until it is killed"]
fn save_without_end() {
    let Some(path) = std::env::var_os("STEADYMASK_TEST_PROJECT") else { return };
    let mut project = Project::new("clip.mp4".into());
    for frame in 0.. {
        project.view.frame = frame;
        project.classes = vec!["person".repeat(1 + frame % 999)];
        project.save(Path::new(&path)).unwrap();
    }
}

#[test]
fn a_project_is_whole_whenever_its_saving_is_killed() {
    let bench = Workbench::new();
    let path = bench.path("a.steadymask.json");
    Project::new("clip.mp4".into()).save(&path).unwrap();
    let mut saved = std::collections::BTreeSet::new();
    for round in 0..20u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "lasting::save_without_end", "--ignored"])
            .env("STEADYMASK_TEST_PROJECT", &path)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Once it is saving, at a moment that differs from round to round.
        let before = fs::read(&path).unwrap();
        while fs::read(&path).unwrap() == before {
            assert!(child.try_wait().unwrap().is_none(), "it saves until it is killed");
        }
        std::thread::sleep(std::time::Duration::from_micros(7919 * round % 40_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let project = Project::load(&path).unwrap();
        assert_eq!(project.classes.concat().len() % 6, 0);
        saved.insert(project.view.frame);
    }
    assert!(saved.len() > 5, "it was saving: {saved:?}");
}
