//! Moving average and median of hard masks as what they are: a count of votes, 64 pixels to
//! a word. For imported mattes and the seed recipe, where probabilities and motion play no
//! part. The result is that of the general way, [`Settings::smoother`] and then
//! [`harden`](super::harden), at a fraction of the work.
//!
//! 64 counts are kept as the bits of a few words (one word holds the lowest bit of all of
//! them, and so on), so votes are added and compared with logic alone.

use std::collections::VecDeque;
use std::sync::Arc;

use rayon::prelude::*;

use crate::mask::{Mask, level_of};
use crate::simd::vectorised;

use super::{Method, Settings, Switch, Timing};

/// Smooths the hard masks of one class, all of one size, by votes.
pub struct VoteSmoother {
    method: Method,
    level: u8,
    before: usize,
    after: usize,
    masks: VecDeque<Arc<Mask>>,
    /// The mask that is smoothed next; its place in `masks`.
    centre: usize,
}

impl VoteSmoother {
    /// `None` for settings that need the general way: the exponential filter, motion, and
    /// clean-up by more than the threshold.
    pub fn new(settings: &Settings) -> Option<Self> {
        let cleans = settings.hysteresis.is_some() || settings.min_area_px > 1 || settings.fill_holes_px > 0;
        if settings.method == Method::Exponential || settings.motion == Switch::On || cleans {
            return None;
        }
        let (before, after) = match settings.timing {
            Timing::Centred => (settings.window.radius(), settings.window.radius()),
            Timing::Causal => (settings.window.frames() - 1, 0),
        };
        let level = level_of(settings.threshold.get());
        Some(Self { method: settings.method, level, before, after, masks: VecDeque::new(), centre: 0 })
    }

    /// Takes the next mask and gives the one that is ready, if any.
    ///
    /// # Panics
    /// When its size is not that of the masks before it.
    pub fn push(&mut self, mask: Arc<Mask>) -> Option<Mask> {
        assert!(self.masks.back().is_none_or(|last| last.size() == mask.size()), "masks of one video");
        self.masks.push_back(mask);
        (self.masks.len() > self.centre + self.after).then(|| self.step())
    }

    /// Gives what is left, as at the end of a scene. The smoother is then as new.
    pub fn finish(&mut self) -> Vec<Mask> {
        let rest = (self.centre..self.masks.len()).map(|_| self.step()).collect();
        self.masks.clear();
        self.centre = 0;
        rest
    }

    fn step(&mut self) -> Mask {
        let end = (self.centre + self.after + 1).min(self.masks.len());
        let window: Vec<&Mask> = self.masks.iter().take(end).map(|mask| &**mask).collect();
        let smoothed = count(&window, self.needed(window.len()));
        if self.centre == self.before {
            self.masks.pop_front();
        } else {
            self.centre += 1;
        }
        smoothed
    }

    /// The fewest votes of so many with which a pixel is set; more than there are, for never.
    fn needed(&self, voters: usize) -> usize {
        let level = |votes: usize| match self.method {
            // The majority, and one half for a tie.
            Method::Median if 2 * votes > voters => 255,
            Method::Median if 2 * votes == voters => 128,
            Method::Median => 0,
            // The mean, a half rounded up as everywhere.
            _ => (255 * votes + voters / 2) / voters,
        };
        (0..=voters).find(|&votes| level(votes) >= usize::from(self.level)).unwrap_or(voters + 1)
    }
}

/// Set where at least `needed` of the masks are.
fn count(masks: &[&Mask], needed: usize) -> Mask {
    let mut words = vec![0u64; masks[0].words().len()];
    let band = words.len().div_ceil(2 * rayon::current_num_threads()).next_multiple_of(BLOCK).max(1024);
    words.par_chunks_mut(band).enumerate().for_each(|(i, out)| {
        let rows: Vec<&[u64]> = masks.iter().map(|mask| &mask.words()[i * band..][..out.len()]).collect();
        count_words(&rows, needed, out);
    });
    Mask::from_words(masks[0].size(), words)
}

/// Words that are counted together.
const BLOCK: usize = 16;
/// Enough bits to count to 31.
const PLANES: usize = 5;

vectorised! {
    fn count_words(rows: &[&[u64]], needed: usize, out: &mut [u64]) {
        let planes = rows.len().ilog2() as usize + 1;
        let attainable = if needed >> planes == 0 { u64::MAX } else { 0 };
        for (start, out) in (0..).step_by(BLOCK).zip(out.chunks_mut(BLOCK)) {
            let mut counts = [[0u64; BLOCK]; PLANES];
            for row in rows {
                let mut carry = [0u64; BLOCK];
                carry[..out.len()].copy_from_slice(&row[start..start + out.len()]);
                for plane in &mut counts[..planes] {
                    for (bit, carry) in plane.iter_mut().zip(&mut carry) {
                        (*bit, *carry) = (*bit ^ *carry, *bit & *carry);
                    }
                }
            }
            // From the highest bit down: more than needed already, or so far the same.
            let (mut more, mut same) = ([0u64; BLOCK], [attainable; BLOCK]);
            for (i, plane) in counts[..planes].iter().enumerate().rev() {
                let wanted = if needed >> i & 1 == 1 { u64::MAX } else { 0 };
                for ((&bit, more), same) in plane.iter().zip(&mut more).zip(&mut same) {
                    *more |= *same & bit & !wanted;
                    *same &= !(bit ^ wanted);
                }
            }
            for (out, (more, same)) in out.iter_mut().zip(more.iter().zip(&same)) {
                *out = more | same;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SmoothFrame, Threshold, Window, harden};
    use super::*;
    use crate::frame::FrameSize;
    use crate::mask::SoftMask;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn votes_are_the_general_way(
            (width, frames) in (1u32..200).prop_flat_map(|width| {
                let row = proptest::collection::vec(any::<bool>(), width as usize);
                (Just(width), proptest::collection::vec(row, 1..40))
            }),
            radius in 0u32..=15,
            median in any::<bool>(),
            causal in any::<bool>(),
            percent in 1u32..=100,
        ) {
            let settings = Settings {
                method: if median { Method::Median } else { Method::MovingAverage },
                timing: if causal { Timing::Causal } else { Timing::Centred },
                window: Window::new(2 * radius + 1).unwrap(),
                threshold: Threshold::new(percent as f32 / 100.0).unwrap(),
                ..Settings::seed_recipe(Method::Median)
            };
            let size = FrameSize::new(width, 1).unwrap();
            let masks: Vec<Mask> = frames.iter().map(|row| Mask::from_fn(size, |x, _| row[x])).collect();
            let mut votes = VoteSmoother::new(&settings).unwrap();
            let mut found: Vec<Mask> = masks.iter().filter_map(|mask| votes.push(Arc::new(mask.clone()))).collect();
            found.extend(votes.finish());
            let mut general = settings.smoother(1 << 20).unwrap();
            let mut expected = Vec::new();
            for mask in &masks {
                let masks = vec![SoftMask::new(size, mask.to_bytes(255))].into();
                expected.extend(general.push(SmoothFrame { masks, flow: None }).unwrap());
            }
            expected.extend(general.finish());
            let expected: Vec<Mask> = expected.iter().map(|masks| harden(masks, &settings, None).remove(0)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
