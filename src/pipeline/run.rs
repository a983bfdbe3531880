//! A whole job: all three passes over one video, side by side.

use std::{
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use super::{
    Analysed, Analysis, CancelToken, Every, Export, Finished, FlowTrack, FrameRange, PipelineError, Progress,
    Tracks, Watch, stretch,
};
use crate::{
    export::{ExportKind, ExportOptions},
    flow::{Estimator, Quality},
    frame::FrameSize,
    region::Region,
    segment::{ClassGroup, Manifest, SegmentError, Segmenter},
    smooth::Settings,
    store::{ClipStore, Store},
    video,
};

/// What the smoother follows.
pub const FLOW: Estimator = Estimator::Dis(Quality::Fine);

/// What smoothing is judged by where it is compared: not the flow that the smoother follows,
/// or it would mark its own work.
pub const SCORING_FLOW: Estimator = Estimator::Farneback;

/// A network that is known but may not be loaded yet.
pub struct Model {
    pub manifest: Manifest,
    pub load: Box<dyn FnOnce() -> Result<Box<dyn Segmenter>, SegmentError> + Send>,
}

impl Model {
    /// Fails when the network is needed: a frame of the `video` has no stored result.
    pub fn forbid(&mut self, video: &Path) {
        let error = SegmentError::Model {
            name: video.display().to_string(),
            cause: format!("the results of {} are not stored for all of these frames", self.manifest.name),
            remedy: "run «steadymask run» with the same --model and --long-side first".into(),
        };
        self.load = Box::new(|| Err(error));
    }
}

pub struct Run {
    pub video: PathBuf,
    pub model: Model,
    pub classes: Vec<ClassGroup>,
    pub range: FrameRange,
    pub settings: Settings,
    /// Which frames the network sees.
    pub every: Every,
    /// Whether method and strength are looked for first, from `settings`.
    pub auto: bool,
    pub leave_out: Region,
    pub exports: Vec<ExportKind>,
    pub options: ExportOptions,
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

impl Run {
    /// Runs the job to its end. When it fails or is cancelled, unfinished files are removed,
    /// and what the network has done is kept.
    pub fn run(self, progress: &RunProgress, cancel: &CancelToken) -> Result<Finished, PipelineError> {
        let size = video::open(&self.video)?.info().size;
        let export = Export {
            video: self.video.clone(),
            manifest: self.model.manifest.clone(),
            classes: self.classes.clone(),
            range: self.range,
            every: self.every,
            settings: self.settings,
            auto: self.auto,
            leave_out: self.leave_out.clone(),
            exports: self.exports.clone(),
            options: self.options.clone(),
            out: self.out.clone(),
            force: self.force,
            memory_bytes: self.memory_bytes / 2,
        };
        let export = export.begin()?;
        let (_clip, tracks) = self.tracks(size)?;
        tracks.flow.iter().for_each(FlowTrack::hand_on);
        let stop = cancel.child();
        let analysis = self.analysis(&tracks, &progress.network, &stop).spawn();
        // When pass 1 fails, the passes behind it stop rather than use up what is stored.
        let watched = stop.clone();
        let mut analysis = Some(thread::spawn(move || {
            let analysed = join(analysis);
            if analysed.is_err() {
                watched.cancel();
            }
            analysed
        }));
        let written = export.tune(&tracks, &stop).and_then(|export| {
            // When the tracks have ended, so has pass 1.
            let loss = || analysis.take().map_or(Ok(None), |analysis| Ok(join(analysis)?.loss));
            export.run(tracks.unscored(), loss, progress, &stop)
        });
        match written {
            Err(PipelineError::Cancelled) if !cancel.is_cancelled() => {
                analysis.take().map_or(Ok(Analysed::default()), join)?;
                Err(PipelineError::Internal("pass 1 stopped without a reason".into()))
            }
            written => written.inspect_err(|_| stop.cancel()),
        }
    }

    /// Pass 1 alone: what it finds out is in the store, and the other passes need no network.
    pub fn analyse(self, progress: &Progress, cancel: &CancelToken) -> Result<Analysed, PipelineError> {
        let (_clip, tracks) = self.tracks(video::open(&self.video)?.info().size)?;
        join(self.analysis(&tracks, progress, cancel).spawn())
    }

    /// The tracks of the clip, ours while the store of the clip is held.
    fn tracks(&self, size: FrameSize) -> Result<(ClipStore, Tracks), PipelineError> {
        let clip = self.store.clip(&video::fingerprint(&self.video)?)?;
        let flow = (self.settings.motion.is_on() || !self.every.is_one()).then_some(FLOW);
        let scoring = self.auto.then_some(SCORING_FLOW);
        let mut tracks =
            Tracks::open(&clip, &self.model.manifest, size, flow, scoring)?.with_every(&clip, self.every)?;
        if let Some(scoring) = &mut tracks.scoring_flow {
            scoring.range = stretch(self.range);
        }
        Ok((clip, tracks))
    }

    fn analysis(self, tracks: &Tracks, progress: &Progress, cancel: &CancelToken) -> Analysis {
        Analysis {
            video: self.video,
            range: self.range,
            tracks: tracks.clone(),
            load_network: self.model.load,
            memory_bytes: self.memory_bytes / 2,
            progress: progress.clone(),
            cancel: cancel.clone(),
            watch: Watch::default(),
        }
    }
}

fn join(analysis: JoinHandle<Result<Analysed, PipelineError>>) -> Result<Analysed, PipelineError> {
    analysis.join().unwrap_or_else(|_| Err(PipelineError::Internal("pass 1 panicked".into())))
}
