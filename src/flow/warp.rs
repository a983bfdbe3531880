//! Frame s seen from frame t's grid: backward sampling along the flow from t to s.
//!
//! The flow's grid is smaller than the mask, so vectors are scaled up bilinearly, and the
//! mask is sampled bilinearly where they lead. This is the hot loop of smoothing. It goes
//! row by row in three passes: where to sample (arithmetic), fetching the four neighbours
//! (memory), blending them (arithmetic). The first is shared by all planes of a frame.

use rayon::prelude::*;

use crate::frame::FrameSize;
use crate::mask::{Mask, SoftMask};
use crate::simd::vectorised;

use super::Flow;
use super::field::{FRACTION_BITS, FlowField};

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
    warped.par_chunks_mut(band_px).zip(sure.par_chunks_mut(band_px)).enumerate().for_each(
        |(i, (warped, sure))| {
            let rows = warped.chunks_mut(size.width()).zip(sure.chunks_mut(size.width()));
            let mut band = sampler.band();
            for (y, (warped, sure)) in (i * rows_per_band(size)..).zip(rows) {
                let places = band.row(y);
                places.sample(mask.values(), warped);
                sure.copy_from_slice(places.weights());
            }
        },
    );
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

/// A place between two neighbours of a grid: the lower one and the share of the next. (At
/// the end of the grid there is no next, and its share is 0.)
#[derive(Clone, Copy, Debug)]
struct Between {
    low: u32,
    share: f32,
}

impl Between {
    /// Pixel `at` of `side` pixels on a grid of `grid` that covers the same length; pixel
    /// centres, clamped to the border.
    fn new(at: usize, side: usize, grid: usize) -> Self {
        let place = ((at as f32 + 0.5) * grid as f32 / side as f32 - 0.5).clamp(0.0, (grid - 1) as f32);
        let low = place as usize;
        Self { low: low as u32, share: place - low as f32 }
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
        let row = || GridRow::new(self.upscale.grid.width(), width);
        Band { sampler: self, above: row(), below: row(), places: Places::new(self.upscale.mask) }
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
        self.below.fill((between.low + 1).min(grid.height() as u32 - 1), self.sampler);
        self.places.fill(y, between.share, &self.above, &self.below);
        &self.places
    }
}

/// What is interpolated, in one register: the displacement in mask pixels along x and y, the
/// weight, and nothing.
type Knot = [f32; 4];

/// A row of the grid, and the same at the mask's width.
struct GridRow {
    y: Option<u32>,
    /// The last is twice there, so that each has a next.
    knots: Vec<Knot>,
    wide: Vec<Knot>,
    /// `wide`, each part on its own.
    dx: Vec<f32>,
    dy: Vec<f32>,
    weight: Vec<f32>,
}

impl GridRow {
    fn new(grid: usize, width: usize) -> Self {
        let part = || vec![0.0; width];
        let (knots, wide) = (vec![[0.0; 4]; grid + 1], vec![[0.0; 4]; width]);
        Self { y: None, knots, wide, dx: part(), dy: part(), weight: part() }
    }

    fn fill(&mut self, y: u32, sampler: Sampler<'_>) {
        if self.y.replace(y) != Some(y) {
            fill_grid_row(self, y as usize, sampler);
        }
    }
}

vectorised! {
    fn fill_grid_row(grid_row: &mut GridRow, y: usize, sampler: Sampler<'_>) {
        let Sampler { upscale, field, weights } = sampler;
        let per_step = |mask: usize, grid: usize| mask as f32 / grid as f32 / (1 << FRACTION_BITS) as f32;
        let scale_x = per_step(upscale.mask.width(), upscale.grid.width());
        let scale_y = per_step(upscale.mask.height(), upscale.grid.height());
        let GridRow { knots, wide, dx, dy, weight, .. } = grid_row;
        let width = upscale.grid.width();
        let row = field.row(y).iter().zip(&weights[y * width..][..width]);
        for (knot, (&[dx, dy], &weight)) in knots.iter_mut().zip(row) {
            *knot = [f32::from(dx) * scale_x, f32::from(dy) * scale_y, f32::from(weight), 0.0];
        }
        knots[width] = knots[width - 1];
        for (wide, &Between { low, share }) in wide.iter_mut().zip(&upscale.columns) {
            let (a, b) = (knots[low as usize], knots[low as usize + 1]);
            *wide = std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share);
        }
        for ((dx, dy), (weight, &knot)) in dx.iter_mut().zip(dy).zip(weight.iter_mut().zip(&*wide)) {
            [*dx, *dy, *weight, _] = knot;
        }
    }
}

/// Where to sample for the pixels of one row: the first of four neighbours and the shares,
/// in 1/256, of those to its right and below. Padded to whole blocks.
pub(crate) struct Places {
    size: FrameSize,
    offsets: Vec<u32>,
    right: Vec<u16>,
    down: Vec<u16>,
    weights: Vec<u8>,
}

/// Pixels whose neighbours are fetched at a time: they stay in the fastest cache, and loops
/// of a fixed length are vectorised to the last pixel.
const BLOCK: usize = 64;

impl Places {
    fn new(size: FrameSize) -> Self {
        let padded = size.width().next_multiple_of(BLOCK);
        Self {
            size,
            offsets: vec![0; padded],
            right: vec![0; padded],
            down: vec![0; padded],
            weights: vec![0; padded],
        }
    }

    fn fill(&mut self, y: usize, share: f32, above: &GridRow, below: &GridRow) {
        fill_places(self, y, share, above, below);
    }

    /// How much each pixel's sample counts, 0 to 255; 0 outside the picture.
    pub fn weights(&self) -> &[u8] {
        &self.weights[..self.size.width()]
    }

    /// Bilinear samples of a plane of the mask's size, rounded to the nearest.
    pub fn sample(&self, plane: &[u8], out: &mut [u8]) {
        sample_u8(self, plane, out);
    }

    /// The same for values of 16 bits.
    pub fn sample_u16(&self, plane: &[u16], out: &mut [u16]) {
        sample_u16(self, plane, out);
    }
}

vectorised! {
    fn fill_places(places: &mut Places, y: usize, share: f32, above: &GridRow, below: &GridRow) {
        let (width, height) = (places.size.width(), places.size.height());
        let (last_x, last_y) = ((width - 1) as f32, (height - 1) as f32);
        // The neighbours to the right and below are fetched too, so the last column is
        // reached from the one before it.
        let (max_x0, max_y0) = (width.saturating_sub(2) as i32, height.saturating_sub(2) as i32);
        let lerp = |a: f32, b: f32| a + (b - a) * share;
        let dx = above.dx.iter().zip(&below.dx);
        let dy = above.dy.iter().zip(&below.dy);
        let trust = above.weight.iter().zip(&below.weight);
        let out = places.offsets.iter_mut().zip(&mut places.right).zip(&mut places.down).zip(&mut places.weights);
        for (x, ((((offset, right), down), weight), ((dx, dy), trust))) in out.zip(dx.zip(dy).zip(trust)).enumerate() {
            let at_x = x as i32 as f32 + lerp(*dx.0, *dx.1);
            let at_y = y as f32 + lerp(*dy.0, *dy.1);
            let inside = (at_x >= -0.5) & (at_x <= last_x + 0.5) & (at_y >= -0.5) & (at_y <= last_y + 0.5);
            let inside = if inside { 1.0 } else { 0.0 };
            *weight = fixed((lerp(*trust.0, *trust.1) + 0.5) * inside) as u8;
            let fixed_x = fixed(at_x.max(0.0).min(last_x) * 256.0);
            let fixed_y = fixed(at_y.max(0.0).min(last_y) * 256.0);
            let (x0, y0) = ((fixed_x >> 8).min(max_x0), (fixed_y >> 8).min(max_y0));
            *right = (fixed_x - (x0 << 8)) as u16;
            *down = (fixed_y - (y0 << 8)) as u16;
            *offset = (y0 * width as i32 + x0) as u32;
        }
    }
}

/// Towards zero. For numbers that fit, which spares the checks of `as`.
#[inline(always)]
fn fixed(value: f32) -> i32 {
    // SAFETY: weights are at most 255.5 and places at most 256 times the longest side, 2^23;
    // they are made of 16-bit numbers, so they are finite.
    unsafe { value.to_int_unchecked() }
}

vectorised! {
    fn sample_u8(places: &Places, plane: &[u8], out: &mut [u8]) {
        let lerp = |a: u16, b: u16, share: u16| (a * (256 - share) + b * share + 128) >> 8;
        sample_with(places, plane, out, u16::from_le_bytes, |top, bottom, right, down| {
            lerp(lerp(top & 0xff, top >> 8, right), lerp(bottom & 0xff, bottom >> 8, right), down) as u8
        });
    }
}

vectorised! {
    fn sample_u16(places: &Places, plane: &[u16], out: &mut [u16]) {
        let lerp = |a: u32, b: u32, share: u16| {
            let share = u32::from(share);
            (a * (256 - share) + b * share + 128) >> 8
        };
        let pair = |[a, b]: [u16; 2]| u32::from(a) | u32::from(b) << 16;
        sample_with(places, plane, out, pair, |top, bottom, right, down| {
            lerp(lerp(top & 0xffff, top >> 16, right), lerp(bottom & 0xffff, bottom >> 16, right), down) as u16
        });
    }
}

/// Fetches two neighbours at a time, packed into one number by `pair`, then blends whole
/// blocks of them: `blend(top, bottom, right, down)`.
#[inline(always)]
fn sample_with<T: Copy + Default, P: Copy + Default>(
    places: &Places,
    plane: &[T],
    out: &mut [T],
    pair: impl Fn([T; 2]) -> P,
    blend: impl Fn(P, P, u16, u16) -> T,
) {
    let (width, height) = (places.size.width(), places.size.height());
    assert_eq!(plane.len(), width * height, "a plane of the mask's size");
    assert_eq!(out.len(), width, "a row of the mask's size");
    let is_thin = width < 2 || height < 2;
    let (mut tops, mut bottoms, mut blended) =
        ([P::default(); BLOCK], [P::default(); BLOCK], [T::default(); BLOCK]);
    let ((offsets, _), (right, _), (down, _)) = (
        places.offsets.as_chunks::<BLOCK>(),
        places.right.as_chunks::<BLOCK>(),
        places.down.as_chunks::<BLOCK>(),
    );
    for ((out, offsets), (right, down)) in out.chunks_mut(BLOCK).zip(offsets).zip(right.iter().zip(down)) {
        for i in 0..BLOCK {
            let offset = offsets[i] as usize;
            let two = |offset: usize| {
                if is_thin {
                    // What is missing beside or below has share 0: the last stands in.
                    let at = |i: usize| plane[i.min(plane.len() - 1)];
                    return [at(offset), at(offset + 1)];
                }
                // SAFETY: `fill_places` keeps offsets to columns before the last and rows
                // before the last (0 in the padding), so the neighbours beside and below
                // are in the plane, whose length was checked above. An array has its
                // element's alignment. Checking each costs a third of the loop.
                unsafe { plane.as_ptr().add(offset).cast::<[T; 2]>().read() }
            };
            (tops[i], bottoms[i]) = (pair(two(offset)), pair(two(offset + width)));
        }
        for i in 0..BLOCK {
            blended[i] = blend(tops[i], bottoms[i], right[i], down[i]);
        }
        out.copy_from_slice(&blended[..out.len()]);
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
