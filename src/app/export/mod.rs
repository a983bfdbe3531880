//! Exports: what is asked for, and the dialog that asks.

pub mod dialog;
pub mod form;
