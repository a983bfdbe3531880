//! How late the smoothed masks are. A causal average looks stable because it is late, so
//! this is always shown beside instability.

use std::collections::VecDeque;

use serde::Serialize;

use super::neighbour::iou;
use base::mask::Mask;

/// Shifts are tried at least this far, in frames.
const MIN_REACH: usize = 5;
/// A curve of mean IoU over the shift that varies less than this says nothing about the lag.
const FLAT_RANGE: f64 = 1e-3;

/// By how many frames the smoothed masks lag behind the raw ones; negative when they are ahead.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Lag {
    /// In frames, between two of them by interpolation.
    pub frames: f64,
    /// The best match was at the end of the range, so the lag is at least this (with a
    /// negative lag: at most).
    pub beyond: bool,
}

impl std::fmt::Display for Lag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bound = match (self.beyond, self.frames > 0.0) {
            (false, _) => "",
            (true, true) => "≥ ",
            (true, false) => "≤ ",
        };
        write!(f, "{bound}{:.2}", self.frames)
    }
}

/// Finds the lag k that maximises the mean of `IoU(s_t, raw_{t−k})`, over the same frames t
/// for every k and never across a cut, with k up to ± `max(5, 1.5 × the expected lag)`. Keeps
/// a bounded ring of masks: three times that range.
#[derive(Clone, Debug)]
pub struct LagMeter {
    reach: usize,
    /// `raw_{t−reach} … raw_{t+reach}` and `s_t … s_{t+reach}`, of one shot.
    raw: VecDeque<Mask>,
    smoothed: VecDeque<Mask>,
    /// Of IoU, for k from `−reach` to `reach`.
    sums: Vec<f64>,
    frames: u64,
}

impl LagMeter {
    /// `expected_lag_frames` is the filter's own, such as (n − 1) / 2 for a causal average.
    pub fn new(expected_lag_frames: f64) -> Self {
        let reach = MIN_REACH.max((1.5 * expected_lag_frames.abs()).ceil() as usize);
        Self {
            reach,
            raw: VecDeque::with_capacity(2 * reach + 1),
            smoothed: VecDeque::with_capacity(reach + 1),
            sums: vec![0.0; 2 * reach + 1],
            frames: 0,
        }
    }

    /// The next frame's masks, of one size; `cut` where a scene starts afresh.
    pub fn push(&mut self, raw: &Mask, smoothed: &Mask, cut: bool) {
        if cut {
            self.raw.clear();
            self.smoothed.clear();
        }
        keep_last(&mut self.raw, raw, 2 * self.reach + 1);
        keep_last(&mut self.smoothed, smoothed, self.reach + 1);
        if self.raw.len() <= 2 * self.reach {
            return;
        }
        let now = &self.smoothed[0];
        // Empty masks match at every shift.
        if now.is_empty() && self.raw.iter().all(Mask::is_empty) {
            return;
        }
        // The ring runs from the earliest raw frame, which is the largest shift.
        for (sum, raw) in self.sums.iter_mut().rev().zip(&self.raw) {
            *sum += iou(now, raw);
        }
        self.frames += 1;
    }

    /// The lag; absent when no scene is long enough, or when the curve is flat (a still clip).
    pub fn finish(&self) -> Option<Lag> {
        if self.frames == 0 {
            return None;
        }
        let curve: Vec<f64> = self.sums.iter().map(|sum| sum / self.frames as f64).collect();
        let shift = |place: usize| place as f64 - self.reach as f64;
        // Of equals, the least shift.
        let best = (0..curve.len())
            .max_by(|&a, &b| curve[a].total_cmp(&curve[b]).then(shift(b).abs().total_cmp(&shift(a).abs())))?;
        let worst = curve.iter().copied().fold(f64::INFINITY, f64::min);
        if curve[best] - worst < FLAT_RANGE {
            return None;
        }
        if best == 0 || best + 1 == curve.len() {
            return Some(Lag { frames: shift(best), beyond: true });
        }
        let fraction = vertex([curve[best - 1], curve[best], curve[best + 1]]);
        Some(Lag { frames: shift(best) + fraction, beyond: false })
    }
}

/// Where, in (−0.5, 0.5) around the middle, the parabola through three points has its top.
/// The middle is the largest. A perfect match is a cusp that needs no refinement.
fn vertex([left, middle, right]: [f64; 3]) -> f64 {
    let curvature = left - 2.0 * middle + right;
    if middle == 1.0 || curvature == 0.0 { 0.0 } else { 0.5 * (left - right) / curvature }
}

fn keep_last(ring: &mut VecDeque<Mask>, mask: &Mask, length: usize) {
    if ring.len() == length {
        ring.pop_front();
    }
    ring.push_back(mask.clone());
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::FrameSize;
    use proptest::prelude::*;

    const FRAMES: i64 = 60;

    /// A disc that moves at a steady pace; a whole number of pixels, so that its shape stays.
    fn disc(t: i64, pace_px: i64) -> Mask {
        let size = FrameSize::new(320, 120).unwrap();
        let (centre_x, centre_y) = (60 + pace_px * t, 55);
        Mask::from_fn(size, |x, y| (x as i64 - centre_x).pow(2) + (y as i64 - centre_y).pow(2) <= 30 * 30)
    }

    /// Set where at least half of the frames in `window` around t are.
    fn vote(t: i64, window: std::ops::RangeInclusive<i64>) -> Mask {
        let discs: Vec<Mask> = window.map(|offset| disc(t + offset, 3)).collect();
        Mask::from_fn(discs[0].size(), |x, y| {
            2 * discs.iter().filter(|mask| mask.get(x, y)).count() >= discs.len()
        })
    }

    fn lag_of(smoothed: impl Fn(i64) -> Mask, expected: f64) -> Option<Lag> {
        let mut meter = LagMeter::new(expected);
        (0..FRAMES).for_each(|t| meter.push(&disc(t, 3), &smoothed(t), t == 0));
        meter.finish()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(11))]
        #[test]
        fn a_shifted_disc_shows_its_shift_exactly(shift in -4i64..=4) {
            let lag = lag_of(|t| disc(t - shift, 3), 0.0);
            prop_assert_eq!(lag, Some(Lag { frames: shift as f64, beyond: false }));
        }
    }

    #[test]
    fn a_causal_average_is_half_its_window_late_and_a_centred_one_is_not() {
        for n in [3, 5, 7, 9] {
            let late = lag_of(|t| vote(t, 1 - n..=0), (n - 1) as f64 / 2.0).unwrap();
            assert!((late.frames - (n - 1) as f64 / 2.0).abs() < 0.02, "window {n}: {late}");
            let centred = lag_of(|t| vote(t, -(n / 2)..=n / 2), 0.0).unwrap();
            assert!(centred.frames.abs() < 0.02, "window {n}: {centred}");
        }
    }

    #[test]
    fn the_range_follows_the_expected_lag_and_its_end_says_so() {
        assert_eq!(lag_of(|t| disc(t - 7, 3), 0.0), Some(Lag { frames: 5.0, beyond: true }));
        assert_eq!(lag_of(|t| disc(t - 7, 3), 5.0), Some(Lag { frames: 7.0, beyond: false }));
        assert_eq!(Lag { frames: 5.0, beyond: true }.to_string(), "≥ 5.00");
        assert_eq!(lag_of(|t| disc(t + 9, 3), 0.0).unwrap().to_string(), "≤ -5.00");
    }

    #[test]
    fn a_still_clip_and_a_short_one_have_no_lag() {
        let still = |length: i64| {
            let mut meter = LagMeter::new(0.0);
            (0..length).for_each(|t| meter.push(&disc(0, 3), &disc(0, 3), t == 0));
            meter.finish()
        };
        assert_eq!(still(FRAMES), None);
        let mut short = LagMeter::new(0.0);
        (0..10).for_each(|t| short.push(&disc(t, 3), &disc(t, 3), t == 0));
        assert_eq!(short.finish(), None);
    }

    #[test]
    fn nothing_is_compared_across_a_cut() {
        // Two shots in which the disc runs opposite ways; the frames near the cut would blur it.
        let shot = |t: i64| if t < 30 { t } else { 90 - t };
        let mut meter = LagMeter::new(0.0);
        for t in 0..FRAMES {
            let start = if t < 30 { 0 } else { 30 };
            meter.push(&disc(shot(t), 3), &disc(shot((t - 2).max(start)), 3), t == start);
        }
        assert_eq!(meter.finish(), Some(Lag { frames: 2.0, beyond: false }));
    }
}
