//! The window: draws the state, turns what the user does into commands, and takes in what
//! background work has sent. It never waits for a file, a decoder, a network or a dialog.

mod actions;
mod bars;
mod choice;
mod commands;
mod dialogs;
mod export;
mod history;
mod icons;
mod keys;
mod panel;
mod plots;
mod projects;
mod queue;
mod results;
mod state;
mod stats;
mod text;
mod theme;
mod timeline;
mod toasts;
mod updates;
mod viewer;
mod welcome;
mod widgets;
mod work;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Receiver,
    },
    time::{Duration, Instant},
};

use anyhow::anyhow;
use eframe::egui;

use base::process;
pub use choice::{Choice, Preferences};
pub use commands::Command;
use jobs::Queue;
use project::data_folder;
use segment::Library;
pub use state::State;
use store::Store;
use viewer::Shown;
use work::{Clips, Event, FileTask, Keeper, Mail, PresetChange, Screen};

/// Opens the window, with this video if there is one, and returns when it is closed. How long
/// the window took for its work is written to `frame_stats`.
///
/// # Errors
/// When the system gives no window.
pub fn open(video: Option<PathBuf>, frame_stats: Option<PathBuf>) -> anyhow::Result<()> {
    let begun = Instant::now();
    // The passes share these threads; the screen has its own, which come first.
    let shared = rayon::ThreadPoolBuilder::new().start_handler(|_| process::lower_priority()).build_global();
    if let Err(error) = shared {
        tracing::warn!("the passes don't give way to the screen: {error}");
    }
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_app_id("steadymask")
            .with_title("Steadymask")
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([860.0, 560.0])
            .with_drag_and_drop(true),
        ..Default::default()
    };
    let create: eframe::AppCreator<'_> = Box::new(|creation| {
        let preferences = creation.storage.and_then(|storage| eframe::get_value(storage, PREFERENCES));
        let folders =
            Folders { cache: Store::default_root(), data: data_folder(), library: Library::new(None) };
        let mut app = App::new(&creation.egui_ctx, preferences.unwrap_or_default(), folders);
        app.stats = stats::Stats::to_file(frame_stats, begun);
        if let Some(video) = video {
            app.execute(Command::Open(std::path::absolute(&video).unwrap_or(video)));
        }
        Ok(Box::new(app))
    });
    eframe::run_native("steadymask", options, create).map_err(|error| {
        anyhow!("no window could be opened ({error}); check that DISPLAY or WAYLAND_DISPLAY names a screen with OpenGL, or use «steadymask run»")
    })
}

const PREFERENCES: &str = "preferences";

/// Where the window keeps things.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Results, which can be made again.
    pub cache: PathBuf,
    /// The user's own: presets, and what is open.
    pub data: PathBuf,
    /// Networks.
    pub library: Library,
}

pub struct App {
    pub state: State,
    ctx: egui::Context,
    mail: Mail,
    events: Receiver<Event>,
    /// The cache where the user has not chosen another.
    store: PathBuf,
    clips: Clips,
    keeper: Keeper,
    queue: Queue,
    /// Whether the queue looks otherwise than it did.
    queue_changed: Arc<AtomicBool>,
    screen: Screen,
    /// What is on the screen.
    shown: Option<Shown>,
    /// Something else was asked for, and this frame may still show it.
    awaits_answer: bool,
    strip: timeline::Strip,
    curves: plots::Curves,
    /// Goes up to ask for the frame on the screen again.
    attempt: u64,
    asked: Instant,
    /// When it was last looked whether there is work to keep.
    looked_after: Instant,
    shown_title: String,
    /// Pass 1 shall go on as soon as the networks are known.
    resume: bool,
    /// An export waits for pass 1 to have begun in its range.
    export_follows: bool,
    quit_when_saved: bool,
    /// The window closes, whatever is not saved.
    quitting: bool,
    stats: stats::Stats,
    /// How long `logic` took, until `ui` has its part.
    logic_took: Duration,
}

impl App {
    pub fn new(ctx: &egui::Context, preferences: Preferences, folders: Folders) -> Self {
        let (mail, events) = Mail::new(ctx.clone());
        theme::install(ctx);
        preferences.theme.apply(ctx);
        ctx.set_zoom_factor(preferences.scale.clamp(0.5, 3.0));
        text::set_language(preferences.language);
        work::list_models(mail.clone(), folders.library.clone(), preferences.models.clone());
        work::look_for_cuda(mail.clone());
        // So it was called in version 0.1.0.
        let queue_file = folders.data.join("line.json");
        let keeper = Keeper::new(mail.clone(), folders.data);
        keeper.send(FileTask::Presets(PresetChange::List));
        keeper.send(FileTask::LookForLeftOver);
        let machine = preferences.machine.clone();
        let store = machine.cache_folder.clone().unwrap_or_else(|| folders.cache.clone());
        let clips = Clips::in_folder(store.clone(), machine.cache_bytes());
        let state = State::new(preferences, folders.library, store);
        let queue_changed = Arc::new(AtomicBool::new(false));
        let (changed, screen) = (queue_changed.clone(), ctx.clone());
        let queue = Queue::open(&queue_file, state.queue_machine(), move || {
            changed.store(true, Ordering::Relaxed);
            screen.request_repaint();
        });
        Self {
            state,
            queue,
            queue_changed,
            ctx: ctx.clone(),
            screen: Screen::new(mail.clone(), clips.clone(), machine.preview_bytes()),
            mail,
            events,
            store: folders.cache,
            clips,
            keeper,
            shown: None,
            awaits_answer: false,
            strip: timeline::Strip::default(),
            curves: plots::Curves::default(),
            attempt: 0,
            asked: Instant::now(),
            looked_after: Instant::now(),
            shown_title: String::new(),
            resume: false,
            export_follows: false,
            quit_when_saved: false,
            quitting: false,
            stats: stats::Stats::default(),
            logic_took: Duration::ZERO,
        }
    }
}

impl App {
    /// Whether a picture, and whether masks on it, are on the screen.
    pub fn shows(&self) -> (bool, bool) {
        (self.shown.is_some(), self.shown.as_ref().is_some_and(Shown::has_masks))
    }

    /// Whether the frame under the playhead is on the screen, and whether it is its own
    /// picture, not its proxy.
    pub fn shows_frame(&self) -> (bool, bool) {
        let (Some(shown), Some(clip)) = (&self.shown, &self.state.clip) else { return (false, false) };
        let is_shown = shown.is_of(&clip.path, self.state.player.frame);
        (is_shown, is_shown && shown.is_sharp())
    }

    /// Whether it is about to go.
    pub fn is_closing(&self) -> bool {
        self.quitting
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _: &mut eframe::Frame) {
        let since = Instant::now();
        self.update(ctx);
        self.logic_took = since.elapsed();
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let since = Instant::now();
        let mut commands = Vec::new();
        bars::top(ui, &self.state, &mut commands);
        bars::status(ui, &self.state, &mut commands);
        panel::show(ui, &mut self.state, &mut commands);
        if self.state.clip.is_some() {
            plots::show(ui, &self.state, &mut self.curves, &mut commands);
            timeline::show(ui, &self.state, &mut self.strip, &mut commands);
            viewer::show(ui, &mut self.state, self.shown.as_ref(), &mut commands);
        } else {
            welcome::show(ui, &mut self.state, &mut commands);
        }
        dialogs::show(ui.ctx(), &mut self.state, &mut commands);
        bars::toasts(ui.ctx(), &self.state, &mut commands);
        bars::drop_target(ui.ctx());
        for command in commands {
            self.execute(command);
        }
        // What was just changed is asked for at once, not a frame later.
        self.want();
        self.take_answer();
        self.stats.frame(self.logic_took, since.elapsed(), frame.info().cpu_usage);
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        eframe::set_value(storage, PREFERENCES, &self.state.preferences);
    }

    fn on_exit(&mut self, _: Option<&eframe::glow::Context>) {
        self.stop_all();
        self.wait_for_export();
        self.keeper.finish();
        self.queue.finish();
        self.stats.write();
    }
}
