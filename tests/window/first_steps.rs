//! The empty window, the sample, and what the machine may give.

use egui_kittest::kittest::Queryable as _;

use crate::workbench::{alone, click, drop_on, frame_of, toasted, until, window, window_with_networks};

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
fn the_sample_opens_and_the_machine_can_be_set() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window_with_networks(folder.path());
    window.run_steps(2);
    click(&mut window, "Try a sample");
    until(&mut window, "the sample", |window| window.state().shows().0);
    assert_eq!(frame_of(&window), Some((0, 99)));
    click(&mut window, "Settings");
    click(&mut window, "1 GB");
    window.get_by_label_contains("in flight up to 1 GB");
    click(&mut window, "CPU");
    window.get_by_label("cpu");
    click(&mut window, "Clear");
    until(&mut window, "an empty cache", |window| toasted(window, "cache is cleared"));
}
