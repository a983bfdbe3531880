//! The causal exponential filter of hard masks: a level for each pixel that rises while the pixel is
//! set and decays otherwise.
//!
//! The levels of a frame don't fit into the processor's cache; those of a band do. So masks are
//! collected, and each band goes through all of them before the next band.

use std::sync::Arc;

use rayon::prelude::*;

use base::mask::{Mask, level_of};
use base::simd::vectorised;

use crate::Settings;
use crate::recursion::{MEAN_BITS, ONE};

/// Masks that are processed together.
const BATCH: usize = 16;
/// Words (of 64 pixels) of a band, whose levels stay in a core's own cache.
const BAND_WORDS: usize = 128;

/// Smooths the hard masks of one class, all of one size.
pub struct HardExponential {
    /// In 1/32768.
    gain: i16,
    /// The level from which a pixel is set.
    threshold: i16,
    levels: Vec<i16>,
    pending: Vec<Arc<Mask>>,
}

impl HardExponential {
    /// For the causal exponential filter with the settings' alpha and threshold.
    pub fn new(settings: &Settings) -> Self {
        let gain = (settings.alpha.get() * ONE as f32).round().clamp(1.0, 32767.0) as i16;
        // A level of 255 is 255 << 7; halves are rounded up.
        let level = i32::from(level_of(settings.threshold.get()));
        let threshold = (level << MEAN_BITS) - (1 << (MEAN_BITS - 1));
        Self { gain, threshold: threshold as i16, levels: Vec::new(), pending: Vec::new() }
    }

    /// Takes the next mask and returns those that are finished.
    ///
    /// # Panics
    /// When its size is not that of the masks before it.
    pub fn push(&mut self, mask: Arc<Mask>) -> Vec<Mask> {
        assert!(self.pending.last().is_none_or(|last| last.size() == mask.size()), "masks of one video");
        self.pending.push(mask);
        if self.pending.len() < BATCH { Vec::new() } else { self.pass() }
    }

    /// Returns the remaining masks. The smoother can then begin another scene.
    pub fn finish(&mut self) -> Vec<Mask> {
        let rest = self.pass();
        self.levels.clear();
        rest
    }

    fn pass(&mut self) -> Vec<Mask> {
        let Some(first) = self.pending.first() else { return Vec::new() };
        let size = first.size();
        let words = first.words().len();
        if self.levels.is_empty() {
            self.levels = vec![0; 64 * words];
            spread(first.words(), &mut self.levels);
        }
        let mut smoothed: Vec<Vec<u64>> = self.pending.iter().map(|_| vec![0; words]).collect();
        let mut bands: Vec<Vec<&mut [u64]>> = Vec::new();
        for words in &mut smoothed {
            for (band, words) in words.chunks_mut(BAND_WORDS).enumerate() {
                match bands.get_mut(band) {
                    Some(frames) => frames.push(words),
                    None => bands.push(vec![words]),
                }
            }
        }
        let (pending, gain, threshold) = (&self.pending, self.gain, self.threshold);
        let bands = bands.into_par_iter().zip(self.levels.par_chunks_mut(64 * BAND_WORDS));
        bands.enumerate().with_min_len(8).for_each(|(band, (frames, levels))| {
            for (out, mask) in frames.into_iter().zip(pending) {
                let masks = &mask.words()[band * BAND_WORDS..][..out.len()];
                update(levels, masks, gain, threshold, out);
            }
        });
        self.pending.clear();
        smoothed.into_iter().map(|words| Mask::from_words(size, words)).collect()
    }
}

/// The level that a set pixel approaches.
const SET_LEVEL: i16 = 255 << MEAN_BITS;

fn spread(words: &[u64], levels: &mut [i16]) {
    for (levels, &word) in levels.as_chunks_mut::<64>().0.iter_mut().zip(words) {
        for (i, level) in levels.iter_mut().enumerate() {
            *level = SET_LEVEL * (word >> i & 1) as i16;
        }
    }
}

vectorised! {
    /// Moves each pixel's level on by one frame, and sets `out` where it reaches the threshold.
    fn update(levels: &mut [i16], words: &[u64], gain: i16, threshold: i16, out: &mut [u64]) {
        for ((levels, &word), out) in levels.as_chunks_mut::<64>().0.iter_mut().zip(words).zip(out) {
            let mut reached = [0u16; 4];
            let quarters = word.to_le_bytes();
            let (levels, _) = levels.as_chunks_mut::<16>();
            for ((levels, bits), reached) in levels.iter_mut().zip(quarters.as_chunks::<2>().0).zip(&mut reached) {
                let bits = u16::from_le_bytes(*bits);
                for (i, level) in levels.iter_mut().enumerate() {
                    let target = if bits & (1 << i) != 0 { SET_LEVEL } else { 0 };
                    // The product rounded as in `recursion`, in the form for which processors
                    // have an instruction.
                    let product = i32::from(target - *level) * i32::from(gain);
                    *level += (((product >> 14) + 1) >> 1) as i16;
                    *reached |= u16::from(*level >= threshold) << i;
                }
            }
            *out = reached.iter().rev().fold(0, |word, &bits| word << 16 | u64::from(bits));
        }
    }
}
