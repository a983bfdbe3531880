//! The three passes, and how they run side by side.

mod analyse;
mod channel;
mod error;
mod progress;
mod run;
mod stabilise;
mod stored;

pub use analyse::{Analysed, Analysis, FrameRange, LoadNetwork, MakeEstimator, Segmented, Tracks};
pub use error::PipelineError;
pub use progress::{CancelToken, Progress, Snapshot};
pub use run::{Finished, Model, Run, RunProgress, tracks};
pub use stabilise::{Stabilisation, Stable, StableFrame};
