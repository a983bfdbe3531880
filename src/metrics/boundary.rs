//! F, the boundary measure of DAVIS: how well two masks' outlines agree within a tolerance.
//!
//! Equals `db_eval_boundary` of the DAVIS 2016 and 2017 evaluation code, whose boundary map
//! is Martin's `seg2bmap` (Berkeley, 2003). Everything works on packed rows, 64 pixels to a
//! word, so the exact disk dilation is a handful of shifts.

use base::frame::FrameSize;
use base::mask::{Mask, last_word_bits, words_per_row};

/// The tolerance as a share of the picture's diagonal.
const TOLERANCE: f64 = 0.008;

/// Boundary F-measure of `prediction` against `truth`, in [0, 1]: the harmonic mean of
/// the precision and the recall of boundary pixels, each matched within a disk of
/// [`tolerance_px`]; 1 when neither has a boundary, 0 when one of them has none.
/// Symmetric. Both masks must have the same size.
pub fn boundary_f(prediction: &Mask, truth: &Mask) -> f64 {
    assert_eq!(prediction.size(), truth.size(), "masks of one size");
    let radius_px = tolerance_px(prediction.size());
    let outline = |mask| {
        let boundary = boundary_map(mask);
        let dilated = dilate_disk(&boundary, radius_px);
        (boundary, dilated)
    };
    let ((prediction, near_prediction), (truth, near_truth)) =
        rayon::join(|| outline(prediction), || outline(truth));
    let (precision, recall) = match (prediction.count(), truth.count()) {
        (0, 0) => (1.0, 1.0),
        (0, _) => (1.0, 0.0),
        (_, 0) => (0.0, 1.0),
        (predicted, true_count) => (
            prediction.intersection_count(&near_truth) as f64 / predicted as f64,
            truth.intersection_count(&near_prediction) as f64 / true_count as f64,
        ),
    };
    if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
}

/// `ceil(0.008 · diagonal)` pixels.
pub fn tolerance_px(size: FrameSize) -> usize {
    (TOLERANCE * (size.width().pow(2) as f64 + size.height().pow(2) as f64).sqrt()).ceil() as usize
}

/// A boundary one pixel wide: set where a pixel differs from its east, south or south-east
/// neighbour. The last row looks east only, the last column south only, and the last corner
/// is never set.
pub fn boundary_map(mask: &Mask) -> Mask {
    let size = mask.size();
    let last_column = 1 << ((size.width() - 1) % 64);
    Mask::from_fn_rows(size, |y, out| {
        let row = mask.row(y);
        let south = (y + 1 < size.height()).then(|| mask.row(y + 1));
        for (x, word) in out.iter_mut().enumerate() {
            let here = row[x];
            let edge_south = south.map_or(0, |south| here ^ south[x]);
            let edge_south_east = south.map_or(0, |south| here ^ east_of(south, x));
            *word = (here ^ east_of(row, x)) | edge_south | edge_south_east;
            if x + 1 == row.len() {
                // The last column has no east neighbour: south alone counts.
                *word = (*word & !last_column | edge_south & last_column) & last_word_bits(size.width());
            }
        }
    })
}

/// Set within a disk of `radius_px` (`dx² + dy² ≤ radius²`) of a set pixel, exactly as a
/// binary dilation with scikit-image's `disk`.
pub fn dilate_disk(mask: &Mask, radius_px: usize) -> Mask {
    let size = mask.size();
    let stride = words_per_row(size);
    // Rows at distance dy are reached by a row widened by `half_widths[dy]` on both sides.
    let half_widths: Vec<usize> =
        (0..=radius_px).map(|dy| (radius_px * radius_px - dy * dy).isqrt()).collect();
    let mut out = vec![0u64; stride * size.height()];
    let mut widened = vec![0u64; stride];
    for y in (0..size.height()).filter(|&y| mask.row(y).iter().any(|&word| word != 0)) {
        widened.copy_from_slice(mask.row(y));
        let mut half_width = 0;
        // From the far rows, which are reached least, to the row itself.
        for dy in (0..=radius_px).rev() {
            while half_width < half_widths[dy] {
                widen(&mut widened, last_word_bits(size.width()));
                half_width += 1;
            }
            let above = y.checked_sub(dy);
            let below = Some(y + dy).filter(|&row| row < size.height() && dy > 0);
            for row in above.into_iter().chain(below) {
                for (out, &word) in out[row * stride..][..stride].iter_mut().zip(&widened) {
                    *out |= word;
                }
            }
        }
    }
    Mask::from_fn_rows(size, |y, row| row.copy_from_slice(&out[y * stride..][..stride]))
}

/// The word whose bits are the east neighbours of word `x`.
fn east_of(row: &[u64], x: usize) -> u64 {
    row[x] >> 1 | row.get(x + 1).map_or(0, |next| next << 63)
}

/// Sets the neighbours to the left and right of every set pixel of a row.
fn widen(row: &mut [u64], last_bits: u64) {
    let mut carry = 0;
    for x in 0..row.len() {
        let word = row[x];
        let next = row.get(x + 1).map_or(0, |next| next << 63);
        row[x] = word | word << 1 | carry | word >> 1 | next;
        carry = word >> 63;
    }
    if let Some(last) = row.last_mut() {
        *last &= last_bits;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_pair() -> impl Strategy<Value = (Mask, Mask)> {
        (1u32..150, 1u32..40, 1u32..60).prop_flat_map(|(width, height, density)| {
            let size = FrameSize::new(width, height).unwrap();
            let bytes = move || {
                let pixel = proptest::bool::weighted(f64::from(density) / 60.0).prop_map(u8::from);
                proptest::collection::vec(pixel, size.pixels())
                    .prop_map(move |bytes| Mask::from_bytes(size, &bytes))
            };
            (bytes(), bytes())
        })
    }

    proptest! {
        #[test]
        fn the_boundary_is_the_pixelwise_definition((mask, _) in any_pair()) {
            let (width, height) = (mask.size().width(), mask.size().height());
            let plain = Mask::from_fn(mask.size(), |x, y| {
                let here = mask.get(x, y);
                let (last_x, last_y) = (x + 1 == width, y + 1 == height);
                match (last_x, last_y) {
                    (true, true) => false,
                    (true, false) => here != mask.get(x, y + 1),
                    (false, true) => here != mask.get(x + 1, y),
                    _ => [(1, 0), (0, 1), (1, 1)].iter().any(|&(dx, dy)| here != mask.get(x + dx, y + dy)),
                }
            });
            prop_assert_eq!(boundary_map(&mask), plain);
        }

        #[test]
        fn the_dilation_reaches_exactly_the_disk((mask, _) in any_pair(), radius in 0usize..9) {
            let within = |x: usize, y: usize| {
                (0..mask.size().height()).any(|v| (0..mask.size().width()).any(|u| {
                    mask.get(u, v) && u.abs_diff(x).pow(2) + v.abs_diff(y).pow(2) <= radius * radius
                }))
            };
            let dilated = dilate_disk(&mask, radius);
            // A sample of the pixels: all of them against all would take minutes.
            for (x, y) in (0..mask.size().pixels()).step_by(7)
                .map(|at| (at % mask.size().width(), at / mask.size().width()))
            {
                prop_assert_eq!(dilated.get(x, y), within(x, y));
            }
        }

        #[test]
        fn f_is_symmetric_and_bounded((a, b) in any_pair()) {
            let f = boundary_f(&a, &b);
            prop_assert!((0.0..=1.0).contains(&f));
            prop_assert!((f - boundary_f(&b, &a)).abs() < 1e-15);
            prop_assert_eq!(boundary_f(&a, &a), 1.0);
        }
    }

    #[test]
    fn a_missing_boundary_scores_as_davis_says() {
        let size = FrameSize::new(70, 50).unwrap();
        let (empty, full) = (Mask::empty(size), Mask::full(size));
        let dot = Mask::from_fn(size, |x, y| (x, y) == (30, 20));
        assert_eq!(boundary_f(&empty, &empty), 1.0);
        assert_eq!(boundary_f(&full, &empty), 1.0, "a full mask has no boundary either");
        assert_eq!(boundary_f(&dot, &empty), 0.0);
        assert_eq!(boundary_f(&empty, &dot), 0.0);
    }

    #[test]
    fn the_tolerance_grows_with_the_picture() {
        let at = |width, height| tolerance_px(FrameSize::new(width, height).unwrap());
        assert_eq!(at(854, 480), 8);
        assert_eq!(at(1280, 720), 12);
        assert_eq!(at(1920, 1080), 18);
    }
}
