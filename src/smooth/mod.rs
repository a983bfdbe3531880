//! Steady masks out of flickering ones: filters over time.
//!
//! A [`Smoother`] takes the soft masks of one frame after another, all classes at once, and
//! gives them back smoothed, one for one and in order. It holds a few frames, never a clip.
//! [`Settings::smoother`] makes one; [`harden`] turns what it gives into hard masks.
//!
//! Inside, a scene is all a filter ever sees: `scenes` ends one filter's work at a cut and
//! begins afresh, so no method knows of cuts. Moving average and median are windows of
//! neighbours (`window`), seen where they are or moved along the optical flow; the
//! exponential filter is a recursion, run both ways when it is centred. A moved neighbour
//! counts as far as its flow holds. [`HardSmoother`] is a short cut for hard masks without
//! motion.

mod cleanup;
mod decay;
mod decide;
mod exponential;
mod hard;
mod median;
mod moving_average;
mod recursion;
mod scenes;
mod settings;
mod single;
mod votes;
mod window;

use std::sync::Arc;

pub use cleanup::{fill_holes, hysteresis, largest_part, remove_specks};
pub use decide::{decide, harden, outside};
pub use hard::HardSmoother;
pub use settings::{Alpha, Input, Method, Settings, SettingsError, Switch, Threshold, Timing, Window};
pub use single::{Frames, Step};

use crate::flow::FlowPair;
use crate::frame::FrameSize;
use crate::mask::SoftMask;

/// The soft masks of one frame, one for each class, all of one size.
pub type Masks = Arc<[SoftMask]>;

/// What a smoother needs of a frame.
#[derive(Clone, Debug)]
pub struct SmoothFrame {
    pub masks: Masks,
    /// The flow between the frame before and this one; `None` for the first frame and
    /// where motion is off. A cut is heeded whether motion is on or off.
    pub flow: Option<Arc<FlowPair>>,
}

/// Smooths frame after frame. What comes out is in order and, once [`finish`](Self::finish)
/// has been called, as many as went in.
pub trait Smoother: Send {
    /// Takes the next frame and gives those that are ready: none while the filter still
    /// looks ahead, many at a cut.
    fn push(&mut self, frame: SmoothFrame) -> Result<Vec<Masks>, SmoothError>;

    /// Gives what is left. The smoother is then as new.
    fn finish(&mut self) -> Vec<Masks>;
}

impl Settings {
    /// A smoother for these settings. Only the centred exponential filter has a choice of
    /// how far to look ahead: it stays within `memory_bytes`, about.
    ///
    /// # Errors
    /// When two settings contradict each other.
    pub fn smoother(&self, memory_bytes: usize) -> Result<Box<dyn Smoother>, SettingsError> {
        self.check()?;
        Ok(Box::new(scenes::Scenes::new(*self, memory_bytes)))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SmoothError {
    #[error(
        "frame {frame}, counted from the start of smoothing, has {found} masks where {expected} were begun with; give one for each class"
    )]
    Classes { frame: usize, expected: usize, found: usize },
    #[error(
        "frame {frame}, counted from the start of smoothing, has a mask of {found} where {expected} was begun with; masks of one video have one size"
    )]
    Size { frame: usize, expected: FrameSize, found: FrameSize },
    #[error(
        "frame {frame}, counted from the start of smoothing, has no optical flow; give it, or smooth without motion (--motion off)"
    )]
    NoFlow { frame: usize },
}
