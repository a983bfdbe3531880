//! Video in and out, against the `ffmpeg` program.

mod clips;
mod exactness;
mod refusals;
mod sinks;
