//! Work that waits in line: what a pipeline does to single images and to clips, and many of
//! them one after another. Batch, service and window share it.

pub mod batch;
mod clip;
mod image;
mod lineup;
mod networks;
mod pool;
mod queue;

pub use clip::{ClipJob, Machine};
pub use image::{Detection, ImagePlan, Looked};
pub use lineup::{LineState, Lineup, Shown, Waiting};
pub use pool::{ImagePool, ImageRequest};
pub use queue::{Full, Queue};
