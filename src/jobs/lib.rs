//! Plans carried out on single images, on clips, and on queues and batches of them. The command line, the
//! service and the window share this.

#![warn(missing_docs)]

pub mod batch;
mod clip;
mod image;
mod networks;
mod pool;
mod queue;

pub use clip::{ClipJob, Machine};
pub use image::{Detection, ImagePlan, ImageResult};
pub use pool::{ImagePool, ImageRequest};
pub use queue::{ClipState, Queue, QueueSnapshot, QueuedClip};
