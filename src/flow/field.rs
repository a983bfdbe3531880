//! Dense displacement vectors on a grid, two 16-bit numbers each, and their compact bytes.

use opencv::core::Vec2f;

use crate::{
    frame::FrameSize,
    mask::{Mask, spread},
    simd::{nearest, vectorised},
};

use super::FlowError;

/// Bits after the point of a vector's component: a step is 1/32 of a grid pixel, well under
/// the error of any estimator, and the range is ±1024 px.
pub(super) const FRACTION_BITS: u32 = 5;
/// A grid pixel, in steps.
pub(super) const ONE: i32 = 1 << FRACTION_BITS;
/// The lowest bit of dx is no part of it: in a [`Flow`](super::Flow) it says whether the vector
/// holds, so that who looks a vector up knows that too.
pub(super) const HOLDS: u32 = 1;

/// The nearest of the steps that there are; 0 of what is not a number.
#[inline(always)]
fn steps_of([dx, dy]: [f32; 2]) -> [i16; 2] {
    let nearest = |px: f32, steps_per_px: i32| {
        let most = 1024.0 * steps_per_px as f32;
        nearest((px * steps_per_px as f32).clamp(-most, most - 1.0))
    };
    [(nearest(dx, ONE / 2) << 1) as i16, nearest(dy, ONE) as i16]
}

vectorised! {
    fn all_steps_of(steps: &mut [[i16; 2]], px: &[Vec2f]) {
        for (steps, px) in steps.iter_mut().zip(px) {
            *steps = steps_of(px.0);
        }
    }
}

/// A vector as one number: loops over those need no shuffling to be vectorised.
#[inline(always)]
pub(super) fn packed(vector: [i16; 2]) -> u32 {
    bytemuck::cast(vector)
}

/// In a packed vector dx comes first.
const _: () = assert!(cfg!(target_endian = "little"));

/// A vector of those, without what says whether it holds.
#[inline(always)]
pub(super) fn unpacked(vector: u32) -> [i32; 2] {
    [((vector & !HOLDS) << 16) as i32 >> 16, vector as i32 >> 16]
}

/// 1 if a place, in steps, is inside the picture, which reaches half a pixel beyond the centres of
/// its border; or 0.
#[inline(always)]
pub(super) fn inside(place: i32, side: i32) -> u32 {
    u32::from((place + ONE / 2) as u32 <= (side * ONE) as u32)
}

/// Along one side: the pixel before a place, and how many steps the place is behind it. The last
/// pixel has no next, so it is reached from the one before it.
#[inline(always)]
pub(super) fn between(place: i32, side: i32) -> (i32, i32) {
    let place = place.max(0).min((side - 1) * ONE);
    let before = (place >> FRACTION_BITS).min((side - 2).max(0));
    (before, place - before * ONE)
}

/// Pixels that are worked on together: loops of a fixed length, if it is not too short, are
/// vectorised to the last pixel.
pub(super) const BLOCK: usize = 64;
/// Of those, pixels that are looked up together. Neighbours mostly go the same way.
pub(super) const RUN: usize = 16;

/// The first values of a block, which may end before it does. The rest stays.
#[inline(always)]
pub(super) fn load<T: Copy>(block: &mut [T; BLOCK], values: &[T]) {
    // Of a length that is known nobody has to be called.
    match values.as_array() {
        Some(whole) => *block = *whole,
        None => block[..values.len()].copy_from_slice(values),
    }
}

/// And back.
#[inline(always)]
pub(super) fn store<T: Copy>(values: &mut [T], block: &[T; BLOCK]) {
    match values.as_mut_array() {
        Some(whole) => *whole = *block,
        None => values.copy_from_slice(&block[..values.len()]),
    }
}

/// Of each run, whether its places in a picture lie side by side.
#[inline(always)]
pub(super) fn straight_runs(places: &[u32; BLOCK]) -> [bool; BLOCK / RUN] {
    let mut starts = [0; BLOCK];
    for (i, (start, place)) in starts.iter_mut().zip(places).enumerate() {
        *start = place.wrapping_sub(i as u32);
    }
    let mut straight = [false; BLOCK / RUN];
    for (straight, starts) in straight.iter_mut().zip(starts.as_chunks::<RUN>().0) {
        *straight = starts.iter().fold(0, |difference, start| difference | (start ^ starts[0])) == 0;
    }
    straight
}

/// Where each pixel of one frame went in another: `vector(x, y)` is the displacement, in
/// pixels of this field's own grid, from pixel (x, y) of the one to its place in the other.
/// The grid covers the whole picture and is usually smaller than it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowField {
    size: FrameSize,
    vectors: Vec<[i16; 2]>,
}

impl FlowField {
    pub fn zero(size: FrameSize) -> Self {
        Self { size, vectors: vec![[0; 2]; size.pixels()] }
    }

    /// From a displacement `[dx, dy]` in grid pixels for each pixel. What is not finite or
    /// longer than ±1024 px is clamped; such a vector leaves the picture anyway.
    pub fn from_fn(size: FrameSize, mut vector: impl FnMut(usize, usize) -> [f32; 2]) -> Self {
        let vectors =
            (0..size.pixels()).map(|i| steps_of(vector(i % size.width(), i / size.width()))).collect();
        Self { size, vectors }
    }

    /// The same from vectors in rows.
    pub(super) fn from_px(size: FrameSize, px: &[Vec2f]) -> Self {
        let mut vectors = vec![[0; 2]; px.len()];
        all_steps_of(&mut vectors, px);
        Self::from_steps(size, vectors)
    }

    /// An odd dx becomes the even one below it.
    ///
    /// # Panics
    /// When `vectors` is not `width · height` long.
    pub(crate) fn from_steps(size: FrameSize, mut vectors: Vec<[i16; 2]>) -> Self {
        assert_eq!(vectors.len(), size.pixels(), "a flow field of {size}");
        vectors.iter_mut().for_each(|[dx, _]| *dx &= !(HOLDS as i16));
        Self { size, vectors }
    }

    /// Notes with each vector whether it holds.
    pub(super) fn note(&mut self, valid: &Mask) {
        for (y, row) in self.vectors.chunks_exact_mut(self.size.width()).enumerate() {
            for (vectors, &word) in row.chunks_mut(u64::BITS as usize).zip(valid.row(y)) {
                for ([dx, _], holds) in vectors.iter_mut().zip(spread(word, HOLDS as u8)) {
                    *dx = (*dx & !(HOLDS as i16)) | i16::from(holds);
                }
            }
        }
    }

    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// The displacement `[dx, dy]` of a pixel, in grid pixels.
    ///
    /// # Panics
    /// When the pixel is outside the grid.
    pub fn vector(&self, x: usize, y: usize) -> [f32; 2] {
        unpacked(packed(self.row(y)[x])).map(|steps| steps as f32 / ONE as f32)
    }

    /// `width` vectors in steps, with what says whether they hold.
    pub(crate) fn row(&self, y: usize) -> &[[i16; 2]] {
        &self.vectors[y * self.size.width()..][..self.size.width()]
    }

    /// `height × width` vectors, the same.
    pub(crate) fn vectors(&self) -> &[[i16; 2]] {
        &self.vectors
    }

    /// On a smaller grid: the vector at the middle of each of its pixels, not the mean of what
    /// it covers, which would mix what moves with what it moves before.
    pub(super) fn reduced(&self, grid: FrameSize) -> Self {
        let (width, height) = (self.size.width(), self.size.height());
        let along = |at: usize, grid: usize, side: usize| (2 * at + 1) * side / (2 * grid);
        let columns: Vec<usize> = (0..grid.width()).map(|x| along(x, grid.width(), width)).collect();
        let scaled = |value: i32, grid: usize, side: usize| (value * grid as i32 / side as i32) as i16;
        let vectors = (0..grid.height())
            .flat_map(|y| {
                let row = self.row(along(y, grid.height(), height));
                columns.iter().map(move |&x| {
                    let [dx, dy] = unpacked(packed(row[x]));
                    [scaled(dx, grid.width(), width), scaled(dy, grid.height(), height)]
                })
            })
            .collect();
        Self::from_steps(grid, vectors)
    }

    /// Bytes held in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.vectors.as_slice())
    }

    /// Four planes that a general compressor shrinks well: for dx and then dy, the low bytes
    /// and the high bytes of the zigzagged difference to the pixel on the left.
    pub(super) fn write_to(&self, bytes: &mut Vec<u8>) {
        for axis in 0..2 {
            let start = bytes.len();
            bytes.resize(start + 2 * self.vectors.len(), 0);
            let (low, high) = bytes[start..].split_at_mut(self.vectors.len());
            let mut last = 0i16;
            for ((vector, low), high) in self.vectors.iter().zip(low).zip(high) {
                let value = unpacked(packed(*vector))[axis] as i16;
                let delta = value.wrapping_sub(last);
                last = value;
                [*low, *high] = (((delta << 1) ^ (delta >> 15)) as u16).to_le_bytes();
            }
        }
    }

    /// `bytes` must be exactly what [`Self::write_to`] wrote for this size.
    pub(super) fn read_from(size: FrameSize, bytes: &[u8]) -> Result<Self, FlowError> {
        let pixels = size.pixels();
        if bytes.len() != 4 * pixels {
            return Err(FlowError::Damaged("its length does not fit its size"));
        }
        let mut vectors = vec![[0i16; 2]; pixels];
        for axis in 0..2 {
            let (low, high) = bytes[2 * axis * pixels..][..2 * pixels].split_at(pixels);
            let mut last = 0i16;
            for ((vector, &low), &high) in vectors.iter_mut().zip(low).zip(high) {
                let zigzag = u16::from_le_bytes([low, high]);
                last = last.wrapping_add((zigzag >> 1) as i16 ^ -((zigzag & 1) as i16));
                vector[axis] = last;
            }
        }
        Ok(Self::from_steps(size, vectors))
    }
}
