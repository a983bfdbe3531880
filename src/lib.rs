//! Steadymask: measures the flicker of per-frame segmentation masks and takes it out
//! without making them late. See `ARCHITECTURE.md` for the map.

pub mod flow;
pub mod frame;
pub mod mask;
pub mod segment;
mod simd;
pub mod smooth;
pub mod video;
