//! What every other part uses: frames, masks and regions, files that are written whole or not at
//! all, a bounded queue, and settings of the process.

#![warn(missing_docs)]

pub mod bounded;
pub mod files;
pub mod frame;
pub mod mask;
pub mod process;
pub mod region;
pub mod simd;
pub mod stages;
