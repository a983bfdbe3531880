//! The service at its public border: a real process, asked over HTTP.

#[path = "../common/needs.rs"]
mod needs;

mod flow;
mod limits;
mod restart;
mod workbench;
