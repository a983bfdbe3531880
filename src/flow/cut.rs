//! Detection of scene cuts between neighbouring frames.
//!
//! At a cut, the second picture warped along the flow does not look like the first, and one more
//! thing is true: the flow is inconsistent nearly everywhere, or the brightness has jumped. One sign
//! alone is not enough: a fast pan makes the flow fail at the border, and a fade changes the
//! brightness everywhere.
//!
//! The limits lie in the gap that was measured on real clips at 480 px, between neighbours and across
//! 120 artificial cuts: a correlation of at least 0.91 against at most 0.67, and a valid share of at
//! least 0.77 against at most 0.15.

use base::mask::SoftMask;

use super::{FlowPair, warp_soft};

/// Of the warped picture with the other, within a scene.
const MIN_CORRELATION: f64 = 0.75;
/// Of the flow's pixels, within a scene.
const MIN_VALID_SHARE: f64 = 0.3;
/// Difference of mean levels, of 255. A fade over five frames changes no pixel by more than 51 per
/// frame, and the mean of a real picture by about half of that.
const BRIGHTNESS_JUMP: f64 = 40.0;

/// The standard deviation, in levels, below which a picture is uniform except for noise.
const FLAT: f64 = 2.0;

/// Whether a new scene begins with the second of two grey pictures on the pair's grid.
pub(super) fn is_cut(pair: &FlowPair, from: &[u8], to: &[u8]) -> bool {
    let valid_share = pair.forward().valid_share().min(pair.backward().valid_share());
    let jumps = (mean(from) - mean(to)).abs() > BRIGHTNESS_JUMP;
    if valid_share >= MIN_VALID_SHARE && !jumps {
        return false;
    }
    let (moved, _) = warp_soft(&SoftMask::new(pair.size(), to.to_vec()), pair.forward());
    // A uniform picture has nothing to follow or to correlate: only its brightness counts.
    correlation(from, moved.values()).map_or(jumps, |correlation| correlation < MIN_CORRELATION)
}

fn mean(values: &[u8]) -> f64 {
    values.iter().map(|&value| u64::from(value)).sum::<u64>() as f64 / values.len() as f64
}

/// Pearson's correlation, or `None` where one of the pictures is uniform.
fn correlation(a: &[u8], b: &[u8]) -> Option<f64> {
    let sum =
        |f: fn(u64, u64) -> u64| a.iter().zip(b).map(|(&a, &b)| f(a.into(), b.into())).sum::<u64>() as f64;
    let n = a.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let covariance = sum(|a, b| a * b) / n - mean_a * mean_b;
    let deviation_a = (sum(|a, _| a * a) / n - mean_a * mean_a).max(0.0).sqrt();
    let deviation_b = (sum(|_, b| b * b) / n - mean_b * mean_b).max(0.0).sqrt();
    (deviation_a.min(deviation_b) > FLAT).then(|| covariance / (deviation_a * deviation_b))
}

#[cfg(test)]
mod tests {
    use crate::{Estimator, FlowEstimator, Quality};
    use base::frame::{Frame, FrameIndex, FrameSize, Timestamp};

    const WIDTH: usize = 320;
    const HEIGHT: usize = 180;

    /// A picture of soft blobs of several sizes, different for each seed, on an endless plane.
    fn scene(seed: u32, shift: f64, gain: f64) -> Frame {
        let seed = f64::from(seed);
        let texture = |x: f64, y: f64| {
            (1..=5)
                .map(|k| {
                    let k = f64::from(k);
                    let (fx, fy) = (
                        0.013 * k * (1.0 + (seed * k).sin() * 0.4),
                        0.017 * k * (1.0 + (seed + k).cos() * 0.4),
                    );
                    ((x * fx + seed * 1.7 * k).sin() + (y * fy + x * 0.3 * fy + seed * k * 2.3).cos()) / k
                })
                .sum::<f64>()
        };
        let pixel = |i: usize| {
            let value = 128.0 + 28.0 * texture((i % WIDTH) as f64 + shift, (i / WIDTH) as f64);
            (value * gain).clamp(0.0, 255.0) as u8
        };
        picture((0..WIDTH * HEIGHT).map(pixel).collect())
    }

    fn picture(grey: Vec<u8>) -> Frame {
        let size = FrameSize::new(WIDTH as u32, HEIGHT as u32).unwrap();
        let rgb = grey.into_iter().flat_map(|value| [value; 3]).collect();
        Frame::new(FrameIndex::ZERO, Timestamp::default(), size, rgb)
    }

    /// Before which frames a cut is found.
    fn cuts(frames: &[Frame]) -> Vec<usize> {
        let mut estimator = FlowEstimator::new(frames[0].size(), Estimator::Dis(Quality::Medium)).unwrap();
        let pairs = frames.iter().map(|frame| estimator.push(frame).unwrap());
        pairs
            .enumerate()
            .filter(|(_, pair)| pair.as_ref().is_some_and(|pair| pair.is_cut()))
            .map(|(i, _)| i)
            .collect()
    }

    #[test]
    fn made_cuts_are_found_and_nothing_else() {
        let frames: Vec<_> = (0..18).map(|t| scene(t / 3, 2.0 * f64::from(t), 1.0)).collect();
        assert_eq!(cuts(&frames), [3, 6, 9, 12, 15]);
    }

    #[test]
    fn a_cut_to_black_and_back_is_two() {
        let black = || picture(vec![0; WIDTH * HEIGHT]);
        let frames = [
            scene(1, 0.0, 1.0),
            scene(1, 1.0, 1.0),
            black(),
            black(),
            scene(2, 0.0, 1.0),
            scene(2, 1.0, 1.0),
        ];
        assert_eq!(cuts(&frames), [2, 4]);
    }

    #[test]
    fn a_fade_is_no_cut() {
        let frames: Vec<_> =
            (0..=12).map(|t| scene(3, f64::from(t), (1.0 - f64::from(t) / 12.0).abs())).collect();
        assert_eq!(cuts(&frames), [0usize; 0]);
        let flat: Vec<_> = (0..=10).map(|t| picture(vec![25 * t; WIDTH * HEIGHT])).collect();
        assert_eq!(cuts(&flat), [0usize; 0]);
    }

    #[test]
    fn a_fast_pan_is_no_cut() {
        for speed in [10.0, 25.0, 40.0] {
            let frames: Vec<_> = (0..6).map(|t| scene(4, speed * f64::from(t), 1.0)).collect();
            assert_eq!(cuts(&frames), [0usize; 0], "{speed} px a frame");
        }
    }
}
