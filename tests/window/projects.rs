//! Projects: saved, opened elsewhere, and what a crash left of them.

use std::fs;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;

use crate::workbench::{
    Window, alone, click, drop_on, fill, frame_of, open_pictures, pictures, press, toasted, until,
    window_with_networks,
};

#[test]
fn a_project_comes_back_as_it_was() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let mut first = window_with_networks(folder.path());
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
    let changed = |window: &Window| window.state().state.is_changed();
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
    let mut second = window_with_networks(folder.path());
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
    let mut window = window_with_networks(folder.path());
    until(&mut window, "an offer", |window| window.query_by_label("Open it again").is_some());
    click(&mut window, "Open it again");
    until(&mut window, "a picture", |window| window.state().shows().0);
    let state = &window.state().state;
    assert_eq!((frame_of(&window), state.range().first), (Some((7, 11)), 4));
    assert_eq!(state.choice.plan.settings.window.frames(), 3);
    let between = (state.choice.plan.settings.alpha.get(), state.choice.plan.settings.threshold.get());
    assert_eq!(between, (0.123, 0.333), "sliders leave values between their steps alone");
    // From now on this window's own work is kept.
    until(&mut window, "work that is kept", |_| {
        let names: Vec<String> =
            fs::read_dir(&open).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.iter().any(|name| name.ends_with(".kept")) && !names.iter().any(|name| name.contains("dead"))
    });
}
