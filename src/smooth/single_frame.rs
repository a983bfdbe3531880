//! Smoothing a single frame of a clip without the rest, for the window's instant preview.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

use base::mask::Masks;
use flow::{Flow, FlowPair};

use super::exponential::RecursivePass;
use super::recursion::FirstWeight;
use super::scenes::SceneSmoother;
use super::window::Windowed;
use super::{Method, Settings, SmoothFrame, Timing};

/// Frames whose weight in an exponential filter is less than about a level of the mask don't matter.
const NEGLIGIBLE: f32 = 1.0 / 512.0;
/// Filters with a small alpha remember more frames than a preview can wait for.
const MAX_MEMORY_FRAMES: usize = 48;

impl Settings {
    /// How many frames before and after a frame influence its smoothed masks, as far as
    /// [`smooth_one`](Self::smooth_one) takes them.
    pub fn reach(&self) -> (usize, usize) {
        if self.is_identity() {
            return (0, 0);
        }
        let one_sided = match self.method {
            Method::Exponential => self.memory_frames().min(MAX_MEMORY_FRAMES),
            _ if self.timing == Timing::Causal => self.window.frames() - 1,
            _ => self.window.radius(),
        };
        (one_sided, if self.timing == Timing::Causal { 0 } else { one_sided })
    }

    /// Whether frames beyond [`reach`](Self::reach) have a visible influence.
    pub fn remembers_farther(&self) -> bool {
        self.method == Method::Exponential && self.memory_frames() > MAX_MEMORY_FRAMES
    }

    /// How many frames an exponential filter remembers.
    fn memory_frames(&self) -> usize {
        (NEGLIGIBLE.ln() / (1.0 - self.alpha.get()).ln()).ceil() as usize
    }

    /// The smoothed masks of frame `centre`, where the frames of `range` are available. They are what
    /// a [smoother](Self::smoother) gives, except that an exponential filter ignores frames beyond
    /// its [reach](Self::reach). An exponential filter needs no more memory for a longer reach.
    ///
    /// # Errors
    /// Those of `frames`.
    ///
    /// # Panics
    /// When `centre` is not in the range.
    pub fn smooth_one<F: FrameSource>(
        &self,
        frames: &mut F,
        range: RangeInclusive<usize>,
        centre: usize,
    ) -> Result<Masks, F::Error> {
        assert!(range.contains(&centre), "frame {centre} is one of {range:?}");
        let (before, after) = self.reach();
        let first = centre.saturating_sub(before).max(*range.start());
        let last = centre.saturating_add(after).min(*range.end());
        let mut frames =
            FilterInput { frames, settings: self, scenes: SceneSmoother::new(*self, usize::MAX / 2) };
        if self.is_identity() {
            return frames.masks(centre);
        }
        match (self.method, self.timing) {
            (Method::MovingAverage, timing) => {
                let (scene, at) = frames.scene(first, centre, last)?;
                Ok(Windowed::one(super::moving_average::MovingAverage, self.window, timing, scene, at))
            }
            (Method::Median, timing) => {
                let median = super::median::Median::new(self.window.frames(), self.input);
                let (scene, at) = frames.scene(first, centre, last)?;
                Ok(Windowed::one(median, self.window, timing, scene, at))
            }
            (Method::Exponential, timing) => {
                let past = (first..=centre).map(|at| (at, (at > first).then_some(at)));
                if timing == Timing::Causal {
                    let past = frames.run(FirstWeight::One, past, FlowPair::backward)?;
                    return Ok(past.levels(&frames.masks(centre)?));
                }
                let past = frames.run(FirstWeight::Alpha, past, FlowPair::backward)?;
                let future = (centre..=last).rev().map(|at| (at, (at < last).then_some(at + 1)));
                let future = frames.run(FirstWeight::Alpha, future, FlowPair::forward)?;
                Ok(past.combine(&future, &frames.masks(centre)?))
            }
        }
    }
}

/// Random access to the frames of a clip.
pub trait FrameSource {
    /// Why a frame could not be read.
    type Error;

    /// The soft masks of frame `at`.
    ///
    /// # Errors
    /// When they can't be read.
    fn masks(&mut self, at: usize) -> Result<Masks, Self::Error>;

    /// What lies between the previous frame and frame `at`; a flow only if `moves` is set.
    ///
    /// # Errors
    /// When it can't be read.
    fn transition(&mut self, at: usize, moves: bool) -> Result<Transition, Self::Error>;
}

/// What lies between a frame and the next.
#[derive(Clone)]
pub enum Transition {
    /// A new scene begins.
    Cut,
    /// The same scene, without motion.
    Still,
    /// The same scene, with the flow between the two frames.
    Along(Arc<FlowPair>),
}

/// Reads frames as the filters take them.
struct FilterInput<'a, F> {
    frames: &'a mut F,
    settings: &'a Settings,
    scenes: SceneSmoother,
}

impl<F: FrameSource> FilterInput<'_, F> {
    fn masks(&mut self, at: usize) -> Result<Masks, F::Error> {
        Ok(self.scenes.prepared(self.frames.masks(at)?))
    }

    fn transition(&mut self, at: usize) -> Result<Transition, F::Error> {
        self.frames.transition(at, self.settings.motion.is_on())
    }

    /// The frames around `centre` up to the nearest cuts, and the index of `centre` among them.
    fn scene(
        &mut self,
        first: usize,
        centre: usize,
        last: usize,
    ) -> Result<(Vec<SmoothFrame>, usize), F::Error> {
        let mut scene = VecDeque::new();
        let mut at = centre;
        loop {
            // A frame's transition is the one that leads to it; the first of a scene has none.
            let transition = if at > first { self.transition(at)? } else { Transition::Cut };
            let masks = self.masks(at)?;
            let is_first = matches!(transition, Transition::Cut);
            scene.push_front(SmoothFrame { masks, flow: flow_of(transition) });
            if is_first {
                break;
            }
            at -= 1;
        }
        let place = scene.len() - 1;
        for at in centre + 1..=last {
            let transition = self.transition(at)?;
            if matches!(transition, Transition::Cut) {
                break;
            }
            scene.push_back(SmoothFrame { masks: self.masks(at)?, flow: flow_of(transition) });
        }
        Ok((scene.into(), place))
    }

    /// Runs the recursion over frames. Each comes with the number of the transition between it and
    /// the frame before it in `order`; `flow` chooses the direction that leads back to that frame.
    fn run(
        &mut self,
        start: FirstWeight,
        order: impl Iterator<Item = (usize, Option<usize>)>,
        flow: impl Fn(&FlowPair) -> &Flow,
    ) -> Result<RecursivePass, F::Error> {
        let mut run = RecursivePass::new(self.settings.alpha, start);
        for (at, into) in order {
            let transition = into.map_or(Ok(Transition::Cut), |into| self.transition(into))?;
            let masks = self.masks(at)?;
            match &transition {
                Transition::Cut => run.begin(&masks),
                Transition::Still => run.advance(&masks, None),
                Transition::Along(pair) => run.advance(&masks, Some(flow(pair))),
            }
        }
        Ok(run)
    }
}

fn flow_of(transition: Transition) -> Option<Arc<FlowPair>> {
    match transition {
        Transition::Along(flow) => Some(flow),
        Transition::Cut | Transition::Still => None,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::{Switch, Window};
    use base::frame::FrameSize;
    use base::mask::{Masks, SoftMask};
    use proptest::prelude::*;

    fn clip(values: &[[u8; 6]], cut_at: usize) -> Vec<SmoothFrame> {
        let size = FrameSize::new(3, 2).unwrap();
        let frame = |(at, values): (usize, &[u8; 6])| SmoothFrame {
            masks: Arc::from([SoftMask::new(size, values.to_vec())]),
            flow: (at > 0).then(|| Arc::new(FlowPair::still(size).with_cut(at == cut_at))),
        };
        values.iter().enumerate().map(frame).collect()
    }

    impl FrameSource for Vec<SmoothFrame> {
        type Error = Infallible;

        fn masks(&mut self, at: usize) -> Result<Masks, Infallible> {
            Ok(self[at].masks.clone())
        }

        fn transition(&mut self, at: usize, moves: bool) -> Result<Transition, Infallible> {
            let flow = self[at].flow.clone().expect("a flow but for the first");
            Ok(if flow.is_cut() {
                Transition::Cut
            } else if moves {
                Transition::Along(flow)
            } else {
                Transition::Still
            })
        }
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
            let mut frames = clip(&values, cut_at);
            let centre = centre.index(frames.len());
            let mut smoother = settings.smoother(1 << 30).unwrap();
            let mut all = Vec::new();
            for frame in frames.clone() {
                all.extend(smoother.push(frame).unwrap());
            }
            all.extend(smoother.finish());
            let last = frames.len() - 1;
            let one = settings.smooth_one(&mut frames, 0..=last, centre).unwrap();
            for (one, all) in one[0].values().iter().zip(all[centre][0].values()) {
                prop_assert!(one.abs_diff(*all) <= 1, "{settings:?}: {one} and {all}");
            }
        }
    }
}
