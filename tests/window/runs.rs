//! Runs of the network, from a drop to files.

use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use steadymask::{export::ExportKind, metrics::Metric};

use crate::{
    needs::SELFIE,
    workbench::{
        Window, alone, at_work, click, clip, done, drop_on, go_to, is_running, toasted, until,
        window_with_networks,
    },
};

/// What a person does who has never seen the program, by what is written on it.
#[test]
fn from_a_dropped_clip_to_files() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let Some(clip) = clip(folder.path(), SELFIE) else { return };
    let mut window = window_with_networks(folder.path());
    drop_on(&mut window, &clip);
    until(&mut window, "a picture", |window| window.state().shows().0);
    let network = window.get_by_role_and_label(Role::ComboBox, "Network");
    if network.value().as_deref() != Some(SELFIE) {
        network.click();
        window.run_steps(4);
        click(&mut window, SELFIE);
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
        |window: &Window| window.state().state.run.as_ref().map(|run| run.progress.network.snapshot().done);
    assert_eq!(network_frames(&window), Some(16));
    assert!(window.state().state.results.coverage[0] > 0.02, "a person is found");

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
    let frames = window.state().state.choice.plan.settings.window.frames();
    window.get_by_role_and_label(Role::Slider, "Window").focus();
    window.run_steps(2);
    window.key_press(egui::Key::ArrowRight);
    window.run_steps(2);
    assert!(window.state().state.choice.plan.settings.window.frames() > frames);
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
    let kinds = |window: &Window| window.state().state.export.kinds.clone();
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
    window.run_steps(2);
    assert!(!is_running(&window));
    until(&mut window, "masks of what is done", |window| window.state().shows().1);
    go_to(&mut window, 4);
    window.key_press(egui::Key::O);
    window.run_steps(4);
    window.get_by_label("Stabilise").click();
    until(&mut window, "the rest", |window| window.state().state.results.summary().is_some());
    assert_eq!(window.state().state.results.rows().len(), 5);
}
