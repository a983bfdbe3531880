//! Checks the frames and smooths each scene on its own, by restarting the filter at every cut.

use rayon::prelude::*;

use base::frame::FrameSize;
use base::mask::{Masks, SoftMask};

use super::exponential::{Causal, Centred};
use super::filter::Filter;
use super::window::Windowed;
use super::{Input, Method, Settings, SmoothError, SmoothFrame, Smoother, Timing, argmax};

/// The smoother for any settings.
pub(super) struct SceneSmoother {
    settings: Settings,
    /// `None` where smoothing changes nothing.
    filter: Option<Box<dyn Filter>>,
    frames: usize,
    /// The number of classes and their size, known from the first frame on.
    shape: Option<(usize, FrameSize)>,
}

impl SceneSmoother {
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

    /// The masks as the filters take them. Hard masks become soft ones of 0 and 255, so the filters
    /// need not know the difference.
    pub(super) fn prepared(&self, masks: Masks) -> Masks {
        match self.settings.input {
            Input::Probabilities => masks,
            Input::Masks if masks.len() == 1 || self.settings.overlap.is_on() => {
                let level = base::mask::level_of(self.settings.threshold.get());
                masks.iter().map(|mask| threshold(mask, level)).collect()
            }
            Input::Masks => argmax(&masks, self.settings.threshold, self.settings.overlap)
                .iter()
                .map(|mask| SoftMask::new(mask.size(), mask.to_bytes(u8::MAX)))
                .collect(),
        }
    }
}

impl Smoother for SceneSmoother {
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

/// 255 from `level` on, 0 below.
fn threshold(mask: &SoftMask, level: u8) -> SoftMask {
    let mut values = vec![0; mask.values().len()];
    values.par_chunks_mut(1 << 16).zip(mask.values().par_chunks(1 << 16)).for_each(|(out, values)| {
        for (out, &value) in out.iter_mut().zip(values) {
            *out = if value >= level { u8::MAX } else { 0 };
        }
    });
    SoftMask::new(mask.size(), values)
}
