//! The soft masks of a clip: from the network's output for a frame or, where the network did not see the
//! frame, from the frames around it. Pass 2 reads them in order, previews in any order.

use std::sync::Arc;

use super::{FlowTrack, PipelineError, Tracks, propagate::propagate, tracks::SeenAround};
use base::{
    frame::{FrameRange, FrameSize, Timestamp},
    mask::{Mask, Masks},
    stages::stage,
};
use flow::FlowPair;
use plan::Resolved;

/// The stored results of pass 1, seen through a plan.
#[derive(Clone)]
pub struct SoftSource {
    /// Says which classes there are, and what is left out.
    pub plan: Arc<Resolved>,
    /// What pass 1 has stored, or is storing.
    pub tracks: Tracks,
    /// The range of the plan, or a part of it.
    pub range: FrameRange,
    /// The size of the pictures.
    pub size: FrameSize,
}

/// What is known of a frame before it is smoothed, at the picture's size.
pub(super) struct SoftFrame {
    pub index: usize,
    pub timestamp: Timestamp,
    pub masks: Masks,
    pub flow: Flows,
}

/// The motion between the frame before and this one.
#[derive(Clone)]
pub(super) struct Flows {
    pub smoothing: Option<Arc<FlowPair>>,
    pub scoring: Option<Arc<FlowPair>>,
}

impl SoftSource {
    /// Over the range of the plan. `size` is that of the pictures.
    pub fn new(plan: Arc<Resolved>, tracks: Tracks, size: FrameSize) -> Self {
        Self { range: plan.plan().range, plan, tracks, size }
    }

    /// Where no mask has a pixel, at the picture's size.
    pub(super) fn left_out(&self) -> Option<Mask> {
        self.plan.plan().edits.leave_out.mask(self.size)
    }

    /// The soft masks of frame `index`, `size` large; `None` while pass 1 has not come to it. Of a
    /// frame that the network does not see, motion goes through `fit`, which may make it smaller.
    pub(super) fn masks(
        &self,
        index: usize,
        size: FrameSize,
        fit: &(dyn Fn(Arc<FlowPair>) -> Arc<FlowPair> + Sync),
    ) -> Result<Option<Masks>, PipelineError> {
        if self.tracks.unseen(index, self.range).is_none() {
            let segmented = self.tracks.segmented.get(index)?;
            return Ok(segmented.map(|found| self.plan.soft_masks(&found.logits, size)));
        }
        let Some(SeenAround { before, after, last }) = self.tracks.around(index, self.range) else {
            return Ok(None);
        };
        if !self.tracks.has_masks(index, self.range) {
            return Ok(None);
        }
        let Some(seen_before) = self.masks(before, size, fit)? else { return Ok(None) };
        let seen_after = match after {
            Some(after) => match self.masks(after, size, fit)? {
                Some(masks) => Some(masks),
                None => return Ok(None),
            },
            None => None,
        };
        let flows = (before + 1..=last).map(|at| Ok(self.flow(at)?.map(fit)));
        let flows: Vec<_> = flows.collect::<Result<_, PipelineError>>()?;
        Ok(propagate(&seen_before, seen_after.as_ref(), &flows).into_iter().nth(index - before - 1))
    }

    /// The motion to frame `index` that the smoother follows; `None` where there is none, or not yet.
    pub(super) fn flow(&self, index: usize) -> Result<Option<Arc<FlowPair>>, PipelineError> {
        let flow = self.tracks.flow.as_ref().filter(|_| index > self.range.first);
        Ok(flow.map(|flow| flow.track.get(index)).transpose()?.flatten().map(Arc::new))
    }

    /// Gives the frames of the range in order to `send` as pass 1 makes them, until `send` takes no
    /// more (`false`), the clip is over, or pass 1 has stopped and says why itself.
    ///
    /// # Errors
    /// [`PipelineError::Cancelled`] when `go_on()` is no longer so.
    pub(super) fn read(
        &self,
        go_on: impl Fn() -> bool,
        mut send: impl FnMut(SoftFrame) -> bool,
    ) -> Result<(), PipelineError> {
        let mut gap = Gap::default();
        for index in (self.range.first..).take_while(|&index| self.range.contains(index)) {
            let moment = self.wait(index, &go_on)?;
            if !go_on() {
                return Err(PipelineError::Cancelled);
            }
            let Some((timestamp, seen)) = moment else { break };
            let Some(flow) = self.wait_for_flows(index, &go_on)? else { break };
            for frame in gap.push(UnseenFrame { index, timestamp, flow }, seen) {
                if !send(frame) {
                    return Ok(());
                }
            }
        }
        gap.close(None).into_iter().all(send);
        Ok(())
    }

    /// When frame `index` is shown and, if the network sees it, its soft masks.
    fn wait(
        &self,
        index: usize,
        go_on: impl Fn() -> bool,
    ) -> Result<Option<(Timestamp, Option<Masks>)>, PipelineError> {
        if let Some(unseen) = self.tracks.unseen(index, self.range) {
            return Ok(unseen.wait(index, go_on)?.map(|timestamp| (timestamp, None)));
        }
        let Some(segmented) = self.tracks.segmented.wait(index, go_on)? else { return Ok(None) };
        let masks = stage!("probabilities", self.plan.soft_masks(&segmented.logits, self.size));
        Ok(Some((segmented.timestamp, Some(masks))))
    }

    /// `None` where pass 1 stopped before the frame.
    fn wait_for_flows(&self, index: usize, go_on: impl Fn() -> bool) -> Result<Option<Flows>, PipelineError> {
        let wait = |flow: &FlowTrack| flow.wait(index, &go_on);
        if index == self.range.first {
            return Ok(Some(Flows { smoothing: None, scoring: None }));
        }
        let smoothing = match &self.tracks.flow {
            Some(flow) => match wait(flow)? {
                Some(pair) => Some(pair),
                None => return Ok(None),
            },
            None => None,
        };
        let scoring = match &self.tracks.scoring_flow {
            Some(flow) => match wait(flow)? {
                Some(pair) => Some(pair),
                None => return Ok(None),
            },
            None => smoothing.clone(),
        };
        Ok(Some(Flows { smoothing, scoring }))
    }
}

/// A frame without its soft masks.
struct UnseenFrame {
    index: usize,
    timestamp: Timestamp,
    flow: Flows,
}

impl UnseenFrame {
    fn with(self, masks: Masks) -> SoftFrame {
        let Self { index, timestamp, flow } = self;
        SoftFrame { index, timestamp, masks, flow }
    }
}

/// Frames that the network did not see, held back until it has seen the next.
#[derive(Default)]
struct Gap {
    before: Option<Masks>,
    unseen: Vec<UnseenFrame>,
}

impl Gap {
    /// Takes the next frame, with its soft masks if the network has seen it, and gives those that are
    /// ready.
    fn push(&mut self, frame: UnseenFrame, seen: Option<Masks>) -> Vec<SoftFrame> {
        let Some(seen) = seen else {
            self.unseen.push(frame);
            return Vec::new();
        };
        let mut ready = self.close(Some((&seen, &frame.flow)));
        ready.push(frame.with(seen.clone()));
        self.before = Some(seen);
        ready
    }

    /// The unseen frames, between the last seen one and this one, if another comes.
    fn close(&mut self, after: Option<(&Masks, &Flows)>) -> Vec<SoftFrame> {
        let Some(before) = self.before.as_ref().filter(|_| !self.unseen.is_empty()) else {
            return Vec::new();
        };
        let flows = self.unseen.iter().map(|frame| &frame.flow).chain(after.map(|(_, flow)| flow));
        let flows: Vec<_> = flows.map(|flow| flow.smoothing.clone()).collect();
        let masks = stage!("between", propagate(before, after.map(|(masks, _)| masks), &flows));
        self.unseen.drain(..).zip(masks).map(|(frame, masks)| frame.with(masks)).collect()
    }
}
