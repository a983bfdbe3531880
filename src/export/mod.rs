//! Files that leave the program. Each [`Exporter`] makes one kind of file of the stream of
//! frames and rows. [`Exports`] keeps the files of a job hidden until all of them are whole.

mod data;
mod masks;
mod overlay;
pub mod palette;
mod plots;
mod staging;

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use staging::Staging;

pub use overlay::overlay;
pub use plots::{Plot, PlotPoint};

use crate::{
    frame::{Frame, FrameIndex, FrameSize, Timestamp},
    mask::Mask,
    metrics::{ClassSummary, FrameMetrics},
    region::Region,
    smooth::Settings,
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
    pub settings: Settings,
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

    /// Completes the files.
    fn finish(self: Box<Self>, report: &Report) -> Result<(), ExportError>;
}

/// All exports of a job. Their files are there together or not at all; dropped before they
/// are published, nothing is left of them.
pub struct Exports {
    exporters: Vec<Box<dyn Exporter>>,
    // After the exporters, which must close their files before those are removed.
    staging: Staging,
}

impl Exports {
    /// # Errors
    /// When the target can't be written, or would be overwritten without `force`.
    pub fn begin(kinds: &[ExportKind], target: &ExportTarget) -> Result<Self, ExportError> {
        let staging = Staging::begin(&target.folder, target.force)?;
        let mut exports = Self { exporters: Vec::new(), staging };
        for (at, kind) in kinds.iter().enumerate() {
            if !kinds[..at].contains(kind) {
                let exporter = kind.begin(target, &mut exports.staging);
                exports.exporters.push(exporter.map_err(|error| exports.staging.in_place(error))?);
            }
        }
        Ok(exports)
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

    /// Completes the files and flushes them to the disk.
    pub fn finish(&mut self, report: &Report) -> Result<(), ExportError> {
        let mut exporters = self.exporters.drain(..);
        let finished = exporters.try_for_each(|exporter| exporter.finish(report));
        drop(exporters);
        finished.and_then(|()| self.staging.sync()).map_err(|error| self.staging.in_place(error))
    }

    /// Gives finished files their names: the paths of files, and of folders of sequences.
    pub fn publish(self) -> Result<Vec<PathBuf>, ExportError> {
        self.staging.publish()
    }
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

    fn begin(self, target: &ExportTarget, staging: &mut Staging) -> Result<Box<dyn Exporter>, ExportError> {
        Ok(match self {
            Self::Png => Box::new(masks::PngSequences::begin(target, staging)?),
            Self::Ffv1 => Box::new(masks::MatteVideos::begin(target, staging)?),
            Self::Overlay => Box::new(masks::OverlayVideo::begin(target, staging)?),
            Self::Csv => Box::new(data::MetricsCsv::begin(staging)?),
            Self::Json => Box::new(data::MetricsJson::begin(staging)?),
            Self::Plots => Box::new(data::Plots::begin(target, staging)?),
        })
    }
}

impl ExportClass {
    /// The name as it can stand in a path.
    fn path_name(&self) -> String {
        let name = self.name.replace(['/', '\\', '\0'], "_");
        // The folder itself and the one above.
        if matches!(&*name, "" | "." | "..") { "_".repeat(name.len().max(1)) } else { name }
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
