//! How long the window takes: its own work for each frame, and how long the user waits for a
//! picture. Written when the window closes, if asked for.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::work::Wanted;

#[derive(Default)]
pub struct Stats {
    file: Option<PathBuf>,
    logic: Vec<Duration>,
    ui: Vec<Duration>,
    /// From the wish for another frame, and for other settings, to the picture on the screen.
    scrub: Vec<Duration>,
    settings: Vec<Duration>,
    asked: Option<(Wanted, Kind, Instant)>,
    last: Option<Wanted>,
}

#[derive(Clone, Copy)]
enum Kind {
    Scrub,
    Settings,
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
    pub fn to_file(file: Option<PathBuf>) -> Self {
        Self { file, ..Self::default() }
    }

    pub fn logic(&mut self, took: Duration) {
        if self.file.is_some() {
            self.logic.push(took);
        }
    }

    pub fn ui(&mut self, took: Duration) {
        if self.file.is_some() {
            self.ui.push(took);
        }
    }

    /// The screen is asked for this.
    pub fn wanted(&mut self, wanted: &Wanted) {
        if self.file.is_none() || self.last.as_ref() == Some(wanted) {
            return;
        }
        let last = self.last.replace(wanted.clone());
        let Some(last) = last.filter(|last| last.path == wanted.path && last.recipe.is_some()) else {
            return;
        };
        let kind = if last.index != wanted.index {
            Kind::Scrub
        } else if last.recipe != wanted.recipe {
            Kind::Settings
        } else {
            // The same picture under another look: who waits, waits for this one now.
            self.asked = self.asked.take().map(|(_, kind, since)| (wanted.clone(), kind, since));
            return;
        };
        // A wish that is overtaken was never seen; the wait is counted from the first.
        let since = match self.asked.take() {
            Some((_, _, since)) => since,
            None => Instant::now(),
        };
        self.asked = Some((wanted.clone(), kind, since));
    }

    /// This is on the screen now.
    pub fn painted(&mut self, wanted: &Wanted) {
        if let Some((_, kind, since)) = self.asked.take_if(|(asked, ..)| asked == wanted) {
            match kind {
                Kind::Scrub => self.scrub.push(since.elapsed()),
                Kind::Settings => self.settings.push(since.elapsed()),
            }
        }
    }

    pub fn write(&mut self) {
        let Some(file) = self.file.take() else { return };
        let report = serde_json::json!({
            "logic": spread(&mut self.logic),
            "ui": spread(&mut self.ui),
            "scrub": spread(&mut self.scrub),
            "settings": spread(&mut self.settings),
        });
        if let Err(error) = std::fs::write(&file, format!("{report:#}\n")) {
            tracing::error!("{}: the frame statistics could not be written: {error}", file.display());
        }
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
