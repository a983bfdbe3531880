//! Frame s seen from frame t's grid: backward sampling along the flow from t to s.
//!
//! The flow's grid is smaller than the mask, so vectors are scaled up bilinearly, and the
//! mask is sampled bilinearly where they lead. This is the hot loop of smoothing. It goes
//! row by row in three passes: where to sample (arithmetic), fetching the four neighbours
//! (memory), blending them (arithmetic). The first is shared by all planes of a frame.

use std::ops::Range;

use rayon::prelude::*;

use crate::frame::FrameSize;
use crate::mask::{Mask, SoftMask};

use super::field::{FRACTION_BITS, FlowField};
use super::Flow;

/// Samples `mask` of frame s along `flow` from t to s: the mask as frame t sees it, at the
/// mask's own size, and where that holds.
pub fn warp_soft(mask: &SoftMask, flow: &Flow) -> (SoftMask, Mask) {
    let size = mask.size();
    let upscale = Upscale::new(flow.size(), size);
    let weights = flow.valid().to_bytes(u8::MAX);
    let sampler = upscale.sampler(flow.field(), &weights);
    let mut warped = vec![0; size.pixels()];
    let mut sure = vec![0; size.pixels()];
    let band_px = rows_per_band(size) * size.width();
    warped.par_chunks_mut(band_px).zip(sure.par_chunks_mut(band_px)).enumerate().for_each(|(i, (warped, sure))| {
        let rows = warped.chunks_mut(size.width()).zip(sure.chunks_mut(size.width()));
        let mut band = sampler.band();
        for (y, (warped, sure)) in (i * rows_per_band(size)..).zip(rows) {
            let places = band.row(y);
            places.sample(mask.values(), warped);
            sure.copy_from_slice(places.weights());
        }
    });
    (SoftMask::new(size, warped), SoftMask::new(size, sure).at_least(HALF))
}

/// The same for a hard mask: set where the bilinear sample is at least a half.
pub fn warp_mask(mask: &Mask, flow: &Flow) -> (Mask, Mask) {
    let (soft, valid) = warp_soft(&SoftMask::new(mask.size(), mask.to_bytes(u8::MAX)), flow);
    (soft.at_least(HALF), valid)
}

const HALF: u8 = 128;

/// How many rows a thread takes at a time: a few bands for each, so that they finish together.
pub(crate) fn rows_per_band(size: FrameSize) -> usize {
    size.height().div_ceil(3 * rayon::current_num_threads()).max(8)
}

/// How a flow grid lies on a mask. The same for every frame of a video.
#[derive(Clone, Debug)]
pub(crate) struct Upscale {
    grid: FrameSize,
    mask: FrameSize,
    columns: Vec<Between>,
}

/// A place between two neighbours of a grid: the lower one and the share of the higher.
#[derive(Clone, Copy, Debug)]
struct Between {
    low: u32,
    high: u32,
    share: f32,
}

impl Between {
    /// Pixel `at` of `side` pixels on a grid of `grid` that covers the same length; pixel
    /// centres, clamped to the border.
    fn new(at: usize, side: usize, grid: usize) -> Self {
        let place = ((at as f32 + 0.5) * grid as f32 / side as f32 - 0.5).clamp(0.0, (grid - 1) as f32);
        let low = place as usize;
        Self { low: low as u32, high: (low + 1).min(grid - 1) as u32, share: place - low as f32 }
    }

    fn lerp(self, a: f32, b: f32) -> f32 {
        a + (b - a) * self.share
    }
}

impl Upscale {
    pub fn new(grid: FrameSize, mask: FrameSize) -> Self {
        let columns = (0..mask.width()).map(|x| Between::new(x, mask.width(), grid.width())).collect();
        Self { grid, mask, columns }
    }

    pub fn is_for(&self, grid: FrameSize, mask: FrameSize) -> bool {
        self.grid == grid && self.mask == mask
    }

    /// `weights` says, for each grid pixel, how much a sample along it counts, 0 to 255.
    ///
    /// # Panics
    /// When the field or the weights are not of this grid.
    pub fn sampler<'a>(&'a self, field: &'a FlowField, weights: &'a [u8]) -> Sampler<'a> {
        assert_eq!(field.size(), self.grid, "a flow of this grid");
        assert_eq!(weights.len(), self.grid.pixels(), "weights of this grid");
        Sampler { upscale: self, field, weights }
    }
}

/// Where each pixel of a mask is to be sampled, and with what weight.
#[derive(Clone, Copy)]
pub(crate) struct Sampler<'a> {
    upscale: &'a Upscale,
    field: &'a FlowField,
    weights: &'a [u8],
}

impl<'a> Sampler<'a> {
    /// Scratch memory to go down the rows with; each thread has its own.
    pub fn band(self) -> Band<'a> {
        let width = self.upscale.mask.width();
        Band { sampler: self, above: GridRow::new(width), below: GridRow::new(width), places: Places::new(self.upscale.mask) }
    }
}

/// Goes down the rows of a mask. Rows should come in order: two grid rows are kept, scaled
/// to the mask's width, for the rows that lie between them.
pub(crate) struct Band<'a> {
    sampler: Sampler<'a>,
    above: GridRow,
    below: GridRow,
    places: Places,
}

impl Band<'_> {
    pub fn row(&mut self, y: usize) -> &Places {
        let Upscale { grid, mask, .. } = self.sampler.upscale;
        let between = Between::new(y, mask.height(), grid.height());
        if self.below.y == Some(between.low) {
            std::mem::swap(&mut self.above, &mut self.below);
        }
        self.above.fill(between.low, self.sampler);
        self.below.fill(between.high, self.sampler);
        self.places.fill(y, between.share, &self.above, &self.below);
        &self.places
    }
}

/// A row of the grid at the mask's width: displacements in mask pixels, and weights.
struct GridRow {
    y: Option<u32>,
    dx: Vec<f32>,
    dy: Vec<f32>,
    weight: Vec<f32>,
}

impl GridRow {
    fn new(width: usize) -> Self {
        Self { y: None, dx: vec![0.0; width], dy: vec![0.0; width], weight: vec![0.0; width] }
    }

    fn fill(&mut self, y: u32, Sampler { upscale, field, weights }: Sampler<'_>) {
        if self.y.replace(y) == Some(y) {
            return;
        }
        let per_step = |mask: usize, grid: usize| mask as f32 / grid as f32 / (1 << FRACTION_BITS) as f32;
        let scale_x = per_step(upscale.mask.width(), upscale.grid.width());
        let scale_y = per_step(upscale.mask.height(), upscale.grid.height());
        let vectors = field.row(y as usize);
        let weights = &weights[y as usize * upscale.grid.width()..][..upscale.grid.width()];
        let out = self.dx.iter_mut().zip(&mut self.dy).zip(&mut self.weight);
        for (between, ((dx, dy), weight)) in upscale.columns.iter().zip(out) {
            let (low, high) = (between.low as usize, between.high as usize);
            let [ax, ay] = vectors[low].map(f32::from);
            let [bx, by] = vectors[high].map(f32::from);
            *dx = between.lerp(ax, bx) * scale_x;
            *dy = between.lerp(ay, by) * scale_y;
            *weight = between.lerp(f32::from(weights[low]), f32::from(weights[high]));
        }
    }
}

/// Where to sample for the pixels of one row: the first of four neighbours and the shares,
/// in 1/256, of those to its right and below.
pub(crate) struct Places {
    size: FrameSize,
    offsets: Vec<u32>,
    right: Vec<u16>,
    down: Vec<u16>,
    weights: Vec<u8>,
}

/// Pixels whose neighbours are fetched at a time: small enough to stay in registers' reach.
const BLOCK: usize = 64;

impl Places {
    fn new(size: FrameSize) -> Self {
        let width = size.width();
        Self { size, offsets: vec![0; width], right: vec![0; width], down: vec![0; width], weights: vec![0; width] }
    }

    fn fill(&mut self, y: usize, share: f32, above: &GridRow, below: &GridRow) {
        let (width, height) = (self.size.width(), self.size.height());
        let (last_x, last_y) = ((width - 1) as f32, (height - 1) as f32);
        // The neighbour to the right is fetched too, so the last column is reached from the
        // one before it.
        let (max_x0, max_y0) = (width.saturating_sub(2) as i32, height.saturating_sub(2) as i32);
        let lerp = |a: f32, b: f32| a + (b - a) * share;
        for x in 0..width {
            let at_x = x as f32 + lerp(above.dx[x], below.dx[x]);
            let at_y = y as f32 + lerp(above.dy[x], below.dy[x]);
            let inside = (at_x >= -0.5) & (at_x <= last_x + 0.5) & (at_y >= -0.5) & (at_y <= last_y + 0.5);
            let weight = lerp(above.weight[x], below.weight[x]) + 0.5;
            self.weights[x] = if inside { weight as i32 as u8 } else { 0 };
            let fixed_x = (at_x.max(0.0).min(last_x) * 256.0) as i32;
            let fixed_y = (at_y.max(0.0).min(last_y) * 256.0) as i32;
            let (x0, y0) = ((fixed_x >> 8).min(max_x0), (fixed_y >> 8).min(max_y0));
            self.right[x] = (fixed_x - (x0 << 8)) as u16;
            self.down[x] = (fixed_y - (y0 << 8)) as u16;
            self.offsets[x] = (y0 * width as i32 + x0) as u32;
        }
    }

    /// How much each pixel's sample counts, 0 to 255; 0 outside the picture.
    pub fn weights(&self) -> &[u8] {
        &self.weights
    }

    /// Bilinear samples of a plane of the mask's size, rounded to the nearest.
    pub fn sample(&self, plane: &[u8], out: &mut [u8]) {
        self.sample_with(plane, out, |a, b, share| {
            ((u16::from(a) * (256 - share) + u16::from(b) * share + 128) >> 8) as u8
        });
    }

    /// The same for values of 16 bits.
    pub fn sample_u16(&self, plane: &[u16], out: &mut [u16]) {
        self.sample_with(plane, out, |a, b, share| {
            let share = u32::from(share);
            ((u32::from(a) * (256 - share) + u32::from(b) * share + 128) >> 8) as u16
        });
    }

    /// `lerp(a, b, share)` goes from a to b as the share goes from 0 to 256.
    #[inline(always)]
    fn sample_with<T: Copy + Default>(&self, plane: &[T], out: &mut [T], lerp: impl Fn(T, T, u16) -> T) {
        assert_eq!(plane.len(), self.size.pixels(), "a plane of the mask's size");
        assert_eq!(out.len(), self.size.width(), "a row of the mask's size");
        let to_right = usize::from(self.size.width() > 1);
        let to_below = if self.size.height() > 1 { self.size.width() } else { 0 };
        let mut fetched = [[T::default(); BLOCK]; 4];
        for (start, out) in (0..).step_by(BLOCK).zip(out.chunks_mut(BLOCK)) {
            let block = start..start + out.len();
            self.fetch(plane, block.clone(), to_right, to_below, &mut fetched);
            let [a, b, c, d] = &fetched;
            let shares = self.right[block.clone()].iter().zip(&self.down[block]);
            for (i, (out, (&right, &down))) in out.iter_mut().zip(shares).enumerate() {
                *out = lerp(lerp(a[i], b[i], right), lerp(c[i], d[i], right), down);
            }
        }
    }

    #[inline(always)]
    fn fetch<T: Copy>(&self, plane: &[T], block: Range<usize>, to_right: usize, to_below: usize, out: &mut [[T; BLOCK]; 4]) {
        let [a, b, c, d] = out;
        for (i, &offset) in self.offsets[block].iter().enumerate() {
            let offset = offset as usize;
            a[i] = plane[offset];
            b[i] = plane[offset + to_right];
            c[i] = plane[offset + to_below];
            d[i] = plane[offset + to_below + to_right];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(width: u32, height: u32) -> FrameSize {
        FrameSize::new(width, height).unwrap()
    }

    fn shift(grid: FrameSize, dx: f32, dy: f32) -> Flow {
        Flow::new(FlowField::from_fn(grid, |_, _| [dx, dy]), Mask::full(grid))
    }

    #[test]
    fn a_half_size_grid_moves_twice_as_far() {
        let mask = SoftMask::new(size(32, 16), (0..32 * 16).map(|i| (i % 251) as u8).collect());
        let (warped, valid) = warp_soft(&mask, &shift(size(16, 8), 2.0, -1.0));
        for (y, x) in (0..16).flat_map(|y| (0..32).map(move |x| (y, x))) {
            let inside = x + 4 < 32 && y >= 2;
            assert_eq!(valid.get(x, y), inside, "at {x}, {y}");
            if inside {
                assert_eq!(warped.values()[y * 32 + x], mask.values()[(y - 2) * 32 + x + 4]);
            }
        }
    }

    #[test]
    fn half_a_pixel_is_the_mean_of_two() {
        let mask = SoftMask::new(size(4, 1), vec![0, 100, 201, 255]);
        let (warped, _) = warp_soft(&mask, &shift(size(4, 1), 0.5, 0.0));
        assert_eq!(warped.values(), [50, 151, 228, 255]);
    }

    #[test]
    fn what_is_not_valid_on_the_grid_is_not_valid_on_the_mask() {
        let grid = size(8, 8);
        let half = Flow::new(FlowField::zero(grid), Mask::from_fn(grid, |x, _| x < 4));
        let (_, valid) = warp_mask(&Mask::full(size(16, 16)), &half);
        assert_eq!(valid, Mask::from_fn(size(16, 16), |x, _| x < 8));
    }

    /// The definition, in f64, for a flow at the mask's own size.
    fn reference(mask: &SoftMask, field: &FlowField, x: usize, y: usize) -> f64 {
        let (width, height) = (mask.size().width(), mask.size().height());
        let [dx, dy] = field.vector(x, y).map(f64::from);
        let px = (x as f64 + dx).clamp(0.0, (width - 1) as f64);
        let py = (y as f64 + dy).clamp(0.0, (height - 1) as f64);
        let at = |x: usize, y: usize| f64::from(mask.values()[y.min(height - 1) * width + x.min(width - 1)]);
        let (x0, y0) = (px as usize, py as usize);
        let (fx, fy) = (px.fract(), py.fract());
        let top = at(x0, y0) * (1.0 - fx) + at(x0 + 1, y0) * fx;
        top * (1.0 - fy) + (at(x0, y0 + 1) * (1.0 - fx) + at(x0 + 1, y0 + 1) * fx) * fy
    }

    proptest! {
        #[test]
        fn sampling_is_bilinear(
            (width, height, values, steps) in (1u32..90, 1u32..6).prop_flat_map(|(w, h)| {
                let pixels = (w * h) as usize;
                let steps = proptest::collection::vec([-150i16..150, -150i16..150], pixels);
                (Just(w), Just(h), proptest::collection::vec(any::<u8>(), pixels), steps)
            })
        ) {
            let size = size(width, height);
            let mask = SoftMask::new(size, values);
            let flow = Flow::new(FlowField::from_steps(size, steps), Mask::full(size));
            let (warped, _) = warp_soft(&mask, &flow);
            for y in 0..size.height() {
                for x in 0..size.width() {
                    let exact = reference(&mask, flow.field(), x, y);
                    let found = f64::from(warped.values()[y * size.width() + x]);
                    // Rounded twice, once across and once down.
                    prop_assert!((found - exact).abs() <= 1.01, "{found} for {exact} at {x}, {y}");
                }
            }
        }

        #[test]
        fn no_motion_is_the_identity(values in proptest::collection::vec(any::<u8>(), 33 * 17)) {
            let mask = SoftMask::new(size(33, 17), values);
            let (warped, valid) = warp_soft(&mask, &Flow::still(size(9, 5)));
            prop_assert_eq!(&warped, &mask);
            prop_assert_eq!(valid, Mask::full(mask.size()));
            let hard = mask.at_least(77);
            prop_assert_eq!(warp_mask(&hard, &Flow::still(size(33, 17))).0, hard);
        }
    }
}
