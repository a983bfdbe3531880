//! The service at its public border: a real process, asked over HTTP.

mod flow;
mod limits;
mod restart;
mod workbench;
