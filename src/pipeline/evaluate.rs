//! Smoothing held against ground truth: the same clip in several settings, and the ground
//! truth itself, all scored alike.

use std::path::PathBuf;

use super::{
    CancelToken, FrameRange, PipelineError, Progress, Stabilisation, Stable, Tracks, stabilise::Meters,
    truth::Truth,
};
use crate::{
    export::MaskPair,
    frame::{FrameIndex, FrameSize},
    metrics::{ClassSummary, FrameMetrics, MeterSettings, Protocol},
    region::Region,
    segment::{ClassGroup, Manifest},
    smooth::Settings,
};

pub struct Evaluation {
    /// Complete for the range.
    pub tracks: Tracks,
    pub range: FrameRange,
    pub manifest: Manifest,
    pub group: ClassGroup,
    pub size: FrameSize,
    pub truth: PathBuf,
    pub protocol: Protocol,
    /// T takes tens of milliseconds a frame.
    pub temporal_stability: bool,
    pub memory_bytes: usize,
}

/// How one setting did. Its raw side is the same for every setting.
pub struct Scored {
    pub summary: ClassSummary,
    pub rows: Vec<FrameMetrics>,
}

impl Evaluation {
    pub fn score(
        &self,
        settings: Settings,
        progress: &Progress,
        cancel: &CancelToken,
    ) -> Result<Scored, PipelineError> {
        let mut rows = Vec::new();
        let summaries = self.stabilisation(settings, cancel).run(|stable| {
            match stable {
                Stable::Frame(_) => progress.advance(),
                Stable::Row(row) => rows.push(*row),
            }
            Ok(())
        })?;
        one(summaries, rows)
    }

    pub(super) fn stabilisation(&self, settings: Settings, cancel: &CancelToken) -> Stabilisation {
        Stabilisation {
            tracks: self.tracks.clone(),
            range: self.range,
            manifest: self.manifest.clone(),
            groups: vec![self.group.clone()],
            settings,
            size: self.size,
            memory_bytes: self.memory_bytes,
            meter: self.meter(&settings),
            truth: Some(self.truth.clone()),
            leave_out: Region::default(),
            cancel: cancel.clone(),
        }
    }

    /// The ground truth measured as if it were the masks: what its own motion costs.
    pub fn score_truth(&self, cancel: &CancelToken) -> Result<Scored, PipelineError> {
        let mut truth = Truth::open(&self.truth, self.size)?;
        let mut meters =
            Meters::new(std::slice::from_ref(&self.group), self.meter(&Settings::default()), None);
        let mut rows = Vec::new();
        let frames = self.tracks.segmented.length()?.unwrap_or(usize::MAX);
        for index in (self.range.first..frames).take_while(|&index| self.range.contains(index)) {
            if cancel.is_cancelled() {
                return Err(PipelineError::Cancelled);
            }
            let Some(segmented) = self.tracks.segmented.get(index)? else { break };
            let mask = truth.mask(FrameIndex::new(index))?;
            let flow = match self.tracks.scoring() {
                Some(flow) if index > self.range.first => flow.track.get(index)?,
                _ => None,
            };
            let frame = super::StableFrame {
                index: FrameIndex::new(index),
                timestamp: segmented.timestamp,
                masks: vec![MaskPair { raw: mask.clone(), smoothed: mask.clone() }],
                soft: None,
            };
            rows.extend(meters.push(&frame, flow.as_ref(), Some(&mask)));
        }
        let summaries = meters.finish(&mut |stable| {
            if let Stable::Row(row) = stable {
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

fn one(summaries: Vec<ClassSummary>, rows: Vec<FrameMetrics>) -> Result<Scored, PipelineError> {
    let summary = summaries.into_iter().next();
    let summary = summary.ok_or_else(|| PipelineError::Internal("a class without a summary".into()))?;
    Ok(Scored { summary, rows })
}
