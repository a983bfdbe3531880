//! Dense displacement vectors on a grid, two 16-bit numbers each, and their compact bytes.

use opencv::core::Vec2f;

use crate::{frame::FrameSize, simd::vectorised};

use super::FlowError;

/// Bits after the point of a vector's component: a step is 1/32 of a grid pixel, well under
/// the error of any estimator, and the range is ±1024 px.
pub(crate) const FRACTION_BITS: u32 = 5;
const STEPS_PER_PX: f32 = (1 << FRACTION_BITS) as f32;

/// The nearest of the steps that there are; 0 of what is not a number.
#[inline(always)]
fn steps_of(px: f32) -> i16 {
    /// Added to a number of at most 2^22, it leaves its nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let steps = (px * STEPS_PER_PX).clamp(-32768.0, 32767.0);
    (steps + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i16
}

vectorised! {
    fn all_steps_of(steps: &mut [[i16; 2]], px: &[Vec2f]) {
        for (steps, px) in steps.iter_mut().zip(px) {
            *steps = px.0.map(steps_of);
        }
    }
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
            (0..size.pixels()).map(|i| vector(i % size.width(), i / size.width()).map(steps_of)).collect();
        Self { size, vectors }
    }

    /// The same from vectors in rows.
    pub(super) fn from_px(size: FrameSize, px: &[Vec2f]) -> Self {
        let mut vectors = vec![[0; 2]; px.len()];
        all_steps_of(&mut vectors, px);
        Self::from_steps(size, vectors)
    }

    /// # Panics
    /// When `vectors` is not `width · height` long.
    pub(crate) fn from_steps(size: FrameSize, vectors: Vec<[i16; 2]>) -> Self {
        assert_eq!(vectors.len(), size.pixels(), "a flow field of {size}");
        Self { size, vectors }
    }

    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// The displacement `[dx, dy]` of a pixel, in grid pixels.
    ///
    /// # Panics
    /// When the pixel is outside the grid.
    pub fn vector(&self, x: usize, y: usize) -> [f32; 2] {
        self.row(y)[x].map(|steps| f32::from(steps) / STEPS_PER_PX)
    }

    /// `width` vectors in steps of `1 / 2^FRACTION_BITS` px.
    pub(crate) fn row(&self, y: usize) -> &[[i16; 2]] {
        &self.vectors[y * self.size.width()..][..self.size.width()]
    }

    /// `height × width` vectors in the same steps.
    pub(crate) fn vectors(&self) -> &[[i16; 2]] {
        &self.vectors
    }

    /// On a smaller grid: the vector at the middle of each of its pixels, not the mean of what
    /// it covers, which would mix what moves with what it moves before.
    pub(super) fn reduced(&self, grid: FrameSize) -> Self {
        let (width, height) = (self.size.width(), self.size.height());
        let along = |at: usize, grid: usize, side: usize| (2 * at + 1) * side / (2 * grid);
        let columns: Vec<usize> = (0..grid.width()).map(|x| along(x, grid.width(), width)).collect();
        let scaled =
            |value: i16, grid: usize, side: usize| (i32::from(value) * grid as i32 / side as i32) as i16;
        let vectors = (0..grid.height())
            .flat_map(|y| {
                let row = self.row(along(y, grid.height(), height));
                columns.iter().map(move |&x| {
                    let [dx, dy] = row[x];
                    [scaled(dx, grid.width(), width), scaled(dy, grid.height(), height)]
                })
            })
            .collect();
        Self { size: grid, vectors }
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
                let delta = vector[axis].wrapping_sub(last);
                last = vector[axis];
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
        Ok(Self { size, vectors })
    }
}
