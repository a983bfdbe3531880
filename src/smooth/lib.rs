//! Filters over time that make flickering masks steady.
//!
//! A [`Smoother`] takes the soft masks of one frame after another, all classes at once, and returns
//! them smoothed, one for one and in order. It holds a few frames, never a whole clip.
//! [`Settings::smoother`] makes one; [`binarise`] turns its results into hard masks.
//!
//! A filter only ever sees one scene: `scenes` restarts it at every cut, so no filter knows about
//! cuts. Moving average and median work on a window of neighbouring frames (`window`), as they are
//! or warped along the optical flow; the exponential filter is a recursion, run in both directions
//! when it is centred. A warped sample counts only where its flow is valid. [`HardSmoother`] is a
//! shortcut for hard masks without motion.

#![warn(missing_docs)]

mod binarise;
mod cleanup;
mod exponential;
mod filter;
mod hard;
mod median;
mod moving_average;
mod planes;
mod recursion;
mod scenes;
mod settings;
mod single_frame;
mod window;

use std::sync::Arc;

pub use binarise::{argmax, binarise, exclude};
pub use cleanup::{fill_holes, hysteresis, largest_component, remove_specks};
pub use hard::HardSmoother;
pub use settings::{
    Alpha, Input, Method, OPTIONS, SettingOption, Settings, SettingsError, Switch, Threshold, Timing, Window,
};
pub use single_frame::{FrameSource, Transition};

use base::frame::FrameSize;
use base::mask::Masks;
use flow::FlowPair;

/// What a smoother needs of a frame.
#[derive(Clone, Debug)]
pub struct SmoothFrame {
    /// The soft masks of all classes.
    pub masks: Masks,
    /// The flow between the previous frame and this one; `None` for the first frame and where motion
    /// is off. A cut counts even when motion is off.
    pub flow: Option<Arc<FlowPair>>,
}

/// Smooths frame after frame. Frames come out in order and, once [`finish`](Self::finish) has been
/// called, as many as went in.
pub trait Smoother: Send {
    /// Takes the next frame and returns those that are finished: none while the filter needs later
    /// frames, many at a cut.
    ///
    /// # Errors
    /// When the masks are not of the number and size of the frames before, or the flow is missing.
    fn push(&mut self, frame: SmoothFrame) -> Result<Vec<Masks>, SmoothError>;

    /// Returns the remaining frames. The smoother can then begin another clip.
    fn finish(&mut self) -> Vec<Masks>;
}

impl Settings {
    /// A smoother for these settings. `memory_bytes` limits, roughly, how far the centred exponential
    /// filter looks ahead; the other filters need what they need.
    ///
    /// # Errors
    /// When two settings contradict each other.
    pub fn smoother(&self, memory_bytes: usize) -> Result<Box<dyn Smoother>, SettingsError> {
        self.check()?;
        Ok(Box::new(scenes::SceneSmoother::new(*self, memory_bytes)))
    }
}

/// A frame does not fit those before it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are in the messages")]
pub enum SmoothError {
    /// Another number of classes.
    #[error(
        "frame {frame}, counted from the start of smoothing, has {found} masks where {expected} were begun with; give one for each class"
    )]
    Classes { frame: usize, expected: usize, found: usize },
    /// Another size.
    #[error(
        "frame {frame}, counted from the start of smoothing, has a mask of {found} where {expected} was begun with; masks of one video have one size"
    )]
    Size { frame: usize, expected: FrameSize, found: FrameSize },
    /// Motion is on and the flow is missing.
    #[error(
        "frame {frame}, counted from the start of smoothing, has no optical flow; give it, or smooth without motion (--motion off)"
    )]
    NoFlow { frame: usize },
}
