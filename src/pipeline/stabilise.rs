//! Pass 2: read what pass 1 stored, smooth it, decide on masks, measure them.
//!
//! ```text
//!   tracks ─► probabilities ─║─► smoother ─► decision ─► meters ─► masks and rows
//! ```
//! The double line is a thread's border: reading and smoothing overlap.

use std::{collections::VecDeque, path::PathBuf, sync::Arc, thread};

use super::{
    CancelToken, PipelineError, SoftSource,
    filter::{Filter, Smoothed},
    metering::Meters,
    soft_source::SoftFrame,
    truth::Truth,
};
use base::{
    bounded::{self, Receiver},
    frame::{FrameIndex, Timestamp},
    mask::{Mask, MaskPair, Masks},
    stages::stage,
};
use flow::FlowPair;
use metrics::{ClassSummary, FrameMetrics, MeterSettings};
use smooth::{Settings, argmax, exclude};

/// Pass 2 over the frames of a source, with settings that need not be those of its plan.
pub struct Stabilisation {
    /// Where soft masks come from; pass 1 may still be at work.
    pub source: SoftSource,
    /// In place of those of the plan.
    pub settings: Settings,
    /// For soft masks on their way.
    pub memory_bytes: usize,
    /// What is measured.
    pub meter: MeterSettings,
    /// Ground truth of the only class.
    pub truth: Option<PathBuf>,
    /// Stops the pass at its next frame.
    pub cancel: CancelToken,
}

/// A frame's masks, in the order of the plan's classes.
#[derive(Clone, Debug)]
pub struct StabilisedFrame {
    /// Its number in the clip.
    pub index: FrameIndex,
    /// When it is shown.
    pub timestamp: Timestamp,
    /// Raw and smoothed, for each class.
    pub masks: Vec<MaskPair>,
    /// What the smoothed masks are decided by; `None` of hard masks.
    pub soft: Option<Masks>,
}

/// What pass 2 produces, in order. A row comes after its frame.
pub enum StabilisationOutput {
    /// The masks of a frame.
    Frame(StabilisedFrame),
    /// What was measured of one class of a frame.
    Row(Box<FrameMetrics>),
}

/// A frame that is inside the smoother.
struct PendingFrame {
    index: usize,
    timestamp: Timestamp,
    raw: Vec<Mask>,
    scoring: Option<Arc<FlowPair>>,
}

impl Stabilisation {
    /// Runs the pass, giving each result to `take` as it is there, and sums the classes up.
    ///
    /// # Errors
    /// When the settings contradict each other, a frame lacks its ground truth, or the tracks can't be read;
    /// what `take` says; [`PipelineError::Cancelled`] after `cancel`.
    pub fn run(
        self,
        mut take: impl FnMut(StabilisationOutput) -> Result<(), PipelineError>,
    ) -> Result<Vec<ClassSummary>, PipelineError> {
        let truth = self.truth.as_deref().map(|path| Truth::open(path, self.source.size)).transpose()?;
        let (to_smoother, stream) = bounded::channel(self.memory_bytes);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                // Moved in, so that the stream ends when the reading does.
                let to_smoother = to_smoother;
                let send = |frame: SoftFrame| {
                    let flow_bytes = frame.flow.smoothing.as_ref().map_or(0, |flow| flow.bytes());
                    let bytes = frame.masks.len() * self.source.size.pixels() + flow_bytes;
                    to_smoother.send(frame, bytes).is_ok()
                };
                self.source.read(|| !self.cancel.is_cancelled(), send)
            });
            let measured = self.smooth(stream, truth, &mut take);
            let read = reader
                .join()
                .unwrap_or_else(|_| Err(PipelineError::Internal("the reader of pass 2 panicked".into())));
            read.and(measured)
        })
    }

    fn smooth(
        &self,
        stream: Receiver<SoftFrame>,
        mut truth: Option<Truth>,
        take: &mut impl FnMut(StabilisationOutput) -> Result<(), PipelineError>,
    ) -> Result<Vec<ClassSummary>, PipelineError> {
        let (leave_out, classes) = (self.source.left_out(), self.source.plan.classes());
        let mut filter = Filter::new(&self.settings, classes.len(), self.memory_bytes, leave_out.clone())?;
        let mut waiting: VecDeque<PendingFrame> = VecDeque::new();
        let mut meters = Meters::new(classes, self.meter, leave_out.clone());
        for SoftFrame { index, timestamp, masks, flow } in stream {
            if self.cancel.is_cancelled() {
                return Err(PipelineError::Cancelled);
            }
            let raw = stage!("decide", argmax(&masks, self.settings.threshold, self.settings.overlap));
            let raw = exclude(raw, leave_out.as_ref());
            let smoothed = stage!("smooth", filter.push(&raw, masks, flow.smoothing)?);
            waiting.push_back(PendingFrame { index, timestamp, raw, scoring: flow.scoring });
            for smoothed in smoothed {
                self.emit(waiting.pop_front(), smoothed, &mut truth, &mut meters, take)?;
            }
        }
        for smoothed in stage!("smooth", filter.finish()) {
            self.emit(waiting.pop_front(), smoothed, &mut truth, &mut meters, take)?;
        }
        meters.finish(take)
    }

    fn emit(
        &self,
        waiting: Option<PendingFrame>,
        smoothed: Smoothed,
        truth: &mut Option<Truth>,
        meters: &mut Meters,
        take: &mut impl FnMut(StabilisationOutput) -> Result<(), PipelineError>,
    ) -> Result<(), PipelineError> {
        let Some(PendingFrame { index, timestamp, raw, scoring }) = waiting else {
            return Err(PipelineError::Internal("the smoother gave more frames than it got".into()));
        };
        let masks: Vec<MaskPair> =
            raw.into_iter().zip(smoothed.hard).map(|(raw, smoothed)| MaskPair { raw, smoothed }).collect();
        let frame = StabilisedFrame { index: FrameIndex::new(index), timestamp, masks, soft: smoothed.soft };
        let truth = truth.as_mut().map(|truth| truth.mask(frame.index)).transpose()?;
        let rows = stage!("measure", meters.push(&frame, scoring.as_deref(), truth.as_ref()));
        take(StabilisationOutput::Frame(frame))?;
        rows.into_iter().try_for_each(|row| take(StabilisationOutput::Row(Box::new(row))))
    }
}
