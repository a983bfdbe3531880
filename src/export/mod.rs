//! Files that leave the program. Each [`Exporter`] makes one kind of file of the stream of
//! frames and rows; all of them write under a temporary name and rename when they are done,
//! so a file under its final name is whole.

mod data;
mod masks;
mod overlay;
pub mod palette;
mod plots;

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;

pub use overlay::overlay;
pub use plots::{Plot, PlotPoint};

use crate::{
    frame::{Frame, FrameIndex, FrameSize, Timestamp},
    mask::Mask,
    metrics::{ClassSummary, FrameMetrics},
    video::VideoError,
};

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error("{}: could not be written: {cause}; check the free space and the permissions of its folder", .path.display())]
    Write { path: PathBuf, cause: String },
    #[error("{}: is there already; choose another --out, or --force to replace it", .path.display())]
    Exists { path: PathBuf },
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
#[derive(Clone, Debug)]
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
}

/// What all exporters of a job have in common.
#[derive(Clone, Debug)]
pub struct ExportTarget {
    pub folder: PathBuf,
    pub classes: Vec<ExportClass>,
    pub size: FrameSize,
    pub frames_per_sec: f64,
    /// Replace files that are there.
    pub force: bool,
}

#[derive(Clone, Debug)]
pub struct ExportClass {
    pub name: String,
    pub colour: palette::Rgb,
}

/// What is known when the last frame has gone by.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub program: String,
    pub video: PathBuf,
    pub frames: usize,
    pub model: String,
    /// The smoothing, by the names of the options.
    pub settings: serde_json::Value,
    pub summaries: Vec<ClassSummary>,
    /// In plain words, what of the file could not be decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
}

pub trait Exporter: Send {
    fn frame(&mut self, frame: &ExportFrame) -> Result<(), ExportError> {
        let _ = frame;
        Ok(())
    }

    /// A row of metrics; rows come a frame later than frames.
    fn row(&mut self, row: &FrameMetrics) -> Result<(), ExportError> {
        let _ = row;
        Ok(())
    }

    /// Completes the files and gives them their names. Dropping an exporter instead removes
    /// what it has begun.
    fn finish(self: Box<Self>, report: &Report) -> Result<Vec<PathBuf>, ExportError>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum ExportKind {
    /// Mattes as 8-bit PNG sequences, raw and smoothed
    Png,
    /// Mattes as lossless video, raw and smoothed
    Ffv1,
    /// The video with the smoothed masks painted on it
    Overlay,
    /// Metrics of every frame
    Csv,
    /// Settings and summary
    Json,
    /// IoU, Dice and instability, raw against smoothed
    Plots,
}

impl ExportKind {
    pub const ALL: [Self; 6] = [Self::Png, Self::Ffv1, Self::Overlay, Self::Csv, Self::Json, Self::Plots];

    pub fn needs_picture(self) -> bool {
        self == Self::Overlay
    }

    /// Begins this kind of export.
    ///
    /// # Errors
    /// When the target can't be written, or would be overwritten without `force`.
    pub fn begin(self, target: &ExportTarget) -> Result<Box<dyn Exporter>, ExportError> {
        std::fs::create_dir_all(&target.folder).map_err(ExportError::on(&target.folder))?;
        Ok(match self {
            Self::Png => Box::new(masks::PngSequences::begin(target)?),
            Self::Ffv1 => Box::new(masks::MatteVideos::begin(target)?),
            Self::Overlay => Box::new(masks::OverlayVideo::begin(target)?),
            Self::Csv => Box::new(data::MetricsCsv::begin(target)?),
            Self::Json => Box::new(data::MetricsJson::begin(target)?),
            Self::Plots => Box::new(data::Plots::begin(target)?),
        })
    }
}

impl ExportTarget {
    /// The path of a file, checked against overwriting.
    fn file(&self, name: &str) -> Result<PathBuf, ExportError> {
        let path = self.folder.join(name);
        if !self.force && path.exists() { Err(ExportError::Exists { path }) } else { Ok(path) }
    }
}

impl ExportClass {
    /// The name as it can stand in a path.
    fn path_name(&self) -> String {
        self.name.replace(['/', '\\', '\0'], "_")
    }
}

/// Writes a whole file under a temporary name, flushes it to the disk, and renames it.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), ExportError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).map_err(ExportError::on(path))?;
    let mut buffered = std::io::BufWriter::new(file);
    write(&mut buffered).map_err(ExportError::on(path))?;
    let file = buffered.into_inner().map_err(|error| ExportError::on(path)(error.into_error()))?;
    persist(file, path)
}

/// Flushes a temporary file to the disk and gives it its name, readable as any new file.
fn persist(file: tempfile::NamedTempFile, path: &Path) -> Result<(), ExportError> {
    use std::os::unix::fs::PermissionsExt;
    let readable = std::fs::Permissions::from_mode(0o644);
    file.as_file().set_permissions(readable).map_err(ExportError::on(path))?;
    file.as_file().sync_all().map_err(ExportError::on(path))?;
    file.persist(path).map_err(|error| ExportError::on(path)(error.error))?;
    Ok(())
}
