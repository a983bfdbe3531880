//! Running segmentation networks.
//!
//! A [`Segmenter`] returns logits at the network's own stride; [`probabilities`] turns them into soft
//! masks of any size. Networks are only opened through [`Library`]; only `torchscript`, behind it,
//! depends on tch.

#![warn(missing_docs)]

pub mod catalogue;
mod classes;
mod device;
pub mod install;
mod library;
mod manifest;
mod mattes;
mod probability;
mod torchscript;
mod weights;

use half::f16;

pub use classes::{ClassGroup, PASCAL_VOC, class_number};
pub use device::{CudaStatus, Device, LoadOptions};
pub use library::{Library, NetworkFile, sha256_of};
pub use manifest::{Activation, InputSize, Manifest, Upsampling};
pub use mattes::{Mattes, MattesError};
pub use probability::{class_map, coverage, probabilities};
pub use torchscript::{cuda_status, nvidia_driver, torch_folder, torch_version};

use base::frame::Frame;

/// A network that segments single pictures.
pub trait Segmenter: Send {
    /// What the network is and how its output is read.
    fn manifest(&self) -> &Manifest;

    /// One [`Logits`] for each frame, in order. The frames of one call have the same size.
    ///
    /// # Errors
    /// [`SegmentError::Inference`] with the first frame that failed.
    fn segment(&mut self, frames: &[&Frame]) -> Result<Vec<Logits>, SegmentError>;

    /// How many frames to pass in one call for the best speed.
    fn batch_size(&self) -> usize {
        1
    }

    /// The device it runs on, for people; empty where that means nothing.
    fn device_name(&self) -> String {
        String::new()
    }

    /// A message for the user, such as a change of the device; each is returned once.
    fn take_note(&mut self) -> Option<String> {
        None
    }
}

/// A network's output for one frame: `classes × height × width` values, class by class, on a grid that
/// covers the whole picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Logits {
    /// The number of classes.
    pub classes: usize,
    /// Rows of the output grid.
    pub height: usize,
    /// Columns of the output grid.
    pub width: usize,
    /// `classes × height × width` values.
    pub values: Vec<f16>,
}

/// A network can't be opened or run.
#[expect(missing_docs, reason = "the fields are in the messages")]
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The network can't be used.
    #[error("{name}: {cause}; {remedy}")]
    Model { name: String, cause: String, remedy: String },
    /// Everything is there but the user's word. A window can ask for it.
    #[error("{}: this network was not made by Steadymask, and a TorchScript file is a program that can do anything; use --trust-model if you know where it comes from", .path.display())]
    Untrusted { path: std::path::PathBuf, sha256: String },
    /// The network has no such class.
    #[error("{model} has no class «{class}»; it has {}", .known.join(", "))]
    UnknownClass { model: String, class: String, known: Vec<String> },
    /// Running the network failed.
    #[error("frame {frame}: the network failed: {cause}; {remedy}")]
    Inference { frame: base::frame::FrameIndex, cause: String, remedy: String },
}
