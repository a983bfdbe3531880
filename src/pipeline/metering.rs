//! What is measured of masks as they come by: a meter for each class, and neighbours warped onto
//! each other along the motion.

use super::{PipelineError, StabilisationOutput, StabilisedFrame};
use base::mask::{Mask, MaskPair};
use flow::{Flow, FlowPair, warp_mask, warp_masks};
use metrics::{
    ClassMeter, ClassSummary, FrameMetrics, MeterFrame, MeterSettings, Warped, WarpedNeighbours, WarpedPair,
};
use segment::ClassGroup;

/// A meter for each class.
pub struct Meters {
    classes: Vec<ClassMeter>,
    before: Vec<MaskPair>,
    leave_out: Option<Mask>,
}

impl Meters {
    /// Where `leave_out` is set nothing is measured.
    pub fn new(groups: &[ClassGroup], settings: MeterSettings, leave_out: Option<Mask>) -> Self {
        let classes = groups.iter().map(|group| ClassMeter::new(group.name(), settings)).collect();
        Self { classes, before: Vec::new(), leave_out }
    }

    /// The rows that are ready, a frame late.
    pub fn push(
        &mut self,
        frame: &StabilisedFrame,
        flow: Option<&FlowPair>,
        truth: Option<&Mask>,
    ) -> Vec<FrameMetrics> {
        let cut = flow.is_some_and(FlowPair::is_cut);
        let unseen =
            self.leave_out.as_ref().zip(flow).map(|(leave_out, flow)| Excluded::new(leave_out, flow));
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

    /// Gives the last rows to `take`, and sums up.
    ///
    /// # Errors
    /// What `take` says.
    pub fn finish(
        self,
        take: &mut impl FnMut(StabilisationOutput) -> Result<(), PipelineError>,
    ) -> Result<Vec<ClassSummary>, PipelineError> {
        let mut summaries = Vec::new();
        for meter in self.classes {
            let (row, summary) = meter.finish();
            row.into_iter().try_for_each(|row| take(StabilisationOutput::Row(Box::new(row))))?;
            summaries.push(summary);
        }
        Ok(summaries)
    }
}

/// Where a neighbour says nothing: in what is left out, and in what came out of it. Else
/// what moves across its border would count as flicker.
struct Excluded {
    previous: Mask,
    onto_previous: Mask,
}

impl Excluded {
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
    unseen: Option<&Excluded>,
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
