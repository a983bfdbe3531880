//! What a person does with a clip, from a drop to files.

use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use steadymask::{export::ExportKind, metrics::Metric};

use crate::workbench::{Window, alone, at_work, clip, done, drop_on, pictures, toasted, until, window};

#[test]
fn the_empty_window_says_what_to_do_and_a_bad_file_says_why() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window(folder.path());
    window.step();
    window.get_by_label("Drop a video here");
    window.get_by_label("Open video…");
    window.get_by_label("Keys").click();
    window.run_steps(4);
    window.get_by_label("Next, previous flicker peak");
    window.key_press(egui::Key::Escape);
    window.run_steps(4);
    assert!(window.query_by_label("Next, previous flicker peak").is_none());

    let bad = folder.path().join("no video.mp4");
    std::fs::write(&bad, b"these are words").unwrap();
    drop_on(&mut window, &bad);
    until(&mut window, "an error", |window| toasted(window, "no video.mp4"));
    window.run_steps(4);
    window.get_by_label("Dismiss").click();
    until(&mut window, "no error", |window| !toasted(window, "no video.mp4"));
}

#[test]
fn pictures_open_and_every_setting_can_be_undone() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window(folder.path());
    drop_on(&mut window, &pictures(folder.path(), 12));
    until(&mut window, "a picture", |window| window.state().shows().0);
    assert_eq!(window.state().state.frames(), 12);

    for (key, frame) in [
        (egui::Key::End, 11),
        (egui::Key::ArrowLeft, 10),
        (egui::Key::I, 10),
        (egui::Key::ArrowRight, 11),
        (egui::Key::O, 11),
        (egui::Key::Home, 0),
        (egui::Key::ArrowLeft, 0),
    ] {
        window.key_press(key);
        window.step();
        assert_eq!(window.state().state.player.frame, frame, "{key:?}");
    }
    window.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::ArrowRight);
    window.step();
    assert_eq!(window.state().state.player.frame, 10);
    let range = window.state().state.range();
    assert_eq!((range.first, range.last), (10, 11));

    let settings = |window: &Window| window.state().state.choice.settings;
    let before = settings(&window);
    window.get_by_label("Back only").click();
    window.run_steps(4);
    assert_ne!(settings(&window), before);
    window.get_by_label("Follow motion").click();
    window.run_steps(4);
    let changed = settings(&window);
    for _ in 0..2 {
        window.get_by_label("Undo").click();
        window.run_steps(4);
    }
    assert_eq!(settings(&window), before);
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Y);
    window.step();
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Y);
    window.step();
    assert_eq!(settings(&window), changed);

    window.get_by_label("Settings").click();
    window.run_steps(4);
    window.get_by_label("Русский").click();
    window.run_steps(4);
    window.get_by_label("Тёмная");
    window.get_by_label("Закрыть").click();
    window.run_steps(4);
    window.get_by_label("Стабилизировать");
}

#[track_caller]
fn click(window: &mut Window, label: &str) {
    // A caption comes before what it names, and a dialog after what lies under it.
    let all: Vec<_> = window.get_all_by_label(label).collect();
    all.last().unwrap().click();
    window.run_steps(4);
}

/// What a person does who has never seen the program, by what is written on it.
#[test]
fn from_a_dropped_clip_to_files() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let Some(clip) = clip(folder.path()) else { return };
    let mut window = window(folder.path());
    until(&mut window, "networks", |window| window.state().state.models.is_some());
    drop_on(&mut window, &clip);
    until(&mut window, "a picture", |window| window.state().shows().0);
    let network = window.get_by_role_and_label(Role::ComboBox, "Network");
    if network.value().as_deref() != Some("deeplabv3-mobilenetv2") {
        network.click();
        window.run_steps(4);
        click(&mut window, "deeplabv3-mobilenetv2");
    }
    for _ in 0..15 {
        window.key_press(egui::Key::ArrowRight);
    }
    window.key_press(egui::Key::O);
    window.run_steps(4);
    click(&mut window, "Stabilise");
    until(&mut window, "masks", |window| window.state().shows().1);
    until(&mut window, "a summary", |window| window.state().state.results.summary().is_some());
    assert_eq!(window.state().state.results.rows().len(), 16);
    let network_frames =
        |window: &Window| window.state().state.job.as_ref().map(|job| job.progress.network.snapshot().done);
    assert_eq!(network_frames(&window), Some(16));
    assert!(window.state().state.results.coverage[15] > 0.02, "a person is found");

    // Scrubbing shows masks of where the playhead is.
    window.key_press(egui::Key::Home);
    window.key_press(egui::Key::ArrowRight);
    window.run_steps(2);
    until(&mut window, "masks of another frame", |window| {
        window.state().shows_frame().0 && window.state().shows().1
    });
    window.get_by_label("Side by side: 1");

    // Another window is measured anew, the plots follow, and the network stays asleep.
    let smoothed = |window: &Window| {
        let rows = window.state().state.results.rows();
        rows.iter().flatten().map(|row| row.smoothed[Metric::Instability]).collect::<Vec<_>>()
    };
    let measured = |window: &Window, since: u64| {
        let results = &window.state().state.results;
        results.revision > since && results.summary().is_some() && window.state().state.changed.is_none()
    };
    let usual = smoothed(&window);
    let before = window.state().state.results.revision;
    window.get_by_role_and_label(Role::ComboBox, "Method").click();
    window.run_steps(4);
    click(&mut window, "Moving average");
    until(&mut window, "a new summary", |window| measured(window, before));
    let narrow = smoothed(&window);
    assert_ne!(narrow, usual);
    let before = window.state().state.results.revision;
    let frames = window.state().state.choice.settings.window.frames();
    window.get_by_role_and_label(Role::Slider, "Window").focus();
    window.run_steps(2);
    window.key_press(egui::Key::ArrowRight);
    window.run_steps(2);
    assert!(window.state().state.choice.settings.window.frames() > frames);
    until(&mut window, "one more", |window| measured(window, before));
    assert_ne!(smoothed(&window), narrow);
    let before = window.state().state.results.revision;
    click(&mut window, "Undo");
    click(&mut window, "Undo");
    until(&mut window, "the first summary", |window| measured(window, before));
    assert_eq!(smoothed(&window), usual, "undo brings the curve back");
    assert_eq!(network_frames(&window), Some(16));

    // Mattes and metrics, and nothing else.
    click(&mut window, "Export");
    let kinds = |window: &Window| window.state().state.plan.kinds.clone();
    for kind in kinds(&window) {
        if !matches!(kind, ExportKind::Png | ExportKind::Csv) {
            // It may have been scrolled out of sight.
            window.get_by_label(kind.info().summary).click_accesskit();
            window.run_steps(2);
        }
    }
    assert_eq!(kinds(&window), [ExportKind::Png, ExportKind::Csv]);
    let out = folder.path().join("out");
    window.get_by_role_and_label(Role::TextInput, "Folder").focus();
    window.run_steps(2);
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    window.event(egui::Event::Text(out.display().to_string()));
    window.run_steps(3);
    click(&mut window, "Export");
    until(&mut window, "files", |window| toasted(window, "Exported"));
    let csv = std::fs::read_to_string(out.join("metrics.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 16);
    for side in ["raw/person", "smoothed/person"] {
        assert_eq!(std::fs::read_dir(out.join(side)).unwrap().count(), 16, "{side}");
    }
}

#[test]
fn a_run_can_be_cancelled_and_goes_on_from_there() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let Some(mut window) = at_work(folder.path()) else { return };
    until(&mut window, "some frames", |window| done(window) >= 3);
    window.key_press(egui::Key::Escape);
    window.step();
    assert!(!window.state().state.is_running());
    until(&mut window, "masks of what is done", |window| window.state().shows().1);
    window.state_mut().state.player.frame = 4;
    window.key_press(egui::Key::O);
    window.run_steps(4);
    window.get_by_label("Stabilise").click();
    until(&mut window, "the rest", |window| window.state().state.results.summary().is_some());
    assert_eq!(window.state().state.results.rows().len(), 5);
}
