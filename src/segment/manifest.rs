//! `NAME.json` beside `NAME.pt`: what the program must know to feed a network and to read it.

use serde::{Deserialize, Serialize};

use crate::frame::FrameSize;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub name: String,
    /// In the order of the network's output channels. A single-channel sigmoid network has
    /// one class and no background of its own.
    pub classes: Vec<String>,
    pub input: InputSize,
    /// Per RGB channel, in units where a picture's bytes are 0 to 1.
    pub mean: [f32; 3],
    pub std: [f32; 3],
    pub activation: Activation,
    pub upsampling: Upsampling,
    /// Input pixels to one output pixel.
    pub output_stride: u32,
    /// Of the `.pt`, in hexadecimal.
    pub sha256: String,
    pub licence: String,
    pub source: String,
    /// The torch that wrote the `.pt`.
    pub torch_version: String,
}

/// How a picture's size becomes the network's input size. The picture is stretched to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum InputSize {
    /// Always this size.
    Fixed { width: u32, height: u32 },
    /// The long side is about `long_side`, the aspect is kept, and both sides are the
    /// nearest of `offset + k · multiple`.
    LongSide { long_side: u32, multiple: u32, offset: u32 },
}

/// What makes probabilities of the network's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Over the classes; class 0 is the background.
    Softmax,
    /// Each class on its own.
    Sigmoid,
    /// The output is probabilities already.
    None,
}

/// Where the output grid's points lie when it is scaled up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upsampling {
    /// Points are the centres of cells (torch's `align_corners=False`).
    HalfPixel,
    /// The outer points lie on the outer pixels (`align_corners=True`, TensorFlow's DeepLab).
    AlignCorners,
}

impl InputSize {
    /// The network's input size for a picture of `source` size.
    pub fn for_picture(self, source: FrameSize) -> FrameSize {
        let (width, height) = match self {
            Self::Fixed { width, height } => (width, height),
            Self::LongSide { long_side, multiple, offset } => {
                let scale = f64::from(long_side) / source.width().max(source.height()) as f64;
                let side = |side: usize| {
                    let steps = (side as f64 * scale - f64::from(offset)) / f64::from(multiple.max(1));
                    offset + multiple.max(1) * (steps.round().max(1.0) as u32)
                };
                (side(source.width()), side(source.height()))
            }
        };
        FrameSize::new(width, height).unwrap_or(source)
    }

    /// The same rule with another long side, where the rule has one.
    pub fn with_long_side(self, long_side: u32) -> Self {
        match self {
            Self::Fixed { .. } => self,
            Self::LongSide { multiple, offset, .. } => Self::LongSide { long_side, multiple, offset },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_side_keeps_the_aspect_on_the_grid() {
        let rule = InputSize::LongSide { long_side: 705, multiple: 16, offset: 1 };
        let size = |w, h| rule.for_picture(FrameSize::new(w, h).unwrap());
        assert_eq!(size(854, 480), FrameSize::new(705, 401).unwrap());
        assert_eq!(size(480, 854), FrameSize::new(401, 705).unwrap());
        assert_eq!(size(1, 4000), FrameSize::new(17, 705).unwrap());
    }
}
