//! Moving average and median of hard masks: both set a pixel that is set in enough frames of the
//! window, so set pixels are counted as votes, 64 pixels at a time.
//!
//! The 64 counts are bit-sliced: one word holds the lowest bit of all of them, and so on. Votes are
//! then added and compared by logic operations alone.

use std::collections::VecDeque;
use std::sync::Arc;

use rayon::prelude::*;

use base::mask::{Mask, level_of};
use base::simd::vectorised;

use crate::{Method, Settings, Timing};

/// Smooths the hard masks of one class, all of one size, by counting votes.
pub struct HardWindow {
    method: Method,
    level: u8,
    before: usize,
    after: usize,
    masks: VecDeque<Arc<Mask>>,
    /// The mask that is smoothed next: its index in `masks`.
    centre: usize,
}

impl HardWindow {
    /// For a moving average or a median with the settings' window, timing and threshold.
    pub fn new(settings: &Settings) -> Self {
        let (before, after) = match settings.timing {
            Timing::Centred => (settings.window.radius(), settings.window.radius()),
            Timing::Causal => (settings.window.frames() - 1, 0),
        };
        let level = level_of(settings.threshold.get());
        Self { method: settings.method, level, before, after, masks: VecDeque::new(), centre: 0 }
    }

    /// Takes the next mask and returns the one that is finished, if any.
    ///
    /// # Panics
    /// When its size is not that of the masks before it.
    pub fn push(&mut self, mask: Arc<Mask>) -> Option<Mask> {
        assert!(self.masks.back().is_none_or(|last| last.size() == mask.size()), "masks of one video");
        self.masks.push_back(mask);
        (self.masks.len() > self.centre + self.after).then(|| self.smooth_next())
    }

    /// Returns the remaining masks. The smoother can then begin another scene.
    pub fn finish(&mut self) -> Vec<Mask> {
        let rest = (self.centre..self.masks.len()).map(|_| self.smooth_next()).collect();
        self.masks.clear();
        self.centre = 0;
        rest
    }

    fn smooth_next(&mut self) -> Mask {
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

    /// The fewest votes with which a pixel is set; more than there are voters, if it never is.
    fn needed(&self, voters: usize) -> usize {
        let level = |votes: usize| match self.method {
            // The majority; a tie is one half.
            Method::Median if 2 * votes > voters => 255,
            Method::Median if 2 * votes == voters => 128,
            Method::Median => 0,
            // The mean, with halves rounded up as everywhere.
            _ => (255 * votes + voters / 2) / voters,
        };
        (0..=voters).find(|&votes| level(votes) >= usize::from(self.level)).unwrap_or(voters + 1)
    }
}

/// Set where at least `needed` of the masks are set.
fn count(masks: &[&Mask], needed: usize) -> Mask {
    let mut words = vec![0u64; masks[0].words().len()];
    let band = words.len().div_ceil(2 * rayon::current_num_threads()).next_multiple_of(BLOCK).max(1024);
    words.par_chunks_mut(band).enumerate().for_each(|(i, out)| {
        let rows: Vec<&[u64]> = masks.iter().map(|mask| &mask.words()[i * band..][..out.len()]).collect();
        count_votes(&rows, needed, out);
    });
    Mask::from_words(masks[0].size(), words)
}

/// Words that are counted together.
const BLOCK: usize = 16;
/// Enough bits to count to 31.
const PLANES: usize = 5;

vectorised! {
    fn count_votes(rows: &[&[u64]], needed: usize, out: &mut [u64]) {
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
            // From the highest bit down: already more than needed, or equal so far.
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
