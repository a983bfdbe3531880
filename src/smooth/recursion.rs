//! One step of the exponential filter: a running mean, the sum of the weights in it, and
//! what a new frame makes of them. `exponential` says what for.

use rayon::prelude::*;

use crate::flow::{FULL, Flow, Upscale, rows_per_band};
use crate::mask::SoftMask;
use crate::simd::{nearest, vectorised};

use super::Alpha;
use super::window::bands;

/// The value of a state's last bit is 1/128 of a probability's.
pub(super) const STATE_BITS: u32 = 7;
/// Gains and sums of weights are in 1/32768.
pub(super) const ONE: i32 = 1 << 15;

/// The running mean after one frame, and the sum of the weights in it.
pub(super) struct State {
    /// A plane for each class.
    pub means: Vec<Vec<u16>>,
    pub weight: Weight,
}

pub(super) enum Weight {
    Everywhere(i32),
    /// Differs from pixel to pixel once the flow has failed somewhere.
    PerPixel(Vec<u16>),
}

/// What happens to the sum of weights from frame to frame.
#[derive(Clone, Copy)]
pub(super) enum Start {
    /// The first frame counts in full, and so does one whose past is lost.
    Full,
    /// It counts like any other, by α.
    Alike,
}

#[derive(Clone, Copy)]
pub(super) struct Recursion {
    /// A whole number of steps.
    alpha: f32,
    start: Start,
}

impl Recursion {
    pub fn new(alpha: Alpha, start: Start) -> Self {
        Self { alpha: (alpha.get() * ONE as f32).round().max(1.0) / ONE as f32, start }
    }

    pub fn alpha(self) -> f32 {
        self.alpha
    }

    /// The sum of weights after the first frame. Its gain is [`ONE`].
    pub fn first_weight(self) -> i32 {
        match self.start {
            Start::Full => ONE,
            Start::Alike => to_fixed(self.alpha),
        }
    }

    /// The state after the first frame.
    pub fn begin(self, masks: &[SoftMask]) -> State {
        let exact =
            |mask: &SoftMask| mask.values().iter().map(|&value| u16::from(value) << STATE_BITS).collect();
        let weight = Weight::Everywhere(self.first_weight());
        State { means: masks.iter().map(exact).collect(), weight }
    }

    /// The sum of weights after this frame and the gain with which its sample enters the
    /// mean, where the sum of what came before, as seen from here, is `past`.
    #[inline(always)]
    fn weight_and_gain(self, past: f32) -> (f32, f32) {
        let past = (1.0 - self.alpha) * past;
        let weight = match self.start {
            Start::Full => 1.0,
            Start::Alike => self.alpha + past,
        };
        (weight, 1.0 - past / weight)
    }

    /// One frame on. `flow` leads from this frame to the one of `last`.
    pub fn advance(self, last: &State, masks: &[SoftMask], flow: Option<&Flow>) -> State {
        match flow {
            // Weights differ from pixel to pixel only along a flow; without one on the way
            // the past cannot be found again, and the frame stands for itself.
            None => match last.weight {
                Weight::Everywhere(past) => self.advance_in_place(last, past, masks),
                Weight::PerPixel(_) => self.begin(masks),
            },
            Some(flow) => self.advance_along(last, masks, flow),
        }
    }

    /// The sum of weights after a frame, and its gain, where the sum before it was `past` and all
    /// pixels are alike.
    pub fn weight_and_gain_alike(self, past: i32) -> (i32, i32) {
        let (weight, gain) = self.weight_and_gain(past as f32 / ONE as f32);
        (to_fixed(weight), to_fixed(gain))
    }

    fn advance_in_place(self, last: &State, past: i32, masks: &[SoftMask]) -> State {
        let (weight, gain) = self.weight_and_gain_alike(past);
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
            weight: Weight::Everywhere(weight),
        }
    }

    fn advance_along(self, last: &State, masks: &[SoftMask], flow: &Flow) -> State {
        let size = masks[0].size();
        let width = size.width();
        let upscale = Upscale::new(flow.size(), size);
        let rows = rows_per_band(size);
        let mut means: Vec<Vec<u16>> = masks.iter().map(|_| vec![0; size.pixels()]).collect();
        let mut weights = vec![0u16; size.pixels()];
        let bands = bands(&mut means, rows * width).into_par_iter().zip(weights.par_chunks_mut(rows * width));
        bands.enumerate().for_each(|(i, (mut means, weights))| {
            let all = upscale.all_columns();
            let (mut grid, mut places) = (upscale.band(all.clone()), upscale.places(all));
            let (mut past, mut gains, mut warped) = (vec![0u16; width], vec![0i32; width], vec![0u16; width]);
            for (row, weights) in weights.chunks_mut(width).enumerate() {
                let y = i * rows + row;
                grid.row(y, |y| flow.field().row(y), &mut places);
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
    pub(super) fn steps_in_place(mean: &mut [u16], values: &[u8], gain: i32) {
        for (mean, &value) in mean.iter_mut().zip(values) {
            *mean = step(*mean, value, gain);
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
            let past = f32::from(past) * f32::from(trust) * (1.0 / (ONE * i32::from(FULL)) as f32);
            let (sum, share) = recursion.weight_and_gain(past);
            *weight = to_fixed(sum) as u16;
            *gain = to_fixed(share);
        }
    }
}

#[inline(always)]
fn to_fixed(share: f32) -> i32 {
    nearest(share * ONE as f32)
}

impl Weight {
    /// The sums of weights of some pixels.
    pub fn row(&self, at: std::ops::Range<usize>) -> std::borrow::Cow<'_, [u16]> {
        match self {
            Self::Everywhere(weight) => vec![*weight as u16; at.len()].into(),
            Self::PerPixel(plane) => plane[at].into(),
        }
    }
}
