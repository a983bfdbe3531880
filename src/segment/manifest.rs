//! `NAME.json` beside `NAME.pt`: how to prepare a network's input and read its output.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::SegmentError;
use base::frame::FrameSize;

/// A network's description, which is stored beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The network's name; its file's where it has none.
    #[serde(default)]
    pub name: String,
    /// In the order of the network's output channels. A single-channel sigmoid network has
    /// one class and no background of its own.
    pub classes: Vec<String>,
    /// How pictures are scaled for it.
    pub input: InputSize,
    /// Per RGB channel, in units where a picture's bytes are 0 to 1.
    pub mean: [f32; 3],
    /// As `mean`: the input is `(value − mean) / std`.
    pub std: [f32; 3],
    /// What turns its output into probabilities.
    pub activation: Activation,
    /// How its output grid is scaled up.
    pub upsampling: Upsampling,
    /// Input pixels to one output pixel.
    pub output_stride: u32,
    /// Of the `.pt`, in hexadecimal. A manifest written by hand may leave it out.
    #[serde(default)]
    pub sha256: String,
    /// The weights' licence.
    #[serde(default)]
    pub licence: String,
    /// Where the weights come from.
    #[serde(default)]
    pub source: String,
    /// The torch that wrote the `.pt`.
    #[serde(default)]
    pub torch_version: String,
}

/// What a manifest must hold, as an error can show it.
const EXAMPLE: &str = r#"{"classes": ["background", "person"], "input": {"rule": "long_side", "long_side": 520, "multiple": 8, "offset": 0}, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "activation": "softmax", "upsampling": "half_pixel", "output_stride": 8}"#;

impl Manifest {
    /// Reads the manifest of the network in `pt`: `NAME.json` beside `NAME.pt`.
    ///
    /// # Errors
    /// When it is missing or wrong.
    pub fn beside(pt: &Path) -> Result<Self, SegmentError> {
        let path = pt.with_extension("json");
        let fail = |cause: String| SegmentError::Model {
            name: pt.display().to_string(),
            cause,
            remedy: format!(
                "write it as, for example, {EXAMPLE} (activation: softmax, sigmoid or none; upsampling: half_pixel or align_corners; or input {{\"rule\": \"fixed\", \"width\": 256, \"height\": 256}})"
            ),
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|error| fail(format!("its manifest {} can't be read ({error})", path.display())))?;
        let mut manifest: Self = serde_json::from_str(&text)
            .map_err(|error| fail(format!("its manifest {} is not right ({error})", path.display())))?;
        if manifest.name.is_empty() {
            manifest.name = pt.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        }
        manifest
            .check()
            .map_err(|cause| fail(format!("its manifest {} is not right ({cause})", path.display())))?;
        Ok(manifest)
    }

    /// Checks that a network can be run by it.
    ///
    /// # Errors
    /// The reason, as a sentence.
    pub fn check(&self) -> Result<(), String> {
        let mut names = self.classes.iter().collect::<Vec<_>>();
        names.sort_unstable();
        names.dedup();
        let sides_fit = match self.input {
            InputSize::Fixed { width, height } => FrameSize::new(width, height).is_some(),
            InputSize::LongSide { long_side, multiple, offset } => {
                multiple > 0
                    && long_side > 0
                    && [long_side, multiple, offset].iter().all(|&side| side <= FrameSize::MAX_SIDE_PX / 2)
            }
        };
        if self.classes.is_empty() || names[0].is_empty() {
            Err("classes must name each output channel".into())
        } else if names.len() != self.classes.len() {
            Err("two classes have the same name".into())
        } else if self.activation == Activation::Softmax && self.classes.len() < 2 {
            Err("softmax over a single class is always 1; its activation is sigmoid or none".into())
        } else if !self.mean.iter().all(|mean| mean.is_finite())
            || !self.std.iter().all(|std| std.is_normal())
        {
            Err("mean and std must be numbers, std not 0".into())
        } else if !sides_fit {
            Err("the input's sides, multiple and offset must be sizes of a picture".into())
        } else if self.output_stride == 0 || self.output_stride > FrameSize::MAX_SIDE_PX {
            Err("output_stride must be the number of input pixels to one output pixel".into())
        } else {
            Ok(())
        }
    }
}

/// How a picture's size becomes the network's input size. The picture is stretched to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum InputSize {
    /// Always this size.
    #[expect(missing_docs, reason = "sides in pixels")]
    Fixed { width: u32, height: u32 },
    /// The long side is about `long_side`, the aspect is kept, and both sides are the
    /// nearest of `offset + k · multiple`.
    #[expect(missing_docs, reason = "sides in pixels; the formula above has the names")]
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
