//! Scores against ground truth: J and F as DAVIS computes them, the video consistency of VSPW, and
//! mIoU over a clip.

use std::collections::VecDeque;

use serde::Serialize;

use super::boundary::boundary_f;
use super::neighbour::{Overlap, iou};
use base::mask::Mask;

/// The windows, in frames, that VSPW's video consistency is given for.
pub const VC_WINDOWS: [usize; 2] = [8, 16];

/// Which frames of a clip count for J and F.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// All of them.
    #[default]
    AllFrames,
    /// All but the first and the last, as in DAVIS's semi-supervised task.
    Davis,
}

/// DAVIS's statistics of a score over a clip.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SeriesStats {
    /// Over the counted frames.
    pub mean: f64,
    /// The share of frames above 0.5.
    pub recall: f64,
    /// The mean over the first quarter minus the mean over the last.
    pub decay: f64,
}

impl SeriesStats {
    /// Of a score at each frame, in order; absent when there is none. The quarters are
    /// DAVIS's bins, `round(linspace(1, N, 5)) − 1` with both ends in, without the 8-bit cast
    /// that makes its own wrap past 256 frames.
    pub fn of(values: &[f64]) -> Option<Self> {
        let last = values.len().checked_sub(1)?;
        // round(1 + quarter · (N − 1) / 4) − 1, halves upwards
        let edge = |quarter: usize| (quarter * last + 2) / 4;
        let recalled = values.iter().filter(|&&value| value > 0.5).count();
        Some(Self {
            mean: mean(values),
            recall: recalled as f64 / values.len() as f64,
            decay: mean(&values[..=edge(1)]) - mean(&values[edge(3)..]),
        })
    }
}

/// Scores of one class's masks against ground truth over a clip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReferenceScores {
    /// The number of counted frames.
    pub frames: usize,
    /// Region similarity: the IoU with the ground truth.
    pub j: SeriesStats,
    /// Contour accuracy: [`boundary_f`](crate::boundary_f).
    pub f: SeriesStats,
    /// The mean of the mean J and the mean F.
    pub j_and_f: f64,
    /// Video consistency over 8 frames; absent for shorter clips.
    pub vc_8: Option<f64>,
    /// Video consistency over 16 frames; absent for shorter clips.
    pub vc_16: Option<f64>,
}

/// Scores a clip frame by frame. Two numbers a frame and a window of masks are kept.
#[derive(Clone, Debug)]
pub struct ReferenceMeter {
    j: Vec<f64>,
    f: Vec<f64>,
    consistency: [VideoConsistency; 2],
}

impl Default for ReferenceMeter {
    fn default() -> Self {
        Self { j: Vec::new(), f: Vec::new(), consistency: VC_WINDOWS.map(VideoConsistency::new) }
    }
}

impl ReferenceMeter {
    /// J and F of the next frame. Masks of one size, here and below.
    pub fn push(&mut self, prediction: &Mask, truth: &Mask) -> (f64, f64) {
        let (j, f) = (iou(prediction, truth), boundary_f(prediction, truth));
        self.j.push(j);
        self.f.push(f);
        for consistency in &mut self.consistency {
            consistency.push(&[prediction], &[truth]);
        }
        (j, f)
    }

    /// The scores; absent when no frame counts. VC takes all frames under either protocol.
    pub fn finish(&self, protocol: Protocol) -> Option<ReferenceScores> {
        let counted = |values| match protocol {
            Protocol::AllFrames => SeriesStats::of(values),
            Protocol::Davis => values.get(1..values.len().checked_sub(1)?).and_then(SeriesStats::of),
        };
        let (j, f) = (counted(&self.j[..])?, counted(&self.f[..])?);
        let [vc_8, vc_16] = [0, 1].map(|window: usize| self.consistency[window].finish());
        let left_out = if protocol == Protocol::Davis { 2 } else { 0 };
        Some(ReferenceScores {
            frames: self.j.len() - left_out,
            j,
            f,
            j_and_f: (j.mean + f.mean) / 2.0,
            vc_8,
            vc_16,
        })
    }
}

/// VC-n of VSPW (Miao et al., CVPR 2021): of the pixels whose label in the ground truth is
/// constant over n frames, the share whose predicted label is constant too; the mean over
/// windows with a stride of 1. As in VSPW's own code (`VC_perclip.py`) the last window is
/// left out, and windows with no constant pixel are skipped. It counts consistency, not
/// correctness.
#[derive(Clone, Debug)]
pub struct VideoConsistency {
    window: usize,
    previous: Option<[Vec<Mask>; 2]>,
    /// Where prediction and truth changed at each of the window's steps.
    changes: VecDeque<[Mask; 2]>,
    sum: f64,
    windows: u64,
}

impl VideoConsistency {
    /// VC over windows of this many frames.
    ///
    /// # Panics
    /// When the window is shorter than two frames.
    pub fn new(window: usize) -> Self {
        assert!(window >= 2, "a window of two frames or more");
        Self { window, previous: None, changes: VecDeque::new(), sum: 0.0, windows: 0 }
    }

    /// The next frame: a mask for each class, the same classes in both and at every frame.
    pub fn push(&mut self, prediction: &[&Mask], truth: &[&Mask]) {
        // A window counts when another frame follows it.
        if self.changes.len() + 1 == self.window {
            self.score_window();
            self.changes.pop_front();
        }
        let now = [prediction, truth].map(|masks| masks.iter().copied().cloned().collect::<Vec<_>>());
        if let Some(before) = &self.previous {
            let changed = [0, 1].map(|side: usize| {
                let steps = now[side].iter().zip(&before[side]).map(|(now, before)| now.xor(before));
                steps.reduce(|all, step| all.or(&step))
            });
            if let [Some(prediction), Some(truth)] = changed {
                self.changes.push_back([prediction, truth]);
            }
        }
        self.previous = Some(now);
    }

    /// The mean; absent when no window counts.
    pub fn finish(&self) -> Option<f64> {
        (self.windows > 0).then(|| self.sum / self.windows as f64)
    }

    fn score_window(&mut self) {
        let mut changes = self.changes.iter();
        let Some(first) = changes.next() else { return };
        let [prediction, truth] =
            changes.fold(first.clone(), |[p, t], [step_p, step_t]| [p.or(step_p), t.or(step_t)]);
        let pixels = truth.size().pixels() as u64;
        let constant = pixels - truth.count();
        if constant > 0 {
            self.sum += (pixels - prediction.union_count(&truth)) as f64 / constant as f64;
            self.windows += 1;
        }
    }
}

/// mIoU over a clip: intersections and unions summed over its frames, then the mean of their
/// ratios over the classes present in ground truth or prediction.
#[derive(Clone, Debug, Default)]
pub struct MeanIou {
    classes: Vec<Overlap>,
}

impl MeanIou {
    /// The masks of class number `class` at the next frame.
    pub fn push(&mut self, class: usize, prediction: &Mask, truth: &Mask) {
        if self.classes.len() <= class {
            self.classes.resize(class + 1, Overlap::default());
        }
        let Overlap { intersection, union } = Overlap::of(prediction, truth);
        self.classes[class].intersection += intersection;
        self.classes[class].union += union;
    }

    /// The mean; absent when no class is present.
    pub fn finish(&self) -> Option<f64> {
        let present: Vec<f64> =
            self.classes.iter().filter(|overlap| overlap.union > 0).map(|overlap| overlap.iou()).collect();
        (!present.is_empty()).then(|| mean(&present))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
