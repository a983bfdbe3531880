//! Where a flow can be believed: going there along it and back along the other ends where it
//! began: `|f + b|² ≤ 0.01 (|f|² + |b|²) + 0.5`, in px² of the flow's own grid, with b sampled
//! where f leads, which must be inside the picture. (Sundaram, Brox, Keutzer: Dense point
//! trajectories by GPU-accelerated large displacement optical flow, 2010.)

use rayon::prelude::*;

use super::field::{FRACTION_BITS, FlowField};
use crate::{mask::Mask, simd::vectorised};

/// Pixels that are looked up together: loops of a fixed length are vectorised.
const BLOCK: usize = 64;
const ONE: i32 = 1 << FRACTION_BITS;
/// Half a px² in steps².
const HALF_PX_SQUARED: f32 = 0.5 * (ONE * ONE) as f32;

/// The pixels of `field`'s grid that come back along `back`, which has the same size.
pub(super) fn comes_back(field: &FlowField, back: &FlowField) -> Mask {
    let size = field.size();
    let mut valid = vec![0u8; size.pixels()];
    valid
        .par_chunks_mut(size.width())
        .with_min_len(16)
        .enumerate()
        .for_each(|(y, valid)| check_row(valid, y, field, back));
    Mask::from_bytes(size, &valid)
}

/// Where the pixels of a block lead: the first of the four vectors around, the shares of
/// those to its right and below, and whether the place is inside the picture.
struct Places {
    offsets: [u32; BLOCK],
    right: [i32; BLOCK],
    down: [i32; BLOCK],
    inside: [bool; BLOCK],
}

vectorised! {
    fn check_row(valid: &mut [u8], y: usize, field: &FlowField, back: &FlowField) {
        let (width, height) = (field.size().width() as i32, field.size().height() as i32);
        let (row, all) = (field.row(y), back.vectors());
        let last = all.len() - 1;
        // Along one side: the vector before the place, and how far the place is behind it. The
        // last has no next, so it is reached from the one before it.
        let along = |place: i32, side: i32| {
            let place = place.max(0).min((side - 1) * ONE);
            let before = (place >> FRACTION_BITS).min((side - 2).max(0));
            (before, place - before * ONE)
        };
        // The picture reaches half a pixel beyond the centres of its border.
        let is_inside = |place: i32, side: i32| (-ONE / 2 <= place) & (place <= side * ONE - ONE / 2);
        let mut there = [[0i16; 2]; BLOCK];
        let mut places =
            Places { offsets: [0; BLOCK], right: [0; BLOCK], down: [0; BLOCK], inside: [false; BLOCK] };
        let mut around = [[[0i16; 2]; BLOCK]; 4];
        let mut holds = [0u8; BLOCK];
        for (block, (valid, row)) in valid.chunks_mut(BLOCK).zip(row.chunks(BLOCK)).enumerate() {
            there[..row.len()].copy_from_slice(row);
            for (i, there) in there.iter().enumerate() {
                let x = ((block * BLOCK + i) as i32) * ONE + i32::from(there[0]);
                let y = y as i32 * ONE + i32::from(there[1]);
                let ((x0, right), (y0, down)) = (along(x, width), along(y, height));
                places.offsets[i] = (y0 * width + x0) as u32;
                (places.right[i], places.down[i]) = (right, down);
                places.inside[i] = is_inside(x, width) & is_inside(y, height);
            }
            for (i, &offset) in places.offsets.iter().enumerate() {
                let offset = offset as usize;
                // Of a grid one pixel wide or high, what is missing has share 0.
                let at = |offset: usize| all[offset.min(last)];
                around[0][i] = at(offset);
                around[1][i] = at(offset + 1);
                around[2][i] = at(offset + width as usize);
                around[3][i] = at(offset + width as usize + 1);
            }
            for i in 0..BLOCK {
                let (right, down) = (places.right[i], places.down[i]);
                let sampled = |axis: usize| {
                    let lerp = |a: i16, b: i16| i32::from(a) * (ONE - right) + i32::from(b) * right;
                    let top = lerp(around[0][i][axis], around[1][i][axis]);
                    let bottom = lerp(around[2][i][axis], around[3][i][axis]);
                    (top * (ONE - down) + bottom * down + ONE * ONE / 2) >> (2 * FRACTION_BITS)
                };
                let (fx, fy) = (i32::from(there[i][0]), i32::from(there[i][1]));
                let (bx, by) = (sampled(0), sampled(1));
                let squared = |a: i32, b: i32| (a as f32) * (a as f32) + (b as f32) * (b as f32);
                let error = squared(fx + bx, fy + by);
                let length = squared(fx, fy) + squared(bx, by);
                holds[i] = u8::from(places.inside[i] & (error <= 0.01 * length + HALF_PX_SQUARED));
            }
            let count = valid.len();
            valid.copy_from_slice(&holds[..count]);
        }
    }
}
