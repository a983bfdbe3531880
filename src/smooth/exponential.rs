//! The exponential filter: a recursion, so its memory reaches far at no cost.
//!
//! Causal, it is the classic `s_t = α p_t + (1 − α) s_{t−1}` with `s_0 = p_0`. Seen from a
//! moving pixel, `s_{t−1}` is warped along the flow, and where that does not hold the
//! frame's own p takes its place.
//!
//! Centred, it runs forward and backward. With W the warp and V its weight in [0, 1],
//! `F_t = α p_t + (1 − α) V W(F_{t−1})` sums the past, and `D_t`, the same recursion with
//! p = 1, sums its weights; B and E do so for the future. Then `(F + B − α p) / (D + E − α)`
//! has the symmetric kernel `(1 − α)^|k|`, normalised by what was really there at the ends,
//! at cuts and where the flow fails. What is kept is not F but the mean `F / D`: it needs no
//! more than 16 bits, and it makes the recursion the causal one with a gain of its own,
//! `s_t = s_{t−1} + (α / D_t)(p_t − s_{t−1})`.
//!
//! The backward run would begin at the end of the clip. It begins where the weights have
//! sunk under 1/512 instead, so memory is bounded.

use std::collections::VecDeque;

use rayon::prelude::*;

use crate::flow::{Flow, rows_per_band};
use crate::frame::FrameSize;
use crate::mask::SoftMask;
use crate::simd::vectorised;

use super::recursion::{ONE, Recursion, STATE_BITS, Start, State, Weight, steps_in_place};
use super::scenes::{Filter, masks_of};
use super::window::bands;
use super::{Alpha, Masks, SmoothFrame};

vectorised! {
    /// A half is rounded up: a mean of exactly 0.5 becomes the level that counts as set.
    fn to_levels(out: &mut [u8], means: &[u16]) {
        for (out, &mean) in out.iter_mut().zip(means) {
            *out = ((mean + (1 << (STATE_BITS - 1))) >> STATE_BITS) as u8;
        }
    }
}

pub(super) struct Causal {
    recursion: Recursion,
    state: Option<State>,
}

impl Causal {
    pub fn new(alpha: Alpha) -> Self {
        Self { recursion: Recursion::new(alpha, Start::Full), state: None }
    }
}

fn levels(size: FrameSize, state: &State) -> Masks {
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

/// One run of the recursion over frames that come one by one, for a single frame's sake.
pub(super) struct Run {
    recursion: Recursion,
    state: Option<State>,
}

impl Run {
    pub fn new(alpha: Alpha, start: Start) -> Self {
        Self { recursion: Recursion::new(alpha, start), state: None }
    }

    /// The next frame; `None` for the first of a scene, `Some(None)` where nothing moves, or
    /// the flow from this frame to the last one.
    pub fn push(&mut self, masks: &[SoftMask], flow: Option<Option<&Flow>>) {
        let state = match (&self.state, flow) {
            (Some(last), Some(flow)) => self.recursion.advance(last, masks, flow),
            _ => self.recursion.begin(masks),
        };
        self.state = Some(state);
    }

    /// The mean of a causal run.
    pub fn levels(&self, own: &Masks) -> Masks {
        self.state.as_ref().map_or_else(|| own.clone(), |state| levels(own[0].size(), state))
    }

    /// The mean of this run through the past and another through the future, which have met
    /// at the frame with the masks `own`.
    pub fn both(&self, future: &Self, own: &Masks) -> Masks {
        match (&self.state, &future.state) {
            (Some(past), Some(future)) => both(self.recursion, own, past, future),
            _ => own.clone(),
        }
    }
}

pub(super) struct Centred {
    recursion: Recursion,
    memory_bytes: usize,
    /// Frames that have not been given back, each with its past.
    held: VecDeque<(SmoothFrame, State)>,
    /// The last state, when its frame is no longer held.
    last: Option<State>,
}

/// Of which the means take 32 KiB.
const PX_TOGETHER: usize = 1 << 14;

/// The least a backward run looks ahead, however little memory there is.
const LEAST_LOOKAHEAD: usize = 4;

impl Centred {
    pub fn new(alpha: Alpha, memory_bytes: usize) -> Self {
        let recursion = Recursion::new(alpha, Start::Alike);
        Self { recursion, memory_bytes, held: VecDeque::new(), last: None }
    }

    /// How many frames the backward run begins ahead of the last frame that it finishes.
    /// As many are finished by one run: each frame is then passed twice.
    fn lookahead(&self, size: FrameSize, classes: usize) -> usize {
        let kept = 1.0 - f64::from(self.recursion.alpha());
        let far = if kept > 0.0 { ((1.0f64 / 512.0).ln() / kept.ln()).ceil() as usize } else { 1 };
        // A mask and a mean for each class, a sum of weights, and some for the flow.
        let frame_bytes = size.pixels() * (3 * classes + 4);
        far.min(self.memory_bytes / frame_bytes / 2).max(LEAST_LOOKAHEAD)
    }

    /// Runs backward over everything held and gives back the first `count` frames.
    fn emit(&mut self, count: usize) -> Vec<Masks> {
        let ready = match self.past_weights() {
            Some(weights) => self.run_back_in_place(count, &weights),
            None => self.run_back_along(count),
        };
        self.last = self.held.drain(..count).next_back().map(|(_, state)| state);
        ready
    }

    /// The sums of weights of the past, if nothing moves.
    fn past_weights(&self) -> Option<Vec<i32>> {
        let weight = |(frame, past): &(SmoothFrame, State)| match past.weight {
            Weight::Everywhere(weight) if frame.flow.is_none() => Some(weight),
            _ => None,
        };
        self.held.iter().map(weight).collect()
    }

    /// Where nothing moves, pixels know nothing of each other: some of them go through all the
    /// frames while they are in the fastest cache.
    fn run_back_in_place(&self, count: usize, past_weights: &[i32]) -> Vec<Masks> {
        let Some((newest, _)) = self.held.back().filter(|_| count > 0) else { return Vec::new() };
        let (size, classes) = (newest.masks[0].size(), newest.masks.len());
        let mut step = (self.recursion.first_weight(), ONE);
        let mut steps = vec![step];
        while steps.len() < self.held.len() {
            step = self.recursion.weight_and_gain_alike(step.0);
            steps.push(step);
        }
        steps.reverse();
        let alpha = self.recursion.alpha() * ONE as f32;
        // Class after class of frame after frame.
        let mut planes: Vec<_> = (0..count * classes).map(|_| vec![0; size.pixels()]).collect();
        bands(&mut planes, PX_TOGETHER).into_par_iter().enumerate().for_each(|(band, mut outs)| {
            let at = band * PX_TOGETHER..band * PX_TOGETHER + outs[0].len();
            let mut mean = vec![0; at.len()];
            for class in 0..classes {
                for (i, (frame, past)) in self.held.iter().enumerate().rev() {
                    let values = &frame.masks[class].values()[at.clone()];
                    let (weight, gain) = steps[i];
                    steps_in_place(&mut mean, values, gain);
                    if i < count {
                        let shares = Shares::of(alpha, past_weights[i] as f32, weight as f32);
                        let past = &past.means[class][at.clone()];
                        both_alike(outs[i * classes + class], values, past, &mean, shares);
                    }
                }
            }
        });
        let mut planes = planes.into_iter();
        (0..count).map(|_| masks_of(size, planes.by_ref().take(classes).collect())).collect()
    }

    fn run_back_along(&self, count: usize) -> Vec<Masks> {
        let mut future: Option<State> = None;
        let mut ready = Vec::with_capacity(count);
        for i in (0..self.held.len()).rev() {
            let (frame, past) = &self.held[i];
            let state = match &future {
                None => self.recursion.begin(&frame.masks),
                Some(future) => {
                    let flow = self.held[i + 1].0.flow.as_ref().map(|flow| flow.forward());
                    self.recursion.advance(future, &frame.masks, flow)
                }
            };
            if i < count {
                ready.push(both(self.recursion, &frame.masks, past, &state));
            }
            future = Some(state);
        }
        ready.reverse();
        ready
    }
}

impl Filter for Centred {
    fn push(&mut self, frame: SmoothFrame) -> Vec<Masks> {
        let last = self.held.back().map(|(_, state)| state).or(self.last.as_ref());
        let state = match last {
            None => self.recursion.begin(&frame.masks),
            Some(last) => {
                let flow = frame.flow.as_ref().map(|flow| flow.backward());
                self.recursion.advance(last, &frame.masks, flow)
            }
        };
        let lookahead = self.lookahead(frame.masks[0].size(), frame.masks.len());
        self.held.push_back((frame, state));
        if self.held.len() >= 2 * lookahead { self.emit(self.held.len() - lookahead) } else { Vec::new() }
    }

    fn finish(&mut self) -> Vec<Masks> {
        let rest = self.emit(self.held.len());
        self.last = None;
        rest
    }
}

/// `(F + B − α p) / (D + E − α)` from the two means and their sums of weights.
fn both(recursion: Recursion, masks: &[SoftMask], past: &State, future: &State) -> Masks {
    let size = masks[0].size();
    let band_px = rows_per_band(size) * size.width();
    let alpha = recursion.alpha() * ONE as f32;
    let combine = |class: usize| {
        let mut out = vec![0; size.pixels()];
        let (values, f, b) = (masks[class].values(), &past.means[class], &future.means[class]);
        out.par_chunks_mut(band_px).enumerate().for_each(|(i, out)| {
            let at = i * band_px..i * band_px + out.len();
            match (&past.weight, &future.weight) {
                (&Weight::Everywhere(d), &Weight::Everywhere(e)) => {
                    let shares = Shares::of(alpha, d as f32, e as f32);
                    both_alike(out, &values[at.clone()], &f[at.clone()], &b[at], shares);
                }
                (d, e) => {
                    let (d, e) = (d.row(at.clone()), e.row(at.clone()));
                    both_weighted(out, &values[at.clone()], (&f[at.clone()], &d), (&b[at], &e), alpha);
                }
            }
        });
        out
    };
    masks_of(size, (0..masks.len()).map(combine).collect())
}

vectorised! {
    fn both_alike(out: &mut [u8], values: &[u8], past: &[u16], future: &[u16], shares: Shares) {
        for ((out, &value), (&past, &future)) in out.iter_mut().zip(values).zip(past.iter().zip(future)) {
            *out = shares.mean(value, past, future);
        }
    }
}

vectorised! {
    /// Past and future: the means, and their sums of weights.
    fn both_weighted(out: &mut [u8], values: &[u8], past: (&[u16], &[u16]), future: (&[u16], &[u16]), alpha: f32) {
        let past = past.0.iter().zip(past.1);
        let future = future.0.iter().zip(future.1);
        for ((out, &value), ((&f, &d), (&b, &e))) in out.iter_mut().zip(values).zip(past.zip(future)) {
            *out = Shares::of(alpha, d.into(), e.into()).mean(value, f, b);
        }
    }
}

/// How much the past, the future and the frame itself count in the centred mean; they add
/// up to 1 over a level's steps.
#[derive(Clone, Copy)]
struct Shares {
    past: f32,
    future: f32,
    own: f32,
}

impl Shares {
    #[inline(always)]
    fn of(alpha: f32, past: f32, future: f32) -> Self {
        let scale = 1.0 / ((past + future - alpha) * (1 << STATE_BITS) as f32);
        Self { past: past * scale, future: future * scale, own: alpha * scale * (1 << STATE_BITS) as f32 }
    }

    #[inline(always)]
    fn mean(self, value: u8, past: u16, future: u16) -> u8 {
        let mean =
            f32::from(past) * self.past + f32::from(future) * self.future - f32::from(value) * self.own;
        // The differences of rounded means may leave the range by a hair.
        (mean + 0.5).clamp(0.0, 255.0) as i32 as u8
    }
}
