//! The playhead goes where it likes, whatever else is going on.

use std::{fs, time::Duration};

use egui_kittest::kittest::Queryable as _;

use crate::workbench::{alone, at_work, done, drop_on, frame_of, go_to, is_running, pictures, until, window};

/// Nothing of the clip is left to decode, and its small pictures are still there.
#[test]
fn a_frame_is_shown_by_its_proxy_until_it_is_decoded() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut window = window(folder.path());
    let clip = pictures(folder.path(), 24);
    drop_on(&mut window, &clip);
    until(&mut window, "a picture", |window| window.state().shows_frame() == (true, true));
    let cache = folder.path().join("cache");
    let has_all_proxies = || {
        let mut folders = fs::read_dir(&cache).into_iter().flatten().flatten();
        let proxies = folders.find(|entry| entry.file_name().to_string_lossy().ends_with("-proxies"));
        // A 64×48 JPEG of two colours has more than 600 bytes.
        proxies.is_some_and(|entry| {
            fs::metadata(entry.path().join("480.records")).is_ok_and(|file| file.len() > 24 * 600)
        })
    };
    until(&mut window, "proxies", |_| has_all_proxies());
    std::thread::sleep(Duration::from_millis(200));
    fs::remove_dir_all(&clip).unwrap();
    go_to(&mut window, 17);
    until(&mut window, "a proxy", |window| window.state().shows_frame() == (true, false));
    go_to(&mut window, 0);
    until(&mut window, "the kept picture", |window| window.state().shows_frame() == (true, true));
}

#[test]
fn what_is_on_the_screen_is_done_first_and_the_rest_can_wait() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let Some(mut window) = at_work(folder.path()) else { return };
    until(&mut window, "masks", |window| window.state().shows().1);

    let far = frame_of(&window).unwrap().1 - 4;
    go_to(&mut window, far);
    until(&mut window, "masks of a far frame", |window| {
        window.state().shows_frame() == (true, true) && window.state().shows().1
    });
    assert!(done(&window) < far, "the network has not come there in its own turn");

    window.get_by_label("Pause").click();
    window.run_steps(4);
    window.get_by_label("Paused");
    // A step that runs finishes; then nothing moves.
    std::thread::sleep(Duration::from_secs(3));
    window.run_steps(2);
    let held = done(&window);
    std::thread::sleep(Duration::from_secs(1));
    window.run_steps(4);
    assert_eq!(done(&window), held);
    window.get_by_label("Resume").click();
    until(&mut window, "more frames", |window| done(window) > held);
    window.get_by_label("Pause").click();
    window.run_steps(4);
    window.key_press(egui::Key::Escape);
    window.run_steps(2);
    assert!(!is_running(&window));
}
