//! A window without a screen, and what it is fed with.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use egui::accesskit::Role;
use egui::{Key, Modifiers, PointerButton, Pos2};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};
use steadymask::{
    app::{App, Folders, Preferences},
    export::ExportKind,
    segment::Library,
};

use crate::{
    needs::{self, DEEPLAB},
    sample,
};

pub type Window = Harness<'static, App>;

/// One window at a time: the language is the process's, and machines have few cores.
static ALONE: Mutex<()> = Mutex::new(());

pub fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Preferences of every test.
const PREFERENCES: &str = r#"{"language": "English", "theme": "Dark"}"#;

pub fn window(store: &Path) -> Window {
    let folders =
        Folders { cache: store.join("cache"), data: store.join("data"), library: Library::new(None) };
    window_in(folders, PREFERENCES)
}

pub fn window_in(folders: Folders, preferences: &str) -> Window {
    let preferences: Preferences = serde_json::from_str(preferences).unwrap();
    Harness::builder()
        .with_size([1280.0, 800.0])
        .build_eframe(move |creation| App::new(&creation.egui_ctx, preferences, folders))
}

/// A window that knows its networks.
pub fn window_with_networks(store: &Path) -> Window {
    let mut window = window(store);
    await_networks(&mut window);
    window
}

pub fn await_networks(window: &mut Window) {
    until(window, "networks", |window| {
        let list = window.query_by_role_and_label(Role::ComboBox, "Network");
        list.is_some() || window.query_by_label("Look again").is_some()
    });
}

/// What version 0.1.0 wrote.
pub const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v0.1.0");

/// A window with a network that copies a channel and its negative, and so is there at once; a class
/// of it is chosen.
pub fn window_with_light_and_dark(store: &Path) -> Window {
    let library = Library::only(&Path::new(GOLDEN).join("data/steadymask/models"));
    let folders = Folders { cache: store.join("cache"), data: store.join("data"), library };
    let preferences = r#"{"language": "English", "theme": "Dark",
        "choice": {"model": "light-dark", "classes": ["light"]}}"#;
    let mut window = window_in(folders, preferences);
    await_networks(&mut window);
    window
}

/// Chooses an entry of a list, if it isn't chosen.
#[track_caller]
pub fn choose(window: &mut Window, list: &str, entry: &str) {
    let found = window.get_by_role_and_label(Role::ComboBox, list);
    if found.value().as_deref() != Some(entry) {
        found.click();
        window.run_steps(4);
        click(window, entry);
    }
}

/// Every text on the screen.
pub fn texts(window: &Window) -> Vec<String> {
    let root = window.root();
    let text = |node: &egui_kittest::Node<'_>| {
        let node = node.accesskit_node();
        node.label().or_else(|| node.value())
    };
    root.children_recursive().filter_map(|node| text(&node)).collect()
}

/// The frame under the playhead, and the clip's last one.
pub fn frame_of(window: &Window) -> Option<(usize, usize)> {
    texts(window).iter().find_map(|text| {
        let (frame, last) = text.strip_prefix("frame ")?.split_once(" of ")?;
        Some((frame.parse().ok()?, last.parse().ok()?))
    })
}

/// Clicks where this frame is on the timeline.
#[track_caller]
pub fn go_to(window: &mut Window, frame: usize) {
    let (_, last) = frame_of(window).unwrap();
    let lane = window.get_by_label("Timeline").rect();
    let x = lane.left() + (frame as f32 + 0.5) / (last + 1) as f32 * lane.width();
    click_at(window, egui::pos2(x, lane.center().y));
    window.run_steps(2);
    assert_eq!(frame_of(window), Some((frame, last)));
}

/// Whether the network is at work.
pub fn is_running(window: &Window) -> bool {
    window.query_by_label("Stabilise").is_none()
}

/// Runs the network over what lies between In and Out.
#[track_caller]
pub fn stabilise(window: &mut Window) {
    click(window, "Stabilise");
    until(window, "a summary", has_summary);
}

/// Whether everything has been measured under the settings of now.
pub fn has_summary(window: &Window) -> bool {
    let results = &window.state().state.results;
    results.summary().is_some() && window.state().state.changed.is_none() && !is_running(window)
}

/// Steps until it is so.
#[track_caller]
pub fn until(window: &mut Window, what: &str, is_so: impl Fn(&Window) -> bool) {
    let since = Instant::now();
    loop {
        window.step();
        if is_so(window) {
            // What came late in this frame, its controls show in the next.
            return window.step();
        }
        assert!(since.elapsed() < Duration::from_secs(120), "waited in vain: {what}; {:?}", texts(window));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A window with a network at work on a real clip: the larger one, which is not done at once.
pub fn at_work(folder: &Path) -> Option<Window> {
    let clip = clip(folder, DEEPLAB)?;
    let mut window = window_with_networks(folder);
    choose(&mut window, "Network", DEEPLAB);
    drop_on(&mut window, &clip);
    until(&mut window, "a picture", |window| window.state().shows().0);
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    Some(window)
}

/// How many frames the network has seen, as the status bar says while it runs.
pub fn done(window: &Window) -> usize {
    let done = texts(window).into_iter().find_map(|text| text.split_once(" / ")?.0.parse().ok());
    done.unwrap_or(0)
}

#[derive(Debug)]
pub struct Dropped(PathBuf);

impl Dropped {
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

pub fn drop_on(window: &mut Window, path: &Path) {
    window.input_mut().dropped_files.push(Arc::new(Dropped(path.to_owned())));
    window.step();
}

/// A folder of pictures in which a square moves to the right.
pub fn pictures(folder: &Path, count: u32) -> PathBuf {
    let folder = folder.join("pictures");
    std::fs::create_dir_all(&folder).unwrap();
    for frame in 0..count {
        let inside = |x: u32, y: u32| (8 + 2 * frame..24 + 2 * frame).contains(&x) && (8..24).contains(&y);
        let picture = image::RgbImage::from_fn(64, 48, |x, y| {
            image::Rgb(if inside(x, y) { [220, 60, 60] } else { [40, 80, 40] })
        });
        picture.save(folder.join(format!("{frame:03}.png"))).unwrap();
    }
    folder
}

pub fn toasted(window: &Window, words: &str) -> bool {
    let is_there = window.query_all_by_label("Dismiss").next().is_some();
    is_there && window.query_all_by_label_contains(words).next().is_some()
}

/// A small real clip, where this network is there to see it.
pub fn clip(folder: &Path, network: &str) -> Option<PathBuf> {
    (needs::ffmpeg() && needs::network(network)).then(|| sample::people(folder))
}

pub fn open_pictures(window: &mut Window, folder: &Path) -> PathBuf {
    let pictures = pictures(folder, 12);
    drop_on(window, &pictures);
    until(window, "a picture", |window| window.state().shows().0);
    pictures
}

#[track_caller]
pub fn click(window: &mut Window, label: &str) {
    // A caption comes before what it names, and a dialog after what lies under it.
    let all: Vec<_> = window.get_all_by_label(label).collect();
    all.last().unwrap().click();
    window.run_steps(4);
}

pub fn press(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    window.run_steps(2);
}

pub fn click_at(window: &mut Window, at: Pos2) {
    window.hover_at(at);
    window.step();
    for pressed in [true, false] {
        let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
        window.event(egui::Event::PointerButton { pos: at, button, pressed, modifiers });
        window.step();
    }
}

/// What is typed into the field of this name, in place of what is there.
pub fn fill(window: &mut Window, label: &str, text: &str) {
    let fields: Vec<_> = window.get_all_by_label(label).collect();
    fields.last().unwrap().focus();
    window.run_steps(2);
    press(window, Modifiers::COMMAND, Key::A);
    window.event(egui::Event::Text(text.to_owned()));
    window.run_steps(3);
}

/// In the export dialog: the numbers of each frame, and nothing else.
#[track_caller]
pub fn only_csv(window: &mut Window) {
    for kind in ExportKind::ALL {
        let is_wanted = kind == ExportKind::Csv;
        let all: Vec<_> = window.get_all_by_label(kind.info().summary).collect();
        let node = all.last().unwrap();
        let is_chosen = node.accesskit_node().toggled() == Some(egui::accesskit::Toggled::True);
        if is_chosen != is_wanted {
            // It may have been scrolled out of sight.
            node.click_accesskit();
            window.run_steps(2);
        }
    }
}
