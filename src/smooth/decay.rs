//! The causal exponential filter of hard masks as what it is: a level that every set pixel
//! pulls up and every other lets sink.
//!
//! The levels of a frame don't fit into the processor's cache; those of a band do. So a few
//! masks are held back and a band goes through all of them before the next.

use std::sync::Arc;

use rayon::prelude::*;

use crate::mask::{Mask, level_of};
use crate::simd::vectorised;

use super::Settings;
use super::recursion::{ONE, STATE_BITS};

/// Masks that go through together.
const HELD: usize = 16;
/// Words of 64 pixels whose levels stay in a core's own cache.
const BAND_WORDS: usize = 128;

/// Smooths the hard masks of one class, all of one size.
pub struct DecaySmoother {
    /// In 1/32768.
    gain: i16,
    /// From this on a pixel is set.
    threshold: i16,
    levels: Vec<i16>,
    held: Vec<Arc<Mask>>,
}

impl DecaySmoother {
    pub fn new(settings: &Settings) -> Self {
        let gain = (settings.alpha.get() * ONE as f32).round().clamp(1.0, 32767.0) as i16;
        // A level of 255 is 255 << 7; a half is rounded up.
        let level = i32::from(level_of(settings.threshold.get()));
        let threshold = (level << STATE_BITS) - (1 << (STATE_BITS - 1));
        Self { gain, threshold: threshold as i16, levels: Vec::new(), held: Vec::new() }
    }

    /// Takes the next mask and gives those that are ready.
    ///
    /// # Panics
    /// When its size is not that of the masks before it.
    pub fn push(&mut self, mask: Arc<Mask>) -> Vec<Mask> {
        assert!(self.held.last().is_none_or(|last| last.size() == mask.size()), "masks of one video");
        self.held.push(mask);
        if self.held.len() < HELD { Vec::new() } else { self.pass() }
    }

    /// Gives what is left, as at the end of a scene. The smoother is then as new.
    pub fn finish(&mut self) -> Vec<Mask> {
        let rest = self.pass();
        self.levels.clear();
        rest
    }

    fn pass(&mut self) -> Vec<Mask> {
        let Some(first) = self.held.first() else { return Vec::new() };
        let size = first.size();
        let words = first.words().len();
        if self.levels.is_empty() {
            self.levels = vec![0; 64 * words];
            spread(first.words(), &mut self.levels);
        }
        let mut smoothed: Vec<Vec<u64>> = self.held.iter().map(|_| vec![0; words]).collect();
        let mut bands: Vec<Vec<&mut [u64]>> = Vec::new();
        for words in &mut smoothed {
            for (band, words) in words.chunks_mut(BAND_WORDS).enumerate() {
                match bands.get_mut(band) {
                    Some(frames) => frames.push(words),
                    None => bands.push(vec![words]),
                }
            }
        }
        let (held, gain, threshold) = (&self.held, self.gain, self.threshold);
        let bands = bands.into_par_iter().zip(self.levels.par_chunks_mut(64 * BAND_WORDS));
        bands.enumerate().with_min_len(8).for_each(|(band, (frames, levels))| {
            for (out, mask) in frames.into_iter().zip(held) {
                let masks = &mask.words()[band * BAND_WORDS..][..out.len()];
                decay(levels, masks, gain, threshold, out);
            }
        });
        self.held.clear();
        smoothed.into_iter().map(|words| Mask::from_words(size, words)).collect()
    }
}

/// What a set pixel pulls towards.
const SET: i16 = 255 << STATE_BITS;

fn spread(words: &[u64], levels: &mut [i16]) {
    for (levels, &word) in levels.as_chunks_mut::<64>().0.iter_mut().zip(words) {
        for (i, level) in levels.iter_mut().enumerate() {
            *level = SET * (word >> i & 1) as i16;
        }
    }
}

vectorised! {
    /// One frame on. Of each pixel's level, and where it reaches the threshold.
    fn decay(levels: &mut [i16], words: &[u64], gain: i16, threshold: i16, out: &mut [u64]) {
        for ((levels, &word), out) in levels.as_chunks_mut::<64>().0.iter_mut().zip(words).zip(out) {
            let mut reached = [0u16; 4];
            let quarters = word.to_le_bytes();
            let (levels, _) = levels.as_chunks_mut::<16>();
            for ((levels, bits), reached) in levels.iter_mut().zip(quarters.as_chunks::<2>().0).zip(&mut reached) {
                let bits = u16::from_le_bytes(*bits);
                for (i, level) in levels.iter_mut().enumerate() {
                    let target = if bits & (1 << i) != 0 { SET } else { 0 };
                    // The rounded product, as the general way has it, in the form that
                    // processors have an instruction for.
                    let product = i32::from(target - *level) * i32::from(gain);
                    *level += (((product >> 14) + 1) >> 1) as i16;
                    *reached |= u16::from(*level >= threshold) << i;
                }
            }
            *out = reached.iter().rev().fold(0, |word, &bits| word << 16 | u64::from(bits));
        }
    }
}
