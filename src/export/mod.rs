//! Files that leave the program. Each [`Exporter`] makes one kind of file of the stream of
//! frames and rows. [`Exports`] keeps the files of a job hidden until all of them are whole.

mod atomic;
mod boxes;
mod coco;
mod data;
mod draw;
mod kinds;
mod names;
mod options;
mod overlay;
pub mod palette;
mod pictures;
mod plots;
mod report;
mod staging;
mod yolo;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use staging::Staging;

pub use atomic::write_atomically;
pub use boxes::{bounds, score};
pub use kinds::{ExportKind, KindGroup, KindInfo};
pub use names::{NameError, NameTemplate, Names};
pub use options::{Backdrop, Edges, ExportOptions, ExportSettings};
pub use overlay::overlay;
pub use plots::{Plot, PlotPoint};

use crate::{
    frame::{Frame, FrameIndex, Timestamp},
    mask::Mask,
    metrics::{ClassSummary, FrameMetrics},
    region::Region,
    smooth::{Masks, Settings},
    video::{Look, SoundPart, VideoError, VideoInfo, free_bytes},
};

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{}: could not be written: {cause}; check the free space and the permissions of its folder", .path.display())]
    Write { path: PathBuf, cause: String },
    #[error("{}: is there already; choose another --out, or --force to replace it", .path.display())]
    Exists { path: PathBuf },
    #[error("two kinds would both be called {}; put {{kind}} and {{class}} into --names", .0.display())]
    SameName(PathBuf),
    #[error("frame {0} came without its picture; this is a fault of the program, please report it")]
    NoPicture(FrameIndex),
    #[error("a picture could not be drawn: {0}; this is a fault of the program, please report it")]
    Draw(#[from] opencv::Error),
    #[error(transparent)]
    Video(#[from] VideoError),
}

impl ExportError {
    /// What made writing `path` fail.
    pub fn on(path: &Path) -> impl Fn(std::io::Error) -> Self + use<'_> {
        move |error| Self::Write { path: path.to_owned(), cause: error.to_string() }
    }
}

/// A class of a frame, before and after smoothing.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskPair {
    pub raw: Mask,
    pub smoothed: Mask,
}

/// A frame on its way out.
#[derive(Clone, Debug)]
pub struct ExportFrame {
    pub index: FrameIndex,
    pub timestamp: Timestamp,
    /// There when an exporter [needs it](ExportKind::needs_picture).
    pub picture: Option<Arc<Frame>>,
    /// In the order of [`ExportTarget::classes`].
    pub masks: Vec<MaskPair>,
    /// The probabilities that the smoothed masks are decided by, in that order; `None` where
    /// there are none, as of hard masks.
    pub soft: Option<Masks>,
}

impl ExportFrame {
    fn picture(&self) -> Result<&Frame, ExportError> {
        self.picture.as_deref().ok_or(ExportError::NoPicture(self.index))
    }
}

/// What all exporters of a job have in common.
#[derive(Clone, Debug)]
pub struct ExportTarget {
    pub folder: PathBuf,
    /// Says what is made: only a job with the same key goes on with what another left.
    pub key: String,
    pub classes: Vec<ExportClass>,
    /// The video's.
    pub info: VideoInfo,
    pub sound: Option<SoundPart>,
    /// How many there will be, as far as is known.
    pub frames: Option<usize>,
    pub names: Names,
    pub options: ExportOptions,
    /// From this probability on a pixel belongs to a mask.
    pub threshold: f32,
    /// What the smoothed side is called in pictures.
    pub label: String,
    /// Replace files that are there.
    pub force: bool,
}

impl ExportTarget {
    fn look(&self) -> Look {
        let VideoInfo { size, frames_per_sec, time_base, pixel_aspect, .. } = self.info;
        Look { size, frames_per_sec, time_base, pixel_aspect }
    }

    fn options(&self) -> Options {
        Options { edges: self.options.edges, threshold: self.threshold }
    }

    /// # Errors
    /// When the disk has less room than the files will need at the least.
    fn check_room(&self, kinds: &[ExportKind]) -> Result<(), ExportError> {
        let (pixels, classes) = (self.info.size.pixels(), self.classes.len());
        let Some((frames, free)) = self.frames.zip(free_bytes(&self.folder.join("x"))) else { return Ok(()) };
        let needed: u64 = kinds.iter().map(|kind| kind.least_bytes(pixels, frames, classes)).sum();
        if needed <= free {
            return Ok(());
        }
        let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
        let cause =
            format!("at least {} MB will be needed and {} MB are free", megabytes(needed), megabytes(free));
        Err(ExportError::Write { path: self.folder.clone(), cause })
    }
}

/// What drawing needs of the choices.
#[derive(Clone, Copy, Debug)]
struct Options {
    edges: Edges,
    threshold: f32,
}

#[derive(Clone, Debug)]
pub struct ExportClass {
    pub name: String,
    pub colour: palette::Rgb,
    /// In class maps and annotations.
    pub index: u8,
}

/// What is known when the last frame has gone by.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub program: String,
    pub video: PathBuf,
    pub frames: usize,
    pub model: String,
    /// The smoothing, by the names of the options.
    pub settings: Settings,
    /// Why these, in plain words, where they were looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuned: Option<String>,
    /// Where no mask has a pixel.
    #[serde(skip_serializing_if = "Region::is_empty")]
    pub leave_out: Region,
    pub summaries: Vec<ClassSummary>,
    /// In plain words, what of the file could not be decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
}

/// One kind of file in the making.
trait Exporter: Send {
    fn frame(&mut self, frame: &ExportFrame) -> Result<(), ExportError> {
        let _ = frame;
        Ok(())
    }

    /// A row of metrics; rows come a frame later than frames.
    fn row(&mut self, row: &FrameMetrics) -> Result<(), ExportError> {
        let _ = row;
        Ok(())
    }

    /// Completes the files. The text says what had to be left out.
    fn finish(self: Box<Self>, report: &Report) -> Result<Option<String>, ExportError>;
}

/// All exports of a job. Their files are there together or not at all. Of those that are
/// dropped before they are published, sequences stay hidden, for the same job to go on with.
pub struct Exports {
    exporters: Vec<Box<dyn Exporter>>,
    needs_soft: bool,
    // After the exporters, which must close their files before those are removed.
    staging: Staging,
}

impl Exports {
    /// # Errors
    /// When the target can't be written, or would be overwritten without `force`.
    pub fn begin(kinds: &[ExportKind], target: &ExportTarget) -> Result<Self, ExportError> {
        let staging = Staging::begin(&target.folder, &target.key, target.force)?;
        target.check_room(kinds)?;
        let is_soft = target.options.edges == Edges::Soft;
        let mut exports = Self {
            exporters: Vec::new(),
            needs_soft: kinds.iter().any(|kind| kind.needs_soft(is_soft)),
            staging,
        };
        for (at, kind) in kinds.iter().enumerate() {
            if !kinds[..at].contains(kind) {
                let exporters = kind.begin(target, &mut exports.staging);
                exports.exporters.extend(exporters.map_err(|error| exports.staging.in_place(error))?);
            }
        }
        Ok(exports)
    }

    /// Whether any of them uses [`ExportFrame::soft`].
    pub fn needs_soft(&self) -> bool {
        self.needs_soft
    }

    pub fn frame(&mut self, frame: &ExportFrame) -> Result<(), ExportError> {
        let mut exporters = self.exporters.iter_mut();
        exporters.try_for_each(|exporter| exporter.frame(frame)).map_err(|error| self.staging.in_place(error))
    }

    /// A row of metrics; rows come a frame later than frames.
    pub fn row(&mut self, row: &FrameMetrics) -> Result<(), ExportError> {
        let mut exporters = self.exporters.iter_mut();
        exporters.try_for_each(|exporter| exporter.row(row)).map_err(|error| self.staging.in_place(error))
    }

    /// Completes the files and flushes them to the disk. The texts say what had to be left out.
    pub fn finish(&mut self, report: &Report) -> Result<Vec<String>, ExportError> {
        let exporters = std::mem::take(&mut self.exporters);
        let notes: Result<Vec<_>, _> =
            exporters.into_iter().map(|exporter| exporter.finish(report)).collect();
        let notes = notes.and_then(|notes| self.staging.sync().map(|()| notes));
        Ok(notes.map_err(|error| self.staging.in_place(error))?.into_iter().flatten().collect())
    }

    /// Gives finished files their names: the paths of files, and of folders of sequences.
    pub fn publish(self) -> Result<Vec<PathBuf>, ExportError> {
        self.staging.publish()
    }
}
