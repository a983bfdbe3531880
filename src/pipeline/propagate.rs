//! Propagation to frames that the network does not see (`--every N`): their probabilities are warped
//! along the motion from the nearest frames that it sees, before and after.
//!
//! Each side is warped by the chained flow. Where the flow of both sides is valid, the nearer frame counts
//! more, in proportion to its distance; where only one is valid, it counts alone; where neither is, both
//! count again, as the best guess there is. Nothing is propagated across a scene cut.

use std::sync::Arc;

use base::mask::{Mask, Masks, SoftMask};
use flow::{Flow, FlowPair, warp_soft};
use rayon::prelude::*;

/// The probabilities of the frames between two that the network has seen.
///
/// `flows` holds the motion from the frame `before` to the first between, and so on, to the
/// last between or, where there is an `after`, to that: n + 1 pairs for n frames. Where one
/// is missing, nothing is known to move.
pub fn propagate(before: &Masks, after: Option<&Masks>, flows: &[Option<Arc<FlowPair>>]) -> Vec<Masks> {
    let count = flows.len() - usize::from(after.is_some());
    let back = flows[..count].iter().map(|pair| uncut(pair).map(FlowPair::backward));
    let seen_before = follow(before, back);
    let mut seen_after = match after {
        Some(after) => follow(after, flows[1..].iter().rev().map(|pair| uncut(pair).map(FlowPair::forward))),
        None => vec![None; count],
    };
    seen_after.reverse();
    let sides = seen_before.into_iter().zip(seen_after).enumerate();
    sides
        .map(|(i, sides)| match sides {
            (Some(past), Some(future)) => mix(&past, &future, count - i, i + 1),
            (Some(side), None) | (None, Some(side)) => side.into_iter().map(|(mask, _)| mask).collect(),
            // Cut off on both sides: the nearest frame stands in, unmoved.
            (None, None) => match after.filter(|_| 2 * i >= count) {
                Some(after) => after.clone(),
                None => before.clone(),
            },
        })
        .collect()
}

/// A pair that masks can be carried along.
fn uncut(pair: &Option<Arc<FlowPair>>) -> Option<&FlowPair> {
    pair.as_deref().filter(|pair| !pair.is_cut())
}

/// A mask for each class, with where it holds.
type Side = Vec<(SoftMask, Mask)>;

/// The masks as seen from the frames next to theirs, ever farther, up to a cut.
fn follow<'a>(masks: &Masks, steps: impl Iterator<Item = Option<&'a Flow>>) -> Vec<Option<Side>> {
    let mut chain: Option<Flow> = None;
    let mut is_cut_off = false;
    steps
        .map(|step| {
            is_cut_off |= step.is_none();
            let step = step.filter(|_| !is_cut_off)?;
            let flow = match &chain {
                None => step.clone(),
                Some(chain) => step.then(chain),
            };
            let side = masks.iter().map(|mask| warp_soft(mask, &flow)).collect();
            chain = Some(flow);
            Some(side)
        })
        .collect()
}

/// Class by class, the two sides by their weights.
fn mix(past: &Side, future: &Side, past_weight: usize, future_weight: usize) -> Masks {
    let (a, b) = (past_weight as u32, future_weight as u32);
    type Placed = (SoftMask, Mask);
    let one = |((past, past_holds), (future, future_holds)): (&Placed, &Placed)| {
        let size = past.size();
        let (p, f) = (past_holds.to_bytes(1), future_holds.to_bytes(1));
        let mut values = vec![0; size.pixels()];
        values.par_iter_mut().enumerate().with_min_len(1 << 14).for_each(|(i, value)| {
            let (wp, wf) = match (p[i], f[i]) {
                (1, 0) => (1, 0),
                (0, 1) => (0, 1),
                _ => (a, b),
            };
            let sum = u32::from(past.values()[i]) * wp + u32::from(future.values()[i]) * wf;
            *value = ((sum + (wp + wf) / 2) / (wp + wf)) as u8;
        });
        SoftMask::new(size, values)
    };
    past.iter().zip(future).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::FrameSize;
    use flow::FlowField;

    const STEP_PX: usize = 3;

    fn size() -> FrameSize {
        FrameSize::new(64, 32).unwrap()
    }

    /// A box that moves to the right, `STEP_PX` a frame.
    fn moving_box(frame: usize, level: u8) -> Masks {
        let left = 8 + STEP_PX * frame;
        let inside = |i: usize| (left..left + 12).contains(&(i % 64)) && (8..20).contains(&(i / 64));
        let values = (0..size().pixels()).map(|i| if inside(i) { level } else { 0 }).collect();
        [SoftMask::new(size(), values)].into()
    }

    fn moving(is_cut: bool) -> Option<Arc<FlowPair>> {
        let field = |dx: f32| FlowField::from_fn(size(), |_, _| [dx, 0.0]);
        Some(Arc::new(FlowPair::new(field(STEP_PX as f32), field(-(STEP_PX as f32)), is_cut)))
    }

    #[test]
    fn what_moves_is_where_it_would_be() {
        let (before, after) = (moving_box(0, 200), moving_box(4, 200));
        let found =
            propagate(&before, Some(&after), &[moving(false), moving(false), moving(false), moving(false)]);
        assert_eq!(found.len(), 3);
        for (frame, masks) in (1..).zip(&found) {
            assert_eq!(masks[0], moving_box(frame, 200)[0], "frame {frame}");
        }
    }

    #[test]
    fn the_nearer_side_counts_more() {
        let (before, after) = (moving_box(0, 240), moving_box(4, 40));
        let found =
            propagate(&before, Some(&after), &[moving(false), moving(false), moving(false), moving(false)]);
        let level = |frame: usize| found[frame - 1][0].values()[12 * 64 + 8 + STEP_PX * frame + 5];
        assert_eq!([level(1), level(2), level(3)], [190, 140, 90]);
    }

    #[test]
    fn nothing_is_carried_across_a_cut() {
        let (before, after) = (moving_box(0, 200), moving_box(3, 90));
        let found = propagate(&before, Some(&after), &[moving(false), moving(true), moving(false)]);
        assert_eq!(found, [moving_box(1, 200), moving_box(2, 90)]);
    }

    #[test]
    fn the_end_of_a_clip_is_seen_from_one_side() {
        let found = propagate(&moving_box(0, 200), None, &[moving(false), moving(false)]);
        assert_eq!(found, [moving_box(1, 200), moving_box(2, 200)]);
    }
}
