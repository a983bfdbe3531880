//! Each scene on its own: checks what comes in, and begins afresh at every cut.

use std::sync::Arc;

use rayon::prelude::*;

use crate::frame::FrameSize;
use crate::mask::SoftMask;

use super::exponential::{Causal, Centred};
use super::window::Windowed;
use super::{Input, Masks, Method, Settings, SmoothError, SmoothFrame, Smoother, Timing, decide};

/// A filter within one scene. The first frame has no flow; when motion is on, every later
/// one has. After `finish` it is as new.
pub(super) trait Filter: Send {
    fn push(&mut self, frame: SmoothFrame) -> Vec<Masks>;
    fn finish(&mut self) -> Vec<Masks>;
}

pub(super) struct Scenes {
    settings: Settings,
    /// `None` for the identity.
    filter: Option<Box<dyn Filter>>,
    frames: usize,
    /// How many classes and their size, from the first frame on.
    shape: Option<(usize, FrameSize)>,
}

impl Scenes {
    pub fn new(settings: Settings, memory_bytes: usize) -> Self {
        let filter: Option<Box<dyn Filter>> = match (settings.is_identity(), settings.method, settings.timing)
        {
            (true, ..) => None,
            (_, Method::MovingAverage, timing) => {
                Some(Box::new(Windowed::new(super::moving_average::MovingAverage, settings.window, timing)))
            }
            (_, Method::Median, timing) => {
                let median = super::median::Median::new(settings.window.frames(), settings.input);
                Some(Box::new(Windowed::new(median, settings.window, timing)))
            }
            (_, Method::Exponential, Timing::Causal) => Some(Box::new(Causal::new(settings.alpha))),
            (_, Method::Exponential, Timing::Centred) => {
                Some(Box::new(Centred::new(settings.alpha, memory_bytes)))
            }
        };
        Self { settings, filter, frames: 0, shape: None }
    }

    fn check(&mut self, masks: &Masks) -> Result<(), SmoothError> {
        let Some(first) = masks.first() else {
            let expected = self.shape.map_or(1, |(classes, _)| classes);
            return Err(SmoothError::Classes { frame: self.frames, expected, found: 0 });
        };
        let (expected, size) = *self.shape.get_or_insert((masks.len(), first.size()));
        if masks.len() != expected {
            return Err(SmoothError::Classes { frame: self.frames, expected, found: masks.len() });
        }
        match masks.iter().find(|mask| mask.size() != size) {
            Some(mask) => Err(SmoothError::Size { frame: self.frames, expected: size, found: mask.size() }),
            None => Ok(()),
        }
    }

    /// Hard masks are soft ones that are sure: the filters need not know the difference.
    pub(super) fn prepared(&self, masks: Masks) -> Masks {
        match self.settings.input {
            Input::Probabilities => masks,
            Input::Masks if masks.len() == 1 || self.settings.overlap.is_on() => {
                let level = crate::mask::level_of(self.settings.threshold.get());
                masks.iter().map(|mask| sure(mask, level)).collect()
            }
            Input::Masks => decide(&masks, self.settings.threshold, self.settings.overlap)
                .iter()
                .map(|mask| SoftMask::new(mask.size(), mask.to_bytes(u8::MAX)))
                .collect(),
        }
    }
}

impl Smoother for Scenes {
    fn push(&mut self, frame: SmoothFrame) -> Result<Vec<Masks>, SmoothError> {
        self.check(&frame.masks)?;
        let flow = frame.flow.filter(|_| self.frames > 0);
        let wants_flow = self.settings.motion.is_on() && self.filter.is_some();
        if wants_flow && flow.is_none() && self.frames > 0 {
            return Err(SmoothError::NoFlow { frame: self.frames });
        }
        let masks = self.prepared(frame.masks);
        self.frames += 1;
        let Some(filter) = &mut self.filter else { return Ok(vec![masks]) };
        let is_cut = flow.as_ref().is_some_and(|flow| flow.is_cut());
        let mut ready = if is_cut { filter.finish() } else { Vec::new() };
        let flow = flow.filter(|_| wants_flow && !is_cut);
        ready.extend(filter.push(SmoothFrame { masks, flow }));
        Ok(ready)
    }

    fn finish(&mut self) -> Vec<Masks> {
        (self.frames, self.shape) = (0, None);
        self.filter.as_mut().map(|filter| filter.finish()).unwrap_or_default()
    }
}

/// 255 from the level on, 0 below it.
fn sure(mask: &SoftMask, level: u8) -> SoftMask {
    let mut values = vec![0; mask.values().len()];
    values.par_chunks_mut(1 << 16).zip(mask.values().par_chunks(1 << 16)).for_each(|(out, values)| {
        for (out, &value) in out.iter_mut().zip(values) {
            *out = if value >= level { u8::MAX } else { 0 };
        }
    });
    SoftMask::new(mask.size(), values)
}

/// Masks of one size from planes of that size.
pub(super) fn masks_of(size: FrameSize, planes: Vec<Vec<u8>>) -> Masks {
    planes.into_iter().map(|plane| SoftMask::new(size, plane)).collect::<Arc<[_]>>()
}
