//! Where a mask lies, and how sure it is.

use base::mask::{Mask, SoftMask};

/// Left, top, width and height of what is set; `None` of an empty mask.
pub fn bounds(mask: &Mask) -> Option<[usize; 4]> {
    let height = mask.size().height();
    let is_row_set = |&y: &usize| mask.row(y).iter().any(|&word| word != 0);
    let (top, bottom) = ((0..height).find(is_row_set)?, (0..height).rev().find(is_row_set)?);
    let mut columns = vec![0; mask.row(0).len()];
    for y in top..=bottom {
        columns.iter_mut().zip(mask.row(y)).for_each(|(all, word)| *all |= word);
    }
    let set = |x: &usize| columns[x / 64] >> (x % 64) & 1 == 1;
    let width = mask.size().width();
    let (left, right) = ((0..width).find(set)?, (0..width).rev().find(set)?);
    Some([left, top, right + 1 - left, bottom + 1 - top])
}

/// The mean probability over the mask, as detectors' confidence; 1 where none is known.
pub fn score(mask: &Mask, soft: Option<&SoftMask>) -> f64 {
    let Some(soft) = soft else { return 1.0 };
    let sum: u64 =
        soft.values().iter().zip(mask.to_bytes(1)).map(|(&p, set)| u64::from(p) * u64::from(set)).sum();
    let mean = sum as f64 / mask.count().max(1) as f64 / 255.0;
    (mean * 1e4).round() / 1e4
}
