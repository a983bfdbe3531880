//! Passes 2 and 3 over tracks that are there or are just being made.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use sha2::{Digest as _, Sha256};

use super::{
    CancelToken, Every, FrameRange, PipelineError, Progress, RunProgress, Stabilisation, Stable, Tracks,
    Tuned, channel, tune,
};
use crate::{
    export::{
        ExportClass, ExportFrame, ExportKind, ExportOptions, ExportTarget, Exports, Names, Report, palette,
    },
    frame::{Frame, FrameIndex, FrameSize},
    metrics::{ClassSummary, FrameMetrics, MeterSettings},
    process,
    region::Region,
    segment::{Activation, ClassGroup, Manifest, class_number},
    smooth::{Method, Settings},
    stages::stage,
    video::{self, Sound, SoundPart, VOID_INDEX, VideoError, VideoSource},
};

/// What to write of a clip, and where.
pub struct Export {
    pub video: PathBuf,
    pub manifest: Manifest,
    pub classes: Vec<ClassGroup>,
    pub range: FrameRange,
    /// Which frames the network sees.
    pub every: Every,
    pub settings: Settings,
    /// Whether method and strength are looked for first, from `settings`.
    pub auto: bool,
    pub leave_out: Region,
    pub exports: Vec<ExportKind>,
    pub options: ExportOptions,
    pub out: PathBuf,
    pub force: bool,
    /// For everything in flight.
    pub memory_bytes: usize,
}

#[derive(Debug)]
pub struct Finished {
    pub report: Report,
    pub files: Vec<PathBuf>,
    /// In plain words, what of the files had to be left out.
    pub notes: Vec<String>,
}

/// An export whose files can be written and are begun. Dropping it removes them.
pub struct Begun {
    job: Export,
    size: FrameSize,
    exports: Exports,
    tuned: Option<Tuned>,
}

impl Export {
    /// # Errors
    /// When a file can't be written, or would be replaced without `force`.
    pub fn begin(self) -> Result<Begun, PipelineError> {
        let info = video::open(&self.video)?.info().clone();
        let has_pictures = self.exports.iter().any(|kind| kind.needs_picture());
        let sound = Sound::of(&self.video).filter(|_| has_pictures);
        let size = info.size;
        let target = ExportTarget {
            folder: self.out.clone(),
            key: self.key()?,
            classes: export_classes(&self.classes, &self.manifest),
            sound: sound.map(|sound| SoundPart { sound, is_whole: self.range == FrameRange::ALL }),
            frames: info.claimed_frames.map(|frames| self.range.count(frames)),
            info,
            names: Names::new(&self.video, self.options.names.clone()),
            options: self.options.clone(),
            threshold: self.settings.threshold.get(),
            label: if self.auto { "smoothed: auto".into() } else { label(&self.settings) },
            force: self.force,
        };
        let exports = Exports::begin(&self.exports, &target)?;
        Ok(Begun { job: self, size, exports, tuned: None })
    }

    /// A file name that differs where what is written would. What is asked for beside it
    /// doesn't matter to a frame.
    fn key(&self) -> Result<String, PipelineError> {
        let Self { manifest, classes, range, every, settings, auto, leave_out, options, .. } = self;
        let version = env!("CARGO_PKG_VERSION");
        let content = video::fingerprint(&self.video)?;
        let (network, input) = (&manifest.sha256, manifest.input);
        let all = format!(
            "{version} {content} {network} {input:?} {classes:?} {range:?} {every:?} {settings:?} {auto} {leave_out:?} {options:?}"
        );
        Ok(Sha256::digest(all).iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Begun {
    fn stabilisation(&self, settings: Settings, tracks: Tracks, cancel: &CancelToken) -> Stabilisation {
        let job = &self.job;
        Stabilisation {
            tracks,
            range: job.range,
            manifest: job.manifest.clone(),
            groups: job.classes.clone(),
            settings,
            size: self.size,
            memory_bytes: job.memory_bytes / 2,
            meter: MeterSettings {
                expected_lag_frames: settings.expected_lag_frames(),
                ..MeterSettings::default()
            },
            truth: None,
            leave_out: job.leave_out.clone(),
            cancel: cancel.clone(),
        }
    }

    /// Looks, where that is asked for, for the method and strength that suit the clip, as soon
    /// as the tracks have enough of it; they need a scoring flow.
    pub fn tune(mut self, tracks: &Tracks, cancel: &CancelToken) -> Result<Self, PipelineError> {
        if self.job.auto {
            let job = |settings| self.stabilisation(settings, tracks.clone(), cancel);
            let tuned = tune(job, self.job.settings, &Progress::default(), cancel)?;
            self.job.settings = tuned.settings;
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
        tracks: Tracks,
        loss: impl FnOnce() -> Result<Option<String>, PipelineError>,
        progress: &RunProgress,
        cancel: &CancelToken,
    ) -> Result<Finished, PipelineError> {
        let stabilisation = self.stabilisation(self.job.settings, tracks.clone(), cancel);
        let Self { job, size: _, exports, tuned } = self;
        let segmented = tracks.segmented.clone();
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
            tuned: tuned.map(|tuned| tuned.why),
            leave_out: job.leave_out,
            summaries: written.summaries,
            loss,
        };
        let notes = written.exports.finish(&report)?;
        if cancel.is_cancelled() {
            return Err(PipelineError::Cancelled);
        }
        let files = written.exports.publish()?;
        progress.masks.finish();
        Ok(Finished { report, files, notes })
    }
}

/// The classes as files have them. In class maps a class has the number that its name says, or
/// else its place in the network's output, where that begins with the background.
pub fn export_classes(groups: &[ClassGroup], manifest: &Manifest) -> Vec<ExportClass> {
    let shift = usize::from(manifest.activation != Activation::Softmax);
    let mut taken: Vec<u8> = Vec::new();
    for group in groups {
        let first = group.members().first().copied().unwrap_or(0);
        let named = manifest.classes.get(first).and_then(|name| class_number(name));
        let wanted = u8::try_from(named.unwrap_or(first + shift)).ok().filter(|&index| index < VOID_INDEX);
        let free = wanted.filter(|index| !taken.contains(index));
        taken.push(free.or_else(|| (1..VOID_INDEX).find(|index| !taken.contains(index))).unwrap_or(0));
    }
    let classes = groups.iter().zip(taken);
    classes
        .map(|(group, index)| {
            let first = group.members().first().copied().unwrap_or(0);
            let colour = palette::class_colour(if first == 0 { 15 } else { first });
            ExportClass { name: group.name().to_owned(), colour, index }
        })
        .collect()
}

/// What the smoothed side is called in pictures, in ASCII.
fn label(settings: &Settings) -> String {
    match settings.method {
        Method::Exponential => format!("smoothed: exponential {}", settings.alpha),
        Method::MovingAverage => format!("smoothed: moving average {}", settings.window),
        Method::Median => format!("smoothed: median {}", settings.window),
    }
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
    let exports_soft = exports.needs_soft();
    thread::scope(|scope| {
        let writer = scope.spawn(move || -> Result<Exports, PipelineError> {
            process::step_back();
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
            process::step_back();
            let mut pictures = pictures.map(|path| Pictures::open(path, first)).transpose()?;
            let mut frames = 0;
            let summaries = stabilisation.run(|stable| {
                let sent = match stable {
                    Stable::Frame(frame) => {
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
                    Stable::Row(row) => outgoing.send(Outgoing::Row(row), 0),
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
        Ok(Written { summaries, exports, frames })
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
