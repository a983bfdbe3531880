//! Pass 2: read what pass 1 found out, smooth it, decide, measure.
//!
//! ```text
//!   tracks ─► probabilities ─║─► smoother ─► decision ─► meters ─► masks and rows
//! ```
//! The double line is a thread's border: reading and smoothing overlap.

use std::{collections::VecDeque, path::PathBuf, sync::Arc, thread};

use super::{
    CancelToken, FlowTrack, FrameRange, PipelineError, Tracks, between::between, channel, truth::Truth,
};
use crate::{
    export::MaskPair,
    flow::{Flow, FlowPair, warp_mask, warp_masks},
    frame::{FrameIndex, FrameSize, Timestamp},
    mask::{Mask, SoftMask},
    metrics::{
        ClassMeter, ClassSummary, FrameMetrics, MeterFrame, MeterSettings, Warped, WarpedNeighbours,
        WarpedPair,
    },
    region::Region,
    segment::{ClassGroup, Manifest, probabilities},
    smooth::{HardSmoother, Input, Masks, Settings, SmoothFrame, Smoother, decide, harden, outside},
    stages::stage,
};

pub struct Stabilisation {
    pub tracks: Tracks,
    pub range: FrameRange,
    pub manifest: Manifest,
    pub groups: Vec<ClassGroup>,
    pub settings: Settings,
    pub size: FrameSize,
    /// For probabilities on their way.
    pub memory_bytes: usize,
    pub meter: MeterSettings,
    /// Ground truth of the only group.
    pub truth: Option<PathBuf>,
    /// Where no mask has a pixel, and no metric looks.
    pub leave_out: Region,
    pub cancel: CancelToken,
}

/// A frame's masks, in the order of the groups.
#[derive(Clone, Debug)]
pub struct StableFrame {
    pub index: FrameIndex,
    pub timestamp: Timestamp,
    pub masks: Vec<MaskPair>,
    /// What the smoothed masks are decided by; `None` of hard masks.
    pub soft: Option<Masks>,
}

/// What pass 2 gives, in order. A row comes after its frame.
pub enum Stable {
    Frame(StableFrame),
    Row(Box<FrameMetrics>),
}

/// What pass 1 found out about a frame, at the picture's size.
struct Known {
    index: usize,
    timestamp: Timestamp,
    probabilities: Masks,
    flow: Flows,
}

/// Between the frame before and this one.
#[derive(Clone)]
struct Flows {
    smoothing: Option<Arc<FlowPair>>,
    scoring: Option<Arc<FlowPair>>,
}

/// Frames that the network did not see, until it has seen the next.
#[derive(Default)]
struct Gap {
    before: Option<Masks>,
    unseen: Vec<(usize, Timestamp, Flows)>,
}

impl Gap {
    /// Takes the next frame, with its probabilities if the network has seen it, and gives
    /// those that are ready.
    fn push(
        &mut self,
        (index, timestamp, flow): (usize, Timestamp, Flows),
        seen: Option<Masks>,
    ) -> Vec<Known> {
        let Some(seen) = seen else {
            self.unseen.push((index, timestamp, flow));
            return Vec::new();
        };
        let mut ready = self.close(Some((&seen, &flow)));
        ready.push(Known { index, timestamp, probabilities: seen.clone(), flow });
        self.before = Some(seen);
        ready
    }

    /// The unseen frames, between the last seen one and this one, if another comes.
    fn close(&mut self, after: Option<(&Masks, &Flows)>) -> Vec<Known> {
        let Some(before) = self.before.as_ref().filter(|_| !self.unseen.is_empty()) else {
            return Vec::new();
        };
        let flows = self.unseen.iter().map(|(.., flow)| flow).chain(after.map(|(_, flow)| flow));
        let flows: Vec<_> = flows.map(|flow| flow.smoothing.clone()).collect();
        let masks = stage!("between", between(before, after.map(|(masks, _)| masks), &flows));
        let unseen = self.unseen.drain(..).zip(masks);
        unseen
            .map(|((index, timestamp, flow), probabilities)| Known { index, timestamp, probabilities, flow })
            .collect()
    }
}

/// A frame that is inside the smoother.
struct Waiting {
    index: usize,
    timestamp: Timestamp,
    raw: Vec<Mask>,
    scoring: Option<Arc<FlowPair>>,
}

impl Stabilisation {
    /// Runs the pass, giving each result to `take` as it is there, and sums the classes up.
    pub fn run(
        self,
        mut take: impl FnMut(Stable) -> Result<(), PipelineError>,
    ) -> Result<Vec<ClassSummary>, PipelineError> {
        let truth = self.truth.as_deref().map(|path| Truth::open(path, self.size)).transpose()?;
        let (known, stream) = channel::bounded(self.memory_bytes);
        thread::scope(|scope| {
            let reader = scope.spawn(|| self.read(known));
            let measured = self.smooth(stream, truth, &mut take);
            let read = reader
                .join()
                .unwrap_or_else(|_| Err(PipelineError::Internal("the reader of pass 2 panicked".into())));
            read.and(measured)
        })
    }

    fn read(&self, known: channel::Sender<Known>) -> Result<(), PipelineError> {
        let go_on = || !self.cancel.is_cancelled();
        let mut gap = Gap::default();
        for index in (self.range.first..).take_while(|&index| self.range.contains(index)) {
            let moment = self.wait(index, go_on)?;
            if !go_on() {
                return Err(PipelineError::Cancelled);
            }
            // The clip is over, or pass 1 stopped here and says why itself.
            let Some((timestamp, seen)) = moment else { break };
            // `None` where pass 1 stopped before it, and `Some(None)` where there is none to have.
            let flow_of = |flow: &Option<FlowTrack>| match flow {
                Some(flow) if index > self.range.first => Ok(flow.wait(index, go_on)?.map(Some)),
                _ => Ok::<_, PipelineError>(Some(None)),
            };
            let Some(smoothing) = flow_of(&self.tracks.flow)? else { break };
            let scoring = match &self.tracks.scoring_flow {
                None => Some(smoothing.clone()),
                scoring => flow_of(scoring)?,
            };
            let Some(scoring) = scoring else { break };
            let ready = gap.push((index, timestamp, Flows { smoothing, scoring }), seen);
            if !self.send(ready, &known) {
                return Ok(());
            }
        }
        self.send(gap.close(None), &known);
        Ok(())
    }

    /// When frame `index` is shown and, if the network sees it, its probabilities.
    fn wait(
        &self,
        index: usize,
        go_on: impl Fn() -> bool,
    ) -> Result<Option<(Timestamp, Option<Masks>)>, PipelineError> {
        if let Some(unseen) = self.tracks.unseen(index, self.range) {
            return Ok(unseen.wait(index, go_on)?.map(|timestamp| (timestamp, None)));
        }
        let Some(segmented) = self.tracks.segmented.wait(index, go_on)? else { return Ok(None) };
        let probabilities = stage!(
            "probabilities",
            probabilities(&segmented.logits, &self.manifest, &self.groups, self.size)
        );
        Ok(Some((segmented.timestamp, Some(probabilities.into()))))
    }

    /// Whether somebody still takes them.
    fn send(&self, frames: Vec<Known>, known: &channel::Sender<Known>) -> bool {
        frames.into_iter().all(|frame| {
            let flow_bytes = frame.flow.smoothing.as_ref().map_or(0, |flow| flow.bytes());
            let bytes = frame.probabilities.len() * self.size.pixels() + flow_bytes;
            known.send(frame, bytes).is_ok()
        })
    }

    fn smooth(
        &self,
        stream: channel::Receiver<Known>,
        mut truth: Option<Truth>,
        take: &mut impl FnMut(Stable) -> Result<(), PipelineError>,
    ) -> Result<Vec<ClassSummary>, PipelineError> {
        let leave_out = self.leave_out.mask(self.size);
        let mut filter =
            Filter::new(&self.settings, self.groups.len(), self.memory_bytes, leave_out.clone())?;
        let mut waiting: VecDeque<Waiting> = VecDeque::new();
        let mut meters = Meters::new(&self.groups, self.meter, leave_out.clone());
        for Known { index, timestamp, probabilities, flow } in stream {
            if self.cancel.is_cancelled() {
                return Err(PipelineError::Cancelled);
            }
            let raw =
                stage!("decide", decide(&probabilities, self.settings.threshold, self.settings.overlap));
            let raw = outside(raw, leave_out.as_ref());
            let smoothed = stage!("smooth", filter.push(&raw, probabilities, flow.smoothing)?);
            waiting.push_back(Waiting { index, timestamp, raw, scoring: flow.scoring });
            for smoothed in smoothed {
                self.emit(waiting.pop_front(), smoothed, &mut truth, &mut meters, take)?;
            }
        }
        for smoothed in stage!("smooth", filter.finish()) {
            self.emit(waiting.pop_front(), smoothed, &mut truth, &mut meters, take)?;
        }
        meters.finish(take)
    }

    fn emit(
        &self,
        waiting: Option<Waiting>,
        smoothed: Smoothed,
        truth: &mut Option<Truth>,
        meters: &mut Meters,
        take: &mut impl FnMut(Stable) -> Result<(), PipelineError>,
    ) -> Result<(), PipelineError> {
        let Some(Waiting { index, timestamp, raw, scoring }) = waiting else {
            return Err(PipelineError::Internal("the smoother gave more frames than it got".into()));
        };
        let masks: Vec<MaskPair> =
            raw.into_iter().zip(smoothed.hard).map(|(raw, smoothed)| MaskPair { raw, smoothed }).collect();
        let frame = StableFrame { index: FrameIndex::new(index), timestamp, masks, soft: smoothed.soft };
        let truth = truth.as_mut().map(|truth| truth.mask(frame.index)).transpose()?;
        let rows = stage!("measure", meters.push(&frame, scoring.as_deref(), truth.as_ref()));
        take(Stable::Frame(frame))?;
        rows.into_iter().try_for_each(|row| take(Stable::Row(Box::new(row))))
    }
}

/// The smoother that the settings ask for, from frames to hard masks.
struct Filter {
    kind: FilterKind,
    settings: Settings,
    leave_out: Option<Mask>,
}

enum FilterKind {
    Soft(Box<dyn Smoother>),
    /// One class of hard masks without motion is far quicker.
    Hard(HardSmoother),
}

impl Filter {
    fn new(
        settings: &Settings,
        classes: usize,
        memory_bytes: usize,
        leave_out: Option<Mask>,
    ) -> Result<Self, PipelineError> {
        let is_hard = settings.input == Input::Masks && classes == 1;
        let kind = match HardSmoother::new(settings).filter(|_| is_hard) {
            Some(hard) => FilterKind::Hard(hard),
            None => FilterKind::Soft(settings.smoother(memory_bytes)?),
        };
        Ok(Self { kind, settings: *settings, leave_out })
    }

    /// Takes a frame and gives the masks, class by class, of those that are ready.
    fn push(
        &mut self,
        raw: &[Mask],
        probabilities: Masks,
        flow: Option<Arc<FlowPair>>,
    ) -> Result<Vec<Smoothed>, PipelineError> {
        match &mut self.kind {
            FilterKind::Soft(smoother) => {
                let ready = smoother.push(SmoothFrame { masks: probabilities, flow })?;
                Ok(self.harden(ready))
            }
            FilterKind::Hard(hard) => {
                let cut = flow.is_some_and(|flow| flow.is_cut());
                let mut ready = if cut { hard.finish() } else { Vec::new() };
                ready.extend(raw.first().map(|mask| hard.push(Arc::new(mask.clone()))).unwrap_or_default());
                Ok(ready.into_iter().map(Smoothed::hard).collect())
            }
        }
    }

    fn finish(&mut self) -> Vec<Smoothed> {
        match &mut self.kind {
            FilterKind::Soft(smoother) => {
                let rest = smoother.finish();
                self.harden(rest)
            }
            FilterKind::Hard(hard) => hard.finish().into_iter().map(Smoothed::hard).collect(),
        }
    }

    fn harden(&self, ready: Vec<Masks>) -> Vec<Smoothed> {
        let leave_out = self.leave_out.as_ref();
        let of = |soft: Masks| Smoothed {
            hard: harden(&soft, &self.settings, leave_out),
            soft: Some(leave_out.map_or_else(|| soft.clone(), |leave_out| cleared(&soft, leave_out))),
        };
        ready.into_iter().map(of).collect()
    }
}

/// A frame that comes out of the filter, class by class.
struct Smoothed {
    hard: Vec<Mask>,
    soft: Option<Masks>,
}

impl Smoothed {
    fn hard(mask: Mask) -> Self {
        Self { hard: vec![mask], soft: None }
    }
}

/// Probabilities that are 0 where `leave_out` is set.
fn cleared(soft: &Masks, leave_out: &Mask) -> Masks {
    let outs = leave_out.to_bytes(1);
    let clear = |mask: &SoftMask| {
        let values = mask.values().iter().zip(&outs);
        SoftMask::new(mask.size(), values.map(|(&value, &out)| if out == 1 { 0 } else { value }).collect())
    };
    soft.iter().map(clear).collect()
}

/// A meter for each class.
pub(super) struct Meters {
    classes: Vec<ClassMeter>,
    before: Vec<MaskPair>,
    leave_out: Option<Mask>,
}

impl Meters {
    pub fn new(groups: &[ClassGroup], settings: MeterSettings, leave_out: Option<Mask>) -> Self {
        let classes = groups.iter().map(|group| ClassMeter::new(group.name(), settings)).collect();
        Self { classes, before: Vec::new(), leave_out }
    }

    /// The rows that are ready, a frame late.
    pub fn push(
        &mut self,
        frame: &StableFrame,
        flow: Option<&FlowPair>,
        truth: Option<&Mask>,
    ) -> Vec<FrameMetrics> {
        let cut = flow.is_some_and(FlowPair::is_cut);
        let unseen = self.leave_out.as_ref().zip(flow).map(|(leave_out, flow)| Unseen::new(leave_out, flow));
        let mut warped = match flow.filter(|_| !cut && !self.before.is_empty()) {
            Some(flow) => warped_neighbours(&self.before, &frame.masks, flow, unseen.as_ref()),
            None => Vec::new(),
        }
        .into_iter();
        let mut rows = Vec::new();
        for (meter, now) in self.classes.iter_mut().zip(&frame.masks) {
            rows.extend(meter.push(MeterFrame {
                frame: frame.index,
                timestamp: frame.timestamp,
                cut,
                raw: &now.raw,
                smoothed: &now.smoothed,
                warped: warped.next(),
                truth,
            }));
        }
        self.before.clone_from(&frame.masks);
        rows
    }

    pub fn finish(
        self,
        take: &mut impl FnMut(Stable) -> Result<(), PipelineError>,
    ) -> Result<Vec<ClassSummary>, PipelineError> {
        let mut summaries = Vec::new();
        for meter in self.classes {
            let (row, summary) = meter.finish();
            row.into_iter().try_for_each(|row| take(Stable::Row(Box::new(row))))?;
            summaries.push(summary);
        }
        Ok(summaries)
    }
}

/// Where a neighbour says nothing: in what is left out, and in what came out of it. Else
/// what moves across its border would count as flicker.
struct Unseen {
    previous: Mask,
    onto_previous: Mask,
}

impl Unseen {
    fn new(leave_out: &Mask, flow: &FlowPair) -> Self {
        Self {
            previous: warp_mask(leave_out, flow.backward()).0.or(leave_out),
            onto_previous: warp_mask(leave_out, flow.forward()).0.or(leave_out),
        }
    }
}

/// Of each class both neighbours, each as seen from the other.
fn warped_neighbours(
    before: &[MaskPair],
    now: &[MaskPair],
    flow: &FlowPair,
    unseen: Option<&Unseen>,
) -> Vec<WarpedNeighbours> {
    let all = |pairs: &[MaskPair], flow: &Flow| {
        let masks: Vec<&Mask> = pairs.iter().flat_map(|pair| [&pair.raw, &pair.smoothed]).collect();
        warp_masks(&masks, flow)
    };
    let ((previous, mut previous_holds), (onto_previous, mut onto_previous_holds)) =
        rayon::join(|| all(before, flow.backward()), || all(now, flow.forward()));
    if let Some(unseen) = unseen {
        previous_holds = previous_holds.and_not(&unseen.previous);
        onto_previous_holds = onto_previous_holds.and_not(&unseen.onto_previous);
    }
    let mut pairs = previous.into_iter().zip(onto_previous).map(|(previous, onto_previous)| WarpedPair {
        previous: Warped { mask: previous, valid: previous_holds.clone() },
        onto_previous: Warped { mask: onto_previous, valid: onto_previous_holds.clone() },
    });
    std::iter::from_fn(|| Some(WarpedNeighbours { raw: pairs.next()?, smoothed: pairs.next()? })).collect()
}
