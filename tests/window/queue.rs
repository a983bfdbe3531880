//! Several files that are dropped together.

use std::{path::Path, sync::Arc};

use egui_kittest::{Harness, kittest::Queryable as _};
use steadymask::{
    app::{App, Folders, Preferences},
    jobs::LineState,
};

use crate::{
    needs,
    workbench::{Dropped, Window, alone, pictures, until},
};

/// A window whose network and class are chosen.
fn window(folder: &Path) -> Window {
    let folders = Folders { cache: folder.join("cache"), data: folder.join("data") };
    let preferences: Preferences = serde_json::from_str(
        r#"{"language": "English", "theme": "Dark", "choice": {"model": "selfie", "classes": ["person"]}}"#,
    )
    .unwrap();
    Harness::builder()
        .with_size([1280.0, 800.0])
        .build_eframe(move |creation| App::new(&creation.egui_ctx, preferences, folders))
}

#[test]
fn dropped_files_wait_in_line_are_done_and_are_there_after_a_restart() {
    let _alone = alone();
    if !needs::network(needs::SELFIE) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clips = ["a", "b", "c"].map(|name| pictures(&folder.path().join(name), 4));
    let mut window = window(folder.path());
    until(&mut window, "the networks are known", |window| window.state().state.models.is_some());
    for clip in &clips {
        window.input_mut().dropped_files.push(Arc::new(Dropped::new(clip)));
    }
    window.step();
    until(&mut window, "the first is open", |window| window.state().state.clip.is_some());
    let add = "Add 2 dropped files";
    until(&mut window, "the others can be added", |window| window.query_by_label(add).is_some());
    window.get_by_label(add).click();
    let states = |window: &Window| -> Vec<LineState> {
        window.state().state.line.clips.iter().map(|clip| clip.state).collect()
    };
    until(&mut window, "they are done", |window| states(window) == [LineState::Done; 2]);
    for name in ["b", "c"] {
        assert!(folder.path().join(name).join("pictures-steady/metrics.csv").is_file());
    }

    // Held, the next one waits, and can be taken to the top.
    until(&mut window, "it can be held", |window| window.query_by_label("Pause the queue").is_some());
    window.get_by_label("Pause the queue").click();
    until(&mut window, "it is held", |window| window.state().state.line.is_held);
    window.get_by_label("Add this clip").click();
    until(&mut window, "it waits", |window| states(window).last() == Some(&LineState::Waiting));
    until(&mut window, "it is on the disk", |_| {
        std::fs::read_to_string(folder.path().join("data/line.json"))
            .is_ok_and(|text| text.contains("waiting"))
    });
    drop(window);
    let mut again = self::window(folder.path());
    until(&mut again, "the line is there", |window| window.state().state.line.clips.len() == 3);
    assert!(again.state().state.line.is_held, "nothing begins by itself");
}
