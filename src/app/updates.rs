//! What happens between two pictures: events are taken in, keys and drops become commands,
//! time moves the playhead, and the screen is asked for what it shall show.

use std::time::{Duration, Instant};

use eframe::egui;

use super::{
    App,
    commands::Command,
    keys,
    text::{Text, fill, t},
    view::Mode,
    viewer::Shown,
    work::{Event, Look, Wanted},
};

/// A slider that is moved on within this time is not measured yet.
const SETTLED: Duration = Duration::from_millis(250);
/// How often an incomplete frame is looked at again while the network runs.
const AGAIN: Duration = Duration::from_millis(200);
/// How long closing waits for an export to take its unfinished files away.
const EXIT_PATIENCE: Duration = Duration::from_secs(2);

impl App {
    pub(super) fn update(&mut self, ctx: &egui::Context) {
        while let Ok(event) = self.events.try_recv() {
            self.take(event);
        }
        self.take_drops(ctx);
        for command in keys::commands(ctx, self.state.dialog, self.state.view.raw_only) {
            self.run(command);
        }
        self.advance(ctx);
        if self.state.changed.is_some_and(|since| since.elapsed() >= SETTLED) {
            self.measure();
        } else if self.state.changed.is_some() {
            ctx.request_repaint_after(SETTLED);
        }
        if let Some(left) = self.state.toasts.expire() {
            ctx.request_repaint_after(left);
        }
        if self.is_busy() {
            // Progress moves without anybody touching anything.
            ctx.request_repaint_after(Duration::from_millis(200));
        }
        self.want();
    }

    fn is_busy(&self) -> bool {
        let state = &self.state;
        state.is_running()
            || state.exporting.is_some()
            || state.opening.is_some()
            || state.measuring.as_ref().is_some_and(|measuring| measuring.running)
    }

    fn take(&mut self, event: Event) {
        let state = &mut self.state;
        match event {
            Event::Chosen(path) => self.run(Command::Open(path)),
            Event::FolderChosen(path) => state.plan.folder = path.display().to_string(),
            Event::Models(models) => {
                let known = |name: &String| models.iter().any(|model| &model.name == name);
                if !state.choice.model.as_ref().is_some_and(known) {
                    state.choice.model = models.first().map(|model| model.name.clone());
                }
                state.models = Some(models);
                self.default_classes();
            }
            Event::Opened { path, result } => {
                if state.opening.as_ref() != Some(&path) {
                    return;
                }
                state.opening = None;
                match result {
                    Ok((clip, source)) => {
                        self.screen.adopt(path, source);
                        self.opened(clip);
                    }
                    Err(error) => state.toasts.error(error),
                }
            }
            Event::Painted(painted) => {
                if state.clip.as_ref().is_some_and(|clip| clip.path == painted.wanted.path) {
                    self.stats.painted(&painted);
                    let shown = self.shown.take();
                    self.shown = Shown::update(shown, *painted, &self.ctx);
                }
            }
            Event::Sharp { path, index, image } => {
                if let Some(shown) = self.shown.as_mut().filter(|shown| shown.is_of(&path, index)) {
                    self.stats.sharp(&path, index);
                    shown.sharpen(image);
                }
            }
            Event::NotPainted { path, error } => {
                if state.clip.as_ref().is_some_and(|clip| clip.path == path) {
                    state.player.playing = None;
                    state.toasts.error(error);
                }
            }
            Event::Counted { path, frames } => {
                if let Some(clip) = state.clip.as_mut().filter(|clip| clip.path == path) {
                    clip.frames = frames.max(1);
                    state.player.frame = state.player.frame.min(clip.frames - 1);
                }
            }
            Event::Session { job, session } => {
                if let Some(current) = state.job.as_mut().filter(|current| current.id == job) {
                    current.session = Some(session);
                    self.measure();
                }
            }
            Event::Device { job, name } => {
                if let Some(current) = state.job.as_mut().filter(|current| current.id == job) {
                    current.device = Some(name);
                }
            }
            Event::Coverage { job, coverage } => {
                if state.job.as_ref().is_some_and(|current| current.id == job) {
                    state.results.coverage = coverage;
                }
            }
            Event::Analysed { job, result } => {
                let Some(current) = state.job.as_mut().filter(|current| current.id == job) else { return };
                current.running = false;
                self.attempt += 1;
                match result {
                    Ok(Some(loss)) => {
                        current.complete = true;
                        if let (Some(session), Some(clip)) = (&current.session, &mut state.clip)
                            && let Ok(Some(frames)) = session.tracks.segmented.length()
                        {
                            clip.frames = frames.max(1);
                            state.player.frame = state.player.frame.min(clip.frames - 1);
                        }
                        if let Some(loss) = loss {
                            state.toasts.error(fill(Text::Loss, &[&loss]));
                        }
                    }
                    Ok(None) => {}
                    Err(error) => state.toasts.error(error),
                }
            }
            Event::Rows { pass, rows } => {
                if self.is_current(pass) {
                    self.state.results.push(rows);
                }
            }
            Event::Measured { pass, result } => {
                if !self.is_current(pass) {
                    return;
                }
                if let Some(measuring) = &mut self.state.measuring {
                    measuring.running = false;
                }
                // Its masks are there now.
                self.attempt += 1;
                match result {
                    Ok(Some(summaries)) => self.state.results.finish(summaries),
                    Ok(None) => {}
                    Err(error) => self.state.toasts.error(error),
                }
            }
            Event::Exported(result) => {
                state.exporting = None;
                match result {
                    Ok(Some(files)) => {
                        let text = fill(Text::ExportDone, &[&files.len(), &state.plan.folder]);
                        state.toasts.info(text);
                    }
                    Ok(None) => state.toasts.info(t(Text::Cancelled)),
                    Err(error) => state.toasts.error(error),
                }
            }
        }
    }

    fn is_current(&self, pass: u64) -> bool {
        let is_running = |measuring: &&super::state::Measuring| measuring.running;
        self.state.measuring.as_ref().filter(is_running).is_some_and(|measuring| measuring.pass == pass)
    }

    /// People are what most clips are about.
    fn default_classes(&mut self) {
        let Some(model) = self.state.model() else { return };
        let known = |name: &String| model.manifest.classes.contains(name);
        if self.state.choice.classes.iter().any(known) {
            return;
        }
        let classes = &model.manifest.classes;
        let person = classes.iter().find(|name| *name == "person");
        let first = person.or_else(|| classes.iter().find(|name| *name != "background"));
        self.state.choice.classes = first.cloned().into_iter().collect();
    }

    fn take_drops(&mut self, ctx: &egui::Context) {
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        let mut paths = dropped.iter().map(|file| file.path().to_owned());
        if let Some(first) = paths.next() {
            self.state.waiting = paths.collect();
            self.run(Command::Open(first));
        }
    }

    /// Moves the playhead at the clip's own speed.
    fn advance(&mut self, ctx: &egui::Context) {
        let (Some(playing), Some(clip)) = (self.state.player.playing, &self.state.clip) else { return };
        let rate = clip.info.frames_per_sec.max(1.0);
        let moved = (playing.since.elapsed().as_secs_f64() * rate * playing.speed).trunc() as i64;
        let to = playing.from as i64 + moved;
        let last = clip.frames as i64 - 1;
        self.state.player.frame = to.clamp(0, last) as usize;
        if !(0..=last).contains(&to) {
            self.state.player.playing = None;
        } else {
            ctx.request_repaint_after(Duration::from_secs_f64(0.5 / rate));
        }
    }

    /// Asks for what shall be on the screen; asking twice costs nothing.
    pub(super) fn want(&mut self) {
        let Some(clip) = &self.state.clip else { return };
        let recipe = self.state.recipe();
        let incomplete = self.shown.as_ref().is_some_and(|shown| !shown.complete);
        let measuring = self.state.measuring.as_ref();
        let more_comes = self.state.is_running() || measuring.is_some_and(|measuring| measuring.running);
        if incomplete && more_comes && self.asked.elapsed() >= AGAIN && recipe.is_some() {
            self.attempt += 1;
            self.asked = Instant::now();
        }
        let look = match self.state.view.mode {
            Mode::Side | Mode::Wipe => Look::Masks,
            Mode::Overlay => Look::Outlines,
            Mode::Difference => Look::Difference,
            Mode::Matte => Look::Matte,
            Mode::Heat => Look::Heat,
        };
        let look = if self.state.view.raw_only && matches!(look, Look::Outlines | Look::Difference) {
            Look::Masks
        } else {
            look
        };
        let wanted = Wanted {
            path: clip.path.clone(),
            index: self.state.player.frame,
            look,
            recipe,
            attempt: self.attempt,
            stable: measuring.map(|measuring| measuring.stable.clone()),
        };
        self.stats.wanted(&wanted);
        self.screen.want(wanted);
    }

    /// Unfinished files go before the process does.
    pub(super) fn wait_for_export(&mut self) {
        let since = Instant::now();
        while self.state.exporting.is_some() && since.elapsed() < EXIT_PATIENCE {
            if let Ok(Event::Exported(_)) = self.events.recv_timeout(Duration::from_millis(50)) {
                self.state.exporting = None;
            }
        }
    }
}
