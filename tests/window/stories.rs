//! What a person does with a clip, from a drop to files.

use egui_kittest::kittest::Queryable as _;

use crate::workbench::{Window, alone, clip, drop_on, pictures, toasted, until, window};

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

#[test]
fn from_a_dropped_clip_to_files() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let Some(clip) = clip() else { return };
    let mut window = window(folder.path());
    until(&mut window, "networks", |window| window.state().state.models.is_some());
    window.state_mut().state.choice.model = Some("deeplabv3-mobilenetv2".to_owned());
    drop_on(&mut window, &clip);
    until(&mut window, "a picture", |window| window.state().shows().0);
    window.state_mut().state.player.frame = 15;
    window.key_press(egui::Key::O);
    window.run_steps(4);
    window.get_by_label("Stabilise").click();
    until(&mut window, "masks", |window| window.state().shows().1);
    until(&mut window, "a summary", |window| window.state().state.results.summary().is_some());
    assert_eq!(window.state().state.results.rows().len(), 16);
    let network_frames = window.state().state.job.as_ref().unwrap().progress.network.snapshot().done;
    assert_eq!(network_frames, 16);
    assert!(window.state().state.results.coverage[15] > 0.02, "a person is found");

    // Another setting is measured anew, and the network stays asleep.
    let revision = window.state().state.results.revision;
    window.get_by_label("Back only").click();
    until(&mut window, "a new summary", |window| {
        let results = &window.state().state.results;
        results.revision > revision && results.summary().is_some()
    });
    let job = window.state().state.job.as_ref().unwrap();
    assert!(!job.running && job.progress.network.snapshot().done == 16);
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Z);
    window.step();
    assert_eq!(window.state().state.choice.settings, Default::default());

    let out = folder.path().join("out");
    window.get_by_label("Export").click();
    window.run_steps(4);
    window.state_mut().state.plan.folder = out.display().to_string();
    window.state_mut().state.plan.kinds =
        vec![steadymask::export::ExportKind::Png, steadymask::export::ExportKind::Csv];
    window.run_steps(4);
    let buttons: Vec<_> = window.get_all_by_label("Export").collect();
    buttons.last().unwrap().click();
    until(&mut window, "files", |window| toasted(window, "Exported"));
    let csv = std::fs::read_to_string(out.join("metrics.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 16);
}

#[test]
fn a_run_can_be_cancelled_and_goes_on_from_there() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let Some(clip) = clip() else { return };
    let mut window = window(folder.path());
    until(&mut window, "networks", |window| window.state().state.models.is_some());
    window.state_mut().state.choice.model = Some("deeplabv3-mobilenetv2".to_owned());
    drop_on(&mut window, &clip);
    until(&mut window, "a picture", |window| window.state().shows().0);
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    let done = |window: &Window| {
        window.state().state.job.as_ref().map_or(0, |job| job.progress.network.snapshot().done)
    };
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
