//! Warping frame s onto frame t: backward sampling along the flow from t to s.
//!
//! The flow's grid is usually coarser than the mask, so vectors are scaled up bilinearly, and the
//! mask is sampled bilinearly where they lead. This is the hot loop of smoothing. It works row by row
//! in three passes: where to sample (arithmetic), fetching the four neighbours (memory), blending
//! them (arithmetic). All planes of a frame share the first.

use rayon::prelude::*;

use base::frame::FrameSize;
use base::mask::{Mask, SoftMask};
use base::simd::vectorised;

use super::Flow;
use super::field::{BLOCK, RUN, store};
use super::sampling::{GridBlock, SamplingGrid, Upscale};

/// Warps `mask` of frame s along `flow` from t to s: the mask as seen from frame t, at the mask's own
/// size, and where it is valid.
pub fn warp_soft(mask: &SoftMask, flow: &Flow) -> (SoftMask, Mask) {
    let size = mask.size();
    let (mut planes, holds) = warp_planes(&[mask.values()], size, flow);
    (SoftMask::new(size, planes.swap_remove(0)), holds)
}

/// The same for a hard mask, which is set where the bilinear sample is at least one half.
pub fn warp_mask(mask: &Mask, flow: &Flow) -> (Mask, Mask) {
    let (mut masks, holds) = warp_masks(&[mask], flow);
    (masks.swap_remove(0), holds)
}

/// The same for several hard masks of one frame, which is cheaper than one after the other.
///
/// # Panics
/// When there are none, or of different sizes.
pub fn warp_masks(masks: &[&Mask], flow: &Flow) -> (Vec<Mask>, Mask) {
    let size = masks[0].size();
    // An empty mask stays empty.
    let planes: Vec<Option<Vec<u8>>> =
        masks.iter().map(|mask| (!mask.is_empty()).then(|| mask.to_bytes(u8::MAX))).collect();
    let full: Vec<&[u8]> = planes.iter().flatten().map(Vec::as_slice).collect();
    let (warped, holds) = warp_planes(&full, size, flow);
    let mut warped = warped.into_iter().map(|values| SoftMask::new(size, values).at_least(HALF));
    let masks = planes.iter().map(|plane| match plane {
        Some(_) => warped.next().unwrap_or_else(|| Mask::empty(size)),
        None => Mask::empty(size),
    });
    (masks.collect(), holds)
}

/// Warps planes of 8-bit values of one frame; and where the result is valid.
fn warp_planes(planes: &[&[u8]], size: FrameSize, flow: &Flow) -> (Vec<Vec<u8>>, Mask) {
    let upscale = Upscale::new(flow.size(), size);
    // Not clones of one plane: fresh memory is 0 already and need not be written.
    let mut warped: Vec<_> = planes.iter().map(|_| vec![0; size.pixels()]).collect();
    let mut weights = vec![0; size.pixels()];
    let (width, band_px) = (size.width(), rows_per_band(size) * size.width());
    // For each band of rows, its part of the weights and of each plane.
    let mut bands: Vec<(&mut [u8], Vec<&mut [u8]>)> =
        weights.chunks_mut(band_px).map(|weights| (weights, Vec::new())).collect();
    for plane in &mut warped {
        for ((_, parts), part) in bands.iter_mut().zip(plane.chunks_mut(band_px)) {
            parts.push(part);
        }
    }
    bands.into_par_iter().enumerate().for_each(|(i, (weights, mut warped))| {
        let all = upscale.all_columns();
        let (mut upscaled, mut grid) = (upscale.rows(all.clone()), upscale.sampling_grid(all));
        for (row, weights) in weights.chunks_mut(width).enumerate() {
            upscaled.fill(i * rows_per_band(size) + row, |y| flow.field().row(y), &mut grid);
            weights.copy_from_slice(grid.weights());
            for (plane, warped) in planes.iter().zip(&mut warped) {
                grid.sample(plane, &mut warped[row * width..][..width]);
            }
        }
    });
    (warped, SoftMask::new(size, weights).at_least(HALF))
}

const HALF: u8 = 128;

/// How many rows a thread takes at a time: a few bands for each thread, so that all finish at about
/// the same time.
pub fn rows_per_band(size: FrameSize) -> usize {
    size.height().div_ceil(3 * rayon::current_num_threads()).max(8)
}

impl SamplingGrid {
    /// Bilinear samples of a plane of the mask's size, rounded to the nearest integer.
    ///
    /// # Panics
    /// When `plane` is not of the mask's size, or `out` not as long as the grid.
    pub fn sample(&self, plane: &[u8], out: &mut [u8]) {
        sample_u8(self, plane, out);
    }

    /// The same for 16-bit values.
    ///
    /// # Panics
    /// As [`sample`](Self::sample).
    pub fn sample_u16(&self, plane: &[u16], out: &mut [u16]) {
        sample_u16(self, plane, out);
    }
}

vectorised! {
    fn sample_u8(grid: &SamplingGrid, plane: &[u8], out: &mut [u8]) {
        let lerp = |a: u16, b: u16, share: u16| (a * (256 - share) + b * share + 128) >> 8;
        sample_rows(grid, plane, out, u16::from_le_bytes, |top, bottom, right, down| {
            lerp(lerp(top & 0xff, top >> 8, right), lerp(bottom & 0xff, bottom >> 8, right), down) as u8
        });
    }
}

vectorised! {
    fn sample_u16(grid: &SamplingGrid, plane: &[u16], out: &mut [u16]) {
        let lerp = |a: u32, b: u32, share: u16| {
            let share = u32::from(share);
            (a * (256 - share) + b * share + 128) >> 8
        };
        let pair = |[a, b]: [u16; 2]| u32::from(a) | u32::from(b) << 16;
        sample_rows(grid, plane, out, pair, |top, bottom, right, down| {
            lerp(lerp(top & 0xffff, top >> 16, right), lerp(bottom & 0xffff, bottom >> 16, right), down) as u16
        });
    }
}

/// Reads two neighbours at a time, packed into one number by `pair`, then blends whole runs of them:
/// `blend(top, bottom, right, down)`.
#[inline(always)]
fn sample_rows<T: Copy + Default, P: Copy + Default>(
    grid: &SamplingGrid,
    plane: &[T],
    out: &mut [T],
    pair: impl Fn([T; 2]) -> P,
    blend: impl Fn(P, P, u16, u16) -> T,
) {
    let (width, height) = (grid.size().width(), grid.size().height());
    assert_eq!(plane.len(), width * height, "a plane of the mask's size");
    assert_eq!(out.len(), grid.width(), "a value for each place");
    let is_thin = width < 2 || height < 2;
    let (mut tops, mut bottoms) = ([P::default(); BLOCK], [P::default(); BLOCK]);
    let mut blended = [T::default(); BLOCK];
    for (out, GridBlock { offsets, right, down, straight }) in out.chunks_mut(BLOCK).zip(grid.blocks()) {
        let (offsets, _) = offsets.as_chunks::<RUN>();
        let runs = tops.as_chunks_mut::<RUN>().0.iter_mut().zip(bottoms.as_chunks_mut::<RUN>().0);
        for ((tops, bottoms), (offsets, &is_straight)) in runs.zip(offsets.iter().zip(straight)) {
            if is_straight {
                let first = offsets[0] as usize;
                pairs(tops, &plane[first..], &pair);
                pairs(bottoms, &plane[first + width..], &pair);
                continue;
            }
            for ((top, bottom), &offset) in tops.iter_mut().zip(bottoms).zip(offsets) {
                let two = |offset: usize| {
                    if is_thin {
                        // A missing neighbour has weight 0, so the last pixel may stand in.
                        let at = |i: usize| plane[i.min(plane.len() - 1)];
                        return [at(offset), at(offset + 1)];
                    }
                    // SAFETY: offsets are in columns and rows before the last (0 in the padding),
                    // so the neighbours to the right and below are in the plane, whose length
                    // was checked above. An array has its element's alignment. Checking each
                    // offset costs a third of the loop.
                    unsafe { plane.as_ptr().add(offset).cast::<[T; 2]>().read() }
                };
                (*top, *bottom) = (pair(two(offset as usize)), pair(two(offset as usize + width)));
            }
        }
        for i in 0..BLOCK {
            blended[i] = blend(tops[i], bottoms[i], right[i], down[i]);
        }
        store(out, &blended);
    }
}

/// Packs each of the first pixels with its right neighbour.
#[inline(always)]
fn pairs<T: Copy, P>(pairs: &mut [P; RUN], pixels: &[T], pair: &impl Fn([T; 2]) -> P) {
    let (left, right) = (&pixels[..RUN], &pixels[1..=RUN]);
    for (pair_of, (&left, &right)) in pairs.iter_mut().zip(left.iter().zip(right)) {
        *pair_of = pair([left, right]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FlowField;
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

        #[test]
        fn masks_together_are_as_masks_alone(values in proptest::collection::vec(any::<u8>(), 33 * 17)) {
            let soft = SoftMask::new(size(33, 17), values);
            let masks = [soft.at_least(77), Mask::empty(soft.size()), soft.at_least(200)];
            let flow = shift(size(9, 5), 0.7, -0.4);
            let (together, holds) = warp_masks(&masks.each_ref(), &flow);
            for (mask, together) in masks.iter().zip(together) {
                prop_assert_eq!(warp_mask(mask, &flow), (together, holds.clone()));
            }
        }
    }
}
