//! Shortcuts for the hard masks of one class, without probabilities and motion, as for imported
//! mattes and the seed recipe.

mod exponential;
mod window;

use std::sync::Arc;

use exponential::HardExponential;
use window::HardWindow;

use super::{Method, Settings, Switch, Timing};
use base::mask::Mask;

/// Gives the same masks as [`Settings::smoother`] followed by [`binarise`](super::binarise), at a
/// fraction of the work.
pub enum HardSmoother {
    /// Moving average and median.
    Window(HardWindow),
    /// The causal exponential filter.
    Exponential(HardExponential),
}

impl HardSmoother {
    /// `None` for settings that have no shortcut: motion, clean-up besides the threshold, and the
    /// centred exponential filter.
    pub fn new(settings: &Settings) -> Option<Self> {
        if settings.motion == Switch::On || settings.cleans_up() {
            return None;
        }
        match (settings.method, settings.timing) {
            (Method::MovingAverage | Method::Median, _) => Some(Self::Window(HardWindow::new(settings))),
            (Method::Exponential, Timing::Causal) => Some(Self::Exponential(HardExponential::new(settings))),
            (Method::Exponential, Timing::Centred) => None,
        }
    }

    /// Takes the next mask and returns those that are finished. A cut begins a new scene.
    ///
    /// # Panics
    /// When its size is not that of the masks before it.
    pub fn push(&mut self, mask: Arc<Mask>, is_cut: bool) -> Vec<Mask> {
        let mut ready = if is_cut { self.finish() } else { Vec::new() };
        match self {
            Self::Window(window) => ready.extend(window.push(mask)),
            Self::Exponential(exponential) => ready.extend(exponential.push(mask)),
        }
        ready
    }

    /// Returns the remaining masks. The smoother can then begin another scene.
    pub fn finish(&mut self) -> Vec<Mask> {
        match self {
            Self::Window(window) => window.finish(),
            Self::Exponential(exponential) => exponential.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Alpha, SmoothFrame, Threshold, Window, binarise};
    use super::*;
    use base::frame::FrameSize;
    use base::mask::SoftMask;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_short_cut_leads_where_the_general_way_does(
            (width, frames) in (1u32..200).prop_flat_map(|width| {
                let row = proptest::collection::vec(any::<bool>(), width as usize);
                (Just(width), proptest::collection::vec(row, 1..40))
            }),
            radius in 0u32..=15,
            alpha in 1u32..=100,
            (method, causal) in prop::sample::select(Method::ALL).prop_flat_map(|method| {
                (Just(method), if method == Method::Exponential { Just(true).boxed() } else { any::<bool>().boxed() })
            }),
            percent in 1u32..=100,
        ) {
            let settings = Settings {
                method,
                timing: if causal { Timing::Causal } else { Timing::Centred },
                window: Window::new(2 * radius + 1).unwrap(),
                alpha: Alpha::new(alpha as f32 / 100.0).unwrap(),
                threshold: Threshold::new(percent as f32 / 100.0).unwrap(),
                ..Settings::seed_recipe(method)
            };
            let size = FrameSize::new(width, 1).unwrap();
            let masks: Vec<Mask> = frames.iter().map(|row| Mask::from_fn(size, |x, _| row[x])).collect();
            let mut hard = HardSmoother::new(&settings).unwrap();
            let mut found: Vec<Mask> = masks.iter().flat_map(|mask| hard.push(Arc::new(mask.clone()), false)).collect();
            found.extend(hard.finish());
            let mut general = settings.smoother(1 << 20).unwrap();
            let mut expected = Vec::new();
            for mask in &masks {
                let masks = vec![SoftMask::new(size, mask.to_bytes(255))].into();
                expected.extend(general.push(SmoothFrame { masks, flow: None }).unwrap());
            }
            expected.extend(general.finish());
            let expected: Vec<Mask> = expected.iter().map(|masks| binarise(masks, &settings, None).remove(0)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
