//! Exporting files. Each `Exporter` writes one kind of file from the stream of frames and metrics.
//! [`Exports`] keeps the files of a job hidden until all of them are complete.

#![warn(missing_docs)]

mod boxes;
mod draw;
mod kinds;
mod names;
mod options;
pub mod palette;
mod staging;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use staging::Staging;

pub use boxes::{bounds, score};
pub use kinds::{ExportKind, KindGroup, KindInfo, Plot, PlotPoint, overlay};
pub use names::{NameError, NameTemplate, Names};
pub use options::{Backdrop, Edges, ExportOptions, ExportSettings};

use base::{
    files::{FileError, free_bytes},
    frame::{Frame, FrameIndex, Timestamp},
    mask::{MaskPair, Masks},
    region::Region,
};
use metrics::{ClassSummary, FrameMetrics};
use smooth::Settings;
use video::{SoundPart, StreamParameters, VideoError, VideoInfo};

/// An export failed.
#[expect(missing_docs, reason = "the fields are in the messages")]
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file or folder could not be written.
    #[error("{}: could not be written: {cause}; check the free space and the permissions of its folder", .path.display())]
    Write { path: PathBuf, cause: String },
    /// A file exists already and may not be replaced.
    #[error("{}: is there already; choose another --out, or --force to replace it", .path.display())]
    Exists { path: PathBuf },
    /// Two outputs have the same path.
    #[error("two kinds would both be called {}; put {{kind}} and {{class}} into --names", .0.display())]
    SameName(PathBuf),
    /// An exporter needs the picture and did not get it.
    #[error("frame {0} came without its picture; this is a fault of the program, please report it")]
    NoPicture(FrameIndex),
    /// OpenCV failed.
    #[error("a picture could not be drawn: {0}; this is a fault of the program, please report it")]
    Draw(#[from] opencv::Error),
    /// A video or a PNG could not be written.
    #[error(transparent)]
    Video(#[from] VideoError),
}

impl From<FileError> for ExportError {
    fn from(FileError { path, cause }: FileError) -> Self {
        Self::Write { path, cause: cause.to_string() }
    }
}

impl ExportError {
    /// What made writing `path` fail.
    pub fn on(path: &Path) -> impl Fn(std::io::Error) -> Self + use<'_> {
        move |error| Self::Write { path: path.to_owned(), cause: error.to_string() }
    }
}

/// A frame to export.
#[derive(Clone, Debug)]
pub struct ExportFrame {
    /// Its place in decode order.
    pub index: FrameIndex,
    /// When it is shown.
    pub timestamp: Timestamp,
    /// Present when an exporter [needs it](ExportKind::needs_picture).
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
    /// Where the files go.
    pub folder: PathBuf,
    /// Identifies the job: only a job with the same key continues an interrupted one.
    pub key: String,
    /// The exported classes.
    pub classes: Vec<ExportClass>,
    /// The video's.
    pub info: VideoInfo,
    /// The clip's sound, for videos that show its pictures.
    pub sound: Option<SoundPart>,
    /// How many there will be, as far as is known.
    pub frames: Option<usize>,
    /// What files are called.
    pub names: Names,
    /// The user's choices.
    pub options: ExportOptions,
    /// From this probability on a pixel belongs to a mask.
    pub threshold: f32,
    /// What the smoothed side is called in pictures.
    pub label: String,
    /// Replace files that are there.
    pub force: bool,
}

impl ExportTarget {
    fn stream_parameters(&self) -> StreamParameters {
        let VideoInfo { size, frames_per_sec, time_base, pixel_aspect, .. } = self.info;
        StreamParameters { size, frames_per_sec, time_base, pixel_aspect }
    }

    fn draw_options(&self) -> DrawOptions {
        DrawOptions { edges: self.options.edges, threshold: self.threshold }
    }

    /// # Errors
    /// When the disk has less room than the files will need at the least.
    fn check_free_space(&self, kinds: &[ExportKind]) -> Result<(), ExportError> {
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
struct DrawOptions {
    edges: Edges,
    threshold: f32,
}

/// An exported class.
#[derive(Clone, Debug)]
pub struct ExportClass {
    /// As in file names.
    pub name: String,
    /// In overlays.
    pub colour: palette::Rgb,
    /// In class maps and annotations.
    pub index: u8,
}

/// What is known when the last frame has gone by.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name and version of this program.
    pub program: String,
    /// The path of the source video.
    pub video: PathBuf,
    /// How many frames were exported.
    pub frames: usize,
    /// The network's name.
    pub model: String,
    /// The smoothing, by the names of the options.
    pub settings: Settings,
    /// Why these, in plain words, where they were looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuned: Option<String>,
    /// Where no mask has a pixel.
    #[serde(skip_serializing_if = "Region::is_empty")]
    pub leave_out: Region,
    /// The metrics of each class.
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

/// All exports of a job. Their files are published together or not at all. When this is dropped
/// before, sequences stay hidden, so that the same job can continue.
pub struct Exports {
    exporters: Vec<Box<dyn Exporter>>,
    needs_soft: bool,
    // After the exporters, which must close their files before those are removed.
    staging: Staging,
}

impl Exports {
    /// Begins the files of these kinds.
    ///
    /// # Errors
    /// When the target can't be written, or would be overwritten without `force`.
    pub fn begin(kinds: &[ExportKind], target: &ExportTarget) -> Result<Self, ExportError> {
        let staging = Staging::begin(&target.folder, &target.key, target.force)?;
        target.check_free_space(kinds)?;
        let is_soft = target.options.edges == Edges::Soft;
        let mut exports = Self {
            exporters: Vec::new(),
            needs_soft: kinds.iter().any(|kind| kind.needs_soft(is_soft)),
            staging,
        };
        for (at, kind) in kinds.iter().enumerate() {
            if !kinds[..at].contains(kind) {
                let exporters = kind.begin(target, &mut exports.staging);
                exports.exporters.extend(exporters.map_err(|error| exports.staging.with_target_path(error))?);
            }
        }
        Ok(exports)
    }

    /// Whether any of them uses [`ExportFrame::soft`].
    pub fn needs_soft(&self) -> bool {
        self.needs_soft
    }

    /// Hands a frame to all exporters. Frames come in order.
    ///
    /// # Errors
    /// When a file can't be written or a picture can't be drawn.
    pub fn frame(&mut self, frame: &ExportFrame) -> Result<(), ExportError> {
        let mut exporters = self.exporters.iter_mut();
        exporters
            .try_for_each(|exporter| exporter.frame(frame))
            .map_err(|error| self.staging.with_target_path(error))
    }

    /// Hands a row of metrics to all exporters. Rows come a frame later than frames.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn row(&mut self, row: &FrameMetrics) -> Result<(), ExportError> {
        let mut exporters = self.exporters.iter_mut();
        exporters
            .try_for_each(|exporter| exporter.row(row))
            .map_err(|error| self.staging.with_target_path(error))
    }

    /// Completes the files and flushes them to the disk. Returns notes on what had to be left out.
    ///
    /// # Errors
    /// When a file can't be completed.
    pub fn finish(&mut self, report: &Report) -> Result<Vec<String>, ExportError> {
        let exporters = std::mem::take(&mut self.exporters);
        let notes: Result<Vec<_>, _> =
            exporters.into_iter().map(|exporter| exporter.finish(report)).collect();
        let notes = notes.and_then(|notes| self.staging.sync().map(|()| notes));
        Ok(notes.map_err(|error| self.staging.with_target_path(error))?.into_iter().flatten().collect())
    }

    /// Moves the finished files to their places. Returns the paths of files and of sequences' folders.
    ///
    /// # Errors
    /// When a file can't be moved.
    pub fn publish(self) -> Result<Vec<PathBuf>, ExportError> {
        self.staging.publish()
    }
}
