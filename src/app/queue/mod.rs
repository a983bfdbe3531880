//! The queue: clips that are done one after another, each with the plan of the moment when it came in.

mod actions;
pub mod commands;
pub mod dialog;
