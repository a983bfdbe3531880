//! Dense optical flow between frames, where it is valid, scene cuts, and masks warped along it.
//!
//! The flow from t to s is defined on t's grid and gives the place of each pixel in s. With it, frame
//! s is warped onto frame t by sampling s backward: `W(x; s→t)(y) = x(y + f(y))`.

#![warn(missing_docs)]

mod chain;
mod consistency;
mod cut;
mod estimate;
mod field;
mod pair;
mod sampling;
mod warp;

pub use chain::{FlowChain, displacement_bounds};
pub use estimate::{Estimator, FlowEstimator, Quality};
pub use field::FlowField;
pub use pair::{Flow, FlowPair};
pub use sampling::{FULL_WEIGHT, SamplingGrid, Upscale, UpscaledRows};
pub use warp::rows_per_band;
pub use warp::{warp_mask, warp_masks, warp_soft};

use base::frame::{FrameIndex, FrameSize};

/// Flow could not be estimated or read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are in the messages")]
pub enum FlowError {
    /// OpenCV reported an error.
    #[error(
        "frame {frame}: optical flow failed: {cause}; smooth without motion (--motion off) or leave the frame out"
    )]
    Estimate { frame: FrameIndex, cause: String },
    /// The frames differ in size.
    #[error("frame {frame} is {found} where {expected} was begun with; frames of one video have one size")]
    Size { frame: FrameIndex, expected: FrameSize, found: FrameSize },
    /// Bytes that [`FlowPair::to_bytes`] did not write.
    #[error("stored optical flow is damaged: {0}; delete it and it is computed again")]
    Damaged(&'static str),
}
