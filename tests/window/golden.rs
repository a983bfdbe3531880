//! What the window of version 0.1.0 wrote is read, and comes to the same.

use std::{
    fs,
    path::{Path, PathBuf},
};

use egui::{Key, Modifiers, accesskit::Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use serde_json::Value;
use steadymask::{
    app::{Folders, Preferences},
    segment::Library,
};

use crate::workbench::{
    GOLDEN, Window, alone, await_networks, click, drop_on, frame_of, press, toasted, until, window_in,
};

/// Copies the files below `from`; in text, `/tmp/golden` becomes the place where they lie now.
fn copy(from: &Path, to: &Path, root: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy(&from, &to, root);
            continue;
        }
        let bytes = fs::read(&from).unwrap();
        match String::from_utf8(bytes) {
            Ok(text) => fs::write(&to, text.replace("/tmp/golden", root.to_str().unwrap())).unwrap(),
            Err(error) => fs::write(&to, error.into_bytes()).unwrap(),
        }
    }
}

/// A copy of the golden files.
fn golden() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    for part in ["work", "data"] {
        copy(&Path::new(GOLDEN).join(part), &root.join(part), &root);
    }
    (folder, root)
}

fn window(root: &Path) -> Window {
    let data = root.join("data/steadymask");
    let library = Library::only(&data.join("models"));
    let folders = Folders { cache: root.join("cache"), data, library };
    let mut window = window_in(folders, r#"{"language": "English", "theme": "Dark"}"#);
    await_networks(&mut window);
    window
}

/// What is chosen in this list.
#[track_caller]
fn chosen(window: &Window, list: &str) -> String {
    window.get_by_role_and_label(Role::ComboBox, list).value().unwrap()
}

#[track_caller]
fn is_ticked(window: &Window, label: &str) -> bool {
    let node = window.get_by_role_and_label(Role::CheckBox, label);
    node.accesskit_node().toggled() == Some(egui::accesskit::Toggled::True)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_queue_is_there() {
    let (_alone, (_folder, root)) = (alone(), golden());
    fs::remove_dir_all(root.join("data/steadymask/open")).unwrap();
    let mut window = window(&root);
    until(&mut window, "the queue", |window| window.query_by_label("Queue 1 / 5").is_some());
    click(&mut window, "Queue 1 / 5");
    // What ran when the window was closed waits again, and nothing begins by itself.
    for (state, count) in [("done", 1), ("failed", 1), ("cancelled", 1), ("waits", 2)] {
        assert_eq!(window.query_all_by_label(state).count(), count, "{state}");
    }
    window.get_by_label_contains("gone.mkv: there is no such file or folder");
    window.get_by_label("Start the queue");
}

#[test]
fn preferences_are_as_they_were() {
    let ron = fs::read_to_string(Path::new(GOLDEN).join("data/steadymask/app.ron")).unwrap();
    let line = ron.lines().find_map(|line| line.trim().strip_prefix(r#""preferences": "#)).unwrap();
    let text: String = serde_json::from_str(line.trim_end_matches(',')).unwrap();
    struct Storage(String);
    impl eframe::Storage for Storage {
        fn get_string(&self, _: &str) -> Option<String> {
            Some(self.0.clone())
        }
        fn set_string(&mut self, _: &str, _: String) {}
        fn remove_string(&mut self, _: &str) {}
        fn flush(&mut self) {}
    }
    let preferences: Preferences = eframe::get_value(&Storage(text), "preferences").unwrap();
    let expected = serde_json::json!({
        "theme": "Light", "language": "Russian", "scale": 1.25, "opacity": 0.5, "outlines": false,
        "recent": ["/tmp/golden/work/clip.mkv", "/tmp/golden/work/full.steadymask.json"],
        "models": ["/tmp/golden/work/own.pt"],
        "machine": {
            "device": "cpu", "threads": 2, "memory_mib": 1024, "cache_folder": "/tmp/golden/xc/own", "cache_gib": 5,
        },
        "plots": ["flicker", "pop-rate", "area"],
        "choice": {
            "model": "light-dark", "every": 2, "classes": ["light", "light+dark"],
            "settings": {
                "method": "median", "window": 7, "alpha": 0.3, "timing": "causal", "input": "masks",
                "motion": "off", "threshold": 0.55, "hysteresis": 0.35, "min-area-px": 5, "fill-holes-px": 6,
                "overlap": "on",
            },
            "other": {
                "method": "exponential", "window": 9, "alpha": 0.2, "timing": "centred",
                "input": "probabilities", "motion": "on", "threshold": 0.5, "hysteresis": null,
                "min-area-px": 0, "fill-holes-px": 0, "overlap": "off",
            },
            "is_b": true,
        },
    });
    let found = serde_json::to_string(&preferences).unwrap();
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found, expected);
}

#[test]
fn what_a_crash_left_is_offered() {
    let (_alone, (_folder, root)) = (alone(), golden());
    let mut window = window(&root);
    until(&mut window, "an offer", |window| window.query_by_label("Open it again").is_some());
    window.get_by_label_contains("full.steadymask.json");
    click(&mut window, "Open it again");
    until(&mut window, "a picture", |window| window.state().shows().0);
    assert_eq!(frame_of(&window), Some((4, 7)));
}

#[test]
fn a_project_with_everything_opens_and_is_saved_with_what_no_version_knows() {
    let (_alone, (_folder, root)) = (alone(), golden());
    fs::remove_dir_all(root.join("data/steadymask/open")).unwrap();
    let mut window = window(&root);
    let path = root.join("work/full.steadymask.json");
    let before = json(&path);
    drop_on(&mut window, &path);
    until(&mut window, "a picture", |window| window.state().shows().0);
    assert_eq!(frame_of(&window), Some((4, 7)));
    window.get_by_label("Wipe: 4");
    assert_eq!(chosen(&window, "Network"), "light-dark");
    assert_eq!(chosen(&window, "Looks at"), "every 3 frames");
    assert_eq!(chosen(&window, "Method"), "Median");
    assert!(is_ticked(&window, "light") && is_ticked(&window, "dark") && is_ticked(&window, "Follow motion"));
    for label in ["Polygon 1", "Polygon 2", "Whole clip"] {
        window.get_by_label(label);
    }
    press(&mut window, Modifiers::COMMAND, Key::S);
    until(&mut window, "a project", |window| toasted(window, "Saved"));
    assert_eq!(json(&path), before);

    // A change leaves all the rest.
    click(&mut window, "Follow motion");
    press(&mut window, Modifiers::COMMAND, Key::S);
    let mut expected = before;
    expected["smoothing"]["motion"] = "off".into();
    until(&mut window, "the change", |_| json(&path) == expected);
}

#[test]
fn a_project_with_hardly_anything_opens() {
    let (_alone, (_folder, root)) = (alone(), golden());
    fs::remove_dir_all(root.join("data/steadymask/open")).unwrap();
    let mut window = window(&root);
    for name in ["minimal", "bare"] {
        drop_on(&mut window, &root.join(format!("work/{name}.steadymask.json")));
        let file = format!("{name}.steadymask.json");
        until(&mut window, name, |window| {
            window.query_by_label(&file).is_some() && window.state().shows_frame().0
        });
        assert_eq!(frame_of(&window), Some((0, 7)), "{name}");
    }
    assert!(is_ticked(&window, "dark"));
}
