//! Where a flow can be believed: going there along it and back along the other ends where it
//! began: `|f + b|² ≤ 0.01 (|f|² + |b|²) + 0.5`, in px² of the flow's own grid, with b sampled
//! where f leads, which must be inside the picture. (Sundaram, Brox, Keutzer: Dense point
//! trajectories by GPU-accelerated large displacement optical flow, 2010.)

use rayon::prelude::*;

use super::field::{
    BLOCK, FRACTION_BITS, FlowField, ONE, RUN, between, inside, packed, straight_runs, unpacked,
};
use crate::{mask::Mask, simd::vectorised};

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
    inside: [u32; BLOCK],
}

vectorised! {
    fn check_row(valid: &mut [u8], y: usize, field: &FlowField, back: &FlowField) {
        let (width, height) = (field.size().width() as i32, field.size().height() as i32);
        let (row, all) = (field.row(y), back.vectors());
        let last = all.len() - 1;
        let mut there = [0u32; BLOCK];
        let mut places =
            Places { offsets: [0; BLOCK], right: [0; BLOCK], down: [0; BLOCK], inside: [0; BLOCK] };
        let mut around = [[[0i16; 2]; BLOCK]; 4];
        let mut holds = [0u32; BLOCK];
        for (block, (valid, row)) in valid.chunks_mut(BLOCK).zip(row.chunks(BLOCK)).enumerate() {
            for (there, &vector) in there.iter_mut().zip(row) {
                *there = packed(vector);
            }
            for (i, &there) in there.iter().enumerate() {
                let [dx, dy] = unpacked(there);
                let (x, y) = ((block * BLOCK + i) as i32 * ONE + dx, y as i32 * ONE + dy);
                let ((x0, right), (y0, down)) = (between(x, width), between(y, height));
                places.offsets[i] = (y0 * width + x0) as u32;
                (places.right[i], places.down[i]) = (right, down);
                places.inside[i] = inside(x, width) & inside(y, height);
            }
            for (run, is_straight) in straight_runs(&places.offsets).into_iter().enumerate() {
                let run = run * RUN..(run + 1) * RUN;
                let first = places.offsets[run.start] as usize;
                // Of a grid one pixel wide or high, what is missing has share 0.
                for (around, step) in around.iter_mut().zip([0, 1, width as usize, width as usize + 1]) {
                    match all.get(first + step..first + step + RUN) {
                        Some(side_by_side) if is_straight => around[run.clone()].copy_from_slice(side_by_side),
                        _ => for i in run.clone() {
                            around[i] = all[(places.offsets[i] as usize + step).min(last)];
                        },
                    }
                }
            }
            for i in 0..BLOCK {
                let (right, down) = (places.right[i], places.down[i]);
                let around = [0, 1, 2, 3].map(|at| unpacked(packed(around[at][i])));
                let sampled = |axis: usize| {
                    let lerp = |a: [i32; 2], b: [i32; 2]| a[axis] * (ONE - right) + b[axis] * right;
                    let (top, bottom) = (lerp(around[0], around[1]), lerp(around[2], around[3]));
                    (top * (ONE - down) + bottom * down + ONE * ONE / 2) >> (2 * FRACTION_BITS)
                };
                let [fx, fy] = unpacked(there[i]);
                let (bx, by) = (sampled(0), sampled(1));
                let squared = |a: i32, b: i32| (a as f32) * (a as f32) + (b as f32) * (b as f32);
                let error = squared(fx + bx, fy + by);
                let length = squared(fx, fy) + squared(bx, by);
                holds[i] = places.inside[i] & u32::from(error <= 0.01 * length + HALF_PX_SQUARED);
            }
            for (valid, &holds) in valid.iter_mut().zip(&holds) {
                *valid = holds as u8;
            }
        }
    }
}
