//! A whole job: all three passes over one video, side by side.

use std::{path::PathBuf, sync::Arc, thread};

use super::{
    Analysis, CancelToken, FrameRange, PipelineError, Progress, Stabilisation, Stable, Tracks, channel,
};
use crate::{
    export::{ExportClass, ExportFrame, ExportKind, ExportTarget, Exporter, Report, palette},
    flow::{Estimator, Quality},
    frame::{Frame, FrameIndex},
    metrics::{ClassSummary, FrameMetrics, MeterSettings},
    segment::{ClassGroup, Manifest, SegmentError, Segmenter},
    smooth::Settings,
    store::Store,
    video::{self, VideoSource},
};

/// What the smoother follows.
pub const FLOW: Estimator = Estimator::Dis(Quality::Fine);

/// A network that is known but may not be loaded yet.
pub struct Model {
    pub manifest: Manifest,
    pub load: Box<dyn FnOnce() -> Result<Box<dyn Segmenter>, SegmentError> + Send>,
}

pub struct Run {
    pub video: PathBuf,
    pub model: Model,
    pub classes: Vec<ClassGroup>,
    pub range: FrameRange,
    pub settings: Settings,
    pub exports: Vec<ExportKind>,
    pub out: PathBuf,
    pub force: bool,
    /// For everything in flight.
    pub memory_bytes: usize,
    pub store: Store,
}

/// How far the passes are.
#[derive(Clone, Debug, Default)]
pub struct RunProgress {
    pub network: Progress,
    pub masks: Progress,
}

#[derive(Debug)]
pub struct Finished {
    pub report: Report,
    pub files: Vec<PathBuf>,
}

impl Run {
    /// Runs the job to its end. When it fails or is cancelled, unfinished files are removed,
    /// and what the network has done is kept.
    pub fn run(self, progress: &RunProgress, cancel: &CancelToken) -> Result<Finished, PipelineError> {
        let source = video::open(&self.video)?;
        let (size, frames_per_sec) = (source.info().size, source.info().frames_per_sec);
        drop(source);
        let target = ExportTarget {
            folder: self.out,
            classes: self.classes.iter().map(export_class).collect(),
            size,
            frames_per_sec,
            force: self.force,
        };
        let exporters = self.exports.iter().map(|kind| kind.begin(&target)).collect::<Result<Vec<_>, _>>()?;
        let clip = self.store.clip(&video::fingerprint(&self.video)?)?;
        let flow = self.settings.motion.is_on().then_some(FLOW);
        let tracks = Tracks::open(&clip, &self.model.manifest, size, flow, None)?;
        let stop = cancel.child();
        let analysis = Analysis {
            video: self.video.clone(),
            range: self.range,
            tracks: tracks.clone(),
            load_network: self.model.load,
            memory_bytes: self.memory_bytes / 2,
            progress: progress.network.clone(),
            cancel: stop.clone(),
        }
        .spawn();
        let stabilisation = Stabilisation {
            tracks,
            range: self.range,
            manifest: self.model.manifest.clone(),
            groups: self.classes,
            settings: self.settings,
            size,
            memory_bytes: self.memory_bytes / 4,
            meter: MeterSettings {
                expected_lag_frames: self.settings.expected_lag_frames(),
                ..MeterSettings::default()
            },
            truth: None,
            cancel: cancel.clone(),
        };
        let pictures = self.exports.iter().any(|kind| kind.needs_picture()).then_some(&self.video);
        let written = write(stabilisation, exporters, pictures, self.memory_bytes / 4, progress);
        if cancel.is_cancelled() {
            return Err(PipelineError::Cancelled);
        }
        let written = written.inspect_err(|_| stop.cancel())?;
        // The tracks ended, so pass 1 has too.
        let analysed =
            analysis.join().unwrap_or_else(|_| Err(PipelineError::Internal("pass 1 panicked".into())))?;
        let report = Report {
            program: format!("steadymask {}", env!("CARGO_PKG_VERSION")),
            video: self.video,
            frames: written.frames,
            model: self.model.manifest.name,
            settings: serde_json::to_value(&self.settings).unwrap_or_default(),
            summaries: written.summaries,
            loss: analysed.loss,
        };
        let mut files = Vec::new();
        for exporter in written.exporters {
            files.extend(exporter.finish(&report)?);
        }
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
    exporters: Vec<Box<dyn Exporter>>,
    frames: usize,
}

enum Outgoing {
    Frame(ExportFrame),
    Row(FrameMetrics),
}

/// Pass 2 and, in a thread of its own, pass 3.
fn write(
    stabilisation: Stabilisation,
    mut exporters: Vec<Box<dyn Exporter>>,
    pictures: Option<&PathBuf>,
    memory_bytes: usize,
    progress: &RunProgress,
) -> Result<Written, PipelineError> {
    let first = stabilisation.range.first;
    let picture_bytes = 3 * stabilisation.size.pixels();
    let (outgoing, stream) = channel::bounded(memory_bytes);
    thread::scope(|scope| {
        let writer = scope.spawn(move || -> Result<Vec<Box<dyn Exporter>>, PipelineError> {
            for item in stream {
                for exporter in &mut exporters {
                    match &item {
                        Outgoing::Frame(frame) => exporter.frame(frame)?,
                        Outgoing::Row(row) => exporter.row(row)?,
                    }
                }
                if matches!(item, Outgoing::Frame(_)) {
                    progress.masks.advance();
                }
            }
            Ok(exporters)
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
                        picture: picture.flatten(),
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
        let exporters = written?;
        Ok(Written { summaries: summaries?, exporters, frames })
    })
}

/// The pictures of the video once more, for the exports that show them.
struct Pictures {
    source: Box<dyn VideoSource>,
}

impl Pictures {
    fn open(path: &PathBuf, first: usize) -> Result<Self, PipelineError> {
        let mut source = video::open(path)?;
        source.seek(FrameIndex::new(first))?;
        Ok(Self { source })
    }

    fn next(&mut self, index: FrameIndex) -> Result<Option<Arc<Frame>>, PipelineError> {
        let frame = self.source.next_frame()?;
        debug_assert!(frame.as_ref().is_none_or(|frame| frame.index() == index));
        Ok(frame.map(Arc::new))
    }
}
