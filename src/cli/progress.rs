//! Progress bars on standard error, and how fast work goes, in words.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use pipeline::{Progress, RunProgress, Snapshot};

/// A bar for each pass; they run side by side.
pub struct Bars {
    bars: [(ProgressBar, Progress); 2],
}

impl Bars {
    pub fn new(progress: &RunProgress, hidden: bool) -> Self {
        let all = MultiProgress::new();
        if hidden {
            all.set_draw_target(ProgressDrawTarget::hidden());
        }
        let bar = |name: &'static str, progress: &Progress| {
            let bar = all.add(ProgressBar::no_length().with_prefix(name).with_style(style()));
            (bar, progress.clone())
        };
        Self { bars: [bar("network", &progress.network), bar("masks", &progress.masks)] }
    }

    pub fn update(&self) {
        for (bar, progress) in &self.bars {
            let snapshot = progress.snapshot();
            match snapshot.total {
                Some(total) => bar.set_length(total as u64),
                None => bar.unset_length(),
            }
            bar.set_position(snapshot.done as u64);
            bar.set_message(pace(&snapshot, "frames/s"));
        }
    }

    pub fn clear(&self) {
        for (bar, _) in &self.bars {
            bar.finish_and_clear();
        }
    }
}

pub fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:8} {wide_bar} {human_pos}/{human_len}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// How fast it goes, and how long it will still take, as far as is known.
pub fn pace(snapshot: &Snapshot, unit: &str) -> String {
    let rate = snapshot.frames_per_sec.map_or_else(String::new, |rate| format!("{rate:.1} {unit}"));
    let left = snapshot.left.map_or_else(String::new, |left| format!(" · {} left", clock(left)));
    rate + &left
}

/// Minutes and seconds, with hours where there are any.
fn clock(time: Duration) -> String {
    let secs = time.as_secs();
    match secs / 3600 {
        0 => format!("{}:{:02}", secs / 60, secs % 60),
        hours => format!("{hours}:{:02}:{:02}", secs / 60 % 60, secs % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_a_clock() {
        assert_eq!(clock(Duration::from_secs(34)), "0:34");
        assert_eq!(clock(Duration::from_secs(3723)), "1:02:03");
    }
}
