//! Polygons that leave a part of the picture out.

use std::time::Duration;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;

use crate::workbench::{Window, alone, click, click_at, open_pictures, press, window_with_networks};

#[test]
fn a_polygon_is_drawn_moved_and_removed() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window_with_networks(folder.path());
    open_pictures(&mut window, folder.path());
    let stage = window.get_by_label("Side by side: 0").rect();
    let polygons = |window: &Window| window.state().state.choice.plan.edits.leave_out.polygons().to_vec();

    click(&mut window, "Draw a polygon");
    click_at(&mut window, stage.center());
    press(&mut window, Modifiers::NONE, Key::Escape);
    assert!(window.query_by_label("Draw a polygon").is_some() && polygons(&window).is_empty(), "Esc cancels");

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
