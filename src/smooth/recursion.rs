//! One step of the exponential filter: how a new frame changes the running mean and the sum of its
//! weights. `exponential` explains the formulas.

use rayon::prelude::*;

use base::mask::SoftMask;
use base::simd::{nearest, vectorised};
use flow::{FULL_WEIGHT, Flow, Upscale, rows_per_band};

use super::Alpha;
use super::planes::bands;

/// Means are in 1/128 of a probability's level.
pub(super) const MEAN_BITS: u32 = 7;
/// Gains and sums of weights are in 1/32768.
pub(super) const ONE: i32 = 1 << 15;

/// The running mean after one frame, and the sum of the weights in it.
pub(super) struct RunningMean {
    /// A plane for each class.
    pub means: Vec<Vec<u16>>,
    pub weight: WeightSum,
}

pub(super) enum WeightSum {
    /// The same for every pixel.
    Everywhere(i32),
    /// Differs from pixel to pixel once the flow has failed somewhere.
    PerPixel(Vec<u16>),
}

/// With which weight a first frame, or one whose past is lost, enters the mean.
#[derive(Clone, Copy)]
pub(super) enum FirstWeight {
    /// 1: it replaces the past.
    One,
    /// α, like any other frame.
    Alpha,
}

#[derive(Clone, Copy)]
pub(super) struct Recursion {
    /// A multiple of 1/32768.
    alpha: f32,
    start: FirstWeight,
}

impl Recursion {
    pub fn new(alpha: Alpha, start: FirstWeight) -> Self {
        Self { alpha: (alpha.get() * ONE as f32).round().max(1.0) / ONE as f32, start }
    }

    pub fn alpha(self) -> f32 {
        self.alpha
    }

    /// The sum of weights after the first frame. Its gain is [`ONE`].
    pub fn first_weight(self) -> i32 {
        match self.start {
            FirstWeight::One => ONE,
            FirstWeight::Alpha => to_fixed(self.alpha),
        }
    }

    /// The state after the first frame.
    pub fn begin(self, masks: &[SoftMask]) -> RunningMean {
        let exact =
            |mask: &SoftMask| mask.values().iter().map(|&value| u16::from(value) << MEAN_BITS).collect();
        let weight = WeightSum::Everywhere(self.first_weight());
        RunningMean { means: masks.iter().map(exact).collect(), weight }
    }

    /// The sum of weights after this frame, and the gain with which its sample enters the mean, where
    /// `past` is the sum of the weights before it.
    #[inline(always)]
    fn weight_and_gain(self, past: f32) -> (f32, f32) {
        let past = (1.0 - self.alpha) * past;
        let weight = match self.start {
            FirstWeight::One => 1.0,
            FirstWeight::Alpha => self.alpha + past,
        };
        (weight, 1.0 - past / weight)
    }

    /// The mean after the next frame. `flow` leads from it to the frame of `last`.
    pub fn advance(self, last: &RunningMean, masks: &[SoftMask], flow: Option<&Flow>) -> RunningMean {
        match flow {
            // Weights differ from pixel to pixel only after a flow. Without a flow the past
            // can't be followed further, and the frame begins anew.
            None => match last.weight {
                WeightSum::Everywhere(past) => self.advance_in_place(last, past, masks),
                WeightSum::PerPixel(_) => self.begin(masks),
            },
            Some(flow) => self.advance_along(last, masks, flow),
        }
    }

    /// The same where the sum before the frame, `past`, is the same for all pixels; in 1/32768.
    pub fn uniform_weight_and_gain(self, past: i32) -> (i32, i32) {
        let (weight, gain) = self.weight_and_gain(past as f32 / ONE as f32);
        (to_fixed(weight), to_fixed(gain))
    }

    fn advance_in_place(self, last: &RunningMean, past: i32, masks: &[SoftMask]) -> RunningMean {
        let (weight, gain) = self.uniform_weight_and_gain(past);
        let band_px = rows_per_band(masks[0].size()) * masks[0].size().width();
        let advance = |(mask, last): (&SoftMask, &Vec<u16>)| {
            let mut mean = vec![0; last.len()];
            let bands = mask.values().par_chunks(band_px).zip(last.par_chunks(band_px));
            mean.par_chunks_mut(band_px).zip(bands).for_each(|(mean, (values, last))| {
                update_uniform(mean, last, values, gain);
            });
            mean
        };
        RunningMean {
            means: masks.iter().zip(&last.means).map(advance).collect(),
            weight: WeightSum::Everywhere(weight),
        }
    }

    fn advance_along(self, last: &RunningMean, masks: &[SoftMask], flow: &Flow) -> RunningMean {
        let size = masks[0].size();
        let width = size.width();
        let upscale = Upscale::new(flow.size(), size);
        let rows = rows_per_band(size);
        let mut means: Vec<Vec<u16>> = masks.iter().map(|_| vec![0; size.pixels()]).collect();
        let mut weights = vec![0u16; size.pixels()];
        let bands = bands(&mut means, rows * width).into_par_iter().zip(weights.par_chunks_mut(rows * width));
        bands.enumerate().for_each(|(i, (mut means, weights))| {
            let all = upscale.all_columns();
            let (mut upscaled, mut grid) = (upscale.rows(all.clone()), upscale.sampling_grid(all));
            let (mut past, mut gains, mut warped) = (vec![0u16; width], vec![0i32; width], vec![0u16; width]);
            for (row, weights) in weights.chunks_mut(width).enumerate() {
                let y = i * rows + row;
                upscaled.fill(y, |y| flow.field().row(y), &mut grid);
                match &last.weight {
                    WeightSum::Everywhere(weight) => past.fill(*weight as u16),
                    WeightSum::PerPixel(plane) => grid.sample_u16(plane, &mut past),
                }
                weights_and_gains(self, &past, grid.weights(), weights, &mut gains);
                let at = row * width..(row + 1) * width;
                for ((mean, mask), last) in means.iter_mut().zip(masks).zip(&last.means) {
                    grid.sample_u16(last, &mut warped);
                    let values = &mask.values()[y * width..][..width];
                    update_weighted(&mut mean[at.clone()], &warped, values, &gains);
                }
            }
        });
        let weight = match self.start {
            FirstWeight::One => WeightSum::Everywhere(ONE),
            FirstWeight::Alpha => WeightSum::PerPixel(weights),
        };
        RunningMean { means, weight }
    }
}

/// Moves the mean towards a frame's value by the gain. A value equal to the mean leaves it unchanged;
/// a gain of 1 gives the value.
#[inline(always)]
fn updated(mean: u16, value: u8, gain: i32) -> u16 {
    let difference = (i32::from(value) << MEAN_BITS) - i32::from(mean);
    (i32::from(mean) + ((difference * gain + ONE / 2) >> 15)) as u16
}

vectorised! {
    fn update_uniform(mean: &mut [u16], last: &[u16], values: &[u8], gain: i32) {
        for ((mean, &last), &value) in mean.iter_mut().zip(last).zip(values) {
            *mean = updated(last, value, gain);
        }
    }
}

vectorised! {
    pub(super) fn update_in_place(mean: &mut [u16], values: &[u8], gain: i32) {
        for (mean, &value) in mean.iter_mut().zip(values) {
            *mean = updated(*mean, value, gain);
        }
    }
}

vectorised! {
    fn update_weighted(mean: &mut [u16], last: &[u16], values: &[u8], gains: &[i32]) {
        for ((mean, &last), (&value, &gain)) in mean.iter_mut().zip(last).zip(values.iter().zip(gains)) {
            *mean = updated(last, value, gain);
        }
    }
}

vectorised! {
    /// The sums of weights after this frame and its gains, from the sums so far and the warp's weights.
    fn weights_and_gains(recursion: Recursion, past: &[u16], trust: &[u8], weights: &mut [u16], gains: &mut [i32]) {
        let samples = past.iter().zip(trust);
        for ((gain, weight), (&past, &trust)) in gains.iter_mut().zip(weights).zip(samples) {
            let past = f32::from(past) * f32::from(trust) * (1.0 / (ONE * i32::from(FULL_WEIGHT)) as f32);
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

impl WeightSum {
    /// The sums of weights of the pixels `at`.
    pub fn row(&self, at: std::ops::Range<usize>) -> std::borrow::Cow<'_, [u16]> {
        match self {
            Self::Everywhere(weight) => vec![*weight as u16; at.len()].into(),
            Self::PerPixel(plane) => plane[at].into(),
        }
    }
}
