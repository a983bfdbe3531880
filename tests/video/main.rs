//! Video in and out, against the `ffmpeg` program.

#[path = "../common/needs.rs"]
mod needs;

mod clips;
mod exact_reads;
mod image_sequences;
mod info;
mod unusual_files;
mod writing;
