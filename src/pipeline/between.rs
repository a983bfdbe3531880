//! Frames that the network does not see (`--every N`): their probabilities come along the
//! motion from the nearest frames that it sees, before and after.
//!
//! Each side is followed through the chained flow. Where both hold, the nearer counts more,
//! by its share of the way; where one does, it alone; where neither does, both again, as the
//! best guess there is. Nothing is carried across a scene cut.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::FrameRange;
use crate::{
    flow::{Flow, FlowPair, warp_soft},
    mask::{Mask, SoftMask},
    smooth::Masks,
};

/// The network sees every Nth frame, counted from 0, and the first and last of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "usize", into = "usize")]
pub struct Every(usize);

impl Every {
    pub const ONE: Self = Self(1);
    /// Motion can't be followed farther than this with any sense.
    pub const MAX: usize = 30;

    pub fn is_one(self) -> bool {
        self.0 == 1
    }

    pub fn sees(self, index: usize, range: FrameRange) -> bool {
        index.is_multiple_of(self.0) || index == range.first || index == range.last
    }

    /// Of a frame that the network does not see: the nearest before it that it sees, and after
    /// it, which may lie behind the end of the clip.
    pub(super) fn around(self, index: usize, range: FrameRange) -> (usize, usize) {
        let before = index - index % self.0;
        (before.max(range.first), (before + self.0).min(range.last))
    }
}

impl Default for Every {
    fn default() -> Self {
        Self::ONE
    }
}

impl TryFrom<usize> for Every {
    type Error = String;

    fn try_from(frames: usize) -> Result<Self, String> {
        match frames {
            1..=Self::MAX => Ok(Self(frames)),
            _ => Err(format!("must be a number from 1 to {}", Self::MAX)),
        }
    }
}

impl From<Every> for usize {
    fn from(every: Every) -> Self {
        every.0
    }
}

impl std::str::FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What is no number is wrong for the same reason as 0.
        Self::try_from(text.parse().unwrap_or(0))
    }
}

/// The probabilities of the frames between two that the network has seen.
///
/// `flows` holds the motion from the frame `before` to the first between, and so on, to the
/// last between or, where there is an `after`, to that: n + 1 pairs for n frames. Where one
/// is missing, nothing is known to move.
pub fn between(before: &Masks, after: Option<&Masks>, flows: &[Option<Arc<FlowPair>>]) -> Vec<Masks> {
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
    type Held = (SoftMask, Mask);
    let one = |((past, past_holds), (future, future_holds)): (&Held, &Held)| {
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
    use crate::{flow::FlowField, frame::FrameSize};

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
            between(&before, Some(&after), &[moving(false), moving(false), moving(false), moving(false)]);
        assert_eq!(found.len(), 3);
        for (frame, masks) in (1..).zip(&found) {
            assert_eq!(masks[0], moving_box(frame, 200)[0], "frame {frame}");
        }
    }

    #[test]
    fn the_nearer_side_counts_more() {
        let (before, after) = (moving_box(0, 240), moving_box(4, 40));
        let found =
            between(&before, Some(&after), &[moving(false), moving(false), moving(false), moving(false)]);
        let level = |frame: usize| found[frame - 1][0].values()[12 * 64 + 8 + STEP_PX * frame + 5];
        assert_eq!([level(1), level(2), level(3)], [190, 140, 90]);
    }

    #[test]
    fn nothing_is_carried_across_a_cut() {
        let (before, after) = (moving_box(0, 200), moving_box(3, 90));
        let found = between(&before, Some(&after), &[moving(false), moving(true), moving(false)]);
        assert_eq!(found, [moving_box(1, 200), moving_box(2, 90)]);
    }

    #[test]
    fn the_end_of_a_clip_is_seen_from_one_side() {
        let found = between(&moving_box(0, 200), None, &[moving(false), moving(false)]);
        assert_eq!(found, [moving_box(1, 200), moving_box(2, 200)]);
    }

    #[test]
    fn the_network_sees_every_nth_frame_and_the_ends() {
        let range = FrameRange { first: 4, last: 11 };
        let every: Every = "3".parse().unwrap();
        let seen: Vec<usize> = (4..12).filter(|&index| every.sees(index, range)).collect();
        assert_eq!(seen, [4, 6, 9, 11]);
        assert_eq!([5, 7, 10].map(|index| every.around(index, range)), [(4, 6), (6, 9), (9, 11)]);
        assert!(["0", "31", "-1", "x"].iter().all(|text| text.parse::<Every>().is_err()));
    }
}
