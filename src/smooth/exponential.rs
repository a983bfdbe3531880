//! The exponential filter: a recursion, so a long memory costs nothing.
//!
//! The causal filter is the classic `s_t = α p_t + (1 − α) s_{t−1}` with `s_0 = p_0`. With motion,
//! `s_{t−1}` is warped along the flow; where the flow is not valid, the frame's own p takes its
//! place.
//!
//! The centred filter runs forward and backward. With W the warp and V its weight in [0, 1],
//! `F_t = α p_t + (1 − α) V W(F_{t−1})` sums the past, and `D_t`, the same recursion with p = 1, sums
//! its weights; B and E do so for the future. Then `(F + B − α p) / (D + E − α)` has the symmetric
//! kernel `(1 − α)^|k|`, normalised by the samples that exist at the ends, at cuts and where the flow
//! fails. Not F is stored but the mean `F / D`: it fits into 16 bits, and the recursion becomes the
//! causal one with a gain of its own, `s_t = s_{t−1} + (α / D_t)(p_t − s_{t−1})`.
//!
//! The backward run would have to begin at the end of the clip. It begins where the weights have
//! fallen below 1/512 instead, so memory is bounded.

use std::collections::VecDeque;

use rayon::prelude::*;

use base::frame::FrameSize;
use base::mask::{Masks, SoftMask};
use base::simd::vectorised;
use flow::{Flow, rows_per_band};

use super::filter::Filter;
use super::planes::{bands, masks_of};
use super::recursion::{FirstWeight, MEAN_BITS, ONE, Recursion, RunningMean, WeightSum, update_in_place};
use super::{Alpha, SmoothFrame};

vectorised! {
    /// Halves are rounded up: a mean of exactly 0.5 becomes a level that counts as set.
    fn to_levels(out: &mut [u8], means: &[u16]) {
        for (out, &mean) in out.iter_mut().zip(means) {
            *out = ((mean + (1 << (MEAN_BITS - 1))) >> MEAN_BITS) as u8;
        }
    }
}

pub(super) struct Causal {
    recursion: Recursion,
    state: Option<RunningMean>,
}

impl Causal {
    pub fn new(alpha: Alpha) -> Self {
        Self { recursion: Recursion::new(alpha, FirstWeight::One), state: None }
    }
}

fn levels(size: FrameSize, state: &RunningMean) -> Masks {
    let levels = |mean: &Vec<u16>| {
        let mut out = vec![0; mean.len()];
        out.par_chunks_mut(1 << 16)
            .zip(mean.par_chunks(1 << 16))
            .for_each(|(out, mean)| to_levels(out, mean));
        out
    };
    masks_of(size, state.means.iter().map(levels).collect())
}

impl Filter for Causal {
    fn push(&mut self, frame: SmoothFrame) -> Vec<Masks> {
        let state = match &self.state {
            None => self.recursion.begin(&frame.masks),
            Some(last) => {
                let flow = frame.flow.as_ref().map(|flow| flow.backward());
                self.recursion.advance(last, &frame.masks, flow)
            }
        };
        let smoothed = levels(frame.masks[0].size(), &state);
        self.state = Some(state);
        vec![smoothed]
    }

    fn finish(&mut self) -> Vec<Masks> {
        self.state = None;
        Vec::new()
    }
}

/// One run of the recursion, towards a single frame that is wanted.
pub(super) struct RecursivePass {
    recursion: Recursion,
    state: Option<RunningMean>,
}

impl RecursivePass {
    pub fn new(alpha: Alpha, start: FirstWeight) -> Self {
        Self { recursion: Recursion::new(alpha, start), state: None }
    }

    /// The first frame of a scene.
    pub fn begin(&mut self, masks: &[SoftMask]) {
        self.state = Some(self.recursion.begin(masks));
    }

    /// The next frame of the scene. `flow` leads from it to the last one; `None` where nothing moves.
    pub fn advance(&mut self, masks: &[SoftMask], flow: Option<&Flow>) {
        self.state = Some(match &self.state {
            Some(last) => self.recursion.advance(last, masks, flow),
            None => self.recursion.begin(masks),
        });
    }

    /// The mean of a causal run.
    pub fn levels(&self, own: &Masks) -> Masks {
        self.state.as_ref().map_or_else(|| own.clone(), |state| levels(own[0].size(), state))
    }

    /// The mean of this run through the past and another one through the future, which meet at the
    /// frame whose masks are `own`.
    pub fn combine(&self, future: &Self, own: &Masks) -> Masks {
        match (&self.state, &future.state) {
            (Some(past), Some(future)) => combine(self.recursion, own, past, future),
            _ => own.clone(),
        }
    }
}

pub(super) struct Centred {
    recursion: Recursion,
    memory_bytes: usize,
    /// Frames that have not been returned yet, each with the mean of its past.
    pending: VecDeque<(SmoothFrame, RunningMean)>,
    /// The mean after the last returned frame, while `pending` is empty.
    last: Option<RunningMean>,
}

/// Pixels of a band whose means, 32 KiB, stay in the fastest cache.
const BAND_PX: usize = 1 << 14;

/// How many frames a backward run looks ahead at least, however little memory there is.
const MIN_LOOKAHEAD: usize = 4;

impl Centred {
    pub fn new(alpha: Alpha, memory_bytes: usize) -> Self {
        let recursion = Recursion::new(alpha, FirstWeight::Alpha);
        Self { recursion, memory_bytes, pending: VecDeque::new(), last: None }
    }

    /// How many frames the backward run begins after the last frame that it finishes. One run
    /// finishes as many, so it passes each frame twice.
    fn lookahead(&self, size: FrameSize, classes: usize) -> usize {
        let kept = 1.0 - f64::from(self.recursion.alpha());
        let far = if kept > 0.0 { ((1.0f64 / 512.0).ln() / kept.ln()).ceil() as usize } else { 1 };
        // A mask and a mean for each class, a sum of weights, and some for the flow.
        let frame_bytes = size.pixels() * (3 * classes + 4);
        far.min(self.memory_bytes / frame_bytes / 2).max(MIN_LOOKAHEAD)
    }

    /// Runs backward over all pending frames and returns the first `count`.
    fn emit(&mut self, count: usize) -> Vec<Masks> {
        let ready = match self.past_weights() {
            Some(weights) => self.run_back_still(count, &weights),
            None => self.run_back_along_flow(count),
        };
        self.last = self.pending.drain(..count).next_back().map(|(_, state)| state);
        ready
    }

    /// The sums of weights of the past, if no frame has a flow.
    fn past_weights(&self) -> Option<Vec<i32>> {
        let weight = |(frame, past): &(SmoothFrame, RunningMean)| match past.weight {
            WeightSum::Everywhere(weight) if frame.flow.is_none() => Some(weight),
            _ => None,
        };
        self.pending.iter().map(weight).collect()
    }

    /// Without flow, pixels are independent: a band of them goes through all frames while it is in
    /// the fastest cache.
    fn run_back_still(&self, count: usize, past_weights: &[i32]) -> Vec<Masks> {
        let Some((newest, _)) = self.pending.back().filter(|_| count > 0) else { return Vec::new() };
        let (size, classes) = (newest.masks[0].size(), newest.masks.len());
        let mut step = (self.recursion.first_weight(), ONE);
        let mut steps = vec![step];
        while steps.len() < self.pending.len() {
            step = self.recursion.uniform_weight_and_gain(step.0);
            steps.push(step);
        }
        steps.reverse();
        let alpha = self.recursion.alpha() * ONE as f32;
        // Class after class of frame after frame.
        let mut planes: Vec<_> = (0..count * classes).map(|_| vec![0; size.pixels()]).collect();
        bands(&mut planes, BAND_PX).into_par_iter().enumerate().for_each(|(band, mut outs)| {
            let at = band * BAND_PX..band * BAND_PX + outs[0].len();
            let mut mean = vec![0; at.len()];
            for class in 0..classes {
                for (i, (frame, past)) in self.pending.iter().enumerate().rev() {
                    let values = &frame.masks[class].values()[at.clone()];
                    let (weight, gain) = steps[i];
                    update_in_place(&mut mean, values, gain);
                    if i < count {
                        let shares = Shares::of(alpha, past_weights[i] as f32, weight as f32);
                        let past = &past.means[class][at.clone()];
                        combine_uniform(outs[i * classes + class], values, past, &mean, shares);
                    }
                }
            }
        });
        let mut planes = planes.into_iter();
        (0..count).map(|_| masks_of(size, planes.by_ref().take(classes).collect())).collect()
    }

    fn run_back_along_flow(&self, count: usize) -> Vec<Masks> {
        let mut future: Option<RunningMean> = None;
        let mut ready = Vec::with_capacity(count);
        for i in (0..self.pending.len()).rev() {
            let (frame, past) = &self.pending[i];
            let state = match &future {
                None => self.recursion.begin(&frame.masks),
                Some(future) => {
                    let flow = self.pending[i + 1].0.flow.as_ref().map(|flow| flow.forward());
                    self.recursion.advance(future, &frame.masks, flow)
                }
            };
            if i < count {
                ready.push(combine(self.recursion, &frame.masks, past, &state));
            }
            future = Some(state);
        }
        ready.reverse();
        ready
    }
}

impl Filter for Centred {
    fn push(&mut self, frame: SmoothFrame) -> Vec<Masks> {
        let last = self.pending.back().map(|(_, state)| state).or(self.last.as_ref());
        let state = match last {
            None => self.recursion.begin(&frame.masks),
            Some(last) => {
                let flow = frame.flow.as_ref().map(|flow| flow.backward());
                self.recursion.advance(last, &frame.masks, flow)
            }
        };
        let lookahead = self.lookahead(frame.masks[0].size(), frame.masks.len());
        self.pending.push_back((frame, state));
        if self.pending.len() >= 2 * lookahead {
            self.emit(self.pending.len() - lookahead)
        } else {
            Vec::new()
        }
    }

    fn finish(&mut self) -> Vec<Masks> {
        let rest = self.emit(self.pending.len());
        self.last = None;
        rest
    }
}

/// `(F + B − α p) / (D + E − α)` from the two means and their sums of weights.
fn combine(recursion: Recursion, masks: &[SoftMask], past: &RunningMean, future: &RunningMean) -> Masks {
    let size = masks[0].size();
    let band_px = rows_per_band(size) * size.width();
    let alpha = recursion.alpha() * ONE as f32;
    let combine = |class: usize| {
        let mut out = vec![0; size.pixels()];
        let (values, f, b) = (masks[class].values(), &past.means[class], &future.means[class]);
        out.par_chunks_mut(band_px).enumerate().for_each(|(i, out)| {
            let at = i * band_px..i * band_px + out.len();
            match (&past.weight, &future.weight) {
                (&WeightSum::Everywhere(d), &WeightSum::Everywhere(e)) => {
                    let shares = Shares::of(alpha, d as f32, e as f32);
                    combine_uniform(out, &values[at.clone()], &f[at.clone()], &b[at], shares);
                }
                (d, e) => {
                    let (d, e) = (d.row(at.clone()), e.row(at.clone()));
                    combine_weighted(out, &values[at.clone()], (&f[at.clone()], &d), (&b[at], &e), alpha);
                }
            }
        });
        out
    };
    masks_of(size, (0..masks.len()).map(combine).collect())
}

vectorised! {
    fn combine_uniform(out: &mut [u8], values: &[u8], past: &[u16], future: &[u16], shares: Shares) {
        for ((out, &value), (&past, &future)) in out.iter_mut().zip(values).zip(past.iter().zip(future)) {
            *out = shares.mean(value, past, future);
        }
    }
}

vectorised! {
    /// `past` and `future` are each the means and their sums of weights.
    fn combine_weighted(out: &mut [u8], values: &[u8], past: (&[u16], &[u16]), future: (&[u16], &[u16]), alpha: f32) {
        let past = past.0.iter().zip(past.1);
        let future = future.0.iter().zip(future.1);
        for ((out, &value), ((&f, &d), (&b, &e))) in out.iter_mut().zip(values).zip(past.zip(future)) {
            *out = Shares::of(alpha, d.into(), e.into()).mean(value, f, b);
        }
    }
}

/// How much the past, the future and the frame itself count in the centred mean. They are scaled
/// from a mean's units to levels.
#[derive(Clone, Copy)]
struct Shares {
    past: f32,
    future: f32,
    own: f32,
}

impl Shares {
    #[inline(always)]
    fn of(alpha: f32, past: f32, future: f32) -> Self {
        let scale = 1.0 / ((past + future - alpha) * (1 << MEAN_BITS) as f32);
        Self { past: past * scale, future: future * scale, own: alpha * scale * (1 << MEAN_BITS) as f32 }
    }

    #[inline(always)]
    fn mean(self, value: u8, past: u16, future: u16) -> u8 {
        let mean =
            f32::from(past) * self.past + f32::from(future) * self.future - f32::from(value) * self.own;
        // Rounded means may lead slightly out of the range.
        (mean + 0.5).clamp(0.0, 255.0) as i32 as u8
    }
}
