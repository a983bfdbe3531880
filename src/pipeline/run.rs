//! A whole job: all three passes over one video, side by side.

use std::{
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use super::{
    Analysed, Analysis, CancelToken, Export, Finished, FrameRange, PipelineError, Progress, Tracks, Watch,
};
use crate::{
    export::{ExportKind, ExportOptions},
    flow::{Estimator, Quality},
    region::Region,
    segment::{ClassGroup, Manifest, SegmentError, Segmenter},
    smooth::Settings,
    store::Store,
    video,
};

/// What the smoother follows.
pub const FLOW: Estimator = Estimator::Dis(Quality::Fine);

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
            classes: self.classes,
            range: self.range,
            settings: self.settings,
            leave_out: self.leave_out,
            exports: self.exports,
            options: self.options,
            out: self.out,
            force: self.force,
            memory_bytes: self.memory_bytes / 2,
        };
        let export = export.begin()?;
        let clip = self.store.clip(&video::fingerprint(&self.video)?)?;
        let flow = self.settings.motion.is_on().then_some(FLOW);
        let tracks = Tracks::open(&clip, &self.model.manifest, size, flow, None)?;
        let stop = cancel.child();
        let analysis = Analysis {
            video: self.video,
            range: self.range,
            tracks: tracks.clone(),
            load_network: self.model.load,
            memory_bytes: self.memory_bytes / 2,
            progress: progress.network.clone(),
            cancel: stop.clone(),
            watch: Watch::default(),
        }
        .spawn();
        // When pass 1 fails, the passes behind it stop rather than use up what is stored.
        let watched = stop.clone();
        let mut analysis = Some(thread::spawn(move || {
            let analysed = join(analysis);
            if analysed.is_err() {
                watched.cancel();
            }
            analysed
        }));
        // When the tracks have ended, so has pass 1.
        let loss = || analysis.take().map_or(Ok(None), |analysis| Ok(join(analysis)?.loss));
        match export.run(tracks, loss, progress, &stop) {
            Err(PipelineError::Cancelled) if !cancel.is_cancelled() => {
                analysis.take().map_or(Ok(Analysed::default()), join)?;
                Err(PipelineError::Internal("pass 1 stopped without a reason".into()))
            }
            written => written.inspect_err(|_| stop.cancel()),
        }
    }
}

fn join(analysis: JoinHandle<Result<Analysed, PipelineError>>) -> Result<Analysed, PipelineError> {
    analysis.join().unwrap_or_else(|_| Err(PipelineError::Internal("pass 1 panicked".into())))
}
