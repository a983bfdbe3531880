//! The three passes, and how they run side by side.

mod analyse;
mod between;
mod channel;
mod error;
mod evaluate;
mod export;
mod flow_track;
mod preview;
mod progress;
mod proxies;
mod run;
mod stabilise;
mod stored;
mod tracks;
mod truth;
mod tune;

pub use analyse::{Analysed, Analysis, LoadNetwork, Watch};
pub use between::Every;
pub use error::PipelineError;
pub use evaluate::{Evaluation, Scored};
pub use export::{Begun, Export, Finished, export_classes};
pub use flow_track::FlowTrack;
pub use preview::{Detail, Preview, Previewed};
pub use progress::{CancelToken, Progress, Snapshot};
pub use proxies::make_proxies;
pub use run::{FLOW, Model, Run, RunProgress, SCORING_FLOW};
pub use stabilise::{Stabilisation, Stable, StableFrame};
pub use tracks::{FrameRange, Segmented, Tracks};
pub use truth::Truth;
pub use tune::{MAX_LAG_FRAMES, Trial, Tuned, stretch, tune, tune_for};
