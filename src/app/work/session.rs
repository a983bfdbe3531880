//! Pass 1 of a clip under a network, and exports from it.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use super::{super::machine::Machine, Event, Mail, words};
use crate::{
    frame::{FrameSize, Timestamp},
    pipeline::{
        Analysis, CancelToken, Every, Export, FLOW, FrameRange, PipelineError, Preview, Progress,
        RunProgress, Tracks, Watch,
    },
    process,
    segment::{
        ClassGroup, Manifest, SegmentError, Segmenter, coverage,
        library::Library,
        torchscript::{Options, TorchScript},
    },
    store::{ClipStore, Store, Track},
    video::{self, Proxy},
};

/// Frames that are looked at for the share of each class.
const COVERAGE_FRAMES: usize = 16;

/// What is known of a clip under a network.
pub struct Session {
    pub manifest: Manifest,
    pub tracks: Tracks,
    pub range: FrameRange,
    /// For what shall be looked at first.
    pub watch: Watch,
    size: FrameSize,
    /// The clip is ours while this lives.
    _clip: Arc<ClipStore>,
}

impl Session {
    /// `memory_bytes` are for drafts and for the full detail.
    pub fn preview(&self, groups: Vec<ClassGroup>, memory_bytes: [usize; 2]) -> Preview {
        Preview::new(self.tracks.clone(), self.range, self.manifest.clone(), groups, self.size, memory_bytes)
    }

    pub fn size(&self) -> FrameSize {
        self.size
    }

    pub fn has_masks(&self, index: usize) -> bool {
        self.tracks.has_masks(index, self.range)
    }

    /// Of frames spread over what has been seen: the mean share of each class.
    fn coverage(&self) -> Vec<f32> {
        let mut seen = self.tracks.segmented.indices();
        seen.sort_unstable();
        let step = seen.len().div_ceil(COVERAGE_FRAMES).max(1);
        let shares: Vec<Vec<f32>> = seen
            .into_iter()
            .step_by(step)
            .filter_map(|index| Some(coverage(&self.tracks.segmented.get(index).ok()??.logits)))
            .collect();
        let classes = shares.first().map_or(0, Vec::len);
        (0..classes)
            .map(|class| shares.iter().map(|share| share[class]).sum::<f32>() / shares.len() as f32)
            .collect()
    }
}

/// The clip that is open in the store. All sessions of it share its files, since two writers
/// of one file would spoil it.
#[derive(Clone)]
pub struct Clips {
    root: PathBuf,
    /// Old results make room for new ones beyond this.
    limit_bytes: u64,
    open: Arc<Mutex<Option<OpenClip>>>,
    proxies: Arc<Mutex<Option<OpenProxies>>>,
}

/// In a folder of their own: who looks at a clip keeps nobody else from its results.
struct OpenProxies {
    video: PathBuf,
    track: Arc<Track<Proxy>>,
    _store: ClipStore,
}

struct OpenClip {
    fingerprint: String,
    store: Arc<ClipStore>,
    /// By network and input size.
    tracks: HashMap<String, Tracks>,
    /// Once they are wanted.
    times: Option<Arc<Track<Timestamp>>>,
}

impl Clips {
    pub fn in_folder(root: PathBuf, limit_bytes: u64) -> Self {
        Self { root, limit_bytes, open: Arc::default(), proxies: Arc::default() }
    }

    /// The small pictures of a video. Those of the last one asked for stay open.
    pub fn proxies(&self, video: &std::path::Path) -> Result<Arc<Track<Proxy>>, PipelineError> {
        let mut open = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = open.as_ref().filter(|open| open.video == video) {
            return Ok(open.track.clone());
        }
        *open = None;
        let name = format!("{}-proxies", video::fingerprint(video)?);
        let store = Store::new(self.root.clone(), self.limit_bytes).clip(&name)?;
        let track = Arc::new(store.track("480")?);
        *open = Some(OpenProxies { video: video.to_owned(), track: track.clone(), _store: store });
        Ok(track)
    }

    /// Removes all results but those of the clip that is open.
    pub fn clear(&self, mail: Mail) {
        let store = Store::new(self.root.clone(), 0);
        thread::spawn(move || {
            store.trim();
            mail.send(Event::CacheCleared);
        });
    }

    fn open(
        &self,
        video: &std::path::Path,
        manifest: &Manifest,
        size: FrameSize,
        every: Every,
    ) -> Result<(Tracks, Arc<ClipStore>), PipelineError> {
        let fingerprint = video::fingerprint(video)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut clip = match open.take() {
            Some(clip) if clip.fingerprint == fingerprint => clip,
            other => {
                drop(other);
                let store = Store::new(self.root.clone(), self.limit_bytes).clip(&fingerprint)?;
                OpenClip { fingerprint, store: Arc::new(store), tracks: HashMap::new(), times: None }
            }
        };
        let key = format!("{} {:?}", manifest.sha256, manifest.input);
        let tracks = match clip.tracks.get(&key) {
            Some(tracks) => tracks.clone(),
            // Motion is always measured: a switch must not bring the decoder back, and
            // metrics follow it anyway. All networks share it.
            None => match clip.tracks.values().find_map(|tracks| tracks.flow.clone()) {
                Some(flow) => {
                    let tracks = Tracks::open(&clip.store, manifest, size, None, None)?;
                    Tracks { flow: Some(flow), ..tracks }
                }
                None => Tracks::open(&clip.store, manifest, size, Some(FLOW), None)?,
            },
        };
        clip.tracks.insert(key, tracks.clone());
        if !every.is_one() && clip.times.is_none() {
            clip.times = Some(Tracks::times(&clip.store)?);
        }
        let tracks = Tracks { every, unseen: clip.times.clone().filter(|_| !every.is_one()), ..tracks };
        let store = clip.store.clone();
        *open = Some(clip);
        Ok((tracks, store))
    }
}

pub struct StartSession {
    pub job: u64,
    pub video: PathBuf,
    pub size: FrameSize,
    pub model: String,
    pub range: FrameRange,
    pub every: Every,
    pub machine: Machine,
    pub progress: Progress,
    pub cancel: CancelToken,
}

impl StartSession {
    /// Runs pass 1, beginning with what the store does not have.
    pub fn spawn(self, mail: Mail, clips: Clips) {
        thread::spawn(move || {
            process::give_way();
            let job = self.job;
            let result = match self.run(&mail, &clips) {
                Ok(loss) => Ok(Some(loss)),
                Err(PipelineError::Cancelled) => Ok(None),
                Err(error) => Err(words(&error)),
            };
            mail.send(Event::Analysed { job, result });
        });
    }

    fn run(self, mail: &Mail, clips: &Clips) -> Result<Option<String>, PipelineError> {
        let found = Library::new(None).find(&self.model, false)?;
        let manifest = found.manifest.clone();
        let (tracks, store) = clips.open(&self.video, &manifest, self.size, self.every)?;
        // Without proxies the screen is slower, and that is all.
        let proxies = clips.proxies(&self.video).inspect_err(|error| tracing::info!("no proxies: {error}"));
        let watch = Watch::new(proxies.ok());
        let session = Arc::new(Session {
            manifest,
            tracks: tracks.clone(),
            range: self.range,
            watch: watch.clone(),
            size: self.size,
            _clip: store,
        });
        let Machine { device, threads, .. } = self.machine;
        let options = Options { device, threads, long_side: None, try_sizes: !found.is_ours };
        let (job, theirs) = (self.job, mail.clone());
        let load = move || -> Result<Box<dyn Segmenter>, SegmentError> {
            let network = TorchScript::load(&found.pt, found.manifest, options)?;
            theirs.send(Event::Device { job, name: network.device_name() });
            Ok(Box::new(network))
        };
        let analysis = Analysis {
            video: self.video,
            range: self.range,
            tracks,
            load_network: Box::new(load),
            memory_bytes: self.machine.job_bytes() / 2,
            progress: self.progress,
            cancel: self.cancel.clone(),
            watch,
        }
        .spawn();
        mail.send(Event::Session { job, session: session.clone() });
        let mut seen = 0;
        while !analysis.is_finished() {
            thread::sleep(Duration::from_millis(250));
            if self.cancel.is_cancelled() {
                // A network step can't be interrupted: it ends unseen.
                thread::spawn(move || (analysis.join(), session));
                return Err(PipelineError::Cancelled);
            }
            let now = session.tracks.segmented.indices().len();
            if now >= 2 * seen.max(1) || (seen == 0 && now > 0) {
                seen = now;
                mail.send(Event::Coverage { job, coverage: session.coverage() });
            }
        }
        let analysed =
            analysis.join().unwrap_or_else(|_| Err(PipelineError::Internal("pass 1 panicked".into())))?;
        mail.send(Event::Coverage { job, coverage: session.coverage() });
        Ok(analysed.loss)
    }
}

/// Writes files behind the window.
pub fn export(mail: Mail, job: Export, session: Arc<Session>, progress: RunProgress, cancel: CancelToken) {
    thread::spawn(move || {
        process::give_way();
        let written =
            job.begin().and_then(|begun| begun.run(session.tracks.clone(), || Ok(None), &progress, &cancel));
        mail.send(Event::Exported(match written {
            Ok(finished) => Ok(Some(Box::new(finished))),
            Err(PipelineError::Cancelled) => Ok(None),
            Err(error) => Err(words(&error)),
        }));
    });
}
