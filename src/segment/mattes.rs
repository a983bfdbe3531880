//! Masks that another program made, as if a network had made them: smoothing, metrics and
//! export take them like any other.

use std::path::Path;

use half::f16;

use super::{Activation, InputSize, Logits, Manifest, SegmentError, Segmenter, Upsampling};
use crate::{
    frame::Frame,
    video::{self, VideoError, VideoSource},
};

/// Reads a video or a folder of grey mattes beside the pictures they belong to, frame k for
/// frame k. The value of a matte is the probability of its only class.
pub struct Mattes {
    source: Box<dyn VideoSource>,
    next: usize,
    manifest: Manifest,
}

impl Mattes {
    /// `class` is what the mattes show.
    ///
    /// # Errors
    /// When `path` can't be opened as a video or a sequence of images.
    pub fn open(path: &Path, class: &str) -> Result<Self, VideoError> {
        let source = video::open(path)?;
        let size = source.info().size;
        let manifest = Manifest {
            name: format!("mattes of {}", path.display()),
            classes: vec![class.to_owned()],
            input: InputSize::Fixed { width: size.width() as u32, height: size.height() as u32 },
            mean: [0.0; 3],
            std: [1.0; 3],
            activation: Activation::None,
            upsampling: Upsampling::HalfPixel,
            output_stride: 1,
            sha256: video::fingerprint(path)?,
            licence: String::new(),
            source: path.display().to_string(),
            torch_version: String::new(),
        };
        Ok(Self { source, next: 0, manifest })
    }

    fn matte(&mut self, frame: &Frame) -> Result<Logits, SegmentError> {
        let failed = |cause: String| SegmentError::Inference {
            frame: frame.index(),
            cause,
            remedy: "give a matte for each frame of the video, or shorten the range with --to".into(),
        };
        if self.next != frame.index().get() {
            self.source.seek(frame.index()).map_err(|error| failed(error.to_string()))?;
        }
        let matte = self.source.next_frame().map_err(|error| failed(error.to_string()))?;
        let matte = matte.ok_or_else(|| failed(format!("{} ends before it", self.manifest.source)))?;
        self.next = frame.index().get() + 1;
        let size = matte.size();
        // A grey picture has the same value three times; 255 levels fit into half precision.
        let values =
            matte.rgb().chunks_exact(3).map(|rgb| f16::from_f32(f32::from(rgb[1]) / 255.0)).collect();
        Ok(Logits { classes: 1, height: size.height(), width: size.width(), values })
    }
}

impl Segmenter for Mattes {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn segment(&mut self, frames: &[&Frame]) -> Result<Vec<Logits>, SegmentError> {
        frames.iter().map(|frame| self.matte(frame)).collect()
    }
}
