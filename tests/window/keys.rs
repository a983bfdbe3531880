//! The keys, as the list of them has them.

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;

use crate::workbench::{Window, alone, click, frame_of, open_pictures, press, window_with_networks};

#[test]
fn every_key_of_the_list_does_what_it_says() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window_with_networks(folder.path());
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

    let frame = |window: &Window| frame_of(window).unwrap().0;
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
    window.get_by_label("Whole clip");
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

    let settings = |window: &Window| window.state().state.choice.plan.settings;
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
    assert!(window.query_by_label("What to save").is_none(), "there is nothing to export yet");
    press(&mut window, Modifiers::COMMAND, Key::Q);
    assert!(window.state().is_closing());
}
