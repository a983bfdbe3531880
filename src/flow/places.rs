//! Where each pixel of a mask is to be sampled: the flow's grid, scaled up to the mask.
//!
//! Row by row, because a row's places stay in the fastest cache and serve every plane that
//! is sampled there. Each grid row is widened to the mask's width once, for all the mask's
//! rows that lie beside it. A grid of the mask's own size is taken as it is.

use std::ops::{Range, RangeInclusive};

use crate::frame::FrameSize;
use crate::simd::vectorised;

use super::field::{
    BLOCK, FRACTION_BITS, HOLDS, ONE, RUN, between, inside, load, packed, straight_runs, unpacked,
};

/// How much a sample counts where the flow holds; where it fails, it does not count.
pub(crate) const FULL: u8 = u8::MAX;

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

    /// The rows of the grid that row `y` of the mask lies between.
    pub fn grid_rows(&self, y: usize) -> [usize; 2] {
        if self.is_as_is() {
            return [y; 2];
        }
        let low = Between::new(y, self.mask.height(), self.grid.height()).low as usize;
        [low, (low + 1).min(self.grid.height() - 1)]
    }

    /// The rows of the mask that may be sampled where places lie between these rows of the grid.
    pub fn mask_rows(&self, grid_rows: &RangeInclusive<usize>) -> RangeInclusive<usize> {
        if self.is_as_is() {
            return grid_rows.clone();
        }
        let (grid, mask) = (self.grid.height(), self.mask.height());
        // A row of the grid reaches from its border to the next one's; one more for rounding.
        let (first, last) = (grid_rows.start() * mask / grid, (grid_rows.end() + 1) * mask / grid);
        let beside = mask.div_ceil(grid) + 1;
        first.saturating_sub(beside)..=(last + beside).min(mask - 1)
    }

    /// The columns of the grid that these of the mask lie between.
    pub fn grid_columns(&self, columns: &Range<usize>) -> Range<usize> {
        match self.columns[columns.clone()] {
            [] => 0..0,
            _ if self.is_as_is() => columns.clone(),
            [first, ..] => {
                let last = self.columns[columns.end - 1].low as usize;
                first.low as usize..(last + 2).min(self.grid.width())
            }
        }
    }

    /// The columns of the mask that may be sampled at one of `columns` where flow leads so many
    /// steps to the side, from the least to the greatest.
    pub fn columns_before(&self, columns: &Range<usize>, [least, greatest]: [i32; 2]) -> Range<usize> {
        let px = |steps: i32| {
            f64::from(steps) / f64::from(ONE) * self.mask.width() as f64 / self.grid.width() as f64
        };
        // The pixel beside is sampled too; one more for rounding.
        let first = columns.start as f64 - px(greatest) - 2.0;
        let end = columns.end as f64 - px(least) + 2.0;
        // Below 0 is 0.
        first as usize..(end as usize).min(self.mask.width())
    }

    /// Scratch memory to go down the rows with, in some columns of the mask; each thread has its
    /// own.
    pub fn band(&self, columns: Range<usize>) -> Band<'_> {
        let grid_columns = self.grid_columns(&columns);
        let (grid, width) = if self.is_as_is() { (0, 0) } else { (grid_columns.len(), columns.len()) };
        let row = || GridRow::new(grid, width);
        Band { upscale: self, columns, grid_columns, above: row(), below: row() }
    }

    /// Scratch memory for these columns of one row after another, of whatever flow.
    pub fn places(&self, columns: Range<usize>) -> Places {
        Places::new(self.mask, columns)
    }

    /// All of the mask's.
    pub fn all_columns(&self) -> Range<usize> {
        0..self.mask.width()
    }

    fn is_as_is(&self) -> bool {
        self.grid == self.mask
    }
}

/// Goes down the rows of a mask. Rows should come in order: two grid rows are kept, scaled
/// to the mask's width, for the rows that lie between them.
pub(crate) struct Band<'a> {
    upscale: &'a Upscale,
    columns: Range<usize>,
    grid_columns: Range<usize>,
    above: GridRow,
    below: GridRow,
}

impl Band<'_> {
    /// Fills in where row `y` of the mask is to be sampled, in the band's columns. `flow` gives rows
    /// of the grid, as [`FlowField::row`](super::FlowField) does, always of the same flow; it is only
    /// asked for [`Upscale::grid_rows`] and only looked at in [`Upscale::grid_columns`].
    pub fn row<'f>(&mut self, y: usize, flow: impl Fn(usize) -> &'f [[i16; 2]], places: &mut Places) {
        let Upscale { grid, mask, .. } = self.upscale;
        if self.upscale.is_as_is() {
            return fill_as_is(places, y, &flow(y)[self.columns.clone()]);
        }
        let [low, next] = self.upscale.grid_rows(y);
        let share = Between::new(y, mask.height(), grid.height()).share;
        if self.below.y == Some(low) {
            std::mem::swap(&mut self.above, &mut self.below);
        }
        for (row, y) in [(&mut self.above, low), (&mut self.below, next)] {
            if row.y.replace(y) != Some(y) {
                let flow = &flow(y)[self.grid_columns.clone()];
                fill_grid_row(row, self.upscale, &self.columns, self.grid_columns.start, flow);
            }
        }
        fill_places(places, y, share, &self.above, &self.below);
    }
}

/// What is interpolated, in one register: the displacement in mask pixels along x and y, the
/// weight, and nothing.
type Knot = [f32; 4];

/// A row of the grid, and the same at the mask's width.
struct GridRow {
    y: Option<usize>,
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
            let weight = if vector & HOLDS == 0 { 0.0 } else { f32::from(FULL) };
            *knot = [dx as f32 * scale_x, dy as f32 * scale_y, weight, 0.0];
        }
        if let [.., last, beyond] = &mut knots[..] {
            *beyond = *last;
        }
        for (wide, &Between { low, share }) in wide.iter_mut().zip(&upscale.columns[columns.clone()]) {
            let low = low as usize - first;
            let (a, b) = (knots[low], knots[low + 1]);
            *wide = std::array::from_fn(|i| a[i] + (b[i] - a[i]) * share);
        }
        for ((dx, dy), (weight, &knot)) in dx.iter_mut().zip(dy).zip(weight.iter_mut().zip(&*wide)) {
            [*dx, *dy, *weight, _] = knot;
        }
    }
}

/// Where to sample for the pixels of one row, or a part of it: the first of four neighbours and the
/// shares, in 1/256, of those to its right and below. Padded to whole blocks.
pub(crate) struct Places {
    size: FrameSize,
    columns: Range<usize>,
    offsets: Vec<u32>,
    right: Vec<u16>,
    down: Vec<u16>,
    weights: Vec<u8>,
    straight: Vec<[bool; BLOCK / RUN]>,
}

/// Some pixels of a row.
pub(super) struct Block<'a> {
    /// Indices of the first neighbours. Where the mask is at least 2×2, they are of pixels
    /// neither in the last column nor in the last row.
    pub offsets: &'a [u32; BLOCK],
    pub right: &'a [u16; BLOCK],
    pub down: &'a [u16; BLOCK],
    /// Of each run of pixels, whether each index is one more than that before it.
    pub straight: &'a [bool; BLOCK / RUN],
}

impl Places {
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

    /// Of the mask.
    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// How many pixels of the row.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    #[inline(always)]
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        let offsets = self.offsets.as_chunks().0.iter().zip(&self.straight);
        let shares = self.right.as_chunks().0.iter().zip(self.down.as_chunks().0);
        offsets.zip(shares).map(|((offsets, straight), (right, down))| Block {
            offsets,
            right,
            down,
            straight,
        })
    }

    /// How much each pixel's sample counts, 0 to [`FULL`]; 0 outside the picture.
    pub fn weights(&self) -> &[u8] {
        &self.weights[..self.len()]
    }
}

vectorised! {
    fn fill_places(places: &mut Places, y: usize, share: f32, above: &GridRow, below: &GridRow) {
        let (width, height, first) = (places.size.width(), places.size.height(), places.columns.start as i32);
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
        for (straight, offsets) in places.straight.iter_mut().zip(places.offsets.as_chunks().0) {
            *straight = straight_runs(offsets);
        }
    }
}

vectorised! {
    /// Of a grid of the mask's own size.
    fn fill_as_is(places: &mut Places, y: usize, flow: &[[i16; 2]]) {
        let (width, height) = (places.size.width() as i32, places.size.height() as i32);
        let first_x = places.columns.start as i32;
        let share = |steps: i32| (steps << (8 - FRACTION_BITS)) as u16;
        let Places { offsets, right, down, weights, straight, .. } = places;
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
                counts[i] = vector & HOLDS & inside(x, width) & inside(y, height);
                let ((x0, right), (y0, down)) = (between(x, width), between(y, height));
                (to_right[i], to_below[i]) = (share(right), share(down));
                first[i] = (y0 * width + x0) as u32;
            }
            (*offsets, *right, *down) = (first, to_right, to_below);
            for (weight, count) in weights.iter_mut().zip(counts) {
                *weight = count as u8 * FULL;
            }
            *straight = straight_runs(&first);
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
