//! Passes 2 and 3 over tracks that are there or are just being made.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use super::{CancelToken, FrameRange, PipelineError, RunProgress, Stabilisation, Stable, Tracks, channel};
use crate::{
    export::{ExportClass, ExportFrame, ExportKind, ExportTarget, Exports, Report, palette},
    frame::{Frame, FrameIndex, FrameSize},
    metrics::{ClassSummary, FrameMetrics, MeterSettings},
    region::Region,
    segment::{ClassGroup, Manifest},
    smooth::Settings,
    video::{self, VideoError, VideoSource},
};

/// What to write of a clip, and where.
pub struct Export {
    pub video: PathBuf,
    pub manifest: Manifest,
    pub classes: Vec<ClassGroup>,
    pub range: FrameRange,
    pub settings: Settings,
    pub leave_out: Region,
    pub exports: Vec<ExportKind>,
    pub out: PathBuf,
    pub force: bool,
    pub size: FrameSize,
    pub frames_per_sec: f64,
    /// For everything in flight.
    pub memory_bytes: usize,
}

#[derive(Debug)]
pub struct Finished {
    pub report: Report,
    pub files: Vec<PathBuf>,
}

/// An export whose files can be written and are begun. Dropping it removes them.
pub struct Begun {
    job: Export,
    exports: Exports,
}

impl Export {
    /// # Errors
    /// When a file can't be written, or would be replaced without `force`.
    pub fn begin(self) -> Result<Begun, PipelineError> {
        let target = ExportTarget {
            folder: self.out.clone(),
            classes: self.classes.iter().map(export_class).collect(),
            size: self.size,
            frames_per_sec: self.frames_per_sec,
            force: self.force,
        };
        let exports = Exports::begin(&self.exports, &target)?;
        Ok(Begun { job: self, exports })
    }
}

impl Begun {
    /// Reads the tracks to their end and writes. `loss` is asked at the end, when pass 1 is
    /// over too.
    ///
    /// # Errors
    /// Nothing is left of any file then.
    pub fn run(
        self,
        tracks: Tracks,
        loss: impl FnOnce() -> Result<Option<String>, PipelineError>,
        progress: &RunProgress,
        cancel: &CancelToken,
    ) -> Result<Finished, PipelineError> {
        let Self { job, exports } = self;
        let segmented = tracks.segmented.clone();
        let stabilisation = Stabilisation {
            tracks,
            range: job.range,
            manifest: job.manifest.clone(),
            groups: job.classes,
            settings: job.settings,
            size: job.size,
            memory_bytes: job.memory_bytes / 2,
            meter: MeterSettings {
                expected_lag_frames: job.settings.expected_lag_frames(),
                ..MeterSettings::default()
            },
            truth: None,
            leave_out: job.leave_out.clone(),
            cancel: cancel.clone(),
        };
        let pictures = job.exports.iter().any(|kind| kind.needs_picture()).then_some(job.video.as_path());
        let written = write(stabilisation, exports, pictures, job.memory_bytes / 2, progress);
        if cancel.is_cancelled() {
            return Err(PipelineError::Cancelled);
        }
        let mut written = written?;
        let loss = loss()?;
        let expected = job.range.count(segmented.length()?.unwrap_or(usize::MAX));
        if written.frames != expected {
            let path = segmented.path().to_owned();
            return Err(PipelineError::IncompleteStore { path, found: written.frames, expected });
        }
        let report = Report {
            program: format!("steadymask {}", env!("CARGO_PKG_VERSION")),
            video: job.video,
            frames: written.frames,
            model: job.manifest.name,
            settings: job.settings,
            leave_out: job.leave_out,
            summaries: written.summaries,
            loss,
        };
        written.exports.finish(&report)?;
        if cancel.is_cancelled() {
            return Err(PipelineError::Cancelled);
        }
        let files = written.exports.publish()?;
        progress.masks.finish();
        Ok(Finished { report, files })
    }
}

fn export_class(group: &ClassGroup) -> ExportClass {
    let first = group.members().first().copied().unwrap_or(0);
    // A network without background has its first class where others have that.
    let colour = palette::class_colour(if first == 0 { 15 } else { first });
    ExportClass { name: group.name().to_owned(), colour }
}

struct Written {
    summaries: Vec<ClassSummary>,
    exports: Exports,
    frames: usize,
}

enum Outgoing {
    Frame(ExportFrame),
    Row(Box<FrameMetrics>),
}

/// Pass 2 and, in a thread of its own, pass 3.
fn write(
    stabilisation: Stabilisation,
    mut exports: Exports,
    pictures: Option<&Path>,
    memory_bytes: usize,
    progress: &RunProgress,
) -> Result<Written, PipelineError> {
    let first = stabilisation.range.first;
    let picture_bytes = 3 * stabilisation.size.pixels();
    let (outgoing, stream) = channel::bounded(memory_bytes);
    let cancel = stabilisation.cancel.clone();
    thread::scope(|scope| {
        let writer = scope.spawn(move || -> Result<Exports, PipelineError> {
            for item in stream {
                if cancel.is_cancelled() {
                    return Err(PipelineError::Cancelled);
                }
                match item {
                    Outgoing::Frame(frame) => {
                        exports.frame(&frame)?;
                        progress.masks.advance();
                    }
                    Outgoing::Row(row) => exports.row(&row)?,
                }
            }
            Ok(exports)
        });
        let mut pictures = pictures.map(|path| Pictures::open(path, first)).transpose()?;
        let mut frames = 0;
        let summaries = stabilisation.run(|stable| {
            let sent = match stable {
                Stable::Frame(frame) => {
                    frames += 1;
                    progress.masks.set_total(progress.network.snapshot().total);
                    let picture = pictures.as_mut().map(|pictures| pictures.next(frame.index)).transpose()?;
                    let masks: usize = frame.masks.iter().map(|pair| 16 * pair.raw.words().len()).sum();
                    let bytes = masks + picture.as_ref().map_or(0, |_| picture_bytes);
                    let frame = ExportFrame {
                        index: frame.index,
                        timestamp: frame.timestamp,
                        picture,
                        masks: frame.masks,
                    };
                    outgoing.send(Outgoing::Frame(frame), bytes)
                }
                Stable::Row(row) => outgoing.send(Outgoing::Row(row), 0),
            };
            // The writer has stopped and says why itself.
            sent.map_err(|_| PipelineError::Internal("the writer stopped".into()))
        });
        drop(outgoing);
        let written =
            writer.join().unwrap_or_else(|_| Err(PipelineError::Internal("the writer panicked".into())));
        let exports = written?;
        Ok(Written { summaries: summaries?, exports, frames })
    })
}

/// The pictures of the video once more, for the exports that show them.
struct Pictures {
    source: Box<dyn VideoSource>,
}

impl Pictures {
    fn open(path: &Path, first: usize) -> Result<Self, PipelineError> {
        let mut source = video::open(path)?;
        source.seek(FrameIndex::new(first))?;
        Ok(Self { source })
    }

    fn next(&mut self, index: FrameIndex) -> Result<Arc<Frame>, PipelineError> {
        let frame = self.source.next_frame()?.filter(|frame| frame.index() == index);
        Ok(Arc::new(frame.ok_or_else(|| VideoError::Unreadable {
            path: self.source.info().path.clone(),
            cause: format!("frame {index} is no longer in it"),
            remedy: "wait until nothing changes the file, and run again".into(),
        })?))
    }
}
