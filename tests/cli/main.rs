//! The whole program at its public border: what it writes, says, and leaves behind.

mod endings;
mod inputs;
mod lasting;
mod outputs;
mod refusals;
mod talk;
mod workbench;
