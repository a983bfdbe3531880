//! The service at its public border: a real process, asked over HTTP.

#[path = "../common/needs.rs"]
mod needs;

mod access;
mod full_queue;
mod pipelines;
mod restart;
mod video_jobs;
mod workbench;
