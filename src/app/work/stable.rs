//! The masks that pass 2 has made so far, for a playhead that goes where it has been.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::work::{machine::PreviewBytes, recipe::Recipe};
use base::{
    frame::FrameSize,
    mask::{Mask, MaskPair},
};

const ZSTD_LEVEL: i32 = 1;

/// Compressed, and bounded: of a very long clip the first frames are kept, and the preview
/// serves the rest.
pub struct StableMasks {
    pub recipe: Recipe,
    memory_bytes: usize,
    frames: Mutex<Frames>,
}

#[derive(Default)]
struct Frames {
    packed: HashMap<usize, Vec<u8>>,
    bytes: usize,
}

impl StableMasks {
    pub fn new(recipe: Recipe, bytes: PreviewBytes) -> Self {
        Self { recipe, memory_bytes: bytes.stable, frames: Mutex::default() }
    }

    pub fn put(&self, index: usize, masks: &[MaskPair]) {
        let packed = pack(masks);
        let mut frames = self.frames();
        if frames.bytes + packed.len() <= self.memory_bytes {
            frames.bytes += packed.len();
            frames.packed.insert(index, packed);
        }
    }

    pub fn contains(&self, index: usize) -> bool {
        self.frames().packed.contains_key(&index)
    }

    pub fn get(&self, index: usize) -> Option<Vec<MaskPair>> {
        let packed = self.frames().packed.get(&index).cloned()?;
        unpack(&packed, self.recipe.session.size(), self.recipe.plan.classes().len())
    }

    fn frames(&self) -> MutexGuard<'_, Frames> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The words of each class's raw mask, then of its smoothed one.
fn pack(masks: &[MaskPair]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    for mask in masks.iter().flat_map(|pair| [&pair.raw, &pair.smoothed]) {
        bytes.extend_from_slice(bytemuck::cast_slice(mask.words()));
    }
    zstd::bulk::compress(&bytes, ZSTD_LEVEL).unwrap_or_default()
}

fn unpack(packed: &[u8], size: FrameSize, classes: usize) -> Option<Vec<MaskPair>> {
    let words = Mask::empty(size).words().len();
    let bytes = zstd::bulk::decompress(packed, 2 * classes * words * size_of::<u64>()).ok()?;
    let all: Vec<u64> = bytemuck::pod_collect_to_vec(&bytes);
    let mut masks = all.chunks_exact(words.max(1)).map(|words| Mask::from_words(size, words.to_vec()));
    let pairs: Vec<MaskPair> =
        (0..classes).map_while(|_| Some(MaskPair { raw: masks.next()?, smoothed: masks.next()? })).collect();
    (pairs.len() == classes).then_some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_the_same_again() {
        let size = FrameSize::new(130, 7).unwrap();
        let pair = |seed: usize| MaskPair {
            raw: Mask::from_fn(size, |x, y| (x * y + seed).is_multiple_of(3)),
            smoothed: Mask::from_fn(size, |x, y| x + seed > 10 * y),
        };
        let masks = [pair(0), pair(5)];
        let packed = pack(&masks);
        let again = unpack(&packed, size, 2).unwrap();
        for (a, b) in masks.iter().zip(&again) {
            assert_eq!((&a.raw, &a.smoothed), (&b.raw, &b.smoothed));
        }
        assert!(unpack(&packed, size, 3).is_none());
        assert!(unpack(&packed[1..], size, 2).is_none());
    }
}
