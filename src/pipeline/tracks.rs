//! What pass 1 finds out of a clip, and which frames it still has to look at.

use std::sync::Arc;

use super::{Every, FlowTrack, PipelineError};
use crate::{
    flow::Estimator,
    frame::{FrameSize, Timestamp},
    segment::{Logits, Manifest},
    store::{ClipStore, StoreError, Track},
};

/// What the network said of a frame, and when the frame is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Segmented {
    pub timestamp: Timestamp,
    pub logits: Logits,
}

/// The results of pass 1.
#[derive(Clone)]
pub struct Tracks {
    pub segmented: Arc<Track<Segmented>>,
    /// What the smoother follows; `None` where motion is not asked for.
    pub flow: Option<FlowTrack>,
    /// What warped metrics are measured with, where it shall not be the smoother's own flow.
    pub scoring_flow: Option<FlowTrack>,
    pub every: Every,
    /// When the frames are shown that the network does not see.
    pub unseen: Option<Arc<Track<Timestamp>>>,
}

impl Tracks {
    /// The tracks of this clip for this network and these ways of measuring motion.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn open(
        clip: &ClipStore,
        manifest: &Manifest,
        size: FrameSize,
        flow: Option<Estimator>,
        scoring_flow: Option<Estimator>,
    ) -> Result<Self, StoreError> {
        let input = manifest.input.for_picture(size);
        let model = manifest.sha256.get(..16).unwrap_or(&manifest.sha256);
        let name = format!("logits-{model}-{}x{}", input.width(), input.height());
        let open_flow = |estimator: Estimator| {
            let grid = estimator.grid_for(size);
            let name = format!("flow-{}-{}x{}", estimator.name(), grid.width(), grid.height());
            Ok::<_, StoreError>(FlowTrack::new(estimator, clip.track(&name)?))
        };
        Ok(Self {
            segmented: Arc::new(clip.track(&name)?),
            flow: flow.map(open_flow).transpose()?,
            scoring_flow: scoring_flow.map(open_flow).transpose()?,
            every: Every::ONE,
            unseen: None,
        })
    }

    /// With the network on some frames only; those between need the flow that is followed.
    pub fn with_every(self, clip: &ClipStore, every: Every) -> Result<Self, StoreError> {
        let times = (!every.is_one()).then(|| Self::times(clip)).transpose()?;
        Ok(Self { every, unseen: times, ..self })
    }

    /// When frames are shown, whatever network sees them.
    pub fn times(clip: &ClipStore) -> Result<Arc<Track<Timestamp>>, StoreError> {
        clip.track("times").map(Arc::new)
    }

    /// The times of the frames that the network does not see, if this is one of them.
    pub(super) fn unseen(&self, index: usize, range: FrameRange) -> Option<&Arc<Track<Timestamp>>> {
        self.unseen.as_ref().filter(|_| range.contains(index) && !self.every.sees(index, range))
    }

    /// Whether the masks of frame `index` can be had: the network has seen it, or the frames
    /// around it, and the motion between them is known.
    pub fn has_masks(&self, index: usize, range: FrameRange) -> bool {
        if !range.contains(index) {
            return false;
        }
        if self.unseen(index, range).is_none() {
            return self.segmented.contains(index);
        }
        self.around(index, range).is_some_and(|(before, after, last)| {
            let is_moved = |at| self.flow.as_ref().is_none_or(|flow| flow.track.contains(at));
            [Some(before), after].into_iter().flatten().all(|at| self.segmented.contains(at))
                && (before + 1..=last).all(is_moved)
        })
    }

    /// The frames that an unseen one comes from: that before it, that after it, if the clip goes
    /// so far, and the last one up to which the motion counts. `None` while the clip's end is
    /// too near to tell.
    pub(super) fn around(&self, index: usize, range: FrameRange) -> Option<(usize, Option<usize>, usize)> {
        let (before, after) = self.every.around(index, range);
        // What can't be read has no length either.
        match self.segmented.length().ok().flatten() {
            Some(frames) if after >= frames => (index < frames).then_some((before, None, frames - 1)),
            _ => Some((before, Some(after), after)),
        }
    }

    /// When frame `index` is shown, if pass 1 has come to it.
    pub fn timestamp(&self, index: usize, range: FrameRange) -> Result<Option<Timestamp>, StoreError> {
        match self.unseen(index, range) {
            Some(unseen) => unseen.get(index),
            None => Ok(self.segmented.get(index)?.map(|segmented| segmented.timestamp)),
        }
    }

    /// Without a flow of their own for warped metrics.
    pub fn unscored(&self) -> Self {
        Self { scoring_flow: None, ..self.clone() }
    }

    /// What warped metrics are measured with.
    pub fn scoring(&self) -> Option<&FlowTrack> {
        self.scoring_flow.as_ref().or(self.flow.as_ref())
    }

    /// Whether the network has been where it shall be.
    pub(super) fn knows(&self, index: usize, range: FrameRange) -> bool {
        match self.unseen(index, range) {
            Some(unseen) => unseen.contains(index),
            None => self.segmented.contains(index),
        }
    }

    pub(super) fn flows(&self) -> impl Iterator<Item = &FlowTrack> {
        self.flow.iter().chain(&self.scoring_flow)
    }

    pub(super) fn lacks(&self, index: usize, range: FrameRange) -> bool {
        !self.knows(index, range) || self.flows().any(|flow| flow.lacks(index, range))
    }
}

/// Frames from `first` to `last`, both of them in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRange {
    pub first: usize,
    pub last: usize,
}

impl FrameRange {
    pub const ALL: Self = Self { first: 0, last: usize::MAX };

    pub fn contains(&self, index: usize) -> bool {
        (self.first..=self.last).contains(&index)
    }

    /// The frame after the last one, of a clip whose number of frames may not be known.
    pub(super) fn end(&self, frames: Option<usize>) -> usize {
        self.last.saturating_add(1).min(frames.unwrap_or(usize::MAX))
    }

    /// How many frames it has of a clip of `frames`.
    pub fn count(&self, frames: usize) -> usize {
        self.end(Some(frames)).saturating_sub(self.first)
    }

    /// # Errors
    /// When a clip of `frames` has none of its frames.
    pub(super) fn check(&self, frames: usize) -> Result<(), PipelineError> {
        match self.count(frames) {
            0 => Err(PipelineError::NothingInRange { from: self.first, frames }),
            _ => Ok(()),
        }
    }
}
