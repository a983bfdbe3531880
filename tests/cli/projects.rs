//! Projects without the window: what they stand for, and that none is ever half saved.

use std::{fs, path::Path};

use steadymask::project::Project;

use crate::{
    needs::SELFIE,
    workbench::{Workbench, masks, tree},
};

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
fn all_of_a_project_is_used_and_options_go_before_it() {
    let Some((bench, clip)) = Workbench::with_people(SELFIE) else { return };
    let project = r#"{
        "version": 1, "video": {"path": "people.mp4"}, "network": {"name": "selfie", "every": 3, "device": "cpu"},
        "classes": ["person"], "range": {"first": 2, "last": 9},
        "smoothing": {"method": "median", "window": 3, "min-area-px": 20},
        "leave_out": [[[0, 0], [176, 0], [176, 20], [0, 20]]],
        "export": {"kinds": ["png", "json"], "names": "{clip}/{kind}/{frame}", "edges": "soft"}
    }"#;
    fs::write(bench.path("a.steadymask.json"), project).unwrap();
    bench.run_well(Path::new("a.steadymask.json"), "--out project");
    let options = "--model selfie --device cpu --class person --every 3 --from 2 --to 9 --method median --window 3 \
        --min-area 20 --leave-out 0,0,176,0,176,20,0,20 --export png,json --names {clip}/{kind}/{frame} --edges soft";
    bench.run_well(&clip, &format!("{options} --out options"));
    let [of_project, of_options] = ["project", "options"].map(|out| tree(&bench.path(out)));
    assert_eq!(of_project, of_options);
    let pictures: Vec<&String> = of_project.iter().filter(|name| name.ends_with(".png")).collect();
    assert_eq!(pictures.len(), 2 * 8, "raw and smoothed masks of frames 2 to 9: {of_project:?}");
    for name in pictures {
        let [project, options] =
            ["project", "options"].map(|out| image::open(bench.path(out).join(name)).unwrap());
        assert!(project == options, "{name}");
    }
    // With the network on every frame masks come out otherwise, so every third is what was used.
    bench.run_well(Path::new("a.steadymask.json"), "--every 1 --out each");
    assert_eq!(tree(&bench.path("each")), of_project);
    let differs = |name: &&String| {
        fs::read(bench.path("each").join(name)).unwrap()
            != fs::read(bench.path("project").join(name)).unwrap()
    };
    assert!(
        of_project
            .iter()
            .filter(|name| name.contains("raw") && name.ends_with(".png"))
            .any(|name| differs(&name))
    );

    bench.run_well(Path::new("a.steadymask.json"), "--from 4 --to 5 --export csv --out less");
    let less: Vec<String> =
        tree(&bench.path("less")).into_iter().filter(|name| !name.ends_with('/')).collect();
    let [csv] = less.as_slice() else { panic!("an option goes before the project: {less:?}") };
    let rows = fs::read_to_string(bench.path("less").join(csv)).unwrap();
    assert_eq!(rows.lines().count(), 1 + 2, "{rows}");
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
            .args(["--exact", "projects::save_without_end", "--ignored"])
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
