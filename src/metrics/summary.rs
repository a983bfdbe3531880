//! What a whole clip says of one class: for each metric its mean, median, percentiles and
//! worst frames, for raw, for smoothed and for the difference of the two.
//!
//! Rows stream in; of each only its numbers are kept, which exact percentiles need.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::lag::Lag;
use super::neighbour::AreaJitter;
use super::reference::ReferenceScores;
use super::row::{FrameMetrics, Metric};
use base::frame::FrameIndex;

/// How many of the worst frames are listed.
pub const WORST_FRAMES: usize = 10;

/// How a metric's values are distributed over a clip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Distribution {
    /// Frames that have a value.
    pub count: usize,
    /// The arithmetic mean.
    pub mean: f64,
    /// The 50th percentile.
    pub median: f64,
    /// Percentiles lie between two values by linear interpolation (NumPy's default).
    pub p5: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// At most [`WORST_FRAMES`], the worst first; of equals the earlier.
    pub worst: Vec<WorstFrame>,
}

/// A metric's value at one frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct WorstFrame {
    /// The frame.
    pub frame: FrameIndex,
    /// The metric's value there.
    pub value: f64,
}

/// One metric over a clip. `None` where no frame has a value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricSummary {
    /// Before smoothing.
    pub raw: Option<Distribution>,
    /// After smoothing.
    pub smoothed: Option<Distribution>,
    /// Smoothed minus raw, at frames that count for both.
    pub difference: Option<Distribution>,
}

/// What a clip says of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassSummary {
    /// The class's name.
    pub class: String,
    /// The number of frames.
    pub frames: usize,
    /// The number of scene cuts.
    pub cuts: usize,
    /// Rows left out of the neighbour metrics because both masks are empty.
    pub empty_raw: usize,
    /// The same after smoothing.
    pub empty_smoothed: usize,
    /// `(mean instability raw − smoothed) / raw`, in %; absent when the raw mean is 0.
    pub improvement_percent: Option<f64>,
    /// [`AreaJitter`] before smoothing.
    pub area_jitter_raw: Option<f64>,
    /// [`AreaJitter`] after smoothing.
    pub area_jitter_smoothed: Option<f64>,
    /// Of the smoothed masks behind the raw ones.
    pub lag: Option<Lag>,
    /// One summary for each metric.
    pub metrics: MetricTable,
    /// Of raw and smoothed, at frames where one of them is set.
    pub agreement: Option<Distribution>,
    /// The share of pixels with valid flow.
    pub valid_share: Option<Distribution>,
    /// Against ground truth, before smoothing; absent without ground truth.
    pub reference_raw: Option<ReferenceScores>,
    /// Against ground truth, after smoothing; absent without ground truth.
    pub reference_smoothed: Option<ReferenceScores>,
}

/// A [`MetricSummary`] for each [`Metric`]; serialises as a map by their names.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricTable(Vec<MetricSummary>);

impl MetricTable {
    /// All metrics with their summaries, in the order of columns.
    pub fn iter(&self) -> impl Iterator<Item = (Metric, &MetricSummary)> {
        Metric::ALL.into_iter().zip(&self.0)
    }
}

impl std::ops::Index<Metric> for MetricTable {
    type Output = MetricSummary;

    fn index(&self, metric: Metric) -> &MetricSummary {
        &self.0[metric as usize]
    }
}

impl Serialize for MetricTable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Metric::ALL.len()))?;
        for (metric, summary) in self.iter() {
            map.serialize_entry(metric.name(), summary)?;
        }
        map.end()
    }
}

/// Takes rows of one class, in order, and sums them up.
#[derive(Clone, Debug)]
pub struct SummaryBuilder {
    class: String,
    frames: usize,
    cuts: usize,
    empty: [usize; 2],
    jitter: [AreaJitter; 2],
    /// Of raw and smoothed.
    metrics: [[Series; 2]; Metric::ALL.len()],
    agreement: Series,
    valid_share: Series,
}

impl SummaryBuilder {
    /// For the class of this name.
    pub fn new(class: impl Into<String>) -> Self {
        Self {
            class: class.into(),
            frames: 0,
            cuts: 0,
            empty: [0; 2],
            jitter: Default::default(),
            metrics: Default::default(),
            agreement: Series::default(),
            valid_share: Series::default(),
        }
    }

    /// Takes the row of the next frame.
    pub fn push(&mut self, row: &FrameMetrics) {
        self.frames += 1;
        // The first frame starts a scene but cuts none off.
        self.cuts += usize::from(row.cut && self.frames > 1);
        let sides = [&row.raw, &row.smoothed];
        for (side, jitter) in sides.iter().zip(&mut self.jitter) {
            if let Some(area) = side[Metric::Area] {
                jitter.push(area as u64, row.cut);
            }
        }
        for (count, side) in self.empty.iter_mut().zip(sides) {
            *count += usize::from(side.empty);
        }
        for (metric, series) in Metric::ALL.into_iter().zip(&mut self.metrics) {
            let counts = |empty: bool| !(empty && metric.compares_neighbours());
            for (series, side) in series.iter_mut().zip(sides) {
                series.push(row.frame, side[metric].filter(|_| counts(side.empty)));
            }
        }
        let both_empty = sides.iter().all(|side| side[Metric::Area] == Some(0.0));
        self.agreement.push(row.frame, row.agreement.filter(|_| !both_empty));
        self.valid_share.push(row.frame, row.valid_share);
    }

    /// The lag and the scores against ground truth come from their own meters, and are
    /// absent here.
    pub fn finish(self) -> ClassSummary {
        let metrics = Metric::ALL.into_iter().zip(self.metrics).map(|(metric, [raw, smoothed])| {
            let difference = smoothed.minus(&raw);
            let [raw, smoothed, difference] =
                [raw, smoothed, difference].map(|series| series.distribution(metric.higher_is_worse()));
            MetricSummary { raw, smoothed, difference }
        });
        let metrics = MetricTable(metrics.collect());
        let [area_jitter_raw, area_jitter_smoothed] = self.jitter.map(|jitter| jitter.finish());
        ClassSummary {
            class: self.class,
            frames: self.frames,
            cuts: self.cuts,
            empty_raw: self.empty[0],
            empty_smoothed: self.empty[1],
            improvement_percent: improvement_percent(&metrics[Metric::Instability]),
            area_jitter_raw,
            area_jitter_smoothed,
            lag: None,
            metrics,
            agreement: self.agreement.distribution(false),
            valid_share: self.valid_share.distribution(false),
            reference_raw: None,
            reference_smoothed: None,
        }
    }
}

fn improvement_percent(instability: &MetricSummary) -> Option<f64> {
    let (raw, smoothed) = (instability.raw.as_ref()?.mean, instability.smoothed.as_ref()?.mean);
    (raw > 0.0).then(|| 100.0 * (raw - smoothed) / raw)
}

/// The values of one column that are there, by frame.
#[derive(Clone, Debug, Default)]
struct Series(Vec<WorstFrame>);

impl Series {
    fn push(&mut self, frame: FrameIndex, value: Option<f64>) {
        self.0.extend(value.map(|value| WorstFrame { frame, value }));
    }

    /// What it is more than `other`, at frames that both have.
    fn minus(&self, other: &Self) -> Self {
        let mut others = other.0.iter().peekable();
        let difference = self.0.iter().filter_map(|&WorstFrame { frame, value }| {
            while others.next_if(|other| other.frame < frame).is_some() {}
            let other = others.next_if(|other| other.frame == frame)?;
            Some(WorstFrame { frame, value: value - other.value })
        });
        Self(difference.collect())
    }

    fn distribution(mut self, higher_is_worse: bool) -> Option<Distribution> {
        let count = self.0.len();
        if count == 0 {
            return None;
        }
        let mean = self.0.iter().map(|at| at.value).sum::<f64>() / count as f64;
        // A stable sort keeps equals in the order of their frames.
        if higher_is_worse {
            self.0.sort_by(|a, b| b.value.total_cmp(&a.value));
        } else {
            self.0.sort_by(|a, b| a.value.total_cmp(&b.value));
        }
        let worst = self.0.iter().take(WORST_FRAMES).copied().collect();
        if higher_is_worse {
            self.0.reverse();
        }
        let percentile = |percent: f64| {
            let place = percent / 100.0 * (count - 1) as f64;
            let (low, high) = (self.0[place.floor() as usize].value, self.0[place.ceil() as usize].value);
            low + (high - low) * place.fract()
        };
        Some(Distribution {
            count,
            mean,
            median: percentile(50.0),
            p5: percentile(5.0),
            p95: percentile(95.0),
            worst,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::SideMetrics;
    use base::frame::Timestamp;
    use proptest::prelude::*;

    /// A row with an instability and an area on each side.
    fn row(frame: usize, raw: (Option<f64>, u64), smoothed: (Option<f64>, u64)) -> FrameMetrics {
        let side = |(instability, area): (Option<f64>, u64)| {
            let mut side = SideMetrics::default();
            side.empty = area == 0;
            side[Metric::Instability] = instability;
            side[Metric::Iou] = instability.map(|value| 1.0 - value);
            side[Metric::Area] = Some(area as f64);
            side
        };
        FrameMetrics {
            frame: FrameIndex::new(frame),
            timestamp: Timestamp::from_secs(frame as f64 / 25.0),
            class: "dog".into(),
            cut: frame == 0,
            raw: side(raw),
            smoothed: side(smoothed),
            valid_share: None,
            agreement: Some(0.9),
        }
    }

    fn summary(rows: &[FrameMetrics]) -> ClassSummary {
        let mut builder = SummaryBuilder::new("dog");
        rows.iter().for_each(|row| builder.push(row));
        builder.finish()
    }

    type Side = (Option<f64>, u64);

    fn any_side() -> impl Strategy<Value = Side> {
        (proptest::option::weighted(0.8, 0u32..50), 0u64..4)
            .prop_map(|(value, area)| (value.map(|value| f64::from(value) / 50.0), area))
    }

    /// NumPy's linear percentile, from the definition.
    fn percentile(mut values: Vec<f64>, percent: f64) -> f64 {
        values.sort_by(f64::total_cmp);
        let place = (values.len() - 1) as f64 * percent / 100.0;
        let below = values[place as usize];
        let above = values.get(place as usize + 1).copied().unwrap_or(below);
        below + (above - below) * (place - place.floor())
    }

    proptest! {
        #[test]
        fn the_streamed_summary_is_the_batch_one(
            sides in proptest::collection::vec((any_side(), any_side()), 0..60)
        ) {
            let rows: Vec<_> = sides.iter().enumerate().map(|(t, &(raw, smoothed))| row(t, raw, smoothed)).collect();
            let streamed = summary(&rows);
            let batch = |pick: &dyn Fn(&(Side, Side)) -> Option<f64>| -> Vec<(usize, f64)> {
                sides.iter().enumerate().filter_map(|(t, side)| pick(side).map(|value| (t, value))).collect()
            };
            let counted = |side: Side| side.0.filter(|_| side.1 > 0);
            let instability = &streamed.metrics[Metric::Instability];
            for (got, want) in [
                (&instability.raw, batch(&|&(raw, _)| counted(raw))),
                (&instability.smoothed, batch(&|&(_, smoothed)| counted(smoothed))),
                (&instability.difference, batch(&|&(raw, smoothed)| Some(counted(smoothed)? - counted(raw)?))),
            ] {
                let Some(got) = got else {
                    prop_assert!(want.is_empty());
                    continue;
                };
                let values: Vec<f64> = want.iter().map(|&(_, value)| value).collect();
                prop_assert_eq!(got.count, values.len());
                prop_assert!((got.mean - values.iter().sum::<f64>() / values.len() as f64).abs() < 1e-12);
                for (got, percent) in [(got.p5, 5.0), (got.median, 50.0), (got.p95, 95.0)] {
                    prop_assert!((got - percentile(values.clone(), percent)).abs() < 1e-12);
                }
                let mut worst = want.clone();
                worst.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                worst.truncate(WORST_FRAMES);
                let listed: Vec<_> = got.worst.iter().map(|at| (at.frame.get(), at.value)).collect();
                prop_assert_eq!(listed, worst);
            }
            prop_assert_eq!(streamed.empty_raw, sides.iter().filter(|(raw, _)| raw.1 == 0).count());
            let seen = sides.iter().filter(|(raw, smoothed)| raw.1 + smoothed.1 > 0).count();
            prop_assert_eq!(streamed.agreement.map_or(0, |agreement| agreement.count), seen);
        }
    }

    #[test]
    fn improvement_is_of_the_means_and_absent_without_instability() {
        let better = [row(0, (None, 5), (None, 5)), row(1, (Some(0.4), 5), (Some(0.1), 5))];
        assert!((summary(&better).improvement_percent.unwrap() - 75.0).abs() < 1e-9);
        let steady = [row(0, (None, 5), (None, 5)), row(1, (Some(0.0), 5), (Some(0.0), 5))];
        assert_eq!(summary(&steady).improvement_percent, None);
        assert_eq!(summary(&[]).improvement_percent, None);
    }

    #[test]
    fn the_worst_iou_is_the_lowest() {
        let rows: Vec<_> = (0..20).map(|t| row(t, (Some(t as f64 / 20.0), 5), (Some(0.0), 5))).collect();
        let iou = summary(&rows).metrics[Metric::Iou].raw.clone().unwrap();
        assert_eq!(iou.worst.len(), WORST_FRAMES);
        assert_eq!(iou.worst[0].frame.get(), 19);
        assert!(iou.p5 < iou.median && iou.median < iou.p95);
    }

    #[test]
    fn a_summary_is_json_by_the_metrics_names() {
        let json = serde_json::to_value(summary(&[row(0, (Some(0.5), 5), (None, 5))])).unwrap();
        assert_eq!(json["metrics"]["instability"]["raw"]["mean"], 0.5);
        assert!(json["metrics"]["instability"]["smoothed"].is_null());
        assert!(json["lag"].is_null());
        assert_eq!(json["frames"], 1);
    }
}
