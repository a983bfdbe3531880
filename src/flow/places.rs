//! Where each pixel of a mask is to be sampled: the flow's grid, scaled up to the mask.
//!
//! Row by row, because a row's places stay in the fastest cache and serve every plane that
//! is sampled there. Each grid row is widened to the mask's width once, for all the mask's
//! rows that lie beside it.

use crate::frame::FrameSize;
use crate::simd::vectorised;

use super::field::{FRACTION_BITS, FlowField};

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
pub(super) const BLOCK: usize = 64;

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

    /// Of the mask.
    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// Block after block: indices of the first neighbours, and the shares to the right and
    /// below. Where the mask is at least 2×2, an index is of a pixel neither in the last
    /// column nor in the last row.
    #[inline(always)]
    pub(super) fn blocks(&self) -> impl Iterator<Item = (&[u32; BLOCK], (&[u16; BLOCK], &[u16; BLOCK]))> {
        let (offsets, _) = self.offsets.as_chunks();
        let ((right, _), (down, _)) = (self.right.as_chunks(), self.down.as_chunks());
        offsets.iter().zip(right.iter().zip(down))
    }

    /// How much each pixel's sample counts, 0 to 255; 0 outside the picture.
    pub fn weights(&self) -> &[u8] {
        &self.weights[..self.size.width()]
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
