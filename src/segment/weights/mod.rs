//! Readers of the files that weights come in: PyTorch state dicts and TFLite graphs.
//!
//! They read data and run nothing: a file of weights is someone else's, so every offset is
//! checked against the bytes that are there and a broken file is an error, never a panic.

mod flatbuffer;
mod pickle;
pub mod state_dict;
#[cfg(test)]
mod tests;
pub mod tflite;

/// What is wrong with a file of weights, in words that fit after the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Malformed {
    pub fn new(cause: impl Into<String>) -> Self {
        Self(cause.into())
    }
}

/// Dense values with their shape, the last axis fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

/// Tensors by name, as a network's layers ask for them.
pub trait NamedTensors {
    /// `None` where there is no tensor of that name.
    fn shape(&self, name: &str) -> Option<&[usize]>;

    fn values(&mut self, name: &str) -> Result<Values, Malformed>;
}
