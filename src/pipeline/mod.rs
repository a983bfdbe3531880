//! The three passes, and how they run side by side.

mod channel;
mod progress;

pub use progress::{CancelToken, Progress, Snapshot};
