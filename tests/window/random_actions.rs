//! A thousand things in any order: no panic, no deadlock, no memory that only grows.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use egui::{
    Event, Key, Modifiers, MouseWheelSource, MouseWheelUnit, PointerButton, Pos2, TouchPhase, pos2, vec2,
};
use egui_kittest::kittest::NodeT as _;

use crate::workbench::{Window, alone, drop_on, pictures, until, window_with_networks};

/// Or as many as `STEADYMASK_RANDOM_ACTIONS` says.
const ACTIONS: usize = 1000;
const KEYS: [Key; 28] = [
    Key::Space,
    Key::J,
    Key::K,
    Key::L,
    Key::ArrowLeft,
    Key::ArrowRight,
    Key::Home,
    Key::End,
    Key::I,
    Key::O,
    Key::N,
    Key::P,
    Key::Num1,
    Key::Num2,
    Key::Num3,
    Key::Num4,
    Key::Num5,
    Key::Num6,
    Key::Num0,
    Key::F,
    Key::R,
    Key::Z,
    Key::Y,
    Key::Escape,
    Key::Tab,
    Key::Enter,
    Key::F1,
    Key::Backspace,
];
/// Open a dialog of the system, or a page in a browser.
const OUTSIDE: [&str; 6] = ["Open", "…", "Browse", "Choose", "Save", "Licence"];

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn share(&mut self) -> f32 {
        self.below(1 << 20) as f32 / (1 << 20) as f32
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// `None` where the system doesn't say.
fn memory_mib() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? / 1024)
}

/// Says what the window was doing when it stopped answering, and ends the test.
struct Watchdog(Arc<AtomicUsize>);

impl Watchdog {
    const PATIENCE: Duration = Duration::from_secs(120);

    fn new() -> Self {
        let beats = Arc::new(AtomicUsize::new(0));
        let watched = Arc::downgrade(&beats);
        thread::spawn(move || {
            let mut last = usize::MAX;
            while let Some(beats) = watched.upgrade() {
                let now = beats.load(Ordering::Relaxed);
                if now == last {
                    eprintln!("the window has not answered action {now} for {:?}", Self::PATIENCE);
                    std::process::exit(101);
                }
                last = now;
                drop(beats);
                thread::sleep(Self::PATIENCE);
            }
        });
        Self(beats)
    }

    fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Of all threads: those beside the window end, or are caught, and nobody else notices.
fn count_panics() -> Arc<AtomicUsize> {
    let panics = Arc::new(AtomicUsize::new(0));
    let (count, before) = (panics.clone(), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        count.fetch_add(1, Ordering::Relaxed);
        before(panic);
    }));
    panics
}

fn press(window: &mut Window, at: Pos2, pressed: bool) {
    let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
    window.event(Event::PointerButton { pos: at, button, pressed, modifiers });
}

fn drag(window: &mut Window, from: Pos2, to: Pos2) {
    window.hover_at(from);
    window.step();
    press(window, from, true);
    window.step();
    window.hover_at(from + (to - from) / 2.0);
    window.step();
    window.hover_at(to);
    window.step();
    press(window, to, false);
    window.step();
}

/// Something that can be clicked and stays inside the window.
fn click_something(window: &mut Window, random: &mut Random) -> String {
    use egui::accesskit::Role;
    let clickable = [Role::Button, Role::CheckBox, Role::RadioButton, Role::ComboBox, Role::Slider];
    let root = window.root();
    let found: Vec<_> = root
        .children_recursive()
        .filter(|node| {
            let node = node.accesskit_node();
            let name = node.label().unwrap_or_default();
            clickable.contains(&node.role())
                && !node.is_disabled()
                && !OUTSIDE.iter().any(|word| name.contains(word))
        })
        .collect();
    let Some(node) = found.get(random.below(found.len().max(1))) else { return String::new() };
    let name = node.accesskit_node().label().unwrap_or_default();
    node.click();
    name
}

fn act(window: &mut Window, random: &mut Random, files: &[PathBuf], size: &mut egui::Vec2) -> String {
    let anywhere =
        |random: &mut Random, size: egui::Vec2| pos2(random.share() * size.x, random.share() * size.y);
    match random.below(16) {
        0..=4 => {
            let key = KEYS[random.below(KEYS.len())];
            let modifiers = match random.below(6) {
                0 => Modifiers::SHIFT,
                1 if key != Key::O => Modifiers::COMMAND,
                _ => Modifiers::NONE,
            };
            window.key_press_modifiers(modifiers, key);
            format!("{modifiers:?} {key:?}")
        }
        5..=8 => format!("click «{}»", click_something(window, random)),
        9 => {
            let file = &files[random.below(files.len())];
            drop_on(window, file);
            format!("drop {}", file.display())
        }
        10 => {
            window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
            "stabilise".to_owned()
        }
        11 => {
            *size = vec2(400.0 + 2000.0 * random.share(), 300.0 + 1200.0 * random.share());
            window.set_size(*size);
            format!("resize to {size}")
        }
        12 => {
            let (from, to) = (anywhere(random, *size), anywhere(random, *size));
            drag(window, from, to);
            format!("drag {from} {to}")
        }
        13 => {
            // The left side, where sliders are.
            let from = pos2(80.0 + 110.0 * random.share(), 200.0 + 400.0 * random.share());
            let to = from + vec2(160.0 * random.share() - 80.0, 0.0);
            drag(window, from, to);
            format!("drag {from} {to}")
        }
        14 => {
            let at = anywhere(random, *size);
            window.hover_at(at);
            window.step();
            let delta = vec2(0.0, 200.0 * random.share() - 100.0);
            let (unit, phase, source) = (MouseWheelUnit::Point, TouchPhase::Move, MouseWheelSource::Unknown);
            let modifiers = Modifiers::NONE;
            window.event(Event::MouseWheel { unit, delta, phase, source, modifiers });
            format!("wheel {delta} at {at}")
        }
        _ => {
            thread::sleep(Duration::from_millis(random.below(120) as u64));
            "wait".to_owned()
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let write = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path
    };
    vec![
        pictures(folder, 12),
        write("no video.mp4", b"these are words"),
        write("empty.mov", b""),
        write("half.steadymask.json", br#"{"version": 1, "#),
        write("not a network.pt", b"PK not really"),
        folder.join("missing.mkv"),
        pictures(&folder.join("another"), 7),
        PathBuf::from("/dev/null"),
    ]
}

#[test]
fn anything_in_any_order() {
    let (_alone, folder) = (alone(), tempfile::tempdir().unwrap());
    let seed = number("STEADYMASK_RANDOM_SEED").unwrap_or(1);
    let actions = number("STEADYMASK_RANDOM_ACTIONS").map_or(ACTIONS, |actions| actions as usize);
    println!("STEADYMASK_RANDOM_SEED={seed} STEADYMASK_RANDOM_ACTIONS={actions}");
    let mut random = Random(seed);
    let mut window = window_with_networks(folder.path());
    let files = files(folder.path());
    drop_on(&mut window, &files[0]);
    until(&mut window, "a picture", |window| window.state().shows().0);

    let panics = count_panics();
    let watchdog = Watchdog::new();
    let mut size = vec2(1280.0, 800.0);
    let (mut early_mib, mut most_mib) = (None, 0);
    for action in 0..actions {
        let done = act(&mut window, &mut random, &files, &mut size);
        println!("{action}: {done}");
        for _ in 0..1 + random.below(3) {
            window.step();
        }
        watchdog.beat();
        if action == actions / 3 {
            early_mib = memory_mib();
        }
        most_mib = most_mib.max(memory_mib().unwrap_or(0));
    }
    // It still answers: what runs can be stopped, and a clip can be opened.
    for _ in 0..4 {
        window.key_press(Key::Escape);
        window.step();
    }
    window.set_size(vec2(1280.0, 800.0));
    drop_on(&mut window, &files[0]);
    until(&mut window, "the clip once more", |window| {
        let state = &window.state().state;
        state.opening.is_none() && state.clip.as_ref().is_some_and(|clip| clip.path == files[0])
    });
    assert_eq!(panics.load(Ordering::Relaxed), 0, "threads panicked");
    if let Some(early_mib) = early_mib {
        println!("{early_mib} MiB after a third, {most_mib} MiB at most");
        // By then the network was loaded, or it never is; what comes on top is the budget's.
        assert!(most_mib < early_mib + 512 + 400, "{early_mib} MiB, then {most_mib} MiB");
    }
}
