//! Pass 1: decode the video, run the network, measure the motion, and put both into the
//! store. What the store has already is not made again; where it has everything, nothing is
//! even decoded.
//!
//! ```text
//!             ┌► network ─► logits track
//!   decode ───┤
//!             ├► flow ────► flow track
//!             └► proxy ───► proxies, where somebody watches
//! ```

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use super::{CancelToken, FlowTrack, PipelineError, Progress, Tracks, proxies};
use base::{
    bounded,
    frame::{Frame, FrameIndex, FrameRange},
    process,
    stages::stage,
};
use flow::FlowEstimator;
use segment::{SegmentError, Segmenter};
use store::{SegmentedFrame, Track};
use video::{Clip, Proxy, VideoSource};

/// Makes the network when its first frame comes: a clip that the store knows needs none.
pub type LoadNetwork = Box<dyn FnOnce() -> Result<Box<dyn Segmenter>, SegmentError> + Send>;

/// What a window wants from pass 1 besides its results. Clones share one state.
#[derive(Clone, Default)]
pub struct Watch {
    /// Small pictures of all frames that are decoded anyway.
    pub proxies: Option<Arc<Track<Proxy>>>,
    urgent: Arc<Mutex<Option<Arc<Frame>>>>,
}

impl Watch {
    /// With nothing urgent. Proxies go to this track, if there is one.
    pub fn new(proxies: Option<Arc<Track<Proxy>>>) -> Self {
        Self { proxies, urgent: Arc::default() }
    }

    /// Makes this the next frame that the network runs on, unless it has already. Only the last call counts.
    pub fn hurry(&self, frame: Arc<Frame>) {
        *self.urgent.lock().unwrap_or_else(PoisonError::into_inner) = Some(frame);
    }

    fn urgent(&self) -> Option<Arc<Frame>> {
        self.urgent.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Pass 1 over the frames of `range`: the network and the motion, into the tracks.
pub struct Analysis {
    /// The video; opened by whoever makes this.
    pub clip: Arc<Clip>,
    /// Frames outside of it are not looked at.
    pub range: FrameRange,
    /// Where results go, and what is known already.
    pub tracks: Tracks,
    /// Called once, when the first frame lacks a result.
    pub load_network: LoadNetwork,
    /// For the pictures on their way.
    pub memory_bytes: usize,
    /// Counts frames as the network is done with them.
    pub progress: Progress,
    /// Stops the pass at its next frame.
    pub cancel: CancelToken,
    /// What a window wants besides.
    pub watch: Watch,
}

/// Recent flow may take this many times the memory of its pictures, so that it is still there when the
/// network, which is slower, reaches the same frame.
const RECENT_SHARES: usize = 2;

/// How pass 1 ended.
#[derive(Clone, Debug, Default)]
pub struct AnalysisResult {
    /// What could not be decoded, as a sentence.
    pub loss: Option<String>,
}

impl Analysis {
    /// Runs in threads of its own; readers of the tracks can follow it from the moment this
    /// returns. A cancelled network step is left behind: joining would wait for it.
    ///
    /// # Errors
    /// The thread ends as [`run`](Self::run) does.
    pub fn spawn(self) -> JoinHandle<Result<AnalysisResult, PipelineError>> {
        let tracks = self.tracks.clone();
        // Readers wait only while somebody writes, so writing begins before the thread does.
        let segmented_writing = tracks.segmented.begin_writing();
        let unseen_writing = tracks.unseen.as_ref().map(Track::begin_writing);
        let flow_writing: Vec<_> = tracks.flows().map(|flow| flow.track.begin_writing()).collect();
        let proxies_writing = self.watch.proxies.as_ref().map(Track::begin_writing);
        thread::spawn(move || {
            let _writing = (segmented_writing, unseen_writing, flow_writing, proxies_writing);
            self.work()
        })
    }

    /// The same, and waits for its end.
    ///
    /// # Errors
    /// When the video, the network or the store fails, or the clip has no frame in the range;
    /// [`PipelineError::Cancelled`] after `cancel`.
    pub fn run(self) -> Result<AnalysisResult, PipelineError> {
        let ended = self.spawn().join();
        ended.unwrap_or_else(|_| Err(PipelineError::Internal("pass 1 panicked".into())))
    }

    fn work(self) -> Result<AnalysisResult, PipelineError> {
        let Self { clip, range, tracks, load_network, memory_bytes, progress, cancel, watch } = self;
        let known = tracks.segmented.length()?;
        if let Some(frames) = known {
            check(range, frames)?;
        }
        let end = range.end(known);
        let Some(first_lacking) = (range.first..end).find(|&index| tracks.lacks(index, range)) else {
            progress.skip(end - range.first);
            progress.finish();
            // Whoever stops before the end doesn't miss what is lost there.
            let loss = if known == Some(end) { tracks.segmented.loss()? } else { None };
            return Ok(AnalysisResult { loss });
        };
        let mut source = clip.source()?;
        let claimed = known.or(source.info().claimed_frames);
        progress.set_total(claimed.map(|frames| range.count(frames)).filter(|&count| count > 0));

        // A stage that fails stops the others.
        let stop = cancel.child();
        let flows = tracks.flows().count();
        // The network is slow: more than a part of what there is would only wait for it.
        let share_bytes = memory_bytes / (2 + (1 + RECENT_SHARES) * flows + watch.proxies.iter().count());
        let recent_bytes = RECENT_SHARES * share_bytes;
        let (to_network, pictures) = bounded::channel::<Arc<Frame>>(share_bytes);
        let network = {
            let (tracks, progress, cancel) = (tracks.clone(), progress.clone(), stop.clone());
            let watch = watch.clone();
            spawn_stage(&stop, move || {
                run_network(pictures, load_network, &tracks, range, &watch, &progress, &cancel)
            })
        };
        // The other stages give way to the network.
        process::lower_priority_below_parent();
        let (to_flows, flows): (Vec<_>, Vec<_>) = tracks
            .flows()
            .map(|flow| {
                let (to_flow, pictures) = bounded::channel::<Arc<Frame>>(share_bytes);
                let (of_stage, cancel) = (flow.clone(), stop.clone());
                let stage = spawn_stage(&stop, move || {
                    measure_flow(pictures, &of_stage, range, recent_bytes, &cancel)
                });
                ((flow, to_flow), stage)
            })
            .unzip();

        let (to_proxies, proxies) = watch
            .proxies
            .map(|track| {
                let (to_proxies, pictures) = bounded::channel::<Arc<Frame>>(share_bytes);
                let cancel = stop.clone();
                (to_proxies, spawn_stage(&stop, move || store_proxies(pictures, &track, &cancel)))
            })
            .unzip();

        // The first flow needs the picture before it too.
        let has_flow = !to_flows.is_empty();
        let index = if has_flow { range.first.max(first_lacking.saturating_sub(1)) } else { first_lacking };
        progress.skip(index - range.first);
        source.seek(FrameIndex::new(index))?;
        let to = Stages { network: to_network, flows: to_flows, proxies: to_proxies };
        let decoded = decode(&mut *source, index, range, &tracks, &to, &progress, &stop);
        if decoded.is_err() {
            stop.cancel();
        }
        // Closing the channels lets the other stages end.
        drop(to);
        let stages: Vec<_> = std::iter::once(network).chain(flows).chain(proxies).map(join).collect();
        if cancel.is_cancelled() {
            return Err(PipelineError::Cancelled);
        }
        // Of the stages, only the one that failed says why.
        let says_why = |stage: &Result<(), PipelineError>| !matches!(stage, Err(PipelineError::Cancelled));
        stages.into_iter().filter(says_why).collect::<Result<(), _>>()?;
        let loss = source.loss();
        if let End::OfClip(frames) = decoded? {
            tracks.segmented.set_length(frames, loss.as_deref())?;
            check(range, frames)?;
        }
        progress.finish();
        Ok(AnalysisResult { loss })
    }
}

enum End {
    OfRange,
    /// With the number of frames that the clip has.
    OfClip(usize),
}

/// Where decoded pictures go.
struct Stages<'a> {
    network: bounded::Sender<Arc<Frame>>,
    flows: Vec<(&'a FlowTrack, bounded::Sender<Arc<Frame>>)>,
    proxies: Option<bounded::Sender<Arc<Frame>>>,
}

fn decode(
    source: &mut dyn VideoSource,
    mut index: usize,
    range: FrameRange,
    tracks: &Tracks,
    to: &Stages,
    progress: &Progress,
    cancel: &CancelToken,
) -> Result<End, PipelineError> {
    while range.contains(index) {
        cancel.checkpoint()?;
        let Some(frame) = stage!("decode", source.next_frame()?) else {
            // Past the end, the index is no count.
            return Ok(End::OfClip(source.counted_frames().unwrap_or(index)));
        };
        let frame = Arc::new(frame);
        let bytes = frame.rgb().len();
        for (flow, to_flow) in &to.flows {
            if flow.needs_picture(index, range) && to_flow.send(frame.clone(), bytes).is_err() {
                return Ok(End::OfRange);
            }
        }
        if let Some(to_proxies) = &to.proxies
            && to_proxies.send(frame.clone(), bytes).is_err()
        {
            return Ok(End::OfRange);
        }
        let unseen = tracks.unseen(index, range).filter(|unseen| !unseen.contains(index));
        if let Some(unseen) = unseen {
            unseen.put(index, &frame.timestamp())?;
        }
        if tracks.knows(index, range) {
            progress.skip(1);
        } else if to.network.send(frame, bytes).is_err() {
            return Ok(End::OfRange);
        }
        index += 1;
    }
    Ok(End::OfRange)
}

/// Runs a stage in a thread of its own; where it fails, `stop` is cancelled.
fn spawn_stage(
    stop: &CancelToken,
    stage: impl FnOnce() -> Result<(), PipelineError> + Send + 'static,
) -> JoinHandle<Result<(), PipelineError>> {
    let stop = stop.clone();
    thread::spawn(move || stage().inspect_err(|_| stop.cancel()))
}

fn run_network(
    pictures: bounded::Receiver<Arc<Frame>>,
    load_network: LoadNetwork,
    tracks: &Tracks,
    range: FrameRange,
    watch: &Watch,
    progress: &Progress,
    cancel: &CancelToken,
) -> Result<(), PipelineError> {
    let Some(first) = pictures.recv() else { return Ok(()) };
    tracing::info!(frame = %first.index(), "the network is needed, so it is loaded");
    let mut network = load_network()?;
    let mut look_at = |frames: &[Arc<Frame>]| {
        let is_lacking = |frame: &&Frame| {
            let index = frame.index().get();
            let is_wanted = range.contains(index) && tracks.unseen(index, range).is_none();
            is_wanted && !tracks.segmented.contains(index)
        };
        let lacking: Vec<&Frame> = frames.iter().map(|frame| &**frame).filter(is_lacking).collect();
        let logits =
            if lacking.is_empty() { Vec::new() } else { stage!("network", network.segment(&lacking)?) };
        for (frame, logits) in lacking.iter().zip(logits) {
            let value = SegmentedFrame { timestamp: frame.timestamp(), logits };
            stage!("store", tracks.segmented.put(frame.index().get(), &value)?);
        }
        network.take_note().into_iter().for_each(|note| progress.note(note));
        // How many it has looked at, and how many it would like to be given.
        Ok::<_, PipelineError>((lacking.len(), network.batch_size()))
    };
    // The first frame alone: so a result is there as soon as can be.
    let (mut waiting, mut batch_size) = (Some(first), 1);
    while let Some(frame) = waiting.take().or_else(|| pictures.recv()) {
        cancel.checkpoint()?;
        // What is on the screen comes first; in its own turn it is then done already.
        if let Some(urgent) = watch.urgent() {
            look_at(&[urgent])?;
            cancel.checkpoint()?;
        }
        let mut frames = vec![frame];
        frames.extend(std::iter::from_fn(|| pictures.try_recv()).take(batch_size - 1));
        let looked_at;
        (looked_at, batch_size) = look_at(&frames)?;
        (0..looked_at).for_each(|_| progress.advance());
        progress.skip(frames.len() - looked_at);
    }
    Ok(())
}

fn store_proxies(
    pictures: bounded::Receiver<Arc<Frame>>,
    track: &Track<Proxy>,
    cancel: &CancelToken,
) -> Result<(), PipelineError> {
    for frame in pictures {
        cancel.checkpoint()?;
        proxies::put(track, &frame)?;
    }
    Ok(())
}

fn measure_flow(
    pictures: bounded::Receiver<Arc<Frame>>,
    wanted: &FlowTrack,
    range: FrameRange,
    recent_bytes: usize,
    cancel: &CancelToken,
) -> Result<(), PipelineError> {
    let Some(first) = pictures.recv() else { return Ok(()) };
    let mut flow = FlowEstimator::new(first.size(), wanted.estimator)?;
    let mut previous: Option<usize> = None;
    for frame in std::iter::once(first).chain(pictures) {
        cancel.checkpoint()?;
        let index = frame.index().get();
        if previous.is_some_and(|previous| previous + 1 != index) {
            flow.restart();
        }
        let pair = stage!("flow", flow.push(&frame)?);
        if let Some(pair) = pair.filter(|_| wanted.lacks(index, range)) {
            stage!("store", wanted.put(index, pair, recent_bytes)?);
        }
        previous = Some(index);
    }
    Ok(())
}

/// # Errors
/// When a clip of `frames` has none of the range's frames.
fn check(range: FrameRange, frames: usize) -> Result<(), PipelineError> {
    match range.count(frames) {
        0 => Err(PipelineError::NothingInRange { from: range.first, frames }),
        _ => Ok(()),
    }
}

fn join<T>(handle: JoinHandle<Result<T, PipelineError>>) -> Result<T, PipelineError> {
    handle.join().unwrap_or_else(|_| Err(PipelineError::Internal("a stage of pass 1 panicked".into())))
}
