//! The forward-backward consistency check: a flow vector f is valid where the backward flow b,
//! sampled where f leads, which must be inside the picture, returns to the start:
//! `|f + b|² ≤ 0.01 (|f|² + |b|²) + 0.5`, in px² of the flow's own grid (Sundaram, Brox, Keutzer:
//! Dense point trajectories by GPU-accelerated large displacement optical flow, 2010).

use rayon::prelude::*;

use super::field::{
    BLOCK, FRACTION_BITS, FlowField, ONE, RUN, inside, packed, split_place, straight_runs, unpacked,
};
use base::{mask::Mask, simd::vectorised};

/// 0.5 px² in steps².
const HALF_PX_SQUARED: f32 = 0.5 * (ONE * ONE) as f32;

/// The pixels of `field`'s grid whose vectors are consistent with `back`, which has the same size.
pub(super) fn forward_backward_consistent(field: &FlowField, back: &FlowField) -> Mask {
    let size = field.size();
    let mut valid = vec![0u8; size.pixels()];
    valid
        .par_chunks_mut(size.width())
        .with_min_len(16)
        .enumerate()
        .for_each(|(y, valid)| check_row(valid, y, field, back));
    Mask::from_bytes(size, &valid)
}

/// Where the pixels of a block lead: the index of the upper left one of the four surrounding
/// vectors, the bilinear weights of those to the right and below, and whether the place is inside the
/// picture.
struct LookUp {
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
        let mut at =
            LookUp { offsets: [0; BLOCK], right: [0; BLOCK], down: [0; BLOCK], inside: [0; BLOCK] };
        let mut around = [[[0i16; 2]; BLOCK]; 4];
        let mut valid_flags = [0u32; BLOCK];
        for (block, (valid, row)) in valid.chunks_mut(BLOCK).zip(row.chunks(BLOCK)).enumerate() {
            for (there, &vector) in there.iter_mut().zip(row) {
                *there = packed(vector);
            }
            for (i, &there) in there.iter().enumerate() {
                let [dx, dy] = unpacked(there);
                let (x, y) = ((block * BLOCK + i) as i32 * ONE + dx, y as i32 * ONE + dy);
                let ((x0, right), (y0, down)) = (split_place(x, width), split_place(y, height));
                at.offsets[i] = (y0 * width + x0) as u32;
                (at.right[i], at.down[i]) = (right, down);
                at.inside[i] = inside(x, width) & inside(y, height);
            }
            for (run, is_straight) in straight_runs(&at.offsets).into_iter().enumerate() {
                let run = run * RUN..(run + 1) * RUN;
                let first = at.offsets[run.start] as usize;
                // In a grid one pixel wide or high, the missing neighbours have weight 0.
                for (around, step) in around.iter_mut().zip([0, 1, width as usize, width as usize + 1]) {
                    match all.get(first + step..first + step + RUN) {
                        Some(side_by_side) if is_straight => around[run.clone()].copy_from_slice(side_by_side),
                        _ => for i in run.clone() {
                            around[i] = all[(at.offsets[i] as usize + step).min(last)];
                        },
                    }
                }
            }
            for i in 0..BLOCK {
                let (right, down) = (at.right[i], at.down[i]);
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
                valid_flags[i] = at.inside[i] & u32::from(error <= 0.01 * length + HALF_PX_SQUARED);
            }
            for (valid, &valid_flags) in valid.iter_mut().zip(&valid_flags) {
                *valid = valid_flags as u8;
            }
        }
    }
}
