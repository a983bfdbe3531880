//! Smoothing compared with ground truth: the same clip with several settings, and the ground truth itself,
//! all scored in the same way.

use std::path::PathBuf;

use super::{
    CancelToken, PipelineError, Progress, SoftSource, Stabilisation, StabilisationOutput, StabilisedFrame,
    metering::Meters, truth::Truth,
};
use base::{frame::FrameIndex, mask::MaskPair};
use metrics::{ClassSummary, FrameMetrics, MeterSettings, Protocol};
use smooth::Settings;

/// A clip with ground truth, and how to score it. Pass 1 must be over.
pub struct Evaluation {
    /// Of one class; its tracks are complete for its range.
    pub source: SoftSource,
    /// Masks, frame for frame: what is not black is set.
    pub truth: PathBuf,
    /// Which frames count.
    pub protocol: Protocol,
    /// T takes tens of milliseconds a frame.
    pub temporal_stability: bool,
    /// For everything in flight.
    pub memory_bytes: usize,
}

/// The scores of one setting. Those of the raw masks are the same for every setting.
pub struct Score {
    /// Over all frames.
    pub summary: ClassSummary,
    /// Frame by frame.
    pub rows: Vec<FrameMetrics>,
}

impl Evaluation {
    /// Smooths with these settings and measures the result against the ground truth. `progress` counts frames.
    ///
    /// # Errors
    /// When the settings contradict each other, a frame lacks its ground truth, or the tracks can't be read;
    /// [`PipelineError::Cancelled`] after `cancel`.
    pub fn score(
        &self,
        settings: Settings,
        progress: &Progress,
        cancel: &CancelToken,
    ) -> Result<Score, PipelineError> {
        let mut rows = Vec::new();
        let summaries = self.stabilisation(settings, cancel).run(|stable| {
            match stable {
                StabilisationOutput::Frame(_) => progress.advance(),
                StabilisationOutput::Row(row) => rows.push(*row),
            }
            Ok(())
        })?;
        one(summaries, rows)
    }

    pub(super) fn stabilisation(&self, settings: Settings, cancel: &CancelToken) -> Stabilisation {
        Stabilisation {
            source: self.source.clone(),
            settings,
            memory_bytes: self.memory_bytes,
            meter: self.meter(&settings),
            truth: Some(self.truth.clone()),
            cancel: cancel.clone(),
        }
    }

    /// The ground truth measured as if it were the masks: what its own motion costs.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn score_truth(&self, cancel: &CancelToken) -> Result<Score, PipelineError> {
        let SoftSource { plan, tracks, range, size } = &self.source;
        let mut truth = Truth::open(&self.truth, *size)?;
        let mut meters = Meters::new(plan.classes(), self.meter(&Settings::default()), None);
        let mut rows = Vec::new();
        let frames = tracks.segmented.length()?.unwrap_or(usize::MAX);
        for index in (range.first..frames).take_while(|&index| range.contains(index)) {
            if cancel.is_cancelled() {
                return Err(PipelineError::Cancelled);
            }
            let Some(timestamp) = tracks.timestamp(index, *range)? else { break };
            let mask = truth.mask(FrameIndex::new(index))?;
            let flow = match tracks.scoring() {
                Some(flow) if index > range.first => flow.track.get(index)?,
                _ => None,
            };
            let frame = StabilisedFrame {
                index: FrameIndex::new(index),
                timestamp,
                masks: vec![MaskPair { raw: mask.clone(), smoothed: mask.clone() }],
                soft: None,
            };
            rows.extend(meters.push(&frame, flow.as_ref(), Some(&mask)));
        }
        let summaries = meters.finish(&mut |stable| {
            if let StabilisationOutput::Row(row) = stable {
                rows.push(*row);
            }
            Ok(())
        })?;
        one(summaries, rows)
    }

    fn meter(&self, settings: &Settings) -> MeterSettings {
        MeterSettings {
            expected_lag_frames: settings.expected_lag_frames(),
            temporal_stability: self.temporal_stability,
            protocol: self.protocol,
        }
    }
}

fn one(summaries: Vec<ClassSummary>, rows: Vec<FrameMetrics>) -> Result<Score, PipelineError> {
    let summary = summaries.into_iter().next();
    let summary = summary.ok_or_else(|| PipelineError::Internal("a class without a summary".into()))?;
    Ok(Score { summary, rows })
}
