//! What can stop a job.

use std::path::PathBuf;

use crate::{
    export::ExportError,
    flow::FlowError,
    segment::SegmentError,
    smooth::{SettingsError, SmoothError},
    store::StoreError,
    video::VideoError,
};

#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    #[error(transparent)]
    Video(#[from] VideoError),
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error(transparent)]
    Flow(#[from] FlowError),
    #[error(transparent)]
    Smooth(#[from] SmoothError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("frame {from} is past the end: the clip has {frames} frames, 0 to {}; choose an earlier --from", .frames.saturating_sub(1))]
    NothingInRange { from: usize, frames: usize },
    #[error("{}: the stored results have {found} of {expected} frames, so they are damaged; delete this file, or name another folder with --cache", .path.display())]
    DamagedStore { path: PathBuf, found: usize, expected: usize },
    #[error("cancelled")]
    Cancelled,
    #[error("{0}; this is a fault of the program, please report it")]
    Internal(String),
}
