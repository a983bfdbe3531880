//! How long the window takes: its own work for each frame, and how long the user waits for a
//! picture. Written when the window closes, if asked for.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::work::{Quality, Source, ViewRequest, ViewUpdate};
use smooth::Settings;

#[derive(Default)]
pub struct Stats(Option<Box<Recorder>>);

struct Recorder {
    file: PathBuf,
    begun: Instant,
    times: Times,
    opened: Option<Instant>,
    /// For another frame; shown is its proxy.
    scrub: Option<Wait>,
    /// For other settings; shown is their draft.
    slider: Option<Wait>,
    last: Option<ViewRequest>,
}

/// What the user waits for.
struct Wait {
    asked: ViewRequest,
    since: Instant,
    /// Something that is not the last of it.
    is_shown: bool,
}

/// Waits, each from the request to what answers it.
#[derive(Default)]
struct Times {
    /// The window's own work for a frame, without drawing.
    work: Vec<Duration>,
    logic: Vec<Duration>,
    ui: Vec<Duration>,
    /// What comes after that work, up to the swap of buffers: tessellation, textures, drawing.
    drawing: Vec<Duration>,
    /// Another frame, until any picture of it is there; of those, by what came first.
    scrub: Vec<Duration>,
    scrub_cached: Vec<Duration>,
    scrub_proxy: Vec<Duration>,
    scrub_decoded: Vec<Duration>,
    /// Until the frame itself is there, where its proxy came first.
    scrub_full: Vec<Duration>,
    /// Other settings, until the frame on the screen is smoothed anew, and until exactly.
    slider_plain: Vec<Duration>,
    slider_plain_exact: Vec<Duration>,
    slider_motion: Vec<Duration>,
    slider_motion_exact: Vec<Duration>,
    /// From the start of the program, and from opening a clip.
    first_picture_from_start: Vec<Duration>,
    first_picture: Vec<Duration>,
}

/// Milliseconds.
#[derive(Serialize)]
struct Spread {
    count: usize,
    median_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Stats {
    /// `begun` is when the program was started.
    pub fn to_file(file: Option<PathBuf>, begun: Instant) -> Self {
        Self(file.map(|file| {
            let (times, last) = (Times::default(), None);
            Box::new(Recorder { file, begun, times, opened: None, scrub: None, slider: None, last })
        }))
    }

    /// The window's work for one frame. `last_secs` is how long the frame before took with its
    /// drawing.
    pub fn frame(&mut self, logic: Duration, ui: Duration, last_secs: Option<f32>) {
        if let Some(Recorder { times, .. }) = self.0.as_deref_mut() {
            if let (Some(secs), Some(&work)) = (last_secs, times.work.last()) {
                let whole = Duration::try_from_secs_f32(secs).unwrap_or_default();
                times.drawing.push(whole.saturating_sub(work));
            }
            times.logic.push(logic);
            times.ui.push(ui);
            times.work.push(logic + ui);
        }
    }

    /// A clip was asked for.
    pub fn opening(&mut self) {
        if let Some(recorder) = self.0.as_deref_mut() {
            recorder.opened = Some(Instant::now());
        }
    }

    /// The screen is asked for this.
    pub fn request(&mut self, request: &ViewRequest) {
        if let Some(recorder) = self.0.as_deref_mut() {
            recorder.request(request);
        }
    }

    /// This is on the screen now.
    pub fn update(&mut self, update: &ViewUpdate) {
        if let Some(recorder) = self.0.as_deref_mut() {
            recorder.update(update);
        }
    }

    /// The frame's own picture is on the screen now.
    pub fn sharp(&mut self, path: &Path, index: usize) {
        if let Some(recorder) = self.0.as_deref_mut()
            && let Some(wait) = recorder.scrub.take_if(|wait| wait.asked.is_of(path, index))
        {
            recorder.times.scrub_full.push(wait.since.elapsed());
        }
    }

    pub fn write(&mut self) {
        let Some(recorder) = self.0.take() else { return };
        let report = recorder.times.report();
        if let Err(error) = std::fs::write(&recorder.file, format!("{report:#}\n")) {
            tracing::error!(
                "{}: the frame statistics could not be written: {error}",
                recorder.file.display()
            );
        }
    }
}

impl Recorder {
    fn request(&mut self, request: &ViewRequest) {
        if self.last.as_ref() == Some(request) {
            return;
        }
        let Some(last) = self.last.replace(request.clone()).filter(|last| last.path == request.path) else {
            return;
        };
        // A request that is overtaken was never seen; the wait is counted from the first.
        let wait = |before: &Option<Wait>| {
            let since = before.as_ref().filter(|before| !before.is_shown).map(|before| before.since);
            Wait { asked: request.clone(), since: since.unwrap_or_else(Instant::now), is_shown: false }
        };
        if last.index != request.index {
            self.scrub = Some(wait(&self.scrub));
            self.slider = None;
        } else if last.recipe.is_some() && last.recipe != request.recipe {
            self.slider = Some(wait(&self.slider));
        } else if let Some(wait) = &mut self.slider {
            // The same under another look: who waits, waits for this one now.
            wait.asked = request.clone();
        }
    }

    fn update(&mut self, ViewUpdate { request, picture, masks, .. }: &ViewUpdate) {
        if picture.is_some() {
            let begun = self.begun;
            if let Some(opened) = self.opened.take() {
                self.times.first_picture.push(opened.elapsed());
                if self.times.first_picture_from_start.is_empty() {
                    self.times.first_picture_from_start.push(begun.elapsed());
                }
            }
        }
        if let Some(Wait { asked, since, is_shown }) = &mut self.scrub
            && asked.is_of(&request.path, request.index)
            && !*is_shown
        {
            let wait = since.elapsed();
            self.times.scrub.push(wait);
            match picture.as_ref().map(|picture| picture.source) {
                Some(Source::Proxy) => {
                    self.times.scrub_proxy.push(wait);
                    *is_shown = true;
                }
                Some(Source::Decoded) => self.times.scrub_decoded.push(wait),
                Some(Source::Kept) | None => self.times.scrub_cached.push(wait),
            }
            if !*is_shown {
                self.scrub = None;
            }
        }
        let Some(masks) = masks else { return };
        let is_asked = |asked: &ViewRequest| asked.index == request.index && asked.recipe == request.recipe;
        let slider = self.slider.as_mut().filter(|wait| is_asked(&wait.asked));
        if let Some(Wait { asked, since, is_shown }) = slider {
            let wait = since.elapsed();
            let settings = asked.recipe.as_ref().map(|recipe| recipe.settings());
            let moves = settings.is_some_and(|Settings { motion, .. }| motion.is_on());
            let Times { slider_plain, slider_plain_exact, slider_motion, slider_motion_exact, .. } =
                &mut self.times;
            let (first, exact) =
                if moves { (slider_motion, slider_motion_exact) } else { (slider_plain, slider_plain_exact) };
            if masks.quality >= Quality::Draft && !*is_shown {
                first.push(wait);
                *is_shown = true;
            }
            if masks.quality == Quality::Full {
                exact.push(wait);
                self.slider = None;
            }
        }
    }
}

impl Times {
    fn report(mut self) -> serde_json::Value {
        serde_json::json!({
            "work": spread(&mut self.work),
            "logic": spread(&mut self.logic),
            "ui": spread(&mut self.ui),
            "drawing": spread(&mut self.drawing),
            "scrub": spread(&mut self.scrub),
            "scrub_cached": spread(&mut self.scrub_cached),
            "scrub_proxy": spread(&mut self.scrub_proxy),
            "scrub_decoded": spread(&mut self.scrub_decoded),
            "scrub_full": spread(&mut self.scrub_full),
            "slider_plain": spread(&mut self.slider_plain),
            "slider_plain_exact": spread(&mut self.slider_plain_exact),
            "slider_motion": spread(&mut self.slider_motion),
            "slider_motion_exact": spread(&mut self.slider_motion_exact),
            "first_picture_from_start": spread(&mut self.first_picture_from_start),
            "first_picture": spread(&mut self.first_picture),
        })
    }
}

fn spread(times: &mut [Duration]) -> Option<Spread> {
    times.sort_unstable();
    let at = |share: f64| {
        let index = (share * (times.len().checked_sub(1)?) as f64).round() as usize;
        Some(times[index].as_secs_f64() * 1000.0)
    };
    Some(Spread {
        count: times.len(),
        median_ms: at(0.5)?,
        p95_ms: at(0.95)?,
        p99_ms: at(0.99)?,
        max_ms: at(1.0)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_sorted_times() {
        let mut times: Vec<Duration> = (1..=101).rev().map(Duration::from_millis).collect();
        let spread = spread(&mut times).unwrap();
        assert_eq!((spread.median_ms, spread.p95_ms, spread.max_ms), (51.0, 96.0, 101.0));
        assert!(super::spread(&mut []).is_none());
    }
}
