//! One frame of pass 2, now: what is on the screen while a slider moves or a playhead jumps.

use std::{collections::HashMap, ops::RangeInclusive, sync::Arc};

use super::{FrameRange, PipelineError, Tracks};
use crate::{
    export::MaskPair,
    flow::FlowPair,
    frame::FrameSize,
    region::Region,
    segment::{ClassGroup, Manifest, probabilities},
    smooth::{Masks, Settings, SmoothFrame, decide, harden, outside},
};

/// Reads single frames of the tracks. Probabilities are kept for a while, so another setting
/// of the same frame, or the next frame, is quick.
pub struct Preview {
    tracks: Tracks,
    range: FrameRange,
    manifest: Manifest,
    groups: Vec<ClassGroup>,
    size: FrameSize,
    memory_bytes: usize,
    known: HashMap<usize, Masks>,
    flows: HashMap<usize, Arc<FlowPair>>,
}

/// The masks of one frame, in the order of the groups.
#[derive(Clone, Debug)]
pub struct Previewed {
    pub masks: Vec<MaskPair>,
    /// The probabilities that the masks are decided by.
    pub raw: Masks,
    pub smoothed: Masks,
    /// All neighbours that have a say were there; until pass 1 has them, fewer have.
    pub complete: bool,
}

impl Previewed {
    /// Two settings side by side: the smoothed masks of `other` in the place of the raw ones.
    pub fn beside(self, other: Self) -> Self {
        let masks = self.masks.into_iter().zip(other.masks);
        Self {
            masks: masks.map(|(own, other)| MaskPair { raw: other.smoothed, ..own }).collect(),
            raw: other.smoothed,
            smoothed: self.smoothed,
            complete: self.complete && other.complete,
        }
    }
}

impl Preview {
    /// `range` is that of the pass that the preview stands for: its smoother sees no frame
    /// outside it.
    pub fn new(
        tracks: Tracks,
        range: FrameRange,
        manifest: Manifest,
        groups: Vec<ClassGroup>,
        size: FrameSize,
        memory_bytes: usize,
    ) -> Self {
        let (known, flows) = (HashMap::new(), HashMap::new());
        Self { tracks, range, manifest, groups, size, memory_bytes, known, flows }
    }

    /// The masks of frame `index` as pass 2 would give them, or `None` while the network has
    /// not seen the frame.
    pub fn frame(
        &mut self,
        index: usize,
        settings: &Settings,
        leave_out: &Region,
    ) -> Result<Option<Previewed>, PipelineError> {
        settings.check()?;
        let Some(raw) = self.probabilities(index)? else { return Ok(None) };
        let (before, after) = settings.reach();
        let wanted =
            index.saturating_sub(before).max(self.range.first)..=(index + after).min(self.range.last);
        let there = self.there(index, &wanted, settings.motion.is_on())?;
        let mut frames = Vec::new();
        for at in there.clone() {
            // The frame itself and what is `there` have been looked at.
            let Some(masks) = self.probabilities(at)? else { break };
            frames.push(SmoothFrame { masks, flow: if at > *there.start() { self.flow(at)? } else { None } });
        }
        let smoothed = settings.smooth_one(frames, index - there.start())?;
        let end_of_clip = self.tracks.segmented.length()?.is_some_and(|frames| there.end() + 1 >= frames);
        let complete = there.start() == wanted.start() && (there.end() == wanted.end() || end_of_clip);
        let leave_out = leave_out.mask(self.size);
        let masks = outside(decide(&raw, settings.threshold, settings.overlap), leave_out.as_ref())
            .into_iter()
            .zip(harden(&smoothed, settings, leave_out.as_ref()))
            .map(|(raw, smoothed)| MaskPair { raw, smoothed })
            .collect();
        self.forget_beyond(index);
        Ok(Some(Previewed { masks, raw, smoothed, complete }))
    }

    /// Those of the `wanted` frames that are there without a gap around `index`.
    fn there(
        &mut self,
        index: usize,
        wanted: &RangeInclusive<usize>,
        motion: bool,
    ) -> Result<RangeInclusive<usize>, PipelineError> {
        let (mut first, mut last) = (index, index);
        while first > *wanted.start()
            && self.joined(first, motion)?
            && self.probabilities(first - 1)?.is_some()
        {
            first -= 1;
        }
        while last < *wanted.end()
            && self.joined(last + 1, motion)?
            && self.probabilities(last + 1)?.is_some()
        {
            last += 1;
        }
        Ok(first..=last)
    }

    /// Whether frame `index` and the one before it can be looked at together.
    fn joined(&mut self, index: usize, motion: bool) -> Result<bool, PipelineError> {
        Ok(!motion || self.flow(index)?.is_some())
    }

    fn probabilities(&mut self, index: usize) -> Result<Option<Masks>, PipelineError> {
        if let Some(known) = self.known.get(&index) {
            return Ok(Some(known.clone()));
        }
        let Some(segmented) = self.tracks.segmented.get(index)? else { return Ok(None) };
        let masks: Masks = probabilities(&segmented.logits, &self.manifest, &self.groups, self.size).into();
        self.known.insert(index, masks.clone());
        Ok(Some(masks))
    }

    fn flow(&mut self, index: usize) -> Result<Option<Arc<FlowPair>>, PipelineError> {
        if let Some(flow) = self.flows.get(&index) {
            return Ok(Some(flow.clone()));
        }
        let Some(track) = &self.tracks.flow else { return Ok(None) };
        let flow = track.track.get(index)?.map(Arc::new);
        self.flows.extend(flow.clone().map(|flow| (index, flow)));
        Ok(flow)
    }

    /// What lies farthest from `index` goes first.
    fn forget_beyond(&mut self, index: usize) {
        let known_bytes = self.groups.len().max(1) * self.size.pixels();
        let flow_bytes = self.flows.values().next().map_or(1, |flow| flow.bytes());
        keep_nearest(&mut self.known, index, self.memory_bytes / 2 / known_bytes);
        keep_nearest(&mut self.flows, index, self.memory_bytes / 2 / flow_bytes.max(1));
    }
}

fn keep_nearest<T>(values: &mut HashMap<usize, T>, index: usize, count: usize) {
    if values.len() > count {
        let mut keys: Vec<usize> = values.keys().copied().collect();
        keys.sort_unstable_by_key(|key| key.abs_diff(index));
        for key in &keys[count.min(keys.len())..] {
            values.remove(key);
        }
    }
}
