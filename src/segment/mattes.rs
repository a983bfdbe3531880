//! Masks that another program made, as if a network had made them: smoothing, metrics and
//! export take them like any other.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use half::f16;
use sha2::{Digest as _, Sha256};

use super::{Activation, InputSize, Logits, Manifest, SegmentError, Segmenter, Upsampling, class_number};
use base::frame::{Frame, FrameSize};
use video::{self, Matte, MatteKind, MatteSource, VOID_INDEX, VideoError};

/// Reads a video or a folder of masks beside the pictures they belong to, frame k for frame k.
pub struct Mattes {
    source: MatteSource,
    /// For each class, in the order of the manifest.
    values: Vec<MatteClass>,
    manifest: Manifest,
}

/// Which values of a matte are a class.
enum MatteClass {
    /// They are its probability.
    Probability,
    Index(u8),
    /// Every number but that of the background.
    AnyIndex,
}

impl std::fmt::Debug for Mattes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mattes").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

/// Mattes can't be used as masks.
#[expect(missing_docs, reason = "the fields are in the messages")]
#[derive(Debug, thiserror::Error)]
pub enum MattesError {
    /// They can't be read.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// The masks are there, and don't tell the classes that were asked for.
    #[error("{}: {cause}; {remedy}", .path.display())]
    Classes { path: PathBuf, cause: String, remedy: &'static str },
}

impl Mattes {
    /// `groups` are the classes that are asked for, as [`ClassGroup`](super::ClassGroup) reads
    /// them: of grey masks any one name, of indexed ones also numbers and Pascal VOC's names.
    ///
    /// # Errors
    /// When `path` can't be opened as a video or a sequence of images, or doesn't say which of
    /// its values a class is.
    pub fn open(path: &Path, groups: &[String]) -> Result<Self, MattesError> {
        let unusable = |cause: String, remedy| MattesError::Classes { path: path.to_owned(), cause, remedy };
        let source = MatteSource::open(path)?;
        let mut classes: Vec<String> = Vec::new();
        for class in groups.iter().flat_map(|group| group.split('+')).map(str::trim) {
            if !classes.iter().any(|known| known.eq_ignore_ascii_case(class)) {
                classes.push(class.to_owned());
            }
        }
        let values = match source.kind() {
            MatteKind::Indices(found) => {
                let values = classes.iter().map(|class| class_of(class, classes.len() == 1, found));
                values.collect::<Result<_, _>>().map_err(|class| {
                    let found: Vec<String> = found.iter().map(u8::to_string).collect();
                    unusable(
                        format!("its values are {}, and «{class}» is none of them", found.join(", ")),
                        "name classes by these numbers, as in --class 1,2",
                    )
                })?
            }
            _ if classes.len() == 1 => vec![MatteClass::Probability],
            _ => {
                let cause = "it has one mask for each frame".to_owned();
                return Err(unusable(cause, "give one --class, its name"));
            }
        };
        let size = source.size();
        // Other classes are other results.
        let content = format!("{} {:?} {classes:?}", video::fingerprint(path)?, source.kind());
        let manifest = Manifest {
            name: format!("mattes of {}", path.display()),
            sha256: Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect(),
            classes,
            input: InputSize::Fixed { width: size.width() as u32, height: size.height() as u32 },
            mean: [0.0; 3],
            std: [1.0; 3],
            activation: Activation::None,
            upsampling: Upsampling::HalfPixel,
            output_stride: 1,
            licence: String::new(),
            source: path.display().to_string(),
            torch_version: String::new(),
        };
        Ok(Self { source, values, manifest })
    }

    fn logits(&mut self, frame: &Frame) -> Result<Logits, SegmentError> {
        let failed = |cause: String| SegmentError::Inference {
            frame: frame.index(),
            cause,
            remedy: "give a matte for each frame of the video, or shorten the range with --to".into(),
        };
        let matte = self.source.matte(frame.index()).map_err(|error| failed(error.to_string()))?;
        let matte = matte.ok_or_else(|| failed(format!("{} ends before it", self.manifest.source)))?;
        let size = shown_size(matte.size, frame.size());
        let values = self.values.iter().flat_map(|values| values.probabilities(&matte, size)).collect();
        Ok(Logits { classes: self.values.len(), height: size.height(), width: size.width(), values })
    }
}

/// `Err` with the name that says nothing.
fn class_of(class: &str, is_only: bool, found: &BTreeSet<u8>) -> Result<MatteClass, String> {
    let number = class_number(class).and_then(|number| u8::try_from(number).ok());
    let is_number = class.bytes().all(|byte| byte.is_ascii_digit());
    match number {
        // The images that were looked at need not show every class.
        Some(number) if is_number || number == 0 || found.contains(&number) => Ok(MatteClass::Index(number)),
        // One object, whatever it is called. Of several, a name of Pascal VOC's means one.
        _ if is_only && (number.is_none() || found.len() < 2) => Ok(MatteClass::AnyIndex),
        _ => Err(class.to_owned()),
    }
}

impl MatteClass {
    /// Of the upper left `size` of a matte.
    fn probabilities(&self, matte: &Matte, size: FrameSize) -> impl Iterator<Item = f16> {
        let rows = matte.values.chunks_exact(matte.size.width()).take(size.height());
        let share = |set: bool| if set { f16::ONE } else { f16::ZERO };
        rows.flat_map(move |row| &row[..size.width()]).map(move |&value| match self {
            Self::Probability => f16::from_f32(f32::from(value) / f32::from(u16::MAX)),
            Self::Index(index) => share(value == u16::from(*index)),
            Self::AnyIndex => share(value != 0 && value != u16::from(VOID_INDEX)),
        })
    }
}

/// The part of a matte that belongs to the picture. H.264 has even sides: of a picture with odd
/// ones, the last row or column is there twice.
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
        frames.iter().map(|frame| self.logits(frame)).collect()
    }
}
