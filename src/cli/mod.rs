//! The command line: the engine without a window.

pub mod info;
