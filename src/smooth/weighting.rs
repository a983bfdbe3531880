//! How much a neighbour's sample counts: the one place where such a weight is made.

use crate::flow::Flow;

/// A neighbour as it is seen from the frame that is being smoothed.
pub(super) struct Neighbour<'a> {
    /// From the frame that is being smoothed to the neighbour.
    pub flow: &'a Flow,
}

/// The frame's own sample always counts this much.
pub(super) const FULL: u8 = u8::MAX;

/// For each pixel of the flow's grid, how much the neighbour's sample counts: all of it
/// where the flow holds, nothing elsewhere. So where flow fails with every neighbour, the
/// frame's own probability stays.
pub(super) fn weights(neighbour: &Neighbour<'_>) -> Vec<u8> {
    neighbour.flow.valid().to_bytes(FULL)
}
