//! How a mask differs from its neighbours in time, with no ground truth.
//!
//! [`iou`] and [`dice`] compare masks where they stand, so real motion counts as change.
//! The warped metrics compare a mask with its neighbour as seen along the optical flow, so
//! that only flicker is left. Flow is not known here: a [`Warped`] mask is an input.

use base::mask::Mask;

/// Where fewer than this share of the pixels are valid, warped values are absent.
pub const MIN_VALID_SHARE: f64 = 0.1;

/// The counts that IoU and Dice are made of, from one pass over both masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overlap {
    /// `|a ∩ b|` in pixels.
    pub intersection: u64,
    /// `|a ∪ b|` in pixels.
    pub union: u64,
}

impl Overlap {
    /// `|a ∩ b|` and `|a ∪ b|`. Both masks must have the same size, here and below.
    pub fn of(a: &Mask, b: &Mask) -> Self {
        assert_eq!(a.size(), b.size(), "masks of one size");
        count_overlap(a.words(), b.words())
    }

    fn within(valid: &Mask, a: &Mask, b: &Mask) -> Self {
        let intersection = count_words(valid, [a, b], |[a, b]| a & b);
        let union = count_words(valid, [a, b], |[a, b]| a | b);
        Self { intersection, union }
    }

    /// `|a ∩ b| / |a ∪ b|`; 1 when both are empty (the DAVIS convention).
    pub fn iou(self) -> f64 {
        if self.union == 0 { 1.0 } else { self.intersection as f64 / self.union as f64 }
    }

    /// `2 |a ∩ b| / (|a| + |b|)`; 1 when both are empty.
    pub fn dice(self) -> f64 {
        // |a| + |b| = |a ∩ b| + |a ∪ b|
        let sizes = self.intersection + self.union;
        if sizes == 0 { 1.0 } else { 2.0 * self.intersection as f64 / sizes as f64 }
    }
}

/// Intersection over union (Jaccard index), in [0, 1]; 1 when both masks are empty.
pub fn iou(a: &Mask, b: &Mask) -> f64 {
    Overlap::of(a, b).iou()
}

/// Dice coefficient, in [0, 1], `2·IoU / (1 + IoU)`; 1 when both masks are empty.
pub fn dice(a: &Mask, b: &Mask) -> f64 {
    Overlap::of(a, b).dice()
}

/// `1 − IoU` of a mask and the one before it. Real motion counts too.
pub fn instability(now: &Mask, previous: &Mask) -> f64 {
    1.0 - iou(now, previous)
}

/// A neighbour's mask as seen from this frame's grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warped {
    /// `W(m_s; s→t)`: the mask of frame s, sampled along the flow from t to s.
    pub mask: Mask,
    /// The pixels of frame t whose sample falls inside the picture and whose flow passes the
    /// forward-backward check.
    pub valid: Mask,
}

impl Warped {
    /// The share of valid pixels, in [0, 1].
    pub fn valid_share(&self) -> f64 {
        valid_share(&self.valid)
    }
}

/// IoU of `now` and its warped neighbour over the valid pixels; 1 when both are empty there.
/// Absent when fewer than [`MIN_VALID_SHARE`] of the pixels are valid.
pub fn warped_iou(now: &Mask, neighbour: &Warped) -> Option<f64> {
    has_enough_valid(&neighbour.valid).then(|| Overlap::within(&neighbour.valid, now, &neighbour.mask).iou())
}

/// The share of pixels that flip between the warped neighbour and `now`: the valid pixels of
/// `now xor neighbour` over the valid pixels of `now ∪ neighbour`, in [0, 1]; 0 when that is
/// empty. A mask that vanishes for a frame counts 1. Absent as in [`warped_iou`].
pub fn flip_rate(now: &Mask, neighbour: &Warped) -> Option<f64> {
    has_enough_valid(&neighbour.valid).then(|| {
        let Overlap { intersection, union } = Overlap::within(&neighbour.valid, now, &neighbour.mask);
        share(union - intersection, union)
    })
}

/// What an eye calls flicker (A-B-A): the pixels where `now` differs from both warped
/// neighbours and these agree, over the pixels of the union of the three, all of them valid
/// for both neighbours; in [0, 1], 0 when that union is empty. Absent when fewer than
/// [`MIN_VALID_SHARE`] of the pixels are valid for both.
pub fn pop_rate(now: &Mask, previous: &Warped, next: &Warped) -> Option<f64> {
    let valid = previous.valid.and(&next.valid);
    has_enough_valid(&valid).then(|| {
        let masks = [now, &previous.mask, &next.mask];
        let pops = count_words(&valid, masks, |[now, previous, next]| (now ^ previous) & !(previous ^ next));
        let union = count_words(&valid, masks, |[now, previous, next]| now | previous | next);
        share(pops, union)
    })
}

/// Area jitter of a clip: the standard deviation of the second difference of the mask's
/// area, over the mean area. Sums are exact (integers), so the order of work can't matter.
#[derive(Clone, Debug, Default)]
pub struct AreaJitter {
    /// The two areas before this one, newest last, of the same shot.
    previous: [Option<i64>; 2],
    frames: u64,
    area_sum: u64,
    differences: i128,
    difference_sum: i128,
    difference_square_sum: i128,
}

impl AreaJitter {
    /// The next frame's area in pixels; `cut` where a scene starts afresh, so that no
    /// difference is taken across it.
    pub fn push(&mut self, area: u64, cut: bool) {
        if cut {
            self.previous = [None; 2];
        }
        let area_now = area as i64;
        if let [Some(before), Some(last)] = self.previous {
            let difference = i128::from(area_now - 2 * last + before);
            self.differences += 1;
            self.difference_sum += difference;
            self.difference_square_sum += difference * difference;
        }
        self.previous = [self.previous[1], Some(area_now)];
        self.frames += 1;
        self.area_sum += area;
    }

    /// Absent when the mean area is 0 or no three frames follow each other.
    pub fn finish(&self) -> Option<f64> {
        if self.area_sum == 0 || self.differences == 0 {
            return None;
        }
        let count = self.differences;
        let squared = count * self.difference_square_sum - self.difference_sum * self.difference_sum;
        let deviation = (squared as f64).sqrt() / count as f64;
        Some(deviation / (self.area_sum as f64 / self.frames as f64))
    }
}

/// The share of set pixels, in [0, 1].
fn valid_share(valid: &Mask) -> f64 {
    valid.count() as f64 / valid.size().pixels() as f64
}

fn has_enough_valid(valid: &Mask) -> bool {
    valid_share(valid) >= MIN_VALID_SHARE
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Counts the valid bits of `combine` over the words of several masks.
fn count_words<const N: usize>(valid: &Mask, masks: [&Mask; N], combine: impl Fn([u64; N]) -> u64) -> u64 {
    assert!(masks.iter().all(|mask| mask.size() == valid.size()), "masks of one size");
    let words = masks.map(Mask::words);
    let count = |(index, &valid): (usize, &u64)| {
        u64::from((valid & combine(words.map(|words| words[index]))).count_ones())
    };
    valid.words().iter().enumerate().map(count).sum()
}

fn count_overlap(a: &[u64], b: &[u64]) -> Overlap {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("popcnt") {
        // SAFETY: the line above found both features on this processor.
        return unsafe { count_overlap_avx2(a, b) };
    }
    count_overlap_plain(a, b)
}

/// The same loop, compiled with instructions that the program can't count on everywhere.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn count_overlap_avx2(a: &[u64], b: &[u64]) -> Overlap {
    count_overlap_plain(a, b)
}

#[inline(always)]
fn count_overlap_plain(a: &[u64], b: &[u64]) -> Overlap {
    let mut overlap = Overlap::default();
    for (&a, &b) in a.iter().zip(b) {
        overlap.intersection += u64::from((a & b).count_ones());
        overlap.union += u64::from((a | b).count_ones());
    }
    overlap
}

#[cfg(test)]
#[path = "neighbour_tests.rs"]
mod tests;
