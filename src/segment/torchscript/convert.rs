//! From a file of weights to `NAME.pt`: the one door to the converters.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::trace::ConvertError;
use super::{cuda_status, deeplab, graph};
use crate::Upsampling;
use crate::weights::Malformed;
use crate::weights::state_dict::StateDict;
use crate::weights::tflite::{Graph, Grid};

/// What a file of weights holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightsFormat {
    /// A state dict of torchvision's `deeplabv3_resnet101`.
    TorchvisionDeeplabv3Resnet101,
    /// A TFLite file, quantised or not.
    Tflite,
}

/// What the weights themselves say of the network that was made of them.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvertedNetwork {
    pub classes: usize,
    pub output_stride: u32,
    pub upsampling: Upsampling,
    /// How the input is normalised, where the file says so.
    pub mean_std: Option<(f32, f32)>,
}

/// Makes a TorchScript network of the weights in `bytes` and writes it to `to`. It returns
/// logits at its own stride, and has no size of picture baked in except where the weights
/// themselves ask for one.
///
/// # Errors
/// A sentence without the file's name.
pub fn convert(network: WeightsFormat, bytes: &[u8], to: &Path) -> Result<ConvertedNetwork, String> {
    // Before torch is asked for anything else.
    cuda_status();
    let converted = match network {
        WeightsFormat::TorchvisionDeeplabv3Resnet101 => convert_deeplab(bytes, to),
        WeightsFormat::Tflite => convert_tflite(bytes, to),
    };
    converted.map_err(|error| error.to_string())
}

fn convert_deeplab(bytes: &[u8], to: &Path) -> Result<ConvertedNetwork, ConvertError> {
    let classes = deeplab::convert(&mut StateDict::read(bytes)?, to)?;
    Ok(ConvertedNetwork { classes, output_stride: 8, upsampling: Upsampling::HalfPixel, mean_std: None })
}

fn convert_tflite(bytes: &[u8], to: &Path) -> Result<ConvertedNetwork, ConvertError> {
    let description = graph::convert(&Graph::read(bytes)?, to)?;
    let upsampling = match description.grid {
        Some(Grid::AlignCorners) => Upsampling::AlignCorners,
        Some(Grid::HalfPixel) | None => Upsampling::HalfPixel,
        Some(Grid::Asymmetric) => {
            return Err(Malformed::new("it scales its output up by TensorFlow 1's uneven grid").into());
        }
    };
    let ([input, _], [output, _]) = (description.input, description.output);
    let stride = match upsampling {
        // Corners on corners: the steps between the points count, not the points.
        Upsampling::AlignCorners if output > 1 => (input - 1) / (output - 1),
        _ => input / output.max(1),
    };
    Ok(ConvertedNetwork {
        classes: description.classes,
        output_stride: stride.max(1) as u32,
        upsampling,
        mean_std: Some((description.mean, description.std)),
    })
}
