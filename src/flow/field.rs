//! Dense displacement vectors on a grid, two 16-bit numbers each, and their compact format.

use opencv::core::Vec2f;

use base::{
    frame::FrameSize,
    mask::{Mask, spread},
    simd::{nearest, vectorised},
};

use super::FlowError;

/// Fraction bits of a vector's component. The unit, a step, is 1/32 of a grid pixel, well below the
/// error of any estimator; the range is ±1024 px.
pub(super) const FRACTION_BITS: u32 = 5;
/// A grid pixel, in steps.
pub(super) const ONE: i32 = 1 << FRACTION_BITS;
/// The lowest bit of dx is not part of it: in a [`Flow`](super::Flow) it says whether the vector is
/// valid, so that one look-up gives both.
pub(super) const VALID: u32 = 1;

/// A displacement in px, rounded to steps and clamped; 0 for NaN.
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

/// A vector as one number. Loops over these need no shuffling when they are vectorised.
#[inline(always)]
pub(super) fn packed(vector: [i16; 2]) -> u32 {
    bytemuck::cast(vector)
}

// A packed vector has dx in its low half.
const _: () = assert!(cfg!(target_endian = "little"));

/// The dx and dy of a packed vector, without the validity bit.
#[inline(always)]
pub(super) fn unpacked(vector: u32) -> [i32; 2] {
    [((vector & !VALID) << 16) as i32 >> 16, vector as i32 >> 16]
}

/// 1 if a coordinate, in steps, is inside the picture, which extends half a pixel beyond the centres
/// of its border pixels; otherwise 0.
#[inline(always)]
pub(super) fn inside(place: i32, side: i32) -> u32 {
    u32::from((place + ONE / 2) as u32 <= (side * ONE) as u32)
}

/// For bilinear interpolation along one axis: the pixel before a coordinate and the distance to it in
/// steps. The last pixel has no successor, so it is reached from the one before it.
#[inline(always)]
pub(super) fn split_place(place: i32, side: i32) -> (i32, i32) {
    let place = place.max(0).min((side - 1) * ONE);
    let before = (place >> FRACTION_BITS).min((side - 2).max(0));
    (before, place - before * ONE)
}

/// Pixels that are processed together: loops of a fixed, sufficient length are vectorised completely.
pub(super) const BLOCK: usize = 64;
/// Pixels of a block that are looked up together, since neighbours mostly move alike.
pub(super) const RUN: usize = 16;

/// Fills a block with values, which may be fewer. The rest of the block stays.
#[inline(always)]
pub(super) fn load<T: Copy>(block: &mut [T; BLOCK], values: &[T]) {
    // A copy of known length needs no call.
    match values.as_array() {
        Some(whole) => *block = *whole,
        None => block[..values.len()].copy_from_slice(values),
    }
}

/// Copies the first values of a block to `values`.
#[inline(always)]
pub(super) fn store<T: Copy>(values: &mut [T], block: &[T; BLOCK]) {
    match values.as_mut_array() {
        Some(whole) => *whole = *block,
        None => values.copy_from_slice(&block[..values.len()]),
    }
}

/// For each run, whether its indices into a picture are consecutive.
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

/// Where each pixel of one frame is in another: `vector(x, y)` is the displacement from pixel (x, y)
/// of the one frame to its place in the other, in pixels of this field's own grid. The grid covers
/// the whole picture and is usually coarser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowField {
    size: FrameSize,
    vectors: Vec<[i16; 2]>,
}

impl FlowField {
    /// No motion.
    pub fn zero(size: FrameSize) -> Self {
        Self { size, vectors: vec![[0; 2]; size.pixels()] }
    }

    /// From the displacement `[dx, dy]` of each pixel (x, y), in grid pixels. Components beyond
    /// ±1024 px are clamped; such a vector leaves the picture anyway. NaN becomes 0.
    pub fn from_fn(size: FrameSize, mut vector: impl FnMut(usize, usize) -> [f32; 2]) -> Self {
        let vectors =
            (0..size.pixels()).map(|i| steps_of(vector(i % size.width(), i / size.width()))).collect();
        Self { size, vectors }
    }

    /// The same from `height × width` vectors.
    pub(super) fn from_px(size: FrameSize, px: &[Vec2f]) -> Self {
        let mut vectors = vec![[0; 2]; px.len()];
        all_steps_of(&mut vectors, px);
        Self::from_steps(size, vectors)
    }

    /// From `height × width` vectors in steps of 1/32 grid pixel. The lowest bit of dx is dropped.
    ///
    /// # Panics
    /// When `vectors` is not `width · height` long.
    pub fn from_steps(size: FrameSize, mut vectors: Vec<[i16; 2]>) -> Self {
        assert_eq!(vectors.len(), size.pixels(), "a flow field of {size}");
        vectors.iter_mut().for_each(|[dx, _]| *dx &= !(VALID as i16));
        Self { size, vectors }
    }

    /// Sets each vector's validity bit.
    pub(super) fn mark_valid(&mut self, valid: &Mask) {
        for (y, row) in self.vectors.chunks_exact_mut(self.size.width()).enumerate() {
            for (vectors, &word) in row.chunks_mut(u64::BITS as usize).zip(valid.row(y)) {
                for ([dx, _], is_valid) in vectors.iter_mut().zip(spread(word, VALID as u8)) {
                    *dx = (*dx & !(VALID as i16)) | i16::from(is_valid);
                }
            }
        }
    }

    /// The size of the grid.
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

    /// The `width` vectors of row `y`, in steps of 1/32 grid pixel; the lowest bit of dx is the
    /// validity bit.
    pub fn row(&self, y: usize) -> &[[i16; 2]] {
        &self.vectors[y * self.size.width()..][..self.size.width()]
    }

    /// `height × width` vectors in the format of [`row`](Self::row).
    pub fn vectors(&self) -> &[[i16; 2]] {
        &self.vectors
    }

    /// On a coarser grid: the vector at the centre of each of its pixels. A mean over the pixel's area
    /// would mix a moving object with its background.
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

    /// The size in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.vectors.as_slice())
    }

    /// Writes four planes that a general-purpose compressor shrinks well: for dx and then dy, the low
    /// bytes and the high bytes of the zigzag-coded difference to the previous pixel.
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

    /// Reads exactly what [`Self::write_to`] wrote for this size.
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
