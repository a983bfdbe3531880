//! One frame of pass 2, now: what is on the screen while a slider moves or a playhead jumps.
//!
//! In two details. The full one gives what pass 2 gives, but for what an exponential filter
//! has all but forgotten. The draft is made of probabilities at a proxy's size and of flow on
//! a small grid: of those a whole neighbourhood stays in memory, so that another setting
//! reads nothing, and costs a twentieth.

use std::{collections::HashMap, ops::RangeInclusive, sync::Arc};

use rayon::prelude::*;

use super::{PipelineError, SoftSource};
use base::{
    frame::FrameSize,
    mask::{Mask, MaskPair, Masks},
};
use flow::FlowPair;
use smooth::{FrameSource, Settings, Transition, argmax, binarise, exclude};
use video::Proxy;

/// The long side of the grid of a draft's flow.
const DRAFT_GRID_PX: u32 = 320;
/// A draft sees no farther: the best settings' weights have sunk to a twelfth there.
const DRAFT_REACH: usize = 24;

/// How exact a preview is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Small, and quick enough to follow a slider.
    Draft,
    /// At the size of the picture.
    Full,
}

/// Reads single frames of the tracks. What was read is kept for a while, nearest first, so
/// another setting of the same frame, or the next frame, is quick.
pub struct Preview {
    source: SoftSource,
    draft: Level,
    full: Level,
    /// Whether a scene begins with the frame.
    cuts: HashMap<usize, bool>,
}

/// What is known at one detail.
struct Level {
    size: FrameSize,
    memory_bytes: usize,
    /// What lies farthest from this frame is forgotten first.
    centre: usize,
    masks: HashMap<usize, Masks>,
    flows: HashMap<usize, Arc<FlowPair>>,
}

/// The masks of one frame, in the order of the plan's classes.
#[derive(Clone, Debug)]
pub struct PreviewFrame {
    /// Raw and smoothed, for each class.
    pub masks: Vec<MaskPair>,
    /// The probabilities that the masks are decided by.
    pub raw: Masks,
    /// What the smoothed masks are decided by.
    pub smoothed: Masks,
    /// All neighbours that have a say were there; until pass 1 has them, fewer have.
    pub complete: bool,
}

impl PreviewFrame {
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
    /// The smoother sees no frame outside the source's range. `memory_bytes` are for the draft and for
    /// the full detail.
    pub fn new(source: SoftSource, [draft_bytes, full_bytes]: [usize; 2]) -> Self {
        let draft = Level::new(Proxy::size_for(source.size), draft_bytes);
        let full = Level::new(source.size, full_bytes);
        Self { source, draft, full, cuts: HashMap::new() }
    }

    /// The masks of frame `index` as pass 2 would give them, or `None` while the network has
    /// not seen the frame, and outside the range.
    ///
    /// # Errors
    /// [`PipelineError::Cancelled`] when `go_on()` is no longer so; what was read is kept.
    pub fn frame(
        &mut self,
        index: usize,
        settings: &Settings,
        detail: Detail,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<PreviewFrame>, PipelineError> {
        settings.check()?;
        if !self.source.range.contains(index) {
            return Ok(None);
        }
        self.level(detail).centre = index;
        let Some(raw) = self.masks(index, detail)? else { return Ok(None) };
        let mut range = self.neighbours(index, settings);
        if detail == Detail::Draft {
            self.warm(index, settings, go_on)?;
            range = draft_range(range, index);
        }
        let mut reading = PreviewReader { preview: self, detail, go_on };
        let smoothed = settings.smooth_one(&mut reading, range.clone(), index)?;
        let leave_out = self.left_out(detail);
        let masks = exclude(argmax(&raw, settings.threshold, settings.overlap), leave_out.as_ref())
            .into_iter()
            .zip(binarise(&smoothed, settings, leave_out.as_ref()))
            .map(|(raw, smoothed)| MaskPair { raw, smoothed })
            .collect();
        let wanted = self.wanted(index, settings);
        let (before, after) = settings.reach();
        let is_cut_short = index - wanted.start() == before || (after > 0 && wanted.end() - index == after);
        let complete = range == wanted && !(is_cut_short && settings.remembers_farther());
        Ok(Some(PreviewFrame { masks, raw, smoothed, complete }))
    }

    /// The masks of frame `index` before smoothing, or `None` while the network has not seen
    /// it.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn raw(
        &mut self,
        index: usize,
        settings: &Settings,
        detail: Detail,
    ) -> Result<Option<Vec<Mask>>, PipelineError> {
        if !self.source.range.contains(index) {
            return Ok(None);
        }
        self.level(detail).centre = index;
        let Some(masks) = self.masks(index, detail)? else { return Ok(None) };
        let leave_out = self.left_out(detail);
        Ok(Some(exclude(argmax(&masks, settings.threshold, settings.overlap), leave_out.as_ref())))
    }

    fn left_out(&mut self, detail: Detail) -> Option<Mask> {
        let (whole, size) = (self.full.size, self.level(detail).size);
        let mask = self.source.left_out()?;
        let along = |at: usize, side: usize, whole: usize| (2 * at + 1) * whole / (2 * side);
        Some(Mask::from_fn(size, |x, y| {
            mask.get(along(x, size.width(), whole.width()), along(y, size.height(), whole.height()))
        }))
    }

    /// The frames that have a say in frame `index` and are there without a gap.
    pub fn neighbours(&self, index: usize, settings: &Settings) -> RangeInclusive<usize> {
        let wanted = self.wanted(index, settings);
        let flow = self.source.tracks.flow.as_ref().filter(|_| settings.motion.is_on());
        let is_joined = |at: usize| flow.is_none_or(|flow| flow.track.contains(at));
        let is_seen = |at: usize| self.source.tracks.has_masks(at, self.source.range);
        let (mut first, mut last) = (index, index);
        while first > *wanted.start() && is_joined(first) && is_seen(first - 1) {
            first -= 1;
        }
        while last < *wanted.end() && is_joined(last + 1) && is_seen(last + 1) {
            last += 1;
        }
        first..=last
    }

    /// Those that would have a say if everything was there.
    fn wanted(&self, index: usize, settings: &Settings) -> RangeInclusive<usize> {
        let (before, after) = settings.reach();
        // What can't be read has no length either.
        let frames = self.source.tracks.segmented.length().ok().flatten();
        let last = self.source.range.last.min(frames.unwrap_or(usize::MAX).saturating_sub(1));
        index.saturating_sub(before).max(self.source.range.first)
            ..=index.saturating_add(after).min(last).max(index)
    }

    /// How many frames must be read before a draft of frame `index` can be made.
    pub fn cold(&self, index: usize, settings: &Settings) -> usize {
        self.cold_frames(index, settings).len()
    }

    fn cold_frames(&self, index: usize, settings: &Settings) -> Vec<usize> {
        let range = draft_range(self.neighbours(index, settings), index);
        let is_cold = |&at: &usize| {
            let has_step = at == *range.start()
                || self.source.tracks.flow.is_none()
                || self.draft.flows.contains_key(&at)
                || (!settings.motion.is_on() && self.cuts.contains_key(&at));
            !(has_step && self.draft.masks.contains_key(&at))
        };
        let mut cold: Vec<usize> = range.clone().filter(is_cold).collect();
        // The nearest first: what is given up half-way has the most use.
        cold.sort_unstable_by_key(|at| at.abs_diff(index));
        cold
    }

    /// Reads what a draft of frame `index` needs.
    ///
    /// # Errors
    /// As [`frame`](Self::frame).
    pub fn warm(
        &mut self,
        index: usize,
        settings: &Settings,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), PipelineError> {
        self.draft.centre = index;
        // One for each thread, so that giving up takes no longer than one frame.
        for frames in self.cold_frames(index, settings).chunks(rayon::current_num_threads()) {
            if !go_on() {
                return Err(PipelineError::Cancelled);
            }
            let read = |&at: &usize| {
                let masks = match self.draft.masks.get(&at) {
                    Some(masks) => Some(masks.clone()),
                    None => self.read_masks(at, self.draft.size)?,
                };
                let flow = if self.draft.flows.contains_key(&at) { None } else { self.source.flow(at)? };
                Ok((at, masks, flow.map(|flow| self.reduced(flow))))
            };
            let read: Vec<_> = frames.par_iter().map(read).collect::<Result<_, PipelineError>>()?;
            for (at, masks, flow) in read {
                if let Some(masks) = masks {
                    self.draft.keep_masks(at, masks);
                }
                if let Some(flow) = flow {
                    self.cuts.insert(at, flow.is_cut());
                    self.draft.keep_flow(at, flow);
                }
            }
        }
        Ok(())
    }

    fn level(&mut self, detail: Detail) -> &mut Level {
        match detail {
            Detail::Draft => &mut self.draft,
            Detail::Full => &mut self.full,
        }
    }

    fn masks(&mut self, at: usize, detail: Detail) -> Result<Option<Masks>, PipelineError> {
        if let Some(known) = self.level(detail).masks.get(&at) {
            return Ok(Some(known.clone()));
        }
        let size = self.level(detail).size;
        let Some(masks) = self.read_masks(at, size)? else { return Ok(None) };
        self.level(detail).keep_masks(at, masks.clone());
        Ok(Some(masks))
    }

    fn flow(&mut self, at: usize, detail: Detail) -> Result<Option<Arc<FlowPair>>, PipelineError> {
        if let Some(known) = self.level(detail).flows.get(&at) {
            return Ok(Some(known.clone()));
        }
        let Some(flow) = self.source.flow(at)? else { return Ok(None) };
        self.cuts.insert(at, flow.is_cut());
        // It is in memory now, and the next slider wants it small.
        if detail == Detail::Draft || !self.draft.flows.contains_key(&at) {
            let small = self.reduced(flow.clone());
            self.draft.keep_flow(at, small);
        }
        if detail == Detail::Draft {
            return Ok(self.draft.flows.get(&at).cloned());
        }
        self.full.keep_flow(at, flow.clone());
        Ok(Some(flow))
    }

    fn read_masks(&self, at: usize, size: FrameSize) -> Result<Option<Masks>, PipelineError> {
        let is_draft = size == self.draft.size;
        self.source.masks(at, size, &|flow| if is_draft { self.reduced(flow) } else { flow })
    }

    fn reduced(&self, flow: Arc<FlowPair>) -> Arc<FlowPair> {
        let grid = flow.size().fit_long_side(DRAFT_GRID_PX);
        if grid == flow.size() { flow } else { Arc::new(flow.reduced(grid)) }
    }
}

impl Level {
    fn new(size: FrameSize, memory_bytes: usize) -> Self {
        Self { size, memory_bytes, centre: 0, masks: HashMap::new(), flows: HashMap::new() }
    }

    /// A quarter of the memory is for masks, the rest for flows, which are larger.
    fn keep_masks(&mut self, at: usize, masks: Masks) {
        let bytes = masks.iter().map(|mask| mask.values().len()).sum();
        keep_nearest(&mut self.masks, at, masks, self.centre, self.memory_bytes / 4, bytes);
    }

    fn keep_flow(&mut self, at: usize, flow: Arc<FlowPair>) {
        let bytes = flow.bytes();
        keep_nearest(&mut self.flows, at, flow, self.centre, self.memory_bytes / 4 * 3, bytes);
    }
}

/// Keeps `value` beside others of its size, as many as fit, those nearest to `centre`.
fn keep_nearest<T>(
    values: &mut HashMap<usize, T>,
    at: usize,
    value: T,
    centre: usize,
    memory_bytes: usize,
    value_bytes: usize,
) {
    values.insert(at, value);
    while values.len() > (memory_bytes / value_bytes.max(1)).max(1) {
        let farthest = values.keys().copied().max_by_key(|key| key.abs_diff(centre));
        farthest.map(|key| values.remove(&key));
    }
}

/// The part of a neighbourhood that a draft sees.
fn draft_range(range: RangeInclusive<usize>, index: usize) -> RangeInclusive<usize> {
    *range.start().max(&index.saturating_sub(DRAFT_REACH))..=*range.end().min(&(index + DRAFT_REACH))
}

/// The preview as a smoother reads it.
struct PreviewReader<'a> {
    preview: &'a mut Preview,
    detail: Detail,
    go_on: &'a (dyn Fn() -> bool + Sync),
}

impl FrameSource for PreviewReader<'_> {
    type Error = PipelineError;

    fn masks(&mut self, at: usize) -> Result<Masks, PipelineError> {
        if !(self.go_on)() {
            return Err(PipelineError::Cancelled);
        }
        self.preview.masks(at, self.detail)?.ok_or_else(|| gone(at))
    }

    fn transition(&mut self, at: usize, moves: bool) -> Result<Transition, PipelineError> {
        let is_cut = self.preview.cuts.get(&at).copied();
        if is_cut == Some(true) || (is_cut == Some(false) && !moves) {
            return Ok(if is_cut == Some(true) { Transition::Cut } else { Transition::Still });
        }
        match self.preview.flow(at, self.detail)? {
            Some(flow) if flow.is_cut() => Ok(Transition::Cut),
            Some(flow) if moves => Ok(Transition::Along(flow)),
            None if moves => Err(gone(at)),
            _ => Ok(Transition::Still),
        }
    }
}

fn gone(at: usize) -> PipelineError {
    PipelineError::Internal(format!("what was stored of frame {at} is gone; stabilise once more"))
}

#[cfg(test)]
#[path = "preview_tests.rs"]
mod tests;
