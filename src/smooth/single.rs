//! One frame of a clip, smoothed without the rest of the clip: what a slider shows at once.

use super::exponential::{Causal, Centred};
use super::scenes::{Filter, Scenes};
use super::window::Windowed;
use super::{Masks, Method, Settings, SmoothError, SmoothFrame, Timing};

/// An exponential filter forgets what weighs less than a level of the mask.
const NEGLIGIBLE: f32 = 1.0 / 512.0;
/// Weak filters remember longer than anybody waits for one frame.
const MAX_MEMORY_FRAMES: usize = 48;

impl Settings {
    /// How many frames before and after a frame have a say in its smoothed masks.
    pub fn reach(&self) -> (usize, usize) {
        if self.is_identity() {
            return (0, 0);
        }
        let one_sided = match self.method {
            Method::Exponential => {
                let frames = NEGLIGIBLE.ln() / (1.0 - self.alpha.get()).ln();
                (frames.ceil() as usize).min(MAX_MEMORY_FRAMES)
            }
            _ if self.timing == Timing::Causal => self.window.frames() - 1,
            _ => self.window.radius(),
        };
        (one_sided, if self.timing == Timing::Causal { 0 } else { one_sided })
    }

    /// The smoothed masks of `frames[centre]`, whose neighbours are [in reach](Self::reach):
    /// what a [smoother](Self::smoother) gives for it, but for what an exponential filter has
    /// all but forgotten.
    ///
    /// # Errors
    /// As a smoother's `push`. `NoFlow` when motion is on and a frame but the first has none.
    ///
    /// # Panics
    /// When `centre` is not one of the frames.
    pub fn smooth_one(&self, frames: Vec<SmoothFrame>, centre: usize) -> Result<Masks, SmoothError> {
        let is_cut = |frame: &SmoothFrame| frame.flow.as_ref().is_some_and(|flow| flow.is_cut());
        let (before, after) = self.reach();
        let mut first = centre.saturating_sub(before);
        first = (first + 1..=centre).rev().find(|&at| is_cut(&frames[at])).unwrap_or(first);
        let mut end = (centre + after + 1).min(frames.len());
        end = (centre + 1..end).find(|&at| is_cut(&frames[at])).unwrap_or(end);

        let scenes = Scenes::new(*self, usize::MAX / 2);
        let moves = self.motion.is_on() && !self.is_identity();
        let mut scene = Vec::with_capacity(end - first);
        for (at, frame) in frames.into_iter().enumerate().take(end).skip(first) {
            let flow = frame.flow.filter(|_| moves && at > first);
            if moves && at > first && flow.is_none() {
                return Err(SmoothError::NoFlow { frame: at });
            }
            scene.push(SmoothFrame { masks: scenes.prepared(frame.masks), flow });
        }
        let at = centre - first;
        if self.is_identity() {
            return Ok(scene.swap_remove(at).masks);
        }
        Ok(match (self.method, self.timing) {
            (Method::MovingAverage, timing) => {
                Windowed::one(super::moving_average::MovingAverage, self.window, timing, scene, at)
            }
            (Method::Median, timing) => {
                let median = super::median::Median::new(self.window.frames(), self.input);
                Windowed::one(median, self.window, timing, scene, at)
            }
            (Method::Exponential, Timing::Causal) => nth(Causal::new(self.alpha), scene, at),
            (Method::Exponential, Timing::Centred) => {
                nth(Centred::new(self.alpha, usize::MAX / 2), scene, at)
            }
        })
    }
}

/// What a filter gives for one frame of a scene.
fn nth(mut filter: impl Filter, scene: Vec<SmoothFrame>, at: usize) -> Masks {
    let own = scene[at].masks.clone();
    let mut ready: Vec<Masks> = scene.into_iter().flat_map(|frame| filter.push(frame)).collect();
    ready.extend(filter.finish());
    // A filter gives one for one, so there is always one.
    ready.into_iter().nth(at).unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::flow::FlowPair;
    use crate::frame::FrameSize;
    use crate::mask::SoftMask;
    use crate::smooth::{Switch, Window};
    use proptest::prelude::*;

    fn clip(values: &[[u8; 6]], cut_at: usize) -> Vec<SmoothFrame> {
        let size = FrameSize::new(3, 2).unwrap();
        let frame = |(at, values): (usize, &[u8; 6])| SmoothFrame {
            masks: Arc::from([SoftMask::new(size, values.to_vec())]),
            flow: (at > 0).then(|| Arc::new(FlowPair::still(size).with_cut(at == cut_at))),
        };
        values.iter().enumerate().map(frame).collect()
    }

    proptest! {
        #[test]
        fn one_frame_is_what_the_whole_clip_gives(
            values in proptest::collection::vec(any::<[u8; 6]>(), 1..14),
            centre in any::<prop::sample::Index>(), cut_at in 0usize..14,
            method in prop::sample::select(Method::ALL), timing in prop::sample::select(Timing::ALL),
            motion: bool, window in 0u32..4,
        ) {
            let motion = if motion { Switch::On } else { Switch::Off };
            let window = Window::new(2 * window + 1).unwrap();
            let settings = Settings { method, timing, motion, window, ..Settings::default() };
            let frames = clip(&values, cut_at);
            let centre = centre.index(frames.len());
            let mut smoother = settings.smoother(1 << 30).unwrap();
            let mut all = Vec::new();
            for frame in frames.clone() {
                all.extend(smoother.push(frame).unwrap());
            }
            all.extend(smoother.finish());
            let one = settings.smooth_one(frames, centre).unwrap();
            for (one, all) in one[0].values().iter().zip(all[centre][0].values()) {
                prop_assert!(one.abs_diff(*all) <= 1, "{settings:?}: {one} and {all}");
            }
        }
    }
}
