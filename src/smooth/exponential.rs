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

use crate::flow::{Flow, Upscale, rows_per_band};
use crate::frame::FrameSize;
use crate::mask::SoftMask;
use crate::simd::vectorised;

use super::scenes::{Filter, masks_of};
use super::weighting::{self, Neighbour};
use super::window::bands;
use super::{Alpha, Masks, SmoothFrame};

/// The value of a state's last bit is 1/128 of a probability's.
const STATE_BITS: u32 = 7;
/// Gains and sums of weights are in 1/32768.
const ONE: i32 = 1 << 15;

/// The running mean after one frame, and the sum of the weights in it.
#[derive(Clone)]
struct State {
    /// A plane for each class.
    means: Vec<Vec<u16>>,
    weight: Weight,
}

#[derive(Clone)]
enum Weight {
    Everywhere(i32),
    /// Differs from pixel to pixel once the flow has failed somewhere.
    PerPixel(Vec<u16>),
}

/// What happens to the sum of weights from frame to frame.
#[derive(Clone, Copy)]
enum Start {
    /// The first frame counts in full, and so does one whose past is lost.
    Full,
    /// It counts like any other, by α.
    Alike,
}

#[derive(Clone, Copy)]
struct Recursion {
    alpha: i32,
    start: Start,
}

impl Recursion {
    fn new(alpha: Alpha, start: Start) -> Self {
        Self { alpha: ((alpha.get() * ONE as f32).round() as i32).max(1), start }
    }

    fn begin(self, masks: &[SoftMask]) -> State {
        let exact =
            |mask: &SoftMask| mask.values().iter().map(|&value| u16::from(value) << STATE_BITS).collect();
        let weight = match self.start {
            Start::Full => ONE,
            Start::Alike => self.alpha,
        };
        State { means: masks.iter().map(exact).collect(), weight: Weight::Everywhere(weight) }
    }

    /// The sum of weights after this frame and the gain with which its sample enters the
    /// mean, where the sum of what came before, as seen from here, is `past`.
    #[inline(always)]
    fn weight_and_gain(self, past: f32) -> (f32, f32) {
        let alpha = self.alpha as f32 / ONE as f32;
        let weight = match self.start {
            Start::Full => 1.0,
            Start::Alike => alpha + (1.0 - alpha) * past,
        };
        (weight, 1.0 - (1.0 - alpha) * past / weight)
    }

    /// One frame on. `flow` leads from this frame to the one of `last`.
    fn advance(
        self,
        last: &State,
        masks: &[SoftMask],
        flow: Option<&Flow>,
        upscale: &mut Option<Upscale>,
    ) -> State {
        match flow {
            // Weights differ from pixel to pixel only along a flow; without one on the way
            // the past cannot be found again, and the frame stands for itself.
            None => match last.weight {
                Weight::Everywhere(past) => self.advance_in_place(last, past, masks),
                Weight::PerPixel(_) => self.begin(masks),
            },
            Some(flow) => {
                let (grid, size) = (flow.size(), masks[0].size());
                if upscale.as_ref().is_none_or(|upscale| !upscale.is_for(grid, size)) {
                    *upscale = None;
                }
                self.advance_along(last, masks, flow, upscale.get_or_insert_with(|| Upscale::new(grid, size)))
            }
        }
    }

    fn advance_in_place(self, last: &State, past: i32, masks: &[SoftMask]) -> State {
        let (weight, gain) = self.weight_and_gain(past as f32 / ONE as f32);
        let gain = to_fixed(gain);
        let band_px = rows_per_band(masks[0].size()) * masks[0].size().width();
        let advance = |(mask, last): (&SoftMask, &Vec<u16>)| {
            let mut mean = vec![0; last.len()];
            let bands = mask.values().par_chunks(band_px).zip(last.par_chunks(band_px));
            mean.par_chunks_mut(band_px).zip(bands).for_each(|(mean, (values, last))| {
                steps_alike(mean, last, values, gain);
            });
            mean
        };
        State {
            means: masks.iter().zip(&last.means).map(advance).collect(),
            weight: Weight::Everywhere(to_fixed(weight)),
        }
    }

    fn advance_along(self, last: &State, masks: &[SoftMask], flow: &Flow, upscale: &Upscale) -> State {
        let size = masks[0].size();
        let width = size.width();
        let trust = weighting::weights(&Neighbour { flow });
        let sampler = upscale.sampler(flow.field(), &trust);
        let rows = rows_per_band(size);
        let mut means: Vec<Vec<u16>> = masks.iter().map(|_| vec![0; size.pixels()]).collect();
        let mut weights = vec![0u16; size.pixels()];
        let bands = bands(&mut means, rows * width).into_par_iter().zip(weights.par_chunks_mut(rows * width));
        bands.enumerate().for_each(|(i, (mut means, weights))| {
            let mut sampler = sampler.band();
            let (mut past, mut gains, mut warped) = (vec![0u16; width], vec![0i32; width], vec![0u16; width]);
            for (row, weights) in weights.chunks_mut(width).enumerate() {
                let y = i * rows + row;
                let places = sampler.row(y);
                match &last.weight {
                    Weight::Everywhere(weight) => past.fill(*weight as u16),
                    Weight::PerPixel(plane) => places.sample_u16(plane, &mut past),
                }
                gains_of(self, &past, places.weights(), weights, &mut gains);
                let at = row * width..(row + 1) * width;
                for ((mean, mask), last) in means.iter_mut().zip(masks).zip(&last.means) {
                    places.sample_u16(last, &mut warped);
                    let values = &mask.values()[y * width..][..width];
                    steps(&mut mean[at.clone()], &warped, values, &gains);
                }
            }
        });
        let weight = match self.start {
            Start::Full => Weight::Everywhere(ONE),
            Start::Alike => Weight::PerPixel(weights),
        };
        State { means, weight }
    }
}

/// From the mean so far towards a frame's value, by the gain. A value equal to the mean
/// leaves it as it is; a gain of 1 gives the value.
#[inline(always)]
fn step(mean: u16, value: u8, gain: i32) -> u16 {
    let difference = (i32::from(value) << STATE_BITS) - i32::from(mean);
    (i32::from(mean) + ((difference * gain + ONE / 2) >> 15)) as u16
}

vectorised! {
    fn steps_alike(mean: &mut [u16], last: &[u16], values: &[u8], gain: i32) {
        for ((mean, &last), &value) in mean.iter_mut().zip(last).zip(values) {
            *mean = step(last, value, gain);
        }
    }
}

vectorised! {
    fn steps(mean: &mut [u16], last: &[u16], values: &[u8], gains: &[i32]) {
        for ((mean, &last), (&value, &gain)) in mean.iter_mut().zip(last).zip(values.iter().zip(gains)) {
            *mean = step(last, value, gain);
        }
    }
}

vectorised! {
    /// From the sums of weights so far and how far they can be trusted, to the sums after
    /// this frame and its gains.
    fn gains_of(recursion: Recursion, past: &[u16], trust: &[u8], weights: &mut [u16], gains: &mut [i32]) {
        let samples = past.iter().zip(trust);
        for ((gain, weight), (&past, &trust)) in gains.iter_mut().zip(weights).zip(samples) {
            let past = f32::from(past) * f32::from(trust) / (ONE * i32::from(weighting::FULL)) as f32;
            let (sum, share) = recursion.weight_and_gain(past);
            *weight = to_fixed(sum) as u16;
            *gain = to_fixed(share);
        }
    }
}

#[inline(always)]
fn to_fixed(share: f32) -> i32 {
    (share * ONE as f32 + 0.5) as i32
}

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
    upscale: Option<Upscale>,
}

impl Causal {
    pub fn new(alpha: Alpha) -> Self {
        Self { recursion: Recursion::new(alpha, Start::Full), state: None, upscale: None }
    }
}

impl Filter for Causal {
    fn push(&mut self, frame: SmoothFrame) -> Vec<Masks> {
        let state = match &self.state {
            None => self.recursion.begin(&frame.masks),
            Some(last) => {
                let flow = frame.flow.as_ref().map(|flow| flow.backward());
                self.recursion.advance(last, &frame.masks, flow, &mut self.upscale)
            }
        };
        let levels = |mean: &Vec<u16>| {
            let mut out = vec![0; mean.len()];
            out.par_chunks_mut(1 << 16)
                .zip(mean.par_chunks(1 << 16))
                .for_each(|(out, mean)| to_levels(out, mean));
            out
        };
        let smoothed = masks_of(frame.masks[0].size(), state.means.iter().map(levels).collect());
        self.state = Some(state);
        vec![smoothed]
    }

    fn finish(&mut self) -> Vec<Masks> {
        self.state = None;
        Vec::new()
    }
}

pub(super) struct Centred {
    recursion: Recursion,
    memory_bytes: usize,
    /// Frames that have not been given back, each with its past.
    held: VecDeque<(SmoothFrame, State)>,
    /// The last state, when its frame is no longer held.
    last: Option<State>,
    upscale: Option<Upscale>,
}

/// The least a backward run looks ahead, however little memory there is.
const LEAST_LOOKAHEAD: usize = 4;

impl Centred {
    pub fn new(alpha: Alpha, memory_bytes: usize) -> Self {
        let recursion = Recursion::new(alpha, Start::Alike);
        Self { recursion, memory_bytes, held: VecDeque::new(), last: None, upscale: None }
    }

    /// How many frames the backward run begins ahead of the last frame that it finishes.
    /// As many are finished by one run: each frame is then passed twice.
    fn lookahead(&self, size: FrameSize, classes: usize) -> usize {
        let kept = 1.0 - self.recursion.alpha as f64 / f64::from(ONE);
        let far = if kept > 0.0 { ((1.0f64 / 512.0).ln() / kept.ln()).ceil() as usize } else { 1 };
        // A mask and a mean for each class, a sum of weights, and some for the flow.
        let frame_bytes = size.pixels() * (3 * classes + 4);
        far.min(self.memory_bytes / frame_bytes / 2).max(LEAST_LOOKAHEAD)
    }

    /// Runs backward over everything held and gives back the first `count` frames.
    fn emit(&mut self, count: usize) -> Vec<Masks> {
        let mut future: Option<State> = None;
        let mut ready = Vec::with_capacity(count);
        for i in (0..self.held.len()).rev() {
            let (frame, past) = &self.held[i];
            let state = match &future {
                None => self.recursion.begin(&frame.masks),
                Some(future) => {
                    let flow = self.held[i + 1].0.flow.as_ref().map(|flow| flow.forward());
                    self.recursion.advance(future, &frame.masks, flow, &mut self.upscale)
                }
            };
            if i < count {
                ready.push(both(self.recursion.alpha, &frame.masks, past, &state));
            }
            future = Some(state);
        }
        ready.reverse();
        self.last = self.held.drain(..count).next_back().map(|(_, state)| state);
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
                self.recursion.advance(last, &frame.masks, flow, &mut self.upscale)
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
fn both(alpha: i32, masks: &[SoftMask], past: &State, future: &State) -> Masks {
    let size = masks[0].size();
    let band_px = rows_per_band(size) * size.width();
    let combine = |class: usize| {
        let mut out = vec![0; size.pixels()];
        let (values, f, b) = (masks[class].values(), &past.means[class], &future.means[class]);
        out.par_chunks_mut(band_px).enumerate().for_each(|(i, out)| {
            let at = i * band_px..i * band_px + out.len();
            match (&past.weight, &future.weight) {
                (&Weight::Everywhere(d), &Weight::Everywhere(e)) => {
                    let shares = Shares::of(alpha as f32, d as f32, e as f32);
                    both_alike(out, &values[at.clone()], &f[at.clone()], &b[at], shares);
                }
                (d, e) => {
                    let (d, e) = (d.row(at.clone()), e.row(at.clone()));
                    both_weighted(out, &values[at.clone()], (&f[at.clone()], &d), (&b[at], &e), alpha as f32);
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

impl Weight {
    fn row(&self, at: std::ops::Range<usize>) -> std::borrow::Cow<'_, [u16]> {
        match self {
            Self::Everywhere(weight) => vec![*weight as u16; at.len()].into(),
            Self::PerPixel(plane) => plane[at].into(),
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
