//! Several files that are dropped together, and clips that are queued.

use std::{fs, path::Path, sync::Arc, time::Duration};

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use serde_json::Value;

use crate::{
    needs,
    workbench::{
        Dropped, Window, alone, choose, click, click_at, only_csv, open_pictures, pictures, press, stabilise,
        texts, until, window_with_light_and_dark,
    },
};

fn drop_all(window: &mut Window, paths: &[&Path]) {
    for path in paths {
        window.input_mut().dropped_files.push(Arc::new(Dropped::new(path)));
    }
    window.step();
}

/// How many rows of the queue say this.
fn rows(window: &Window, state: &str) -> usize {
    window.query_all_by_label(state).count()
}

fn queue_file(folder: &Path) -> Option<Vec<Value>> {
    serde_json::from_str(&fs::read_to_string(folder.join("data/line.json")).ok()?).ok()
}

#[test]
fn dropped_files_are_queued_are_done_and_are_there_after_a_restart() {
    let _alone = alone();
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clips = ["a", "b", "c"].map(|name| pictures(&folder.path().join(name), 4));
    let mut window = window_with_light_and_dark(folder.path());
    drop_all(&mut window, &[&clips[0], &clips[1], &clips[2]]);
    until(&mut window, "the first is open", |window| window.state().shows().0);
    let add = "Add 2 dropped files";
    until(&mut window, "the others can be added", |window| window.query_by_label(add).is_some());
    click(&mut window, add);
    until(&mut window, "they are done", |window| rows(window, "done") == 2);
    for name in ["b", "c"] {
        assert!(folder.path().join(name).join("pictures-steady/metrics.csv").is_file());
    }

    // Held, the next one waits, and can be taken to the top.
    click(&mut window, "Pause the queue");
    until(&mut window, "it is held", |window| window.query_by_label("Start the queue").is_some());
    click(&mut window, "Add this clip");
    until(&mut window, "it waits", |window| rows(window, "waits") == 1);
    until(&mut window, "it is on the disk", |_| {
        queue_file(folder.path())
            .is_some_and(|entries| entries.iter().any(|entry| entry["state"] == "waiting"))
    });
    drop(window);
    let mut again = window_with_light_and_dark(folder.path());
    until(&mut again, "the queue is there", |window| window.query_by_label("Queue 2 / 3").is_some());
    click(&mut again, "Queue 2 / 3");
    again.get_by_label("Start the queue");
}

/// Opens the pictures, with another file beside them, so that there is a queue to open.
fn open_with_another(window: &mut Window, folder: &Path) {
    let (first, other) = (pictures(folder, 12), pictures(&folder.join("other"), 4));
    drop_all(window, &[&first, &other]);
    until(window, "a picture", |window| window.state().shows().0);
    click(window, "Close");
}

#[test]
fn a_queued_clip_is_done_as_everything_was_chosen() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window_with_light_and_dark(folder.path());
    open_with_another(&mut window, folder.path());
    choose(&mut window, "Looks at", "every 3 frames");
    press(&mut window, Modifiers::NONE, Key::ArrowRight);
    press(&mut window, Modifiers::NONE, Key::I);
    let stage = window.get_by_label("Side by side: 1").rect();
    click(&mut window, "Draw a polygon");
    for (x, y) in [(-60.0, -60.0), (60.0, -60.0), (60.0, 60.0)] {
        click_at(&mut window, stage.center() + egui::vec2(x, y));
        // Longer than a double click.
        std::thread::sleep(Duration::from_millis(5));
        window.run_steps(25);
    }
    press(&mut window, Modifiers::NONE, Key::Enter);
    window.get_by_label("Polygon 1");

    click(&mut window, "Queue 0 / 0");
    click(&mut window, "Add this clip");
    until(&mut window, "it is on the disk", |_| queue_file(folder.path()).is_some());
    let entries = queue_file(folder.path()).unwrap();
    let step = |name: &str| {
        let steps = entries[0]["steps"].as_array().unwrap();
        steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no step {name}: {steps:?}"))
    };
    assert_eq!((&step("decode")["every"], &step("decode")["from"]), (&3.into(), &1.into()));
    let polygons = step("leave-out")["polygons"].as_array().unwrap();
    assert_eq!((polygons.len(), polygons[0].as_array().unwrap().len()), (1, 3));
    assert_eq!(step("segment")["classes"], serde_json::json!(["light"]));
    until(&mut window, "it is over", |window| rows(window, "done") + rows(window, "failed") == 1);
}

#[test]
fn queued_clips_replace_files_only_where_the_box_says_so() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window_with_light_and_dark(folder.path());
    open_with_another(&mut window, folder.path());
    stabilise(&mut window);
    press(&mut window, Modifiers::COMMAND, Key::E);
    only_csv(&mut window);
    click(&mut window, "Close");

    let out = folder.path().join("pictures-steady");
    let csv = out.join("metrics.csv");
    fs::create_dir(&out).unwrap();
    fs::write(&csv, "mine").unwrap();
    click(&mut window, "Queue 0 / 0");
    click(&mut window, "Add this clip");
    until(&mut window, "a refusal", |window| {
        rows(window, "failed") == 1 && texts(window).iter().any(|text| text.contains("is there already"))
    });
    assert_eq!(fs::read_to_string(&csv).unwrap(), "mine");
    click(&mut window, "Close");

    press(&mut window, Modifiers::COMMAND, Key::E);
    click(&mut window, "Replace files that are there");
    click(&mut window, "Close");
    click(&mut window, "Queue 0 / 1");
    click(&mut window, "Add this clip");
    until(&mut window, "new files", |window| rows(window, "done") == 1);
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 1 + 12);
}

#[test]
fn the_open_clip_is_not_exported_beyond_in_and_out() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window_with_light_and_dark(folder.path());
    open_pictures(&mut window, folder.path());
    stabilise(&mut window);
    for key in [Key::Home, Key::ArrowRight, Key::ArrowRight, Key::I, Key::ArrowRight, Key::ArrowRight, Key::O]
    {
        press(&mut window, Modifiers::NONE, key);
    }
    press(&mut window, Modifiers::COMMAND, Key::E);
    window.get_by_label("3 of 12 frames, light");
    only_csv(&mut window);
    click(&mut window, "Export");
    until(&mut window, "files", |window| texts(window).iter().any(|text| text.starts_with("Exported")));
    let csv = fs::read_to_string(folder.path().join("pictures-steady/metrics.csv")).unwrap();
    let frames: Vec<&str> = csv.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(frames, ["2", "3", "4"]);

    // In and Out are taken back one by one.
    press(&mut window, Modifiers::COMMAND, Key::Z);
    press(&mut window, Modifiers::COMMAND, Key::E);
    window.get_by_label("10 of 12 frames, light");
    press(&mut window, Modifiers::NONE, Key::Escape);
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert!(window.query_by_label("Whole clip").is_none());
}
