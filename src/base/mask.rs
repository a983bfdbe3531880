//! Masks of one class: soft ones (a probability for each pixel) and hard ones (a bit for each
//! pixel). Hard masks pack 64 pixels into a word, so pixels are counted by popcount.

use std::sync::Arc;

use rayon::prelude::*;

use crate::frame::FrameSize;

/// The soft masks of one frame: one for each class, all of one size.
pub type Masks = Arc<[SoftMask]>;

/// The masks of one class in one frame, before and after smoothing.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskPair {
    /// Before smoothing.
    pub raw: Mask,
    /// After smoothing.
    pub smoothed: Mask,
}

/// The probability of one class at each pixel, `u8`: 0 is impossible, 255 is certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftMask {
    size: FrameSize,
    values: Vec<u8>,
}

impl SoftMask {
    /// From `height × width` values, rows from the top.
    ///
    /// # Panics
    /// When `values` is not `width · height` long.
    pub fn new(size: FrameSize, values: Vec<u8>) -> Self {
        assert_eq!(values.len(), size.pixels(), "a mask of {size}");
        Self { size, values }
    }

    /// The same value everywhere.
    pub fn filled(size: FrameSize, value: u8) -> Self {
        Self { size, values: vec![value; size.pixels()] }
    }

    /// Width and height.
    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// `height × width` values, rows from the top.
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// `height × width` values, to be changed in place.
    pub fn values_mut(&mut self) -> &mut [u8] {
        &mut self.values
    }

    /// `height × width` values, without copying.
    pub fn into_values(self) -> Vec<u8> {
        self.values
    }

    /// Set where the value is at least `level`.
    pub fn at_least(&self, level: u8) -> Mask {
        self.set_where(|value| value >= level)
    }

    /// Set where the value equals `level`, for values that are labels.
    pub fn equal_to(&self, level: u8) -> Mask {
        self.set_where(|value| value == level)
    }

    fn set_where(&self, is_set: impl Fn(u8) -> bool + Copy + Sync) -> Mask {
        let mut mask = Mask::empty(self.size);
        let rows = mask
            .words
            .par_chunks_mut(words_per_row(self.size))
            .zip(self.values.par_chunks(self.size.width()));
        rows.with_min_len(64).for_each(|(row, values)| pack_row(row, values, is_set));
        mask
    }

    /// Set where the probability is at least `threshold`, in [0, 1].
    pub fn threshold(&self, threshold: f32) -> Mask {
        self.at_least(level_of(threshold))
    }
}

/// The smallest 8-bit probability that is at least `threshold`, but never 0, which would set every
/// pixel.
pub fn level_of(threshold: f32) -> u8 {
    (threshold.clamp(0.0, 1.0) * 255.0).ceil().clamp(1.0, 255.0) as u8
}

/// A hard mask of one class: one bit a pixel, rows padded to whole 64-bit words. The
/// padding bits are always 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mask {
    size: FrameSize,
    words: Vec<u64>,
}

impl Mask {
    /// No pixel set.
    pub fn empty(size: FrameSize) -> Self {
        Self { size, words: vec![0; size.height() * words_per_row(size)] }
    }

    /// Every pixel set.
    pub fn full(size: FrameSize) -> Self {
        Self::from_fn_rows(size, |_, row| {
            row.fill(u64::MAX);
            trim(row, size.width());
        })
    }

    /// Set where a byte is not 0.
    ///
    /// # Panics
    /// When `bytes` is not `width · height` long.
    pub fn from_bytes(size: FrameSize, bytes: &[u8]) -> Self {
        assert_eq!(bytes.len(), size.pixels(), "a mask of {size}");
        Self::from_fn_rows(size, |y, row| {
            pack_row(row, &bytes[y * size.width()..][..size.width()], |byte| byte != 0);
        })
    }

    /// Set where `is_set(x, y)`.
    pub fn from_fn(size: FrameSize, mut is_set: impl FnMut(usize, usize) -> bool) -> Self {
        Self::from_fn_rows(size, |y, row| {
            for x in 0..size.width() {
                row[x / 64] |= u64::from(is_set(x, y)) << (x % 64);
            }
        })
    }

    /// From `height × ceil(width / 64)` words, as [`Self::words`] gives them; bits in the
    /// padding are dropped.
    ///
    /// # Panics
    /// When there are more or fewer words.
    pub fn from_words(size: FrameSize, mut words: Vec<u64>) -> Self {
        let stride = words_per_row(size);
        assert_eq!(words.len(), size.height() * stride, "a mask of {size}");
        words.chunks_exact_mut(stride).for_each(|row| trim(row, size.width()));
        Self { size, words }
    }

    /// Built row by row: `fill` gets the row's number and its words, all 0, and must leave the padding
    /// 0.
    pub fn from_fn_rows(size: FrameSize, mut fill: impl FnMut(usize, &mut [u64])) -> Self {
        let mut mask = Self::empty(size);
        for (y, row) in mask.words.chunks_exact_mut(words_per_row(size)).enumerate() {
            fill(y, row);
            debug_assert!(row.last().is_none_or(|last| last & !last_word_bits(size.width()) == 0));
        }
        mask
    }

    /// Width and height.
    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// `height × ceil(width / 64)` words; bit `x % 64` of word `x / 64` is pixel x.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The words of row `y`.
    pub fn row(&self, y: usize) -> &[u64] {
        let stride = words_per_row(self.size);
        &self.words[y * stride..][..stride]
    }

    /// Whether pixel (x, y) is set. Outside the picture, no pixel is.
    pub fn get(&self, x: usize, y: usize) -> bool {
        x < self.size.width() && y < self.size.height() && self.row(y)[x / 64] >> (x % 64) & 1 == 1
    }

    /// How many pixels are set.
    pub fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Whether no pixel is set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// `|self ∩ other|`.
    ///
    /// # Panics
    /// When the sizes differ, as for all operations on two masks.
    pub fn intersection_count(&self, other: &Self) -> u64 {
        self.count_with(other, |a, b| a & b)
    }

    /// `|self ∪ other|`.
    pub fn union_count(&self, other: &Self) -> u64 {
        self.count_with(other, |a, b| a | b)
    }

    /// How many bits are set in `combine` of the two masks' words.
    pub fn count_with(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> u64 {
        assert_eq!(self.size, other.size, "masks of one size");
        self.words.iter().zip(&other.words).map(|(&a, &b)| u64::from(combine(a, b).count_ones())).sum()
    }

    /// Set in both.
    pub fn and(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a & b)
    }

    /// Set in either.
    pub fn or(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a | b)
    }

    /// Set in exactly one.
    pub fn xor(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a ^ b)
    }

    /// Set in `self` and not in `other`.
    pub fn and_not(&self, other: &Self) -> Self {
        self.combine(other, |a, b| a & !b)
    }

    /// `combine(0, 0)` must be 0, so that the padding stays 0.
    fn combine(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        assert_eq!(self.size, other.size, "masks of one size");
        let words = self.words.iter().zip(&other.words).map(|(&a, &b)| combine(a, b)).collect();
        Self { size: self.size, words }
    }

    /// `height × width` bytes: `set` where the pixel is set, 0 elsewhere.
    pub fn to_bytes(&self, set: u8) -> Vec<u8> {
        let mut bytes = vec![0; self.size.pixels()];
        for (y, row) in bytes.chunks_exact_mut(self.size.width()).enumerate() {
            for (chunk, &word) in row.chunks_mut(64).zip(self.row(y)) {
                chunk.copy_from_slice(&spread(word, set)[..chunk.len()]);
            }
        }
        bytes
    }
}

/// How many 64-bit words a row of a [`Mask`] takes.
pub const fn words_per_row(size: FrameSize) -> usize {
    size.width().div_ceil(64)
}

/// The bits of a row's last word that are pixels, not padding.
pub const fn last_word_bits(width: usize) -> u64 {
    match width % 64 {
        0 => u64::MAX,
        bits => (1 << bits) - 1,
    }
}

fn trim(row: &mut [u64], width: usize) {
    if let Some(last) = row.last_mut() {
        *last &= last_word_bits(width);
    }
}

fn pack_row(row: &mut [u64], values: &[u8], is_set: impl Fn(u8) -> bool + Copy) {
    let (whole, rest) = values.as_chunks::<64>();
    for (word, values) in row.iter_mut().zip(whole) {
        *word = pack(values, is_set);
    }
    if let (Some(last), false) = (row.last_mut(), rest.is_empty()) {
        *last = rest.iter().rev().fold(0, |word, &value| word << 1 | u64::from(is_set(value)));
    }
}

/// The first value becomes bit 0. Comparing into bytes and then gathering eight of them by one
/// multiplication is many times faster than going bit by bit.
#[inline(always)]
fn pack(values: &[u8; 64], is_set: impl Fn(u8) -> bool) -> u64 {
    let flags = values.map(|value| u8::from(is_set(value)));
    let (eights, _) = flags.as_chunks::<8>();
    eights.iter().rev().fold(0, |word, &eight| {
        word << 8 | u64::from_le_bytes(eight).wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
}

/// A byte for each bit of a word, bit 0 first: `set` where the bit is set, 0 elsewhere.
#[inline(always)]
pub fn spread(word: u64, set: u8) -> [u8; 64] {
    let mut bytes = [0; 64];
    for (eight, bits) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(word.to_le_bytes()) {
        *eight = unpack(bits, set);
    }
    bytes
}

#[inline(always)]
fn unpack(bits: u8, set: u8) -> [u8; 8] {
    let lanes = (u64::from(bits) * 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
    let flags = (lanes + 0x7f7f_7f7f_7f7f_7f7f) >> 7 & 0x0101_0101_0101_0101;
    (flags * u64::from(set)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes_of(size: FrameSize) -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), size.pixels())
    }

    fn any_pair() -> impl Strategy<Value = (FrameSize, Vec<u8>, Vec<u8>)> {
        (1u32..140, 1u32..5).prop_flat_map(|(width, height)| {
            let size = FrameSize::new(width, height).unwrap();
            (Just(size), bytes_of(size), bytes_of(size))
        })
    }

    proptest! {
        #[test]
        fn counts_equal_the_plain_loops((size, a, b) in any_pair(), level in 1u8..) {
            let (soft_a, soft_b) = (SoftMask::new(size, a.clone()), SoftMask::new(size, b.clone()));
            let (mask_a, mask_b) = (soft_a.at_least(level), soft_b.at_least(level));
            let count = |pair: &dyn Fn(bool, bool) -> bool| {
                a.iter().zip(&b).filter(|&(&a, &b)| pair(a >= level, b >= level)).count() as u64
            };
            prop_assert_eq!(mask_a.count(), count(&|a, _| a));
            prop_assert_eq!(mask_a.intersection_count(&mask_b), count(&|a, b| a && b));
            prop_assert_eq!(mask_a.union_count(&mask_b), count(&|a, b| a || b));
            prop_assert_eq!(mask_a.xor(&mask_b).count(), count(&|a, b| a != b));
            prop_assert_eq!(mask_a.and_not(&mask_b).count(), count(&|a, b| a && !b));
        }

        #[test]
        fn bytes_survive_the_round_trip((size, a, _) in any_pair()) {
            let mask = Mask::from_bytes(size, &a);
            let bytes: Vec<u8> = a.iter().map(|&byte| if byte == 0 { 0 } else { 255 }).collect();
            prop_assert_eq!(&mask.to_bytes(255), &bytes);
            let same = Mask::from_fn(size, |x, y| a[y * size.width() + x] != 0);
            prop_assert_eq!(same, mask);
        }
    }

    #[test]
    fn a_full_mask_counts_its_pixels_and_no_padding() {
        let size = FrameSize::new(65, 3).unwrap();
        assert_eq!(Mask::full(size).count(), 195);
        assert!(!Mask::full(size).get(65, 0));
        assert!(Mask::empty(size).is_empty());
    }

    #[test]
    fn a_half_is_the_first_level_above_the_middle() {
        assert_eq!(level_of(0.5), 128);
        assert_eq!(level_of(0.0), 1);
        assert_eq!(level_of(1.0), 255);
    }
}
