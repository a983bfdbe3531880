//! What happens between two pictures: events are taken in, keys and drops become commands,
//! time moves the playhead, and the screen is asked for what it shall show.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use eframe::egui;

use crate::{
    App,
    commands::Command,
    keys,
    panel::tuning_words,
    state::Dialog,
    text::{Text, fill, t},
    viewer::{Shown, view::Mode},
    work::{Event, Look, OpenedProject, ProjectFound, RunSummary, Usage, ViewRequest},
};

/// A slider that is moved on within this time is not measured yet.
const SETTLED: Duration = Duration::from_millis(250);
/// How often an incomplete frame is looked at again while the network runs.
const AGAIN: Duration = Duration::from_millis(200);
/// How often it is looked whether there is work to keep against a crash.
const KEPT_EVERY: Duration = Duration::from_millis(500);
/// How long a frame is held back for the picture that it shall show. Drawing one can take far
/// longer where no graphics card does it, and the picture would have to wait for that.
const AT_ONCE: Duration = Duration::from_millis(4);
/// How long closing waits for an export to take its unfinished files away.
const EXIT_PATIENCE: Duration = Duration::from_secs(2);

impl App {
    pub(crate) fn update(&mut self, ctx: &egui::Context) {
        while let Ok(event) = self.events.try_recv() {
            self.take(event);
        }
        self.take_drops(ctx);
        if self.queue_changed.swap(false, Ordering::Relaxed) || self.state.queue.progress.is_some() {
            self.state.queue = self.queue.snapshot();
        }
        for command in keys::commands(ctx, &self.state) {
            self.execute(command);
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
        self.look_after_project(ctx);
        self.want();
    }

    /// Its title, and what is kept against a crash.
    fn look_after_project(&mut self, ctx: &egui::Context) {
        if ctx.input(|input| input.viewport().close_requested()) && !self.may_close() {
            ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
        }
        if self.looked_after.elapsed() < KEPT_EVERY {
            ctx.request_repaint_after(KEPT_EVERY);
            return;
        }
        self.looked_after = Instant::now();
        self.keep();
        let title = self.title();
        if title != self.shown_title {
            ctx.send_viewport_cmd(egui::ViewportCommand::Title(title.clone()));
            self.shown_title = title;
        }
    }

    fn is_busy(&self) -> bool {
        let state = &self.state;
        state.is_running()
            || state.exporting.is_some()
            || state.tuning.is_some()
            || state.opening.is_some()
            || state.queue.progress.is_some()
            || state.measuring.as_ref().is_some_and(|measuring| measuring.running)
    }

    fn take(&mut self, event: Event) {
        let state = &mut self.state;
        match event {
            Event::Chosen(path) => self.execute(Command::Open(path)),
            Event::FolderChosen(path) => state.export.folder = path.display().to_string(),
            Event::Models(models) => {
                state.models = Some(models);
                self.default_model();
                if std::mem::take(&mut self.resume) {
                    self.execute(Command::Stabilise);
                }
            }
            Event::LostVideoChosen(video) => {
                if let Some(Dialog::LostVideo { path, .. }) = &mut state.dialog {
                    *path = video.display().to_string();
                }
            }
            Event::Failed(error) => state.toasts.error(error),
            Event::Cuda(status) => state.cuda = Some(status),
            Event::Model(found) => self.model_found(*found),
            Event::Project { opening, opened, found } => {
                if state.opening.as_ref() != Some(&opening) {
                    return;
                }
                state.opening = None;
                match found {
                    ProjectFound::Ready { clip, video_changed } => {
                        self.project_opened(opened, *clip, video_changed);
                    }
                    ProjectFound::Lost => {
                        let OpenedProject { file, project, .. } = opened;
                        let path = project.video.path.display().to_string();
                        state.dialog = Some(Dialog::LostVideo { file, project, path });
                    }
                }
            }
            Event::Saved { path, result } => self.saved(path, result.map(|project| *project)),
            Event::LeftOver(left) => {
                if state.dialog.is_none() {
                    state.dialog = Some(Dialog::Restore(left));
                }
            }
            Event::Presets(result) => match result {
                Ok(presets) => state.presets = presets,
                Err(error) => state.toasts.error(error),
            },
            Event::Tuned { id, result } => {
                if state.tuning.as_ref().is_none_or(|tuning| tuning.id != id) {
                    return;
                }
                state.tuning = None;
                match result {
                    Ok(tuned) => {
                        let choice = state.choice.with_settings(tuned.settings);
                        state.tuned = Some((tuned.settings, tuning_words(&tuned)));
                        self.execute(Command::Change("auto", choice));
                    }
                    Err(error) => state.toasts.error(error),
                }
            }
            Event::CacheCleared => {
                state.usage = Usage::watch(state.store_folder.clone());
                state.toasts.info(t(Text::CacheCleared));
            }
            Event::NotKept(error) => state.toasts.error(fill(Text::NotKept, &[&error])),
            Event::FileSaved(result) => match result {
                Ok(path) => state.toasts.info(fill(Text::Saved, &[&path.display()])),
                Err(error) => state.toasts.error(error),
            },
            Event::Opened { path, result } => {
                if state.opening.as_ref() != Some(&path) {
                    return;
                }
                state.opening = None;
                match result {
                    Ok((clip, source)) => {
                        self.screen.adopt(clip.video.clone(), source);
                        self.opened(clip);
                    }
                    Err(error) => state.toasts.error(error),
                }
            }
            Event::View(update) => {
                if state.clip.as_ref().is_some_and(|clip| clip.path == update.request.path) {
                    self.stats.update(&update);
                    let shown = self.shown.take();
                    self.shown = Shown::update(shown, *update, &self.ctx);
                }
            }
            Event::SharpPicture { path, index, image } => {
                if let Some(shown) = self.shown.as_mut().filter(|shown| shown.is_of(&path, index)) {
                    self.stats.sharp(&path, index);
                    shown.sharpen(image);
                }
            }
            Event::ViewFailed { path, error } => {
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
            Event::Session { run, session } => {
                if let Some(current) = state.run.as_mut().filter(|current| current.id == run) {
                    current.session = Some(session);
                    self.measure();
                    if std::mem::take(&mut self.export_follows) {
                        self.export();
                    }
                }
            }
            Event::Device { run, name } => {
                if let Some(current) = state.run.as_mut().filter(|current| current.id == run) {
                    current.device = Some(name);
                }
            }
            Event::Coverage { run, coverage } => {
                if state.run.as_ref().is_some_and(|current| current.id == run) {
                    state.results.coverage = coverage;
                }
            }
            Event::Analysed { run, result } => {
                let Some(current) = state.run.as_mut().filter(|current| current.id == run) else { return };
                current.running = false;
                self.attempt += 1;
                match result {
                    Ok(Some(RunSummary { loss, frames })) => {
                        current.complete = true;
                        if let (Some(frames), Some(clip)) = (frames, &mut state.clip) {
                            clip.frames = frames.max(1);
                            state.player.frame = state.player.frame.min(clip.frames - 1);
                        }
                        for note in current.progress.network.take_notes() {
                            state.toasts.info(note);
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
                    self.state.pass_rate =
                        measuring.progress.snapshot().frames_per_sec.or(self.state.pass_rate);
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
                    Ok(Some(finished)) => {
                        let text = fill(Text::ExportDone, &[&finished.files.len(), &state.export.folder]);
                        state.toasts.info(text);
                        // What had to be left out stays until it was read.
                        finished.notes.iter().for_each(|note| state.toasts.error(note));
                    }
                    Ok(None) => state.toasts.info(t(Text::Cancelled)),
                    Err(error) => state.toasts.error(error),
                }
            }
        }
    }

    fn is_current(&self, pass: u64) -> bool {
        let is_running = |measuring: &&crate::state::Measuring| measuring.running;
        self.state.measuring.as_ref().filter(is_running).is_some_and(|measuring| measuring.pass == pass)
    }

    fn take_drops(&mut self, ctx: &egui::Context) {
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        let mut paths = dropped.iter().map(|file| file.path().to_owned());
        if let Some(first) = paths.next() {
            self.state.dropped = paths.collect();
            self.execute(Command::Open(first));
            if !self.state.dropped.is_empty() {
                self.execute(Command::Show(Dialog::Queue));
            }
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
    pub(crate) fn want(&mut self) {
        let Some(clip) = &self.state.clip else { return };
        let recipe = self.state.recipe_shown();
        let incomplete = self.shown.as_ref().is_some_and(|shown| !shown.complete);
        let measuring = self.state.measuring.as_ref();
        let more_comes = self.state.is_running() || measuring.is_some_and(|measuring| measuring.running);
        if incomplete && more_comes && self.asked.elapsed() >= AGAIN && recipe.is_some() {
            self.attempt += 1;
            self.asked = Instant::now();
        }
        let look = match self.state.view.mode {
            Mode::Side | Mode::Wipe | Mode::Compare if self.state.preferences.outlines => Look::Masks,
            Mode::Side | Mode::Wipe | Mode::Compare => Look::Fills,
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
        let request = ViewRequest {
            path: clip.path.clone(),
            index: self.state.player.frame,
            look,
            recipe,
            attempt: self.attempt,
            stable: measuring.map(|measuring| measuring.stable.clone()),
        };
        self.stats.request(&request);
        self.awaits_answer |= self.screen.want(request);
    }

    /// What answers a new wish at once is drawn with this frame, not after it.
    pub(crate) fn take_answer(&mut self) {
        if !std::mem::take(&mut self.awaits_answer) {
            return;
        }
        let until = Instant::now() + AT_ONCE;
        while let Ok(event) = self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            let is_answer = matches!(&event, Event::View(update) if self.screen.is_answer(update));
            self.take(event);
            if is_answer {
                return;
            }
        }
    }

    /// Unfinished files go before the process does.
    pub(crate) fn wait_for_export(&mut self) {
        let since = Instant::now();
        while self.state.exporting.is_some() && since.elapsed() < EXIT_PATIENCE {
            if let Ok(Event::Exported(_)) = self.events.recv_timeout(Duration::from_millis(50)) {
                self.state.exporting = None;
            }
        }
    }
}
