//! Where things went from one frame to the next: dense optical flow, whether it can be
//! believed, scene cuts, and masks warped along it.
//!
//! Flow from t to s lives on t's grid and says where each of its pixels is in s. With it,
//! frame s is seen from frame t by sampling s backward: `W(x; s→t)(y) = x(y + f(y))`.

mod chain;
mod check;
mod cut;
mod estimate;
mod field;
mod pair;
mod places;
mod warp;

pub(crate) use chain::{Chain, reaches};
pub use estimate::{Estimator, FlowEstimator, Quality};
pub use field::FlowField;
pub use pair::{Flow, FlowPair};
pub(crate) use places::{Band, FULL, Upscale};
pub(crate) use warp::rows_per_band;
pub use warp::{warp_mask, warp_masks, warp_soft};

use crate::frame::{FrameIndex, FrameSize};

#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    #[error(
        "frame {frame}: optical flow failed: {cause}; smooth without motion (--motion off) or leave the frame out"
    )]
    Estimate { frame: FrameIndex, cause: String },
    #[error("frame {frame} is {found} where {expected} was begun with; frames of one video have one size")]
    Size { frame: FrameIndex, expected: FrameSize, found: FrameSize },
    #[error("stored optical flow is damaged: {0}; delete it and it is computed again")]
    Damaged(&'static str),
}
