//! The real window, used as a person would: without a screen, by what its controls are called,
//! and once on a screen.
#![cfg(feature = "gui")]

#[path = "../common/needs.rs"]
mod needs;
#[path = "../common/sample.rs"]
mod sample;

mod drag_and_drop;
mod first_steps;
mod golden;
mod keys;
mod own_network;
mod polygons;
mod projects;
mod queue;
mod random_actions;
mod results;
mod runs;
mod scrubbing;
mod settings;
mod workbench;
