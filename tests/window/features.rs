//! Projects, presets, comparing, polygons, networks, keys.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use egui::{Key, Modifiers, PointerButton, Pos2};
use egui_kittest::kittest::Queryable as _;
use steadymask::export::ExportKind;

use crate::workbench::{self, Window, alone, clip, drop_on, pictures, toasted, until};

/// A window that knows its networks.
fn window(folder: &Path) -> Window {
    let mut window = workbench::window(folder);
    until(&mut window, "networks", |window| window.state().state.models.is_some());
    window
}

fn open_pictures(window: &mut Window, folder: &Path) -> PathBuf {
    let pictures = pictures(folder, 12);
    drop_on(window, &pictures);
    until(window, "a picture", |window| window.state().shows().0);
    pictures
}

#[track_caller]
fn click(window: &mut Window, label: &str) {
    // A caption comes before what it names, and a dialog after what lies under it.
    let all: Vec<_> = window.get_all_by_label(label).collect();
    all.last().unwrap().click();
    window.run_steps(4);
}

fn press(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    window.run_steps(2);
}

fn click_at(window: &mut Window, at: Pos2) {
    window.hover_at(at);
    window.step();
    for pressed in [true, false] {
        let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
        window.event(egui::Event::PointerButton { pos: at, button, pressed, modifiers });
        window.step();
    }
}

/// What is typed into the field of this name, in place of what is there.
fn fill(window: &mut Window, label: &str, text: &str) {
    let fields: Vec<_> = window.get_all_by_label(label).collect();
    fields.last().unwrap().focus();
    window.run_steps(2);
    press(window, Modifiers::COMMAND, Key::A);
    window.event(egui::Event::Text(text.to_owned()));
    window.run_steps(3);
}

#[test]
fn settings_get_names_and_can_be_compared() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window(folder.path());
    open_pictures(&mut window, folder.path());
    let settings = |window: &Window| window.state().state.choice.settings;
    let usual = settings(&window);

    // B begins as A is; X exchanges them.
    click(&mut window, "B");
    click(&mut window, "Back only");
    let causal = settings(&window);
    assert_ne!(causal, usual);
    press(&mut window, Modifiers::NONE, Key::X);
    assert_eq!(settings(&window), usual);
    assert_eq!(window.state().state.choice.a_and_b(), (usual, causal));
    press(&mut window, Modifiers::NONE, Key::Num7);
    window.get_by_label("A | B: 0");
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(settings(&window), causal, "exchanging can be undone");

    click(&mut window, "Presets");
    click(&mut window, "Save as a preset…");
    fill(&mut window, "Name", "seed");
    window.get_by_label_contains("comes with the program");
    fill(&mut window, "Name", "Live");
    window.state_mut().state.plan.kinds = vec![ExportKind::Prores];
    click(&mut window, "With the settings of the export");
    click(&mut window, "Save");
    let has = |window: &Window, name: &str| window.state().state.presets.iter().any(|p| p.name == name);
    until(&mut window, "the preset", |window| has(window, "Live"));
    click(&mut window, "Both ways");
    window.state_mut().state.plan.kinds = vec![ExportKind::Csv];
    click(&mut window, "Preset");
    click(&mut window, "Live");
    assert_eq!(settings(&window), causal);
    assert_eq!(window.state().state.plan.kinds, [ExportKind::Prores]);
    click(&mut window, "Presets");
    click(&mut window, "Rename…");
    fill(&mut window, "Name", "On air");
    press(&mut window, Modifiers::NONE, Key::Enter);
    until(&mut window, "its new name", |window| has(window, "On air") && !has(window, "Live"));
    let json = folder.path().join("presets.json");
    click(&mut window, "Presets");
    click(&mut window, "Export all…");
    fill(&mut window, "Save as", json.to_str().unwrap());
    click(&mut window, "Save");
    until(&mut window, "a file", |window| toasted(window, "presets.json"));
    click(&mut window, "Presets");
    click(&mut window, "Delete");
    until(&mut window, "it gone", |window| !has(window, "On air"));
    click(&mut window, "Presets");
    click(&mut window, "Import…");
    fill(&mut window, "From the file", json.to_str().unwrap());
    click(&mut window, "Import");
    until(&mut window, "it again", |window| has(window, "On air"));

    click(&mut window, "Clean-up");
    window.run_steps(30);
    click(&mut window, "Keep what is connected");
    assert!(settings(&window).hysteresis.is_some_and(|low| low.get() < 0.5));
    click(&mut window, "Classes may overlap");
    assert!(settings(&window).overlap.is_on());
    press(&mut window, Modifiers::COMMAND, Key::Z);
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(settings(&window), causal);
}

#[test]
fn a_polygon_is_drawn_moved_and_removed() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window(folder.path());
    open_pictures(&mut window, folder.path());
    let stage = window.get_by_label("Side by side: 0").rect();
    let polygons = |window: &Window| window.state().state.choice.leave_out.polygons().to_vec();

    click(&mut window, "Draw a polygon");
    click_at(&mut window, stage.center());
    press(&mut window, Modifiers::NONE, Key::Escape);
    assert!(window.state().state.drawing.is_none() && polygons(&window).is_empty(), "Esc cancels");

    click(&mut window, "Draw a polygon");
    let corners = [(-60.0, -60.0), (60.0, -60.0), (60.0, 60.0), (-60.0, 60.0), (90.0, 90.0)];
    for (x, y) in corners {
        click_at(&mut window, stage.center() + egui::vec2(x, y));
        // Longer than a double click.
        std::thread::sleep(Duration::from_millis(5));
        window.run_steps(25);
    }
    press(&mut window, Modifiers::NONE, Key::Backspace);
    press(&mut window, Modifiers::NONE, Key::Enter);
    let drawn = polygons(&window);
    assert_eq!(drawn.len(), 1, "{:?}", window.state().state.drawing);
    assert_eq!(drawn[0].corners().len(), 4);
    let [x, y] = drawn[0].corners()[0];
    assert!((0.0..32.0).contains(&x) && (0.0..24.0).contains(&y), "{x}, {y}");
    window.get_by_label("Polygon 1");

    let grip = window.get_by_label("Corner 1 of polygon 1").rect().center();
    window.hover_at(grip);
    window.step();
    window.drag_at(grip);
    window.step();
    window.hover_at(grip + egui::vec2(-30.0, -20.0));
    window.step();
    window.drop_at(grip + egui::vec2(-30.0, -20.0));
    window.run_steps(2);
    let moved = polygons(&window)[0].corners()[0];
    assert!(moved[0] < x && moved[1] < y, "{moved:?} from {x}, {y}");
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(polygons(&window), drawn);

    click(&mut window, "Remove: Polygon 1");
    assert!(polygons(&window).is_empty());
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(polygons(&window), drawn);
}

#[test]
fn a_project_comes_back_as_it_was() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut first = window(folder.path());
    let pictures = open_pictures(&mut first, folder.path());
    for key in [Key::ArrowRight, Key::ArrowRight, Key::I, Key::End, Key::O, Key::ArrowLeft, Key::Num2] {
        press(&mut first, Modifiers::NONE, key);
    }
    // No class, no work for the network.
    click(&mut first, "person");
    click(&mut first, "Back only");
    let work = |window: &Window| {
        let state = &window.state().state;
        (state.choice.clone(), state.range(), state.player.frame, state.view.mode)
    };
    let before = work(&first);
    press(&mut first, Modifiers::COMMAND, Key::S);
    let path = folder.path().join("pictures.steadymask.json");
    let field = first.get_all_by_label("Save as").last().unwrap().value();
    assert_eq!(field.as_deref(), path.to_str());
    press(&mut first, Modifiers::NONE, Key::Enter);
    click(&mut first, "Save");
    until(&mut first, "a project", |window| toasted(window, "Saved"));
    let changed = |window: &Window| window.state().state.project.is_changed(&window.state().state);
    assert!(!changed(&first) && path.is_file());
    press(&mut first, Modifiers::NONE, Key::Home);
    assert!(!changed(&first), "looking is no work");
    click(&mut first, "Follow motion");
    assert!(changed(&first));
    press(&mut first, Modifiers::COMMAND, Key::Q);
    first.get_by_label_contains("has changes that are not saved");
    click(&mut first, "Cancel");
    press(&mut first, Modifiers::COMMAND, Key::Z);
    assert!(!changed(&first));
    drop(first);

    // With what another version has added, moved with its pictures.
    let text = fs::read_to_string(&path).unwrap().replacen('{', r#"{"from the future": [1], "#, 1);
    let away = folder.path().join("away");
    fs::create_dir(&away).unwrap();
    let path = away.join("moved.steadymask.json");
    fs::write(&path, text).unwrap();
    fs::rename(&pictures, away.join("pictures")).unwrap();
    let mut second = window(folder.path());
    drop_on(&mut second, &path);
    until(&mut second, "a picture", |window| window.state().shows().0);
    assert_eq!(work(&second), before);
    assert!(!changed(&second));
    click(&mut second, "Follow motion");
    press(&mut second, Modifiers::COMMAND, Key::S);
    until(&mut second, "a project", |window| toasted(window, "Saved"));
    let saved: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(saved["from the future"][0], 1);
    assert_eq!(
        (&saved["smoothing"]["motion"], &saved["video"]["relative_path"]),
        (&"off".into(), &"pictures".into())
    );

    // A video that is nowhere is asked for.
    let lost = fs::read_to_string(&path).unwrap().replace("pictures", "gone");
    fs::write(&path, &lost).unwrap();
    drop_on(&mut second, &path);
    until(&mut second, "a question", |window| window.query_by_label("Where is the video?").is_some());
    fill(&mut second, "It is here", away.join("pictures").to_str().unwrap());
    click(&mut second, "Open");
    until(&mut second, "the video", |window| {
        window.state().state.clip.as_ref().is_some_and(|clip| clip.path == away.join("pictures"))
            && window.state().state.project.file.as_ref() == Some(&path)
    });

    let newer = lost.replace(r#""version": 1"#, r#""version": 99"#);
    fs::write(&path, &newer).unwrap();
    drop_on(&mut second, &path);
    until(&mut second, "a refusal", |window| toasted(window, "newer Steadymask"));
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
}

#[test]
fn what_a_crash_left_is_offered() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let pictures = pictures(folder.path(), 12);
    let open = folder.path().join("data/open");
    fs::create_dir_all(&open).unwrap();
    fs::write(open.join("window-dead.lock"), "").unwrap();
    let kept = serde_json::json!({"saved_as": null, "project": {
        "version": 1, "video": {"path": pictures}, "range": {"first": 4}, "smoothing": {"window": 3, "alpha": 0.123, "threshold": 0.333}, "view": {"frame": 7},
    }});
    fs::write(open.join("window-dead.kept"), kept.to_string()).unwrap();
    let mut window = window(folder.path());
    until(&mut window, "an offer", |window| window.query_by_label("Open it again").is_some());
    click(&mut window, "Open it again");
    until(&mut window, "a picture", |window| window.state().shows().0);
    let state = &window.state().state;
    assert_eq!((state.player.frame, state.player.first), (7, Some(4)));
    assert_eq!(state.choice.settings.window.frames(), 3);
    let between = (state.choice.settings.alpha.get(), state.choice.settings.threshold.get());
    assert_eq!(between, (0.123, 0.333), "sliders leave values between their steps alone");
    // From now on this window's own work is kept.
    until(&mut window, "work that is kept", |_| {
        let names: Vec<String> =
            fs::read_dir(&open).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.iter().any(|name| name.ends_with(".kept")) && !names.iter().any(|name| name.contains("dead"))
    });
}

#[test]
fn a_network_of_one_s_own_is_described_and_trusted_first() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window(folder.path());
    let pt = folder.path().join("mine.pt");
    fs::write(&pt, b"a program").unwrap();
    drop_on(&mut window, &pt);
    until(&mut window, "a form", |window| window.query_by_label("What does this network expect?").is_some());
    window.get_by_label_contains("mine.json");
    fill(&mut window, "Classes", "sky, sea, sky");
    window.get_by_label_contains("two classes have the same name");
    fill(&mut window, "Classes", "sky, sea");
    click(&mut window, "Save");
    until(&mut window, "a question", |window| window.query_by_label("Run this network?").is_some());
    let json = fs::read_to_string(folder.path().join("mine.json")).unwrap();
    assert!(json.contains("\"sea\""), "{json}");
    // `printf 'a program' | sha256sum`
    window.get_by_label_contains("SHA-256 ");
    window.get_by_label(pt.to_str().unwrap());
    click(&mut window, "Don't run");
    assert!(window.state().state.models.as_ref().unwrap().iter().all(|model| !model.name.contains("mine")));
}

#[test]
fn the_sample_opens_and_the_machine_can_be_set() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window(folder.path());
    window.run_steps(2);
    click(&mut window, "Try a sample");
    until(&mut window, "the sample", |window| window.state().shows().0);
    assert_eq!(window.state().state.frames(), 100);
    click(&mut window, "Settings");
    click(&mut window, "1 GB");
    assert_eq!(window.state().state.preferences.machine.job_bytes(), 640 << 20);
    click(&mut window, "CPU");
    assert_eq!(window.state().state.preferences.machine.device.to_string(), "cpu");
    click(&mut window, "Clear");
    until(&mut window, "an empty cache", |window| toasted(window, "cache is cleared"));
}

#[test]
fn every_key_of_the_list_does_what_it_says() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window(folder.path());
    open_pictures(&mut window, folder.path());
    let none = Modifiers::NONE;
    let speed = |window: &Window| window.state().state.player.playing.map(|playing| playing.speed);
    press(&mut window, none, Key::Space);
    assert_eq!(speed(&window), Some(1.0));
    press(&mut window, none, Key::Space);
    assert_eq!(speed(&window), None);
    press(&mut window, none, Key::L);
    assert_eq!(speed(&window), Some(1.0));
    press(&mut window, none, Key::End);
    press(&mut window, none, Key::J);
    assert_eq!(speed(&window), Some(-1.0));
    press(&mut window, none, Key::K);
    assert_eq!(speed(&window), None);

    let frame = |window: &Window| window.state().state.player.frame;
    for (modifiers, key, expected) in [
        (none, Key::Home, 0),
        (none, Key::ArrowRight, 1),
        (Modifiers::SHIFT, Key::ArrowRight, 11),
        (none, Key::ArrowLeft, 10),
        (Modifiers::SHIFT, Key::ArrowLeft, 0),
        (none, Key::End, 11),
    ] {
        press(&mut window, modifiers, key);
        assert_eq!(frame(&window), expected, "{key:?}");
    }
    press(&mut window, none, Key::O);
    press(&mut window, none, Key::Home);
    press(&mut window, none, Key::I);
    assert_eq!(window.state().state.range().count(12), 12);
    let modes = ["Side by side", "Wipe", "Overlay", "Difference", "Matte", "Probability", "A | B"];
    let keys = [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7];
    for (key, mode) in keys.into_iter().zip(modes) {
        press(&mut window, none, key);
        window.get_by_label(&format!("{mode}: 0"));
    }
    press(&mut window, none, Key::Num0);
    assert_eq!(window.state().state.view.zoom, Some(1.0));
    press(&mut window, none, Key::F);
    assert_eq!(window.state().state.view.zoom, None);
    window.key_down(Key::R);
    window.step();
    assert!(window.state().state.view.raw_only);
    window.key_up(Key::R);
    window.run_steps(2);
    assert!(!window.state().state.view.raw_only);

    let settings = |window: &Window| window.state().state.choice.settings;
    let before = settings(&window);
    click(&mut window, "Back only");
    let after = settings(&window);
    press(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(settings(&window), before);
    press(&mut window, Modifiers::COMMAND, Key::Y);
    assert_eq!(settings(&window), after);
    press(&mut window, Modifiers::COMMAND, Key::Z);
    press(&mut window, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!(settings(&window), after);
    press(&mut window, none, Key::X);
    assert!(window.state().state.choice.is_b);

    for (modifiers, key) in [(none, Key::Questionmark), (none, Key::F1), (Modifiers::SHIFT, Key::Slash)] {
        press(&mut window, modifiers, key);
        window.get_by_label("This list");
        press(&mut window, none, Key::Escape);
        assert!(window.query_by_label("This list").is_none(), "{key:?}");
    }
    press(&mut window, Modifiers::COMMAND, Key::S);
    window.get_by_label("Save the project");
    press(&mut window, none, Key::Escape);
    press(&mut window, Modifiers::COMMAND | Modifiers::SHIFT, Key::S);
    window.get_by_label("Save the project");
    press(&mut window, none, Key::Escape);
    press(&mut window, Modifiers::COMMAND, Key::E);
    assert!(window.state().state.dialog.is_none(), "there is nothing to export yet");
    press(&mut window, Modifiers::COMMAND, Key::Q);
    assert!(window.state().is_closing());
}

#[test]
fn from_a_run_to_peaks_plots_and_auto() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let Some(clip) = clip(folder.path()) else { return };
    let mut window = window(folder.path());
    window.state_mut().state.choice.model = Some("deeplabv3-mobilenetv2".to_owned());
    drop_on(&mut window, &clip);
    until(&mut window, "a picture", |window| window.state().shows().0);
    window.state_mut().state.player.frame = 19;
    press(&mut window, Modifiers::NONE, Key::O);
    press(&mut window, Modifiers::COMMAND, Key::Enter);
    until(&mut window, "a summary", |window| window.state().state.results.summary().is_some());
    until(&mut window, "the end", |window| !window.state().state.is_running());

    press(&mut window, Modifiers::NONE, Key::Home);
    press(&mut window, Modifiers::NONE, Key::N);
    let peak = window.state().state.player.frame;
    assert!(peak > 0, "there is a peak");
    press(&mut window, Modifiers::NONE, Key::End);
    press(&mut window, Modifiers::NONE, Key::P);
    assert!(window.state().state.player.frame >= peak);
    press(&mut window, Modifiers::COMMAND, Key::E);
    window.get_by_label("What to save");
    press(&mut window, Modifiers::NONE, Key::Escape);

    // What is left out has no masks, and the numbers follow.
    let means = |window: &Window| window.state().state.results.means(steadymask::metrics::Metric::Area)[1];
    let (whole, revision) = (means(&window).unwrap(), window.state().state.results.revision);
    click(&mut window, "Draw a polygon");
    let stage = window.get_by_label(&format!("Side by side: {}", window.state().state.player.frame)).rect();
    let left = stage.center() - egui::vec2(stage.width() / 4.0, 0.0);
    for (x, y) in [(-150.0, -130.0), (150.0, -130.0), (150.0, 0.0), (-150.0, 0.0)] {
        click_at(&mut window, left + egui::vec2(x, y));
        window.run_steps(25);
    }
    press(&mut window, Modifiers::NONE, Key::Enter);
    assert_eq!(window.state().state.choice.leave_out.polygons().len(), 1);
    let measured = |window: &Window| {
        let results = &window.state().state.results;
        results.revision > revision && results.summary().is_some() && window.state().state.changed.is_none()
    };
    until(&mut window, "new numbers", measured);
    assert!(means(&window).unwrap() < whole, "less is masked");
    press(&mut window, Modifiers::COMMAND, Key::Z);
    until(&mut window, "the old numbers", |window| measured(window) && means(window) == Some(whole));

    // One plot is saved.
    click(&mut window, "Plot menu");
    click(&mut window, "Save as PNG, SVG or CSV…");
    let csv = folder.path().join("flicker.csv");
    fill(&mut window, "Save as", csv.to_str().unwrap());
    click(&mut window, "Save");
    until(&mut window, "a plot", |window| toasted(window, "flicker.csv"));
    let text = fs::read_to_string(&csv).unwrap();
    assert!(text.starts_with("frame,raw,smoothed\n") && text.lines().count() == 21, "{text}");

    let before = window.state().state.choice.settings;
    click(&mut window, "Auto");
    until(&mut window, "a setting", |window| window.state().state.tuned.is_some());
    window.run_steps(3);
    let words = window.state().state.tuned.as_ref().unwrap().1.clone();
    assert!(words.contains("settings"), "{words}");
    window.get_by_label(&words);
    if window.state().state.choice.settings != before {
        press(&mut window, Modifiers::COMMAND, Key::Z);
        assert_eq!(window.state().state.choice.settings, before);
    }
}
