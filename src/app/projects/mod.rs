//! The project that is open: what of the window is saved, and how it comes back.

mod actions;
pub mod open_project;
mod snapshot;
