//! Planes of values (one for each class, `height × width`), split into bands of rows and put
//! together as masks.

use std::sync::Arc;

use base::{
    frame::FrameSize,
    mask::{Masks, SoftMask},
};

/// The soft masks of one frame from their planes.
pub(super) fn masks_of(size: FrameSize, planes: Vec<Vec<u8>>) -> Masks {
    planes.into_iter().map(|plane| SoftMask::new(size, plane)).collect::<Arc<[_]>>()
}

/// Splits all planes at the same rows: for each band of `band_px` pixels, its part of every plane.
pub(super) fn bands<T>(planes: &mut [Vec<T>], band_px: usize) -> Vec<Vec<&mut [T]>> {
    let mut planes: Vec<_> = planes.iter_mut().map(|plane| plane.chunks_mut(band_px)).collect();
    std::iter::from_fn(|| planes.iter_mut().map(Iterator::next).collect()).collect()
}
