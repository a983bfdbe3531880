//! The whole program at its public border: what it writes, says, and leaves behind.

#[path = "../common/needs.rs"]
mod needs;
#[path = "../common/sample.rs"]
mod sample;

mod batch;
mod bench;
mod endings;
mod exports;
mod inputs;
mod kills;
mod lasting;
mod mattes;
mod outputs;
mod refusals;
mod start;
mod talk;
mod ways;
mod workbench;
