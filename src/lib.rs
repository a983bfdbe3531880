//! Steadymask: measures the flicker of per-frame segmentation masks and takes it out
//! without making them late. See `ARCHITECTURE.md` for the map.

#[cfg(feature = "gui")]
pub mod app;
pub mod cli;
pub mod export;
pub mod flow;
pub mod frame;
pub mod jobs;
pub mod mask;
pub mod metrics;
pub mod pipeline;
pub mod process;
pub mod project;
pub mod region;
pub mod segment;
pub mod service;
mod simd;
pub mod smooth;
pub mod stages;
pub mod store;
pub mod video;
