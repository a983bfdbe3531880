//! The window's queue, by what a user does with it.

use super::*;
use crate::{project::SegmentStep, segment::library::Library};

fn machine(folder: &Path) -> Machine {
    Machine {
        library: Library::only(folder),
        trust_model: false,
        threads: 1,
        memory_bytes: 64 << 20,
        store: folder.join("store"),
        store_limit_bytes: u64::MAX,
    }
}

fn steps() -> Vec<Step> {
    let classes = vec!["person".to_owned()];
    vec![Step::Segment(SegmentStep { model: None, classes, device: Default::default() })]
}

fn names(lineup: &Lineup) -> Vec<String> {
    lineup.shown().clips.iter().map(|clip| clip.video.display().to_string()).collect()
}

fn wait_until(lineup: &Lineup, is_so: impl Fn(&Shown) -> bool) {
    while !is_so(&lineup.shown()) {
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_line_can_be_changed_and_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/line.json");
    let lineup = Lineup::open(&path, machine(folder.path()), || {});
    lineup.hold(true);
    for name in ["a", "b", "c"] {
        lineup.add(name.into(), steps(), "out".into());
    }
    let id = |name: &str| lineup.shown().clips.iter().find(|clip| clip.video == Path::new(name)).unwrap().id;
    lineup.shift(id("c"), -2);
    lineup.shift(id("a"), 9);
    assert_eq!(names(&lineup), ["c", "b", "a"]);
    lineup.remove(id("b"));
    lineup.cancel(id("c"));
    lineup.finish();
    drop(lineup);
    let lineup = Lineup::open(&path, machine(folder.path()), || {});
    wait_until(&lineup, |shown| shown.clips.len() == 2);
    let shown = lineup.shown();
    assert_eq!(names(&lineup), ["c", "a"]);
    assert_eq!(shown.clips[0].state, LineState::Cancelled);
    assert!(shown.is_held, "nothing begins by itself after a restart");
}

#[test]
fn what_fails_says_why_and_can_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let lineup = Lineup::open(&folder.path().join("line.json"), machine(folder.path()), || {});
    lineup.add(folder.path().join("gone.mp4"), steps(), folder.path().join("out"));
    let has_failed = |shown: &Shown| shown.clips[0].state == LineState::Failed;
    wait_until(&lineup, has_failed);
    let error = lineup.shown().clips[0].error.clone().unwrap();
    assert!(error.contains("no network is installed"), "{error}");
    lineup.hold(true);
    lineup.retry(lineup.shown().clips[0].id);
    assert_eq!(
        (lineup.shown().clips[0].state, lineup.shown().clips[0].error.clone()),
        (LineState::Waiting, None)
    );
    lineup.hold(false);
    wait_until(&lineup, has_failed);
}
