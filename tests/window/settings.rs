//! Settings of smoothing: undone, compared, and kept under a name.

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use steadymask::export::ExportKind;

use crate::workbench::{
    Window, alone, click, drop_on, fill, frame_of, open_pictures, pictures, press, toasted, until, window,
    window_with_networks,
};

#[test]
fn pictures_open_and_every_setting_can_be_undone() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window(folder.path());
    drop_on(&mut window, &pictures(folder.path(), 12));
    until(&mut window, "a picture", |window| window.state().shows().0);
    assert_eq!(frame_of(&window), Some((0, 11)));

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
        window.step();
        assert_eq!(frame_of(&window), Some((frame, 11)), "{key:?}");
    }
    window.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::ArrowRight);
    window.step();
    window.step();
    assert_eq!(frame_of(&window), Some((10, 11)));
    window.get_by_label("Whole clip");

    let settings = |window: &Window| window.state().state.choice.plan.settings;
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
fn settings_get_names_and_can_be_compared() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window_with_networks(folder.path());
    open_pictures(&mut window, folder.path());
    let settings = |window: &Window| window.state().state.choice.plan.settings;
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
    window.state_mut().state.export.kinds = vec![ExportKind::Prores];
    click(&mut window, "With the settings of the export");
    click(&mut window, "Save");
    let has = |window: &Window, name: &str| window.state().state.presets.iter().any(|p| p.name == name);
    until(&mut window, "the preset", |window| has(window, "Live"));
    click(&mut window, "Both ways");
    window.state_mut().state.export.kinds = vec![ExportKind::Csv];
    click(&mut window, "Preset");
    click(&mut window, "Live");
    assert_eq!(settings(&window), causal);
    assert_eq!(window.state().state.export.kinds, [ExportKind::Prores]);
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
