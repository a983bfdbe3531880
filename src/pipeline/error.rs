//! What can stop a job.

use std::path::PathBuf;

use export::ExportError;
use flow::FlowError;
use plan::PlanError;
use segment::SegmentError;
use smooth::{SettingsError, SmoothError};
use store::StoreError;
use video::VideoError;

/// Why a job did not come to its end.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says in its message what is wrong")]
pub enum PipelineError {
    #[error(transparent)]
    Video(#[from] VideoError),
    #[error(transparent)]
    Plan(#[from] PlanError),
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
    #[error("{}: only {found} of {expected} frames are in these stored results; run again, and delete this file if that does not help", .path.display())]
    IncompleteStore { path: PathBuf, found: usize, expected: usize },
    #[error("cancelled")]
    Cancelled,
    #[error("{0}; this is a fault of the program, please report it")]
    Internal(String),
}

impl PipelineError {
    /// Whether the same work may succeed a little later, with nothing changed but the machine:
    /// a disk that was full or away, a device without memory. What is wrong with the input, the
    /// model or the settings stays wrong.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Video(error) | Self::Export(ExportError::Video(error)) => {
                matches!(error, VideoError::System { .. } | VideoError::Write { .. })
            }
            Self::Segment(error) => matches!(error, SegmentError::Inference { .. }),
            Self::Export(error) => matches!(error, ExportError::Write { .. }),
            Self::Store(_) | Self::Cancelled => true,
            _ => false,
        }
    }
}
