//! One frame of a clip, smoothed without the rest of the clip: what a slider shows at once.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::flow::{Flow, FlowPair};

use super::exponential::Run;
use super::recursion::Start;
use super::scenes::Scenes;
use super::window::Windowed;
use super::{Masks, Method, Settings, SmoothFrame, Timing};

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
            Method::Exponential => self.memory_frames().min(MAX_MEMORY_FRAMES),
            _ if self.timing == Timing::Causal => self.window.frames() - 1,
            _ => self.window.radius(),
        };
        (one_sided, if self.timing == Timing::Causal { 0 } else { one_sided })
    }

    /// Whether frames beyond [`reach`](Self::reach) still have a say that could be seen.
    pub fn remembers_farther(&self) -> bool {
        self.method == Method::Exponential && self.memory_frames() > MAX_MEMORY_FRAMES
    }

    /// How far an exponential filter remembers.
    fn memory_frames(&self) -> usize {
        (NEGLIGIBLE.ln() / (1.0 - self.alpha.get()).ln()).ceil() as usize
    }

    /// The smoothed masks of frame `centre` out of `range`, the frames that are there: what a
    /// [smoother](Self::smoother) gives for it, but for what an exponential filter has all but
    /// forgotten. Frames beyond [reach](Self::reach) are not looked at. Memory does not grow
    /// with the reach of an exponential filter.
    ///
    /// # Errors
    /// Those of `frames`.
    ///
    /// # Panics
    /// When `centre` is not in the range.
    pub fn smooth_one<F: Frames>(
        &self,
        frames: &mut F,
        range: RangeInclusive<usize>,
        centre: usize,
    ) -> Result<Masks, F::Error> {
        assert!(range.contains(&centre), "frame {centre} is one of {range:?}");
        let (before, after) = self.reach();
        let first = centre.saturating_sub(before).max(*range.start());
        let last = centre.saturating_add(after).min(*range.end());
        let mut frames = Prepared { frames, settings: self, scenes: Scenes::new(*self, usize::MAX / 2) };
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
                    let past = frames.run(Start::Full, past, FlowPair::backward)?;
                    return Ok(past.levels(&frames.masks(centre)?));
                }
                let past = frames.run(Start::Alike, past, FlowPair::backward)?;
                let future = (centre..=last).rev().map(|at| (at, (at < last).then_some(at + 1)));
                let future = frames.run(Start::Alike, future, FlowPair::forward)?;
                Ok(past.both(&future, &frames.masks(centre)?))
            }
        }
    }
}

/// Where single frames come from.
pub trait Frames {
    type Error;

    fn masks(&mut self, at: usize) -> Result<Masks, Self::Error>;

    /// What lies between the frame before and frame `at`; a flow only where `moves`.
    fn step(&mut self, at: usize, moves: bool) -> Result<Step, Self::Error>;
}

/// From one frame to the next.
#[derive(Clone)]
pub enum Step {
    /// A new scene begins.
    Cut,
    Still,
    Along(Arc<FlowPair>),
}

/// Frames as the filters want them.
struct Prepared<'a, F> {
    frames: &'a mut F,
    settings: &'a Settings,
    scenes: Scenes,
}

impl<F: Frames> Prepared<'_, F> {
    fn masks(&mut self, at: usize) -> Result<Masks, F::Error> {
        Ok(self.scenes.prepared(self.frames.masks(at)?))
    }

    fn step(&mut self, at: usize) -> Result<Step, F::Error> {
        self.frames.step(at, self.settings.motion.is_on())
    }

    /// The frames around `centre` up to the cuts beside it, and the place of `centre` there.
    fn scene(
        &mut self,
        first: usize,
        centre: usize,
        last: usize,
    ) -> Result<(Vec<SmoothFrame>, usize), F::Error> {
        let mut scene = VecDeque::new();
        let mut at = centre;
        loop {
            // The step into a frame is its own; the first of a scene has none.
            let step = if at > first { self.step(at)? } else { Step::Cut };
            let masks = self.masks(at)?;
            let is_first = matches!(step, Step::Cut);
            scene.push_front(SmoothFrame { masks, flow: flow_of(step) });
            if is_first {
                break;
            }
            at -= 1;
        }
        let place = scene.len() - 1;
        for at in centre + 1..=last {
            let step = self.step(at)?;
            if matches!(step, Step::Cut) {
                break;
            }
            scene.push_back(SmoothFrame { masks: self.masks(at)?, flow: flow_of(step) });
        }
        Ok((scene.into(), place))
    }

    /// Takes the recursion over frames, each with the number of the step that leads there
    /// from the one before it; afresh after each cut. `flow` leads back to that one.
    fn run(
        &mut self,
        start: Start,
        order: impl Iterator<Item = (usize, Option<usize>)>,
        flow: impl Fn(&FlowPair) -> &Flow,
    ) -> Result<Run, F::Error> {
        let mut run = Run::new(self.settings.alpha, start);
        for (at, into) in order {
            let step = into.map_or(Ok(Step::Cut), |into| self.step(into))?;
            let masks = self.masks(at)?;
            run.push(
                &masks,
                match &step {
                    Step::Cut => None,
                    Step::Still => Some(None),
                    Step::Along(pair) => Some(Some(flow(pair))),
                },
            );
        }
        Ok(run)
    }
}

fn flow_of(step: Step) -> Option<Arc<FlowPair>> {
    match step {
        Step::Along(flow) => Some(flow),
        Step::Cut | Step::Still => None,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
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

    impl Frames for Vec<SmoothFrame> {
        type Error = Infallible;

        fn masks(&mut self, at: usize) -> Result<Masks, Infallible> {
            Ok(self[at].masks.clone())
        }

        fn step(&mut self, at: usize, moves: bool) -> Result<Step, Infallible> {
            let flow = self[at].flow.clone().expect("a flow but for the first");
            Ok(if flow.is_cut() {
                Step::Cut
            } else if moves {
                Step::Along(flow)
            } else {
                Step::Still
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
