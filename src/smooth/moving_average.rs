//! The mean over the window.

use base::simd::vectorised;
use flow::FULL_WEIGHT;

use super::window::{Kernel, Samples};

pub(super) struct MovingAverage;

/// Pixels summed at a time: the sums stay in the fastest cache.
const BLOCK: usize = 512;

impl Kernel for MovingAverage {
    fn uniform(&self, rows: &[&[u8]], out: &mut [u8]) {
        if let [only] = rows {
            return out.copy_from_slice(only);
        }
        means(rows, out);
    }

    fn weighted(&self, own: &[u8], neighbours: &[Samples], out: &mut [u8]) {
        weighted_means(own, neighbours, out);
    }
}

vectorised! {
    fn means(rows: &[&[u8]], out: &mut [u8]) {
        let mean = Mean::of(rows.len() as u32);
        for (start, out) in (0..).step_by(BLOCK).zip(out.chunks_mut(BLOCK)) {
            let mut sums = [0u16; BLOCK];
            for row in rows {
                for (sum, &value) in sums.iter_mut().zip(&row[start..start + out.len()]) {
                    *sum += u16::from(value);
                }
            }
            for (out, &sum) in out.iter_mut().zip(&sums) {
                *out = mean.of_sum(sum);
            }
        }
    }
}

vectorised! {
    fn weighted_means(own: &[u8], neighbours: &[Samples], out: &mut [u8]) {
        for (start, out) in (0..).step_by(BLOCK).zip(out.chunks_mut(BLOCK)) {
            let block = start..start + out.len();
            let mut sums = [0u32; BLOCK];
            let mut weights = [u32::from(FULL_WEIGHT); BLOCK];
            for (sum, &value) in sums.iter_mut().zip(&own[block.clone()]) {
                *sum = u32::from(FULL_WEIGHT) * u32::from(value);
            }
            for samples in neighbours {
                let samples = samples.values[block.clone()].iter().zip(&samples.weights[block.clone()]);
                for ((sum, total), (&value, &weight)) in sums.iter_mut().zip(&mut weights).zip(samples) {
                    *sum += u32::from(u16::from(value) * u16::from(weight));
                    *total += u32::from(weight);
                }
            }
            for ((out, &sum), &total) in out.iter_mut().zip(&sums).zip(&weights) {
                // As signed numbers, which the processor converts in one instruction.
                *out = (sum as i32 as f32 / total as i32 as f32 + 0.5) as i32 as u8;
            }
        }
    }
}

/// Division by 2 to 31 frames, halves rounded up, as a multiplication; exact for sums of that many
/// bytes. Rounding up makes a mean of exactly 0.5 a level that counts as set.
struct Mean {
    half: u16,
    factor: u16,
    shift: u32,
}

impl Mean {
    fn of(frames: u32) -> Self {
        let shift = (frames - 1).ilog2();
        Self { half: frames as u16 / 2, factor: (1u32 << (16 + shift)).div_ceil(frames) as u16, shift }
    }

    #[inline(always)]
    fn of_sum(&self, sum: u16) -> u8 {
        let product = u32::from(sum + self.half) * u32::from(self.factor);
        ((product >> 16) as u16 >> self.shift) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_multiplication_is_a_division() {
        for frames in 2..=31u32 {
            let mean = Mean::of(frames);
            for sum in 0..=255 * frames {
                let exact = (f64::from(sum) / f64::from(frames) + 0.5).floor();
                assert_eq!(f64::from(mean.of_sum(sum as u16)), exact, "{sum} / {frames}");
            }
        }
    }

    #[test]
    fn left_out_samples_do_not_count() {
        let samples = |value, weight| Samples { values: vec![value], weights: vec![weight] };
        let mean = |neighbours: &[Samples]| {
            let mut out = [0];
            MovingAverage.weighted(&[100], neighbours, &mut out);
            out[0]
        };
        assert_eq!(mean(&[samples(200, 0), samples(7, 0)]), 100);
        assert_eq!(mean(&[samples(200, 255), samples(7, 0)]), 150);
        assert_eq!(mean(&[samples(200, 51)]), 117); // (100 + 0.2 · 200) / 1.2
    }
}
