//! Masks that another program made, as if a network had made them: smoothing, metrics and
//! export take them like any other.

use std::path::Path;

use half::f16;

use super::{Activation, InputSize, Logits, Manifest, SegmentError, Segmenter, Upsampling};
use crate::{
    frame::{Frame, FrameSize},
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
        let size = shown_size(matte.size(), frame.size());
        let row_bytes = 3 * matte.size().width();
        let rows = matte.rgb().chunks_exact(row_bytes).take(size.height());
        let pixels = rows.flat_map(|row| row[..3 * size.width()].chunks_exact(3));
        // A grey picture has the same value three times; 255 levels fit into half precision.
        let values = pixels.map(|rgb| f16::from_f32(f32::from(rgb[1]) / 255.0)).collect();
        Ok(Logits { classes: 1, height: size.height(), width: size.width(), values })
    }
}

/// The part of a matte that belongs to the picture. Videos of mattes, ours among them, have
/// even sides: of a picture with odd ones, the last row or column is there twice.
fn shown_size(matte: FrameSize, picture: FrameSize) -> FrameSize {
    let even = |side: usize| side.next_multiple_of(2);
    let padded = (even(picture.width()), even(picture.height()));
    if (matte.width(), matte.height()) == padded { picture } else { matte }
}

impl Segmenter for Mattes {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn segment(&mut self, frames: &[&Frame]) -> Result<Vec<Logits>, SegmentError> {
        frames.iter().map(|frame| self.matte(frame)).collect()
    }
}
