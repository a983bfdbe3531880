//! The numbers that have come so far, frame by frame.

use std::sync::Arc;

use metrics::{ClassSummary, FrameMetrics, Metric};

/// What is called flicker: instability that motion does not explain.
pub const FLICKER: Metric = Metric::WarpedInstability;

#[derive(Debug, Default)]
pub struct Results {
    pub classes: Vec<ClassRows>,
    /// Of the pass that has ended last.
    pub summaries: Vec<ClassSummary>,
    /// The class whose curves are shown.
    pub class: usize,
    /// Goes up with every change, for what is drawn from here.
    pub revision: u64,
    /// The last frame that the pass of now has measured; rows after it are of the one before.
    pub measured: Option<usize>,
    /// Share of the picture of each of the network's classes, where it was seen.
    pub coverage: Vec<f32>,
}

/// The rows of one class by frame. A new pass replaces an old one's rows one by one, so that
/// curves never go blank.
#[derive(Debug)]
pub struct ClassRows {
    pub name: Arc<str>,
    pub rows: Vec<Option<FrameMetrics>>,
}

/// Raw and smoothed.
pub type Pair = [Option<f64>; 2];

impl Results {
    pub fn clear(&mut self) {
        *self = Self { revision: self.revision + 1, ..Self::default() };
    }

    /// Makes room for these classes; rows of others go.
    pub fn begin(&mut self, names: &[String]) {
        let mut old = std::mem::take(&mut self.classes);
        self.classes = names
            .iter()
            .map(|name| match old.iter().position(|class| *class.name == **name) {
                Some(at) => old.swap_remove(at),
                None => ClassRows { name: name.as_str().into(), rows: Vec::new() },
            })
            .collect();
        self.class = self.class.min(self.classes.len().saturating_sub(1));
        self.summaries.clear();
        self.measured = None;
        self.revision += 1;
    }

    pub fn push(&mut self, rows: Vec<FrameMetrics>) {
        for row in rows {
            let Some(class) = self.classes.iter_mut().find(|class| class.name == row.class) else { continue };
            let at = row.frame.get();
            if class.rows.len() <= at {
                class.rows.resize(at + 1, None);
            }
            class.rows[at] = Some(row);
            self.measured = self.measured.max(Some(at));
        }
        self.revision += 1;
    }

    pub fn finish(&mut self, summaries: Vec<ClassSummary>) {
        self.summaries = summaries;
        self.revision += 1;
    }

    pub fn rows(&self) -> &[Option<FrameMetrics>] {
        self.classes.get(self.class).map_or(&[], |class| &class.rows)
    }

    pub fn row(&self, frame: usize) -> Option<&FrameMetrics> {
        self.rows().get(frame)?.as_ref()
    }

    pub fn summary(&self) -> Option<&ClassSummary> {
        let class = self.classes.get(self.class)?;
        self.summaries.iter().find(|summary| *summary.class == *class.name)
    }

    /// A metric of each frame; where both masks are empty there is nothing to compare.
    pub fn values(&self, metric: Metric) -> impl Iterator<Item = (usize, Pair)> {
        self.rows().iter().enumerate().filter_map(move |(frame, row)| {
            let row = row.as_ref()?;
            Some((frame, [&row.raw, &row.smoothed].map(|side| side[metric].filter(|_| !side.empty))))
        })
    }

    /// Rows that the pass of now has measured.
    pub fn fresh(&self) -> impl Iterator<Item = &FrameMetrics> {
        let count = self.measured.map_or(0, |last| last + 1);
        self.rows().iter().take(count).flatten()
    }

    /// Means of the raw and the smoothed side over what the pass of now has measured.
    pub fn means(&self, metric: Metric) -> Pair {
        let mut sums = [(0.0, 0usize); 2];
        let fresh = |&(frame, _): &(usize, Pair)| Some(frame) <= self.measured;
        for (_, pair) in self.values(metric).filter(fresh) {
            for (sum, value) in sums.iter_mut().zip(pair) {
                if let Some(value) = value {
                    *sum = (sum.0 + value, sum.1 + 1);
                }
            }
        }
        sums.map(|(sum, count)| (count > 0).then(|| sum / count as f64))
    }

    /// The next frame after (or before) `frame` whose raw masks flicker more than both
    /// neighbours' and more than most.
    pub fn peak(&self, frame: usize, forwards: bool) -> Option<usize> {
        let values: Vec<f64> = {
            let mut values = vec![0.0; self.rows().len()];
            for (at, [raw, _]) in self.values(FLICKER) {
                values[at] = raw.unwrap_or(0.0);
            }
            values
        };
        let mut sorted: Vec<f64> = values.iter().copied().filter(|&value| value > 0.0).collect();
        sorted.sort_by(f64::total_cmp);
        let floor = *sorted.get(sorted.len() * 3 / 4)?;
        let is_peak = |&at: &usize| {
            let before = if at > 0 { values[at - 1] } else { 0.0 };
            let after = values.get(at + 1).copied().unwrap_or(0.0);
            values[at] >= floor && values[at] >= before && values[at] > after
        };
        if forwards {
            (frame + 1..values.len()).find(is_peak)
        } else {
            (0..frame.min(values.len())).rev().find(is_peak)
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use base::frame::{FrameIndex, Timestamp};
    use metrics::SideMetrics;

    pub fn row(frame: usize, raw: f64, smoothed: f64) -> FrameMetrics {
        let side = |value| {
            let mut side = SideMetrics::default();
            side[FLICKER] = Some(value);
            side
        };
        FrameMetrics {
            frame: FrameIndex::new(frame),
            timestamp: Timestamp::default(),
            class: "person".into(),
            cut: false,
            raw: side(raw),
            smoothed: side(smoothed),
            valid_share: None,
            agreement: None,
        }
    }

    #[test]
    fn peaks_are_found_both_ways_and_new_rows_replace_old_ones() {
        let mut results = Results::default();
        results.begin(&["person".to_owned()]);
        let raw = [0.1, 0.1, 0.9, 0.1, 0.1, 0.8, 0.2, 0.1];
        results.push(raw.iter().enumerate().map(|(at, &raw)| row(at, raw, 0.05)).collect());
        assert_eq!(results.peak(0, true), Some(2));
        assert_eq!(results.peak(2, true), Some(5));
        assert_eq!(results.peak(5, true), None);
        assert_eq!(results.peak(5, false), Some(2));
        results.begin(&["person".to_owned()]);
        results.push(vec![row(2, 0.0, 0.0)]);
        assert_eq!(results.peak(0, true), Some(5));
        assert_eq!(results.fresh().count(), 3);
        assert_eq!(results.values(FLICKER).count(), 8);
        results.begin(&["car".to_owned()]);
        assert!(results.rows().is_empty());
    }
}
