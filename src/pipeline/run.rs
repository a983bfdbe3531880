//! A whole run: all three passes over one clip, side by side.

use std::{
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
};

use super::{
    Analysis, AnalysisResult, CancelToken, Export, FlowTrack, PipelineError, Progress, RunResult,
    SCORING_FLOW, SoftSource, Tracks, Watch, tuning_range,
};
use plan::Resolved;
use segment::SegmentError;
use store::{ClipStore, Store};
use video::Clip;

/// What a job may use of the machine.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Of one network step on the CPU; 0 takes every core.
    pub threads: usize,
    /// For everything in flight.
    pub memory_bytes: usize,
    /// Where results of networks are kept.
    pub store: Store,
}

/// A plan to be carried out on a clip.
pub struct Run {
    /// The video.
    pub clip: Arc<Clip>,
    /// What is done with it.
    pub plan: Arc<Resolved>,
    /// No network is loaded: the store must have its results for every frame.
    pub stored_only: bool,
    /// Folder for the files.
    pub out: PathBuf,
    /// Replace files that are there.
    pub replace: bool,
    /// What it may use of the machine.
    pub resources: Resources,
}

/// How far the passes are.
#[derive(Clone, Debug, Default)]
pub struct RunProgress {
    /// Of pass 1.
    pub network: Progress,
    /// Of passes 2 and 3.
    pub masks: Progress,
}

impl Run {
    /// Runs the job to its end. When it fails or is cancelled, unfinished files are removed,
    /// and what the network has done is kept.
    ///
    /// # Errors
    /// What any of the passes says; [`PipelineError::Cancelled`] after `cancel`.
    pub fn run(self, progress: &RunProgress, cancel: &CancelToken) -> Result<RunResult, PipelineError> {
        let export = Export {
            clip: self.clip.clone(),
            plan: self.plan.clone(),
            out: self.out.clone(),
            replace: self.replace,
            memory_bytes: self.resources.memory_bytes / 2,
        };
        let export = export.begin()?;
        let (_clip, tracks) = self.tracks()?;
        tracks.flow.iter().for_each(FlowTrack::expect_reader);
        let stop = cancel.child();
        let source = SoftSource::new(self.plan.clone(), tracks.clone(), self.clip.info().size);
        let analysis = self.analysis(tracks, &progress.network, &stop).spawn();
        // When pass 1 fails, the passes behind it stop rather than use up what is stored.
        let watched = stop.clone();
        let mut analysis = Some(thread::spawn(move || {
            let analysed = join(analysis);
            if analysed.is_err() {
                watched.cancel();
            }
            analysed
        }));
        let written = export.tune(&source, &stop).and_then(|export| {
            // When the tracks have ended, so has pass 1.
            let loss = || analysis.take().map_or(Ok(None), |analysis| Ok(join(analysis)?.loss));
            let unscored = SoftSource { tracks: source.tracks.unscored(), ..source };
            export.run(unscored, loss, progress, &stop)
        });
        match written {
            Err(PipelineError::Cancelled) if !cancel.is_cancelled() => {
                analysis.take().map_or(Ok(AnalysisResult::default()), join)?;
                Err(PipelineError::Internal("pass 1 stopped without a reason".into()))
            }
            written => written.inspect_err(|_| stop.cancel()),
        }
    }

    /// Pass 1 alone: what it finds out is in the store, and the other passes need no network.
    ///
    /// # Errors
    /// What pass 1 says; [`PipelineError::Cancelled`] after `cancel`.
    pub fn analyse(self, progress: &Progress, cancel: &CancelToken) -> Result<AnalysisResult, PipelineError> {
        let (_clip, tracks) = self.tracks()?;
        self.analysis(tracks, progress, cancel).run()
    }

    /// The tracks of the clip, ours while the store of the clip is held.
    fn tracks(&self) -> Result<(ClipStore, Tracks), PipelineError> {
        let (plan, size) = (self.plan.plan(), self.clip.info().size);
        let store = self.resources.store.clip(&self.clip.fingerprint()?)?;
        let scoring = plan.auto.then_some(SCORING_FLOW);
        let mut tracks = Tracks::of_plan(&store, &self.plan, size, false, scoring)?;
        if let Some(scoring) = &mut tracks.scoring_flow {
            scoring.range = tuning_range(plan.range);
        }
        Ok((store, tracks))
    }

    fn analysis(self, tracks: Tracks, progress: &Progress, cancel: &CancelToken) -> Analysis {
        let Self { clip, plan, stored_only, resources, .. } = self;
        let name = clip.path().display().to_string();
        Analysis {
            range: plan.plan().range,
            clip,
            tracks,
            load_network: Box::new(move || match stored_only {
                true => Err(SegmentError::Model {
                    name: name.clone(),
                    cause: format!(
                        "the results of {} are not stored for all of these frames",
                        plan.manifest().name
                    ),
                    remedy: "run «steadymask run» with the same --model and --long-side first".into(),
                }),
                false => plan.load(resources.threads),
            }),
            memory_bytes: resources.memory_bytes / 2,
            progress: progress.clone(),
            cancel: cancel.clone(),
            watch: Watch::default(),
        }
    }
}

fn join(
    analysis: JoinHandle<Result<AnalysisResult, PipelineError>>,
) -> Result<AnalysisResult, PipelineError> {
    analysis.join().unwrap_or_else(|_| Err(PipelineError::Internal("pass 1 panicked".into())))
}
