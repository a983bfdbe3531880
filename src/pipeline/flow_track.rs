//! Motion as pass 1 measures it and pass 2 follows it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base::frame::FrameRange;
use flow::{Estimator, FlowPair};
use store::{StoreError, Track};

/// Motion, measured in one way. Frame t has the flow between frames t − 1 and t.
#[derive(Clone)]
pub struct FlowTrack {
    /// The way in which it is measured.
    pub estimator: Estimator,
    /// Its place in the store.
    pub track: Arc<Track<FlowPair>>,
    /// Where it is wanted.
    pub range: FrameRange,
    recent: Arc<Mutex<RecentFlows>>,
}

/// Flow that was measured a moment ago and that a reader close behind has not reached yet. Kept in memory,
/// it need not be unpacked and checked again.
#[derive(Default)]
struct RecentFlows {
    has_reader: bool,
    pairs: BTreeMap<usize, Arc<FlowPair>>,
}

impl FlowTrack {
    pub(super) fn new(estimator: Estimator, track: Track<FlowPair>) -> Self {
        Self { estimator, track: Arc::new(track), range: FrameRange::ALL, recent: Arc::default() }
    }

    /// Says that somebody is going to [read](Self::wait) from frame to frame.
    pub(super) fn expect_reader(&self) {
        self.recent().has_reader = true;
    }

    /// Stores the flow to frame `index`. Up to `limit_bytes` of what a reader has not come to
    /// stay in memory.
    pub(super) fn put(&self, index: usize, pair: FlowPair, limit_bytes: usize) -> Result<(), StoreError> {
        let pair = Arc::new(pair);
        let mut recent = self.recent();
        // Those in front are read first, so where there is no room it is the new one that goes.
        if recent.has_reader && (recent.pairs.len() + 1) * pair.bytes() <= limit_bytes {
            recent.pairs.insert(index, pair.clone());
        }
        drop(recent);
        self.track.put(index, &pair)
    }

    /// The flow to frame `index`; waits for it as [`Track::wait`] does.
    pub(super) fn wait(
        &self,
        index: usize,
        go_on: impl Fn() -> bool,
    ) -> Result<Option<Arc<FlowPair>>, StoreError> {
        self.track.wait_for(index, go_on);
        let fresh = {
            let mut recent = self.recent();
            let later = recent.pairs.split_off(&(index + 1));
            std::mem::replace(&mut recent.pairs, later).remove(&index)
        };
        match fresh {
            Some(pair) => Ok(Some(pair)),
            None => Ok(self.track.get(index)?.map(Arc::new)),
        }
    }

    fn recent(&self) -> MutexGuard<'_, RecentFlows> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether frame `index` of a pass over `range` should have a flow and has none.
    pub(super) fn lacks(&self, index: usize, range: FrameRange) -> bool {
        index > range.first && self.range.contains(index) && !self.track.contains(index)
    }

    /// Whether the picture of frame `index` is needed: for the flow to it or from it.
    pub(super) fn needs_picture(&self, index: usize, range: FrameRange) -> bool {
        self.lacks(index, range) || (range.contains(index + 1) && self.lacks(index + 1, range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::FrameSize;
    use flow::FlowField;
    use store::Store;

    #[test]
    fn what_is_handed_on_is_what_is_stored_and_no_more_than_fits() {
        let size = FrameSize::new(16, 9).unwrap();
        let shift = |dx: f32| FlowField::from_fn(size, move |_, _| [dx, 0.0]);
        let pairs: Vec<_> =
            (0..5).map(|t| FlowPair::new(shift(t as f32), shift(-(t as f32)), false)).collect();
        let folder = tempfile::tempdir().unwrap();
        let clip = Store::new(folder.path().to_owned(), u64::MAX).clip("clip").unwrap();
        let flow = FlowTrack::new(Estimator::Farneback, clip.track("flow").unwrap());
        flow.put(0, pairs[0].clone(), usize::MAX).unwrap();
        assert!(flow.recent().pairs.is_empty(), "nobody reads");
        flow.expect_reader();
        for (index, pair) in pairs.iter().enumerate() {
            flow.put(index, pair.clone(), 3 * pair.bytes()).unwrap();
        }
        assert_eq!(flow.recent().pairs.len(), 3);
        // A reader that leaves some out leaves nothing behind.
        for index in [0, 2, 3, 4] {
            let read = flow.wait(index, || true).unwrap();
            assert_eq!(read.as_deref(), Some(&pairs[index]));
            assert!(flow.recent().pairs.keys().all(|&later| later > index));
        }
        assert_eq!(flow.wait(5, || true).unwrap(), None);
    }
}
