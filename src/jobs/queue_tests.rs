//! The window's queue, by what a user does with it.

use super::*;
use segment::Library;

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

fn plan() -> Plan {
    Plan { classes: vec!["person".to_owned()], ..Plan::default() }
}

fn names(queue: &Queue) -> Vec<String> {
    queue.snapshot().clips.iter().map(|clip| clip.video.display().to_string()).collect()
}

fn wait_until(queue: &Queue, is_so: impl Fn(&QueueSnapshot) -> bool) {
    while !is_so(&queue.snapshot()) {
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_queue_can_be_changed_and_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/queue.json");
    let queue = Queue::open(&path, machine(folder.path()), || {});
    queue.hold(true);
    for name in ["a", "b", "c"] {
        queue.add(name.into(), plan(), "out".into(), false);
    }
    let id =
        |name: &str| queue.snapshot().clips.iter().find(|clip| clip.video == Path::new(name)).unwrap().id;
    queue.shift(id("c"), -2);
    queue.shift(id("a"), 9);
    assert_eq!(names(&queue), ["c", "b", "a"]);
    queue.remove(id("b"));
    queue.cancel(id("c"));
    queue.finish();
    drop(queue);
    let queue = Queue::open(&path, machine(folder.path()), || {});
    wait_until(&queue, |shown| shown.clips.len() == 2);
    let shown = queue.snapshot();
    assert_eq!(names(&queue), ["c", "a"]);
    assert_eq!(shown.clips[0].state, ClipState::Cancelled);
    assert!(shown.is_held, "nothing begins by itself after a restart");
}

#[test]
fn what_fails_says_why_and_can_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let queue = Queue::open(&folder.path().join("queue.json"), machine(folder.path()), || {});
    queue.add(folder.path().join("gone.mp4"), plan(), folder.path().join("out"), false);
    let has_failed = |shown: &QueueSnapshot| shown.clips[0].state == ClipState::Failed;
    wait_until(&queue, has_failed);
    let error = queue.snapshot().clips[0].error.clone().unwrap();
    assert!(error.contains("no network is installed"), "{error}");
    queue.hold(true);
    queue.retry(queue.snapshot().clips[0].id);
    assert_eq!(
        (queue.snapshot().clips[0].state, queue.snapshot().clips[0].error.clone()),
        (ClipState::Waiting, None)
    );
    queue.hold(false);
    wait_until(&queue, has_failed);
}

#[test]
fn entries_that_this_version_cannot_read_stay_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.json");
    let newer = r#"{"video": "b", "steps": [{"step": "fly"}], "out": "out"}"#;
    let known = r#"{"video": "a", "steps": [{"step": "segment", "classes": ["person"]}], "out": "out"}"#;
    fs::write(&path, format!("[{newer}, {known}]")).unwrap();
    let queue = Queue::open(&path, machine(folder.path()), || {});
    wait_until(&queue, |shown| shown.clips.len() == 1);
    queue.cancel(queue.snapshot().clips[0].id);
    queue.finish();
    drop(queue);
    let kept: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[1], serde_json::from_str::<Value>(newer).unwrap());
}

#[test]
fn a_file_that_is_no_queue_is_put_aside_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.json");
    fs::write(&path, "half of a").unwrap();
    let queue = Queue::open(&path, machine(folder.path()), || {});
    wait_until(&queue, |shown| shown.unsaved.is_some());
    let why = queue.snapshot().unsaved.unwrap();
    assert!(why.contains("queue.unreadable.json"), "{why}");
    assert_eq!(fs::read_to_string(folder.path().join("queue.unreadable.json")).unwrap(), "half of a");
}
