//! A window without a screen, and what it is fed with.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use egui::{Key, Modifiers, PointerButton, Pos2};
use egui_kittest::{Harness, kittest::Queryable as _};
use steadymask::app::{App, Folders, Preferences};

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

pub fn window(store: &Path) -> Window {
    let folders = Folders { cache: store.join("cache"), data: store.join("data") };
    let preferences: Preferences =
        serde_json::from_str(r#"{"language": "English", "theme": "Dark"}"#).unwrap();
    Harness::builder()
        .with_size([1280.0, 800.0])
        .build_eframe(move |creation| App::new(&creation.egui_ctx, preferences, folders))
}

/// A window that knows its networks.
pub fn window_with_networks(store: &Path) -> Window {
    let mut window = window(store);
    until(&mut window, "networks", |window| window.state().state.models.is_some());
    window
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
        let toasts: Vec<&str> = window.state().state.toasts.iter().map(|toast| &*toast.text).collect();
        assert!(since.elapsed() < Duration::from_secs(120), "waited in vain: {what}; {toasts:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A window with a network at work on a real clip: the larger one, which is not done at once.
pub fn at_work(folder: &Path) -> Option<Window> {
    let clip = clip(folder, DEEPLAB)?;
    let mut window = window_with_networks(folder);
    window.state_mut().state.choice.model = Some(DEEPLAB.to_owned());
    drop_on(&mut window, &clip);
    until(&mut window, "a picture", |window| window.state().shows().0);
    window.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
    Some(window)
}

/// How many frames the network has seen.
pub fn done(window: &Window) -> usize {
    window.state().state.job.as_ref().map_or(0, |job| job.progress.network.snapshot().done)
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
    window.state().state.toasts.iter().any(|toast| toast.text.contains(words))
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
