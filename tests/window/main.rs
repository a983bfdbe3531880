//! The real window, used as a person would: without a screen, by what its controls are called,
//! and once on a screen.
#![cfg(feature = "gui")]

#[path = "../common/needs.rs"]
mod needs;
#[path = "../common/sample.rs"]
mod sample;

mod drag_and_drop;
mod features;
mod lineup;
mod random;
mod scrubbing;
mod stories;
mod workbench;
