//! The smoother that the settings ask for, as pass 2 uses it: from frames to hard masks.

use std::sync::Arc;

use super::PipelineError;
use base::mask::{Mask, Masks, SoftMask};
use flow::FlowPair;
use smooth::{HardSmoother, Input, Settings, SmoothFrame, Smoother, binarise};

/// The smoother that the settings ask for, from frames to hard masks.
pub struct Filter {
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
    /// For this many classes. `memory_bytes` are for frames inside the smoother.
    ///
    /// # Errors
    /// When the settings contradict each other.
    pub fn new(
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
    ///
    /// # Errors
    /// When motion is asked for and `flow` is missing or of another size.
    pub fn push(
        &mut self,
        raw: &[Mask],
        masks: Masks,
        flow: Option<Arc<FlowPair>>,
    ) -> Result<Vec<Smoothed>, PipelineError> {
        match &mut self.kind {
            FilterKind::Soft(smoother) => {
                let ready = smoother.push(SmoothFrame { masks, flow })?;
                Ok(self.binarise(ready))
            }
            FilterKind::Hard(hard) => {
                let is_cut = flow.is_some_and(|flow| flow.is_cut());
                let mask = raw.first().map(|mask| Arc::new(mask.clone()));
                let ready = mask.map(|mask| hard.push(mask, is_cut)).unwrap_or_default();
                Ok(ready.into_iter().map(Smoothed::hard).collect())
            }
        }
    }

    /// The frames that are still inside.
    pub fn finish(&mut self) -> Vec<Smoothed> {
        match &mut self.kind {
            FilterKind::Soft(smoother) => {
                let rest = smoother.finish();
                self.binarise(rest)
            }
            FilterKind::Hard(hard) => hard.finish().into_iter().map(Smoothed::hard).collect(),
        }
    }

    fn binarise(&self, ready: Vec<Masks>) -> Vec<Smoothed> {
        let leave_out = self.leave_out.as_ref();
        let of = |soft: Masks| Smoothed {
            hard: binarise(&soft, &self.settings, leave_out),
            soft: Some(leave_out.map_or_else(|| soft.clone(), |leave_out| cleared(&soft, leave_out))),
        };
        ready.into_iter().map(of).collect()
    }
}

/// A frame that comes out of the filter, class by class.
pub struct Smoothed {
    /// As they are decided.
    pub hard: Vec<Mask>,
    /// What they were decided by; `None` where hard masks were smoothed.
    pub soft: Option<Masks>,
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
