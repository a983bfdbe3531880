//! Scene cuts: neighbours that do not show the same scene.

use super::FlowPair;

/// What a frame looks like, far from any detail: how often each of 64 brightnesses occurs.
pub(super) struct Look {
    shares: [f32; 64],
}

impl Look {
    pub fn of(grey: &[u8]) -> Self {
        let mut counts = [0u32; 64];
        for &value in grey {
            counts[usize::from(value >> 2)] += 1;
        }
        Self { shares: counts.map(|count| count as f32 / grey.len() as f32) }
    }
}

pub(super) fn is_cut(pair: &FlowPair, _from: (&[u8], &Look), _to: (&[u8], &Look)) -> bool {
    pair.forward().valid_share().min(pair.backward().valid_share()) < 0.2
}
