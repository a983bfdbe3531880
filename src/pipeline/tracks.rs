//! The results of pass 1 in the store, and which frames it still has to work on.

use std::sync::Arc;

use super::FlowTrack;
use base::frame::{Every, FrameRange, FrameSize, Timestamp};
use flow::{Estimator, Quality};
use plan::Resolved;
use segment::Manifest;
use store::{ClipStore, SegmentedFrame, StoreError, Track};

/// What the smoother follows.
pub const FLOW: Estimator = Estimator::Dis(Quality::Fine);

/// What smoothing is judged by where it is compared: not the flow that the smoother follows,
/// or it would mark its own work.
pub const SCORING_FLOW: Estimator = Estimator::Farneback;

/// The results of pass 1.
#[derive(Clone)]
pub struct Tracks {
    /// What the network says of each frame that it sees.
    pub segmented: Arc<Track<SegmentedFrame>>,
    /// What the smoother follows; `None` where motion is not asked for.
    pub flow: Option<FlowTrack>,
    /// What warped metrics are measured with, where it shall not be the smoother's own flow.
    pub scoring_flow: Option<FlowTrack>,
    /// The network sees every Nth frame.
    pub every: Every,
    /// When the frames are shown that the network does not see.
    pub unseen: Option<Arc<Track<Timestamp>>>,
}

/// The frames that the network sees around one that it does not see.
pub(super) struct SeenAround {
    pub before: usize,
    /// `None` where the clip ends first.
    pub after: Option<usize>,
    /// The last frame up to which the motion is needed.
    pub last: usize,
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

    /// The tracks that a plan reads of this clip of pictures of this `size`. `needs_motion` asks for
    /// motion even where the plan's own settings don't follow it.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn of_plan(
        clip: &ClipStore,
        plan: &Resolved,
        size: FrameSize,
        needs_motion: bool,
        scoring_flow: Option<Estimator>,
    ) -> Result<Self, StoreError> {
        let (settings, every) = (&plan.plan().settings, plan.plan().every);
        let flow = (needs_motion || settings.motion.is_on() || !every.is_one()).then_some(FLOW);
        Self::open(clip, plan.manifest(), size, flow, scoring_flow)?.with_every(clip, every)
    }

    /// With the network on some frames only; those between need the flow that is followed.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub fn with_every(self, clip: &ClipStore, every: Every) -> Result<Self, StoreError> {
        let times = (!every.is_one()).then(|| Self::times(clip)).transpose()?;
        Ok(Self { every, unseen: times, ..self })
    }

    /// When frames are shown, whatever network sees them.
    ///
    /// # Errors
    /// When the store can't be read or written.
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
        self.around(index, range).is_some_and(|SeenAround { before, after, last }| {
            let is_moved = |at| self.flow.as_ref().is_none_or(|flow| flow.track.contains(at));
            [Some(before), after].into_iter().flatten().all(|at| self.segmented.contains(at))
                && (before + 1..=last).all(is_moved)
        })
    }

    /// The frames that an unseen one is made of. `None` while the end of the clip is not known and may
    /// come before the next frame that the network sees.
    pub(super) fn around(&self, index: usize, range: FrameRange) -> Option<SeenAround> {
        let (before, after) = self.every.around(index, range);
        // What can't be read has no length either.
        match self.segmented.length().ok().flatten() {
            Some(frames) if after >= frames => {
                (index < frames).then_some(SeenAround { before, after: None, last: frames - 1 })
            }
            _ => Some(SeenAround { before, after: Some(after), last: after }),
        }
    }

    /// When frame `index` is shown, if pass 1 has come to it.
    ///
    /// # Errors
    /// When the store can't be read.
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
