//! The sampling grid of a warp: where each pixel of a mask is sampled, from a flow that is scaled up
//! to the mask's size.
//!
//! It is computed row by row, because a row stays in the fastest cache and serves every plane that is
//! sampled. Each row of the flow is scaled to the mask's width once, for all rows of the mask beside
//! it. A flow of the mask's own size is not scaled.

use std::ops::{Range, RangeInclusive};

use base::frame::FrameSize;
use base::simd::vectorised;

use super::field::{
    BLOCK, FRACTION_BITS, ONE, RUN, VALID, inside, load, packed, split_place, straight_runs, unpacked,
};

/// The weight of a sample where the flow is valid. Where it is not, the weight is 0.
pub const FULL_WEIGHT: u8 = u8::MAX;

/// How a flow's grid is scaled up to a mask. The same for every frame of a video.
#[derive(Clone, Debug)]
pub struct Upscale {
    grid: FrameSize,
    mask: FrameSize,
    columns: Vec<GridPosition>,
}

/// A position between two neighbours on a grid: the lower one, and the linear weight of the next. (At
/// the end of the grid there is no next, and its weight is 0.)
#[derive(Clone, Copy, Debug)]
struct GridPosition {
    low: u32,
    share: f32,
}

impl GridPosition {
    /// The position of pixel `at` of `side` pixels on `grid` grid points that cover the same length,
    /// by pixel centres, clamped to the border.
    fn new(at: usize, side: usize, grid: usize) -> Self {
        let place = ((at as f32 + 0.5) * grid as f32 / side as f32 - 0.5).clamp(0.0, (grid - 1) as f32);
        let low = place as usize;
        Self { low: low as u32, share: place - low as f32 }
    }
}

impl Upscale {
    /// From a flow's grid to a mask's size.
    pub fn new(grid: FrameSize, mask: FrameSize) -> Self {
        let columns = (0..mask.width()).map(|x| GridPosition::new(x, mask.width(), grid.width())).collect();
        Self { grid, mask, columns }
    }

    /// The rows of the grid between which row `y` of the mask lies.
    pub fn grid_rows(&self, y: usize) -> [usize; 2] {
        if self.is_identity() {
            return [y; 2];
        }
        let low = GridPosition::new(y, self.mask.height(), self.grid.height()).low as usize;
        [low, (low + 1).min(self.grid.height() - 1)]
    }

    /// The rows of the mask that may be sampled for positions between these rows of the grid.
    pub fn mask_rows(&self, grid_rows: &RangeInclusive<usize>) -> RangeInclusive<usize> {
        if self.is_identity() {
            return grid_rows.clone();
        }
        let (grid, mask) = (self.grid.height(), self.mask.height());
        // A row of the grid reaches from its border to the next one's; one more for rounding.
        let (first, last) = (grid_rows.start() * mask / grid, (grid_rows.end() + 1) * mask / grid);
        let beside = mask.div_ceil(grid) + 1;
        first.saturating_sub(beside)..=(last + beside).min(mask - 1)
    }

    /// The columns of the grid between which these columns of the mask lie.
    pub fn grid_columns(&self, columns: &Range<usize>) -> Range<usize> {
        match self.columns[columns.clone()] {
            [] => 0..0,
            _ if self.is_identity() => columns.clone(),
            [first, ..] => {
                let last = self.columns[columns.end - 1].low as usize;
                first.low as usize..(last + 2).min(self.grid.width())
            }
        }
    }

    /// The columns of the mask from which a flow may lead to one of `columns`, when its dx is between
    /// the two bounds, in steps of 1/32 grid pixel.
    pub fn columns_leading_to(&self, columns: &Range<usize>, [least, greatest]: [i32; 2]) -> Range<usize> {
        let px = |steps: i32| {
            f64::from(steps) / f64::from(ONE) * self.mask.width() as f64 / self.grid.width() as f64
        };
        // The neighbouring pixel is sampled too; one more for rounding.
        let first = columns.start as f64 - px(greatest) - 2.0;
        let end = columns.end as f64 - px(least) + 2.0;
        // Negative values become 0.
        first as usize..(end as usize).min(self.mask.width())
    }

    /// Scratch memory for scaling one flow, in some columns of the mask.
    pub fn rows(&self, columns: Range<usize>) -> UpscaledRows<'_> {
        let grid_columns = self.grid_columns(&columns);
        let (grid, width) = if self.is_identity() { (0, 0) } else { (grid_columns.len(), columns.len()) };
        let row = || GridRow::new(grid, width);
        UpscaledRows { upscale: self, columns, grid_columns, above: row(), below: row() }
    }

    /// Scratch memory for the sampling grid of one row after another, of any flow, in some columns of
    /// the mask.
    pub fn sampling_grid(&self, columns: Range<usize>) -> SamplingGrid {
        SamplingGrid::new(self.mask, columns)
    }

    /// All columns of the mask.
    pub fn all_columns(&self) -> Range<usize> {
        0..self.mask.width()
    }

    fn is_identity(&self) -> bool {
        self.grid == self.mask
    }
}

/// Scales one flow to a mask, row by row. Rows should come in order: two grid rows are kept at the
/// mask's width, for the rows between them.
pub struct UpscaledRows<'a> {
    upscale: &'a Upscale,
    columns: Range<usize>,
    grid_columns: Range<usize>,
    above: GridRow,
    below: GridRow,
}

impl UpscaledRows<'_> {
    /// Computes the sampling grid of row `y` of the mask. `flow` returns a row of the flow in the
    /// format of [`FlowField::row`](super::FlowField::row), always of the same flow; only
    /// [`Upscale::grid_rows`] and [`Upscale::grid_columns`] of it are used.
    pub fn fill<'f>(
        &mut self,
        y: usize,
        flow: impl Fn(usize) -> &'f [[i16; 2]],
        sampling: &mut SamplingGrid,
    ) {
        let Upscale { grid, mask, .. } = self.upscale;
        if self.upscale.is_identity() {
            return fill_unscaled(sampling, y, &flow(y)[self.columns.clone()]);
        }
        let [low, next] = self.upscale.grid_rows(y);
        let share = GridPosition::new(y, mask.height(), grid.height()).share;
        if self.below.y == Some(low) {
            std::mem::swap(&mut self.above, &mut self.below);
        }
        for (row, y) in [(&mut self.above, low), (&mut self.below, next)] {
            if row.y.replace(y) != Some(y) {
                let flow = &flow(y)[self.grid_columns.clone()];
                fill_grid_row(row, self.upscale, &self.columns, self.grid_columns.start, flow);
            }
        }
        fill_scaled(sampling, y, share, &self.above, &self.below);
    }
}

/// What is interpolated, in one register: the displacement in mask pixels along x and y, the weight,
/// and one unused lane.
type Sample = [f32; 4];

/// A row of the flow, and the same at the mask's width.
struct GridRow {
    y: Option<usize>,
    /// The last one is repeated, so that each has a successor.
    knots: Vec<Sample>,
    wide: Vec<Sample>,
    /// The parts of `wide`.
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
}

vectorised! {
    /// `flow` begins at column `first` of the grid.
    fn fill_grid_row(grid_row: &mut GridRow, upscale: &Upscale, columns: &Range<usize>, first: usize, flow: &[[i16; 2]]) {
        let per_step = |mask: usize, grid: usize| mask as f32 / grid as f32 / ONE as f32;
        let scale_x = per_step(upscale.mask.width(), upscale.grid.width());
        let scale_y = per_step(upscale.mask.height(), upscale.grid.height());
        let GridRow { knots, wide, dx, dy, weight, .. } = grid_row;
        for (knot, &vector) in knots.iter_mut().zip(flow) {
            let vector = packed(vector);
            let [dx, dy] = unpacked(vector);
            let weight = if vector & VALID == 0 { 0.0 } else { f32::from(FULL_WEIGHT) };
            *knot = [dx as f32 * scale_x, dy as f32 * scale_y, weight, 0.0];
        }
        if let [.., last, beyond] = &mut knots[..] {
            *beyond = *last;
        }
        for (wide, &GridPosition { low, share }) in wide.iter_mut().zip(&upscale.columns[columns.clone()]) {
            let low = low as usize - first;
            let (a, b) = (knots[low], knots[low + 1]);
            *wide = std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share);
        }
        for ((dx, dy), (weight, &knot)) in dx.iter_mut().zip(dy).zip(weight.iter_mut().zip(&*wide)) {
            [*dx, *dy, *weight, _] = knot;
        }
    }
}

/// Where to sample for the pixels of one row, or a part of it: the index of the upper left one of
/// four neighbours, and the bilinear weights, in 1/256, of those to the right and below. Padded to
/// whole blocks.
pub struct SamplingGrid {
    size: FrameSize,
    columns: Range<usize>,
    offsets: Vec<u32>,
    right: Vec<u16>,
    down: Vec<u16>,
    weights: Vec<u8>,
    straight: Vec<[bool; BLOCK / RUN]>,
}

/// A block of a sampling grid.
pub(super) struct GridBlock<'a> {
    /// Indices of the upper left neighbours. In a mask of at least 2×2, they are neither in the last
    /// column nor in the last row.
    pub offsets: &'a [u32; BLOCK],
    pub right: &'a [u16; BLOCK],
    pub down: &'a [u16; BLOCK],
    /// For each run of pixels, whether its indices are consecutive.
    pub straight: &'a [bool; BLOCK / RUN],
}

impl SamplingGrid {
    fn new(size: FrameSize, columns: Range<usize>) -> Self {
        let padded = columns.len().next_multiple_of(BLOCK);
        Self {
            size,
            columns,
            offsets: vec![0; padded],
            right: vec![0; padded],
            down: vec![0; padded],
            weights: vec![0; padded],
            straight: vec![[false; BLOCK / RUN]; padded / BLOCK],
        }
    }

    /// The size of the mask.
    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// The number of pixels of the row.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    #[inline(always)]
    pub(super) fn blocks(&self) -> impl Iterator<Item = GridBlock<'_>> {
        let offsets = self.offsets.as_chunks().0.iter().zip(&self.straight);
        let shares = self.right.as_chunks().0.iter().zip(self.down.as_chunks().0);
        offsets.zip(shares).map(|((offsets, straight), (right, down))| GridBlock {
            offsets,
            right,
            down,
            straight,
        })
    }

    /// The weight of each pixel's sample, 0 to [`FULL_WEIGHT`]; 0 outside the picture.
    pub fn weights(&self) -> &[u8] {
        &self.weights[..self.width()]
    }
}

vectorised! {
    fn fill_scaled(sampling: &mut SamplingGrid, y: usize, share: f32, above: &GridRow, below: &GridRow) {
        let (width, height, first) = (sampling.size.width(), sampling.size.height(), sampling.columns.start as i32);
        let (last_x, last_y) = ((width - 1) as f32, (height - 1) as f32);
        // The neighbours to the right and below are read too, so the last column is reached from
        // the one before it.
        let (max_x0, max_y0) = (width.saturating_sub(2) as i32, height.saturating_sub(2) as i32);
        let lerp = |a: f32, b: f32| a + (b - a) * share;
        let dx = above.dx.iter().zip(&below.dx);
        let dy = above.dy.iter().zip(&below.dy);
        let trust = above.weight.iter().zip(&below.weight);
        let out = sampling.offsets.iter_mut().zip(&mut sampling.right).zip(&mut sampling.down).zip(&mut sampling.weights);
        for (x, ((((offset, right), down), weight), ((dx, dy), trust))) in out.zip(dx.zip(dy).zip(trust)).enumerate() {
            let at_x = (first + x as i32) as f32 + lerp(*dx.0, *dx.1);
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
        for (straight, offsets) in sampling.straight.iter_mut().zip(sampling.offsets.as_chunks().0) {
            *straight = straight_runs(offsets);
        }
    }
}

vectorised! {
    /// For a flow of the mask's own size.
    fn fill_unscaled(sampling: &mut SamplingGrid, y: usize, flow: &[[i16; 2]]) {
        let (width, height) = (sampling.size.width() as i32, sampling.size.height() as i32);
        let first_x = sampling.columns.start as i32;
        let share = |steps: i32| (steps << (8 - FRACTION_BITS)) as u16;
        let SamplingGrid { offsets, right, down, weights, straight, .. } = sampling;
        let offsets = offsets.as_chunks_mut::<BLOCK>().0.iter_mut().zip(straight);
        let shares = right.as_chunks_mut::<BLOCK>().0.iter_mut().zip(down.as_chunks_mut::<BLOCK>().0);
        let blocks = offsets.zip(shares).zip(weights.as_chunks_mut::<BLOCK>().0);
        let mut here = [[0; 2]; BLOCK];
        let mut first = [0; BLOCK];
        let (mut to_right, mut to_below) = ([0; BLOCK], [0; BLOCK]);
        let mut counts = [0u32; BLOCK];
        for (block, (vectors, (((offsets, straight), (right, down)), weights))) in flow.chunks(BLOCK).zip(blocks).enumerate() {
            load(&mut here, vectors);
            for i in 0..BLOCK {
                let vector = packed(here[i]);
                let [dx, dy] = unpacked(vector);
                let (x, y) = ((first_x + (block * BLOCK + i) as i32) * ONE + dx, y as i32 * ONE + dy);
                counts[i] = vector & VALID & inside(x, width) & inside(y, height);
                let ((x0, right), (y0, down)) = (split_place(x, width), split_place(y, height));
                (to_right[i], to_below[i]) = (share(right), share(down));
                first[i] = (y0 * width + x0) as u32;
            }
            (*offsets, *right, *down) = (first, to_right, to_below);
            for (weight, count) in weights.iter_mut().zip(counts) {
                *weight = count as u8 * FULL_WEIGHT;
            }
            *straight = straight_runs(&first);
        }
    }
}

/// Truncates a number that fits, without the checks of `as`.
#[inline(always)]
fn fixed(value: f32) -> i32 {
    // SAFETY: weights are at most 255.5 and coordinates at most 256 times the longest side, 2^23.
    // They are computed from 16-bit numbers, so they are finite.
    unsafe { value.to_int_unchecked() }
}
