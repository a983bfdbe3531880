//! The three passes (analysis, stabilisation, export), and how they run side by side.

#![warn(missing_docs)]

mod analyse;
mod error;
mod evaluate;
mod export;
mod filter;
mod flow_track;
mod metering;
mod preview;
mod progress;
mod propagate;
mod proxies;
mod run;
mod soft_source;
mod stabilise;
mod tracks;
mod truth;
mod tune;

pub use analyse::{Analysis, AnalysisResult, LoadNetwork, Watch};
pub use error::PipelineError;
pub use evaluate::{Evaluation, Score};
pub use export::{Export, RunResult, StartedExport};
pub use flow_track::FlowTrack;
pub use preview::{Detail, Preview, PreviewFrame};
pub use progress::{CancelToken, Progress, Snapshot};
pub use proxies::make_proxies;
pub use run::{Resources, Run, RunProgress};
pub use soft_source::SoftSource;
pub use stabilise::{Stabilisation, StabilisationOutput, StabilisedFrame};
pub use tracks::{FLOW, SCORING_FLOW, Tracks};
pub use truth::Truth;
pub use tune::{MAX_LAG_FRAMES, Trial, TuningResult, tune, tune_for, tuning_range};
