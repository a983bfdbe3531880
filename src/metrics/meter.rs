//! Measures one class of a clip, frame by frame: the pipeline feeds masks, rows come out.

use std::sync::Arc;

use super::lag::LagMeter;
use super::neighbour::{Overlap, Warped, flip_rate, iou, pop_rate, warped_iou};
use super::reference::{Protocol, ReferenceMeter};
use super::row::{FrameMetrics, Metric, SideMetrics};
use super::summary::{ClassSummary, SummaryBuilder};
use super::temporal::temporal_stability;
use base::frame::{FrameIndex, Timestamp};
use base::mask::Mask;

/// What to measure beyond the cheap metrics.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeterSettings {
    /// The lag that the filter is known to have, which sets the range searched for it.
    pub expected_lag_frames: f64,
    /// Whether to compute T, which takes tens of milliseconds per frame; all the rest takes one.
    pub temporal_stability: bool,
    /// Which frames count against ground truth.
    pub protocol: Protocol,
}

/// One frame of one class. All masks have the clip's size.
#[derive(Debug)]
pub struct MeterFrame<'a> {
    /// Its place in decode order.
    pub frame: FrameIndex,
    /// When it is shown.
    pub timestamp: Timestamp,
    /// A scene starts here. The first frame always starts one.
    pub cut: bool,
    /// Before smoothing.
    pub raw: &'a Mask,
    /// After smoothing.
    pub smoothed: &'a Mask,
    /// Along the flow to and from the frame before; absent at a cut or where flow is not known.
    pub warped: Option<WarpedNeighbours>,
    /// The ground truth, for frames that have it.
    pub truth: Option<&'a Mask>,
}

/// The warped neighbours of both sides, along the flow between a frame and the one before it.
#[derive(Clone, Debug)]
pub struct WarpedNeighbours {
    /// Before smoothing.
    pub raw: WarpedPair,
    /// After smoothing.
    pub smoothed: WarpedPair,
}

/// Two neighbouring masks, each as seen from the other's frame.
#[derive(Clone, Debug)]
pub struct WarpedPair {
    /// `W(m_{t-1}; t−1→t)`: the mask before, on this frame's grid.
    pub previous: Warped,
    /// `W(m_t; t→t−1)`: this frame's mask, on the grid of the frame before.
    pub onto_previous: Warped,
}

/// Measures one class. Each row is returned one frame late, since pop rate and T need the next frame;
/// [`finish`](Self::finish) returns the last.
#[derive(Debug)]
pub struct ClassMeter {
    class: Arc<str>,
    settings: MeterSettings,
    pending: Option<Pending>,
    summary: SummaryBuilder,
    lag: LagMeter,
    reference: Option<[ReferenceMeter; 2]>,
}

/// A frame whose row waits for the next frame.
#[derive(Debug)]
struct Pending {
    row: FrameMetrics,
    masks: [Mask; 2],
    warped_previous: Option<[Warped; 2]>,
}

impl ClassMeter {
    /// A meter for the class of this name.
    pub fn new(class: impl Into<Arc<str>>, settings: MeterSettings) -> Self {
        let class = class.into();
        Self {
            summary: SummaryBuilder::new(&*class),
            class,
            settings,
            pending: None,
            lag: LagMeter::new(settings.expected_lag_frames),
            reference: None,
        }
    }

    /// Takes the next frame and returns the row of the previous one, if there is one.
    pub fn push(&mut self, input: MeterFrame) -> Option<FrameMetrics> {
        let mut previous = self.pending.take();
        let cut = input.cut || previous.is_none();
        let masks = [input.raw, input.smoothed];
        let warped = input.warped.filter(|_| !cut).map(|WarpedNeighbours { raw, smoothed }| [raw, smoothed]);

        let neighbour = previous.as_mut().filter(|_| !cut);
        let [mut raw, mut smoothed] = [0, 1].map(|side| {
            let warped = warped.as_ref().map(|pairs| &pairs[side].previous);
            compare(masks[side], neighbour.as_ref().map(|pending| &pending.masks[side]), warped)
        });
        if let Some(pending) = neighbour {
            self.complete(pending, masks, warped.as_ref());
        }
        self.lag.push(input.raw, input.smoothed, cut);
        if let Some(truth) = input.truth {
            let meters = self.reference.get_or_insert_default();
            for ((meter, side), mask) in meters.iter_mut().zip([&mut raw, &mut smoothed]).zip(masks) {
                let (j, f) = meter.push(mask, truth);
                (side[Metric::J], side[Metric::F]) = (Some(j), Some(f));
            }
        }
        let row = FrameMetrics {
            frame: input.frame,
            timestamp: input.timestamp,
            class: self.class.clone(),
            cut,
            raw,
            smoothed,
            valid_share: warped.as_ref().map(|[raw, _]| raw.previous.valid_share()),
            agreement: Some(iou(input.raw, input.smoothed)),
        };
        let warped_previous = warped.map(|pairs| pairs.map(|pair| pair.previous));
        self.pending = Some(Pending { row, masks: masks.map(Mask::clone), warped_previous });
        previous.map(|pending| self.finish_row(pending))
    }

    /// The last row, if there was any frame, and the clip's summary.
    pub fn finish(mut self) -> (Option<FrameMetrics>, ClassSummary) {
        let last = self.pending.take().map(|pending| self.finish_row(pending));
        let mut summary = self.summary.finish();
        summary.lag = self.lag.finish();
        if let Some([raw, smoothed]) = self.reference {
            summary.reference_raw = raw.finish(self.settings.protocol);
            summary.reference_smoothed = smoothed.finish(self.settings.protocol);
        }
        (last, summary)
    }

    /// Fills in what a row says of the frame after it.
    fn complete(&self, pending: &mut Pending, next: [&Mask; 2], warped: Option<&[WarpedPair; 2]>) {
        let Pending { row, masks, warped_previous } = pending;
        for (side, metrics) in [&mut row.raw, &mut row.smoothed].into_iter().enumerate() {
            if let (Some(before), Some(after)) = (warped_previous.as_ref(), warped) {
                metrics[Metric::PopRate] = pop_rate(&masks[side], &before[side], &after[side].onto_previous);
            }
            if self.settings.temporal_stability {
                metrics[Metric::T] = temporal_stability(&masks[side], next[side]);
            }
        }
    }

    fn finish_row(&mut self, pending: Pending) -> FrameMetrics {
        self.summary.push(&pending.row);
        pending.row
    }
}

/// What a mask's row says of the frame before it.
fn compare(now: &Mask, previous: Option<&Mask>, warped: Option<&Warped>) -> SideMetrics {
    let mut side = SideMetrics::default();
    let area = now.count();
    side[Metric::Area] = Some(area as f64);
    side.empty = area == 0;
    if let Some(previous) = previous {
        let overlap = Overlap::of(now, previous);
        side.empty = overlap.union == 0;
        side[Metric::Iou] = Some(overlap.iou());
        side[Metric::Dice] = Some(overlap.dice());
        side[Metric::Instability] = Some(1.0 - overlap.iou());
    }
    if let Some(warped) = warped {
        side[Metric::WarpedIou] = warped_iou(now, warped);
        side[Metric::WarpedInstability] = side[Metric::WarpedIou].map(|iou| 1.0 - iou);
        side[Metric::FlipRate] = flip_rate(now, warped);
    }
    side
}

#[cfg(test)]
#[path = "meter_tests.rs"]
mod tests;
