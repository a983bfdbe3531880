//! What a run has found: its peaks, its plots, and better settings.

use std::fs;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;

use crate::{
    needs::SELFIE,
    workbench::{
        Window, alone, choose, click, click_at, clip, drop_on, fill, frame_of, go_to, is_running, press,
        toasted, until, window_with_networks,
    },
};

#[test]
fn from_a_run_to_peaks_plots_and_auto() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let Some(clip) = clip(folder.path(), SELFIE) else { return };
    let mut window = window_with_networks(folder.path());
    choose(&mut window, "Network", SELFIE);
    drop_on(&mut window, &clip);
    until(&mut window, "a picture", |window| window.state().shows().0);
    go_to(&mut window, 19);
    press(&mut window, Modifiers::NONE, Key::O);
    press(&mut window, Modifiers::COMMAND, Key::Enter);
    until(&mut window, "a summary", |window| window.state().state.results.summary().is_some());
    until(&mut window, "the end", |window| !is_running(window));

    press(&mut window, Modifiers::NONE, Key::Home);
    press(&mut window, Modifiers::NONE, Key::N);
    let peak = frame_of(&window).unwrap().0;
    assert!(peak > 0, "there is a peak");
    press(&mut window, Modifiers::NONE, Key::End);
    press(&mut window, Modifiers::NONE, Key::P);
    assert!(frame_of(&window).unwrap().0 >= peak);
    press(&mut window, Modifiers::COMMAND, Key::E);
    window.get_by_label("What to save");
    press(&mut window, Modifiers::NONE, Key::Escape);

    // What is left out has no masks, and the numbers follow.
    let means = |window: &Window| window.state().state.results.means(steadymask::metrics::Metric::Area)[1];
    let (whole, revision) = (means(&window).unwrap(), window.state().state.results.revision);
    click(&mut window, "Draw a polygon");
    let stage = window.get_by_label(&format!("Side by side: {}", frame_of(&window).unwrap().0)).rect();
    let left = stage.center() - egui::vec2(stage.width() / 4.0, 0.0);
    for (x, y) in [(-150.0, -130.0), (150.0, -130.0), (150.0, 0.0), (-150.0, 0.0)] {
        click_at(&mut window, left + egui::vec2(x, y));
        window.run_steps(25);
    }
    press(&mut window, Modifiers::NONE, Key::Enter);
    window.get_by_label("Polygon 1");
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

    let before = window.state().state.choice.plan.settings;
    click(&mut window, "Auto");
    until(&mut window, "a setting", |window| window.state().state.tuned.is_some());
    window.run_steps(3);
    let words = window.state().state.tuned.as_ref().unwrap().1.clone();
    assert!(words.contains("settings"), "{words}");
    window.get_by_label(&words);
    if window.state().state.choice.plan.settings != before {
        press(&mut window, Modifiers::COMMAND, Key::Z);
        assert_eq!(window.state().state.choice.plan.settings, before);
    }
}
