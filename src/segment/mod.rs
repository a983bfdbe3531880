//! From a picture to what a network says of it.
//!
//! A [`Segmenter`] gives logits at the network's own stride; [`probability`] makes masks of
//! them at any size. Only `torchscript` knows tch.

pub mod catalogue;
mod classes;
pub mod install;
pub mod library;
mod manifest;
mod mattes;
mod probability;
pub mod torchscript;
pub mod weights;

use half::f16;

pub use classes::{ClassGroup, PASCAL_VOC, class_number};
pub use manifest::{Activation, InputSize, Manifest, Upsampling};
pub use mattes::{Mattes, MattesError};
pub use probability::{class_map, coverage, probabilities};

use crate::frame::Frame;

/// A network that looks at one picture at a time.
pub trait Segmenter: Send {
    fn manifest(&self) -> &Manifest;

    /// One [`Logits`] for each frame, in order. Frames of one call have one size.
    fn segment(&mut self, frames: &[&Frame]) -> Result<Vec<Logits>, SegmentError>;

    /// How many frames it is best given in one call.
    fn together(&self) -> usize {
        1
    }

    /// What has changed on the way that the user should know, such as another device. Once.
    fn take_note(&mut self) -> Option<String> {
        None
    }
}

/// What a network says of one frame: `classes × height × width` values, class by class, on
/// its output grid. The grid covers the whole picture, stretched.
#[derive(Clone, Debug, PartialEq)]
pub struct Logits {
    pub classes: usize,
    pub height: usize,
    pub width: usize,
    pub values: Vec<f16>,
}

#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    #[error("{name}: {cause}; {remedy}")]
    Model { name: String, cause: String, remedy: String },
    /// Everything is there but the user's word. A window can ask for it.
    #[error("{}: this network was not made by Steadymask, and a TorchScript file is a program that can do anything; use --trust-model if you know where it comes from", .path.display())]
    Untrusted { path: std::path::PathBuf, sha256: String },
    #[error("{model} has no class «{class}»; it has {}", .known.join(", "))]
    UnknownClass { model: String, class: String, known: Vec<String> },
    #[error("frame {frame}: the network failed: {cause}; {remedy}")]
    Inference { frame: crate::frame::FrameIndex, cause: String, remedy: String },
}
