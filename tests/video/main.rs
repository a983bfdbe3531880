//! Video in and out, against the `ffmpeg` program.

#[path = "../common/needs.rs"]
mod needs;

mod clips;
mod exactness;
mod refusals;
mod sinks;
