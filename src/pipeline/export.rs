//! Passes 2 and 3 over stored tracks, or over tracks that pass 1 is still writing.

use std::{path::PathBuf, sync::Arc, thread};

use sha2::{Digest as _, Sha256};

use super::{
    CancelToken, PipelineError, Progress, RunProgress, SoftSource, Stabilisation, StabilisationOutput,
    TuningResult, tune,
};
use base::{
    bounded,
    frame::{Frame, FrameIndex, FrameRange},
    process,
    stages::stage,
};
use export::{ExportFrame, ExportKind, ExportSettings, ExportTarget, Exports, Names, Report};
use metrics::{ClassSummary, FrameMetrics, MeterSettings};
use plan::{Edits, Plan, Resolved};
use smooth::{Method, Settings};
use video::{Clip, Sound, SoundPart, VideoError, VideoSource};

/// The files that a plan writes for a clip, and where. [`begin`](Self::begin) it before pass 1 starts, so
/// that what can't be written is known at once.
pub struct Export {
    /// The video.
    pub clip: Arc<Clip>,
    /// Says which files are written.
    pub plan: Arc<Resolved>,
    /// Folder for the files.
    pub out: PathBuf,
    /// Replace files that are there.
    pub replace: bool,
    /// For everything in flight.
    pub memory_bytes: usize,
}

/// What a run has come to.
#[derive(Debug)]
pub struct RunResult {
    /// The settings, and what was measured.
    pub report: Report,
    /// What was written, folders of numbered images as one.
    pub files: Vec<PathBuf>,
    /// What had to be left out of the files, as sentences.
    pub notes: Vec<String>,
}

/// An export whose files have been created. Dropping it removes them.
pub struct StartedExport {
    job: Export,
    kinds: Vec<ExportKind>,
    exports: Exports,
    /// The plan's, or what was found in their place.
    settings: Settings,
    tuned: Option<TuningResult>,
}

impl Export {
    /// # Errors
    /// When a file can't be written, or would be replaced without `replace`.
    pub fn begin(self) -> Result<StartedExport, PipelineError> {
        let (info, plan) = (self.clip.info().clone(), self.plan.plan());
        let ExportSettings { kinds, options } = plan.export_settings();
        let has_pictures = kinds.iter().any(|kind| kind.needs_picture());
        let sound = Sound::of(self.clip.path()).filter(|_| has_pictures);
        let target = ExportTarget {
            folder: self.out.clone(),
            key: self.key()?,
            classes: self.plan.export_classes(),
            sound: sound.map(|sound| SoundPart { sound, is_whole: plan.range == FrameRange::ALL }),
            frames: info.claimed_frames.map(|frames| plan.range.count(frames)),
            info,
            names: Names::new(self.clip.path(), options.names.clone()),
            options,
            threshold: plan.settings.threshold.get(),
            label: if plan.auto { "smoothed: auto".into() } else { label(&plan.settings) },
            force: self.replace,
        };
        let exports = Exports::begin(&kinds, &target)?;
        let settings = plan.settings;
        Ok(StartedExport { job: self, kinds, exports, settings, tuned: None })
    }

    /// A file name that differs where what is written would. What is asked for beside it
    /// doesn't matter to a frame.
    fn key(&self) -> Result<String, PipelineError> {
        let manifest = self.plan.manifest();
        let Plan {
            source: _,
            classes: _,
            every,
            range,
            max_side_px: _,
            settings,
            auto,
            edits,
            detect_box: _,
            export: _,
        } = self.plan.plan();
        let Edits { leave_out } = edits;
        let ExportSettings { kinds: _, options } = self.plan.plan().export_settings();
        let version = env!("CARGO_PKG_VERSION");
        let content = self.clip.fingerprint()?;
        let (network, input, classes) = (&manifest.sha256, manifest.input, self.plan.classes());
        let all = format!(
            "{version} {content} {network} {input:?} {classes:?} {range:?} {every:?} {settings:?} {auto} {leave_out:?} {options:?}"
        );
        Ok(Sha256::digest(all).iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

impl StartedExport {
    /// What is carried out.
    pub fn plan(&self) -> &Arc<Resolved> {
        &self.job.plan
    }

    fn stabilisation(&self, source: SoftSource, settings: Settings, cancel: &CancelToken) -> Stabilisation {
        Stabilisation {
            source,
            settings,
            memory_bytes: self.job.memory_bytes / 2,
            meter: MeterSettings {
                expected_lag_frames: settings.expected_lag_frames(),
                ..MeterSettings::default()
            },
            truth: None,
            cancel: cancel.clone(),
        }
    }

    /// Looks, where the plan asks for that, for the method and strength that suit the clip, as soon
    /// as the tracks have enough of it; they need a scoring flow.
    ///
    /// # Errors
    /// As pass 2.
    pub fn tune(mut self, source: &SoftSource, cancel: &CancelToken) -> Result<Self, PipelineError> {
        if self.job.plan.plan().auto {
            let job = |settings| self.stabilisation(source.clone(), settings, cancel);
            let tuned = tune(job, self.settings, &Progress::default(), cancel)?;
            self.settings = tuned.settings;
            self.tuned = Some(tuned);
        }
        Ok(self)
    }

    /// Reads the tracks to their end and writes. `loss` is asked at the end, when pass 1 is
    /// over too.
    ///
    /// # Errors
    /// Nothing is left of any file then.
    pub fn run(
        self,
        source: SoftSource,
        loss: impl FnOnce() -> Result<Option<String>, PipelineError>,
        progress: &RunProgress,
        cancel: &CancelToken,
    ) -> Result<RunResult, PipelineError> {
        let segmented = source.tracks.segmented.clone();
        let stabilisation = self.stabilisation(source, self.settings, cancel);
        let Self { job, kinds, exports, settings, tuned } = self;
        let (plan, video) = (job.plan.plan(), job.clip.path());
        let pictures = kinds.iter().any(|kind| kind.needs_picture()).then_some(&*job.clip);
        let written = write(stabilisation, exports, pictures, job.memory_bytes / 2, progress);
        if cancel.is_cancelled() {
            return Err(PipelineError::Cancelled);
        }
        let mut written = written?;
        let loss = loss()?;
        let expected = plan.range.count(segmented.length()?.unwrap_or(usize::MAX));
        if written.frames != expected {
            let path = segmented.path().to_owned();
            return Err(PipelineError::IncompleteStore { path, found: written.frames, expected });
        }
        let report = Report {
            program: format!("steadymask {}", env!("CARGO_PKG_VERSION")),
            video: video.to_owned(),
            frames: written.frames,
            model: job.plan.manifest().name.clone(),
            settings,
            tuned: tuned.map(|tuned| tuned.why),
            leave_out: plan.edits.leave_out.clone(),
            summaries: written.summaries,
            loss,
        };
        let notes = written.exports.finish(&report)?;
        if cancel.is_cancelled() {
            return Err(PipelineError::Cancelled);
        }
        let files = written.exports.publish()?;
        progress.masks.finish();
        Ok(RunResult { report, files, notes })
    }
}

/// What the smoothed side is called in pictures, in ASCII.
fn label(settings: &Settings) -> String {
    match settings.method {
        Method::Exponential => format!("smoothed: exponential {}", settings.alpha),
        Method::MovingAverage => format!("smoothed: moving average {}", settings.window),
        Method::Median => format!("smoothed: median {}", settings.window),
    }
}

struct WriteResult {
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
    pictures: Option<&Clip>,
    memory_bytes: usize,
    progress: &RunProgress,
) -> Result<WriteResult, PipelineError> {
    let first = stabilisation.source.range.first;
    let picture_bytes = 3 * stabilisation.source.size.pixels();
    let (outgoing, stream) = bounded::channel(memory_bytes);
    let cancel = stabilisation.cancel.clone();
    let exports_soft = exports.needs_soft();
    thread::scope(|scope| {
        let writer = scope.spawn(move || -> Result<Exports, PipelineError> {
            process::lower_priority_below_parent();
            for item in stream {
                if cancel.is_cancelled() {
                    return Err(PipelineError::Cancelled);
                }
                match item {
                    Outgoing::Frame(frame) => {
                        stage!("encode", exports.frame(&frame)?);
                        progress.masks.advance();
                    }
                    Outgoing::Row(row) => exports.row(&row)?,
                }
            }
            Ok(exports)
        });
        let stabiliser = scope.spawn(move || {
            process::lower_priority_below_parent();
            let mut pictures = pictures.map(|clip| Pictures::open(clip, first)).transpose()?;
            let mut frames = 0;
            let summaries = stabilisation.run(|stable| {
                let sent = match stable {
                    StabilisationOutput::Frame(frame) => {
                        frames += 1;
                        progress.masks.set_total(progress.network.snapshot().total);
                        let next =
                            |pictures: &mut Pictures| stage!("decode again", pictures.next(frame.index));
                        let picture = pictures.as_mut().map(next).transpose()?;
                        let masks: usize = frame.masks.iter().map(|pair| 16 * pair.raw.words().len()).sum();
                        let soft = frame.soft.filter(|_| exports_soft);
                        let soft_bytes =
                            soft.iter().flat_map(|soft| soft.iter()).map(|mask| mask.values().len());
                        let bytes =
                            masks + picture.as_ref().map_or(0, |_| picture_bytes) + soft_bytes.sum::<usize>();
                        let frame = ExportFrame {
                            index: frame.index,
                            timestamp: frame.timestamp,
                            picture,
                            masks: frame.masks,
                            soft,
                        };
                        outgoing.send(Outgoing::Frame(frame), bytes)
                    }
                    StabilisationOutput::Row(row) => outgoing.send(Outgoing::Row(row), 0),
                };
                // The writer has stopped and says why itself.
                sent.map_err(|_| PipelineError::Internal("the writer stopped".into()))
            });
            summaries.map(|summaries| (summaries, frames))
        });
        let ended = |what: &str| PipelineError::Internal(format!("the {what} panicked"));
        let exports = writer.join().unwrap_or_else(|_| Err(ended("writer")));
        let stabilised = stabiliser.join().unwrap_or_else(|_| Err(ended("smoother")));
        // The writer stops the smoother, and knows why.
        let exports = exports?;
        let (summaries, frames) = stabilised?;
        Ok(WriteResult { summaries, exports, frames })
    })
}

/// The pictures of the video once more, for the exports that show them.
struct Pictures {
    source: Box<dyn VideoSource>,
}

impl Pictures {
    fn open(clip: &Clip, first: usize) -> Result<Self, PipelineError> {
        let mut source = clip.source()?;
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
