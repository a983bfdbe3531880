//! Pass 1 of a clip under a network, and exports from it.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use base::frame::{Every, FrameRange, FrameSize, Timestamp};
use pipeline::{FLOW, PipelineError, SoftSource, Tracks, Watch};
use plan::Resolved;
use segment::{Manifest, coverage};
use store::{ClipStore, Store, Track};
use video::{Clip, Proxy};

/// Frames that are looked at for the share of each class.
const COVERAGE_FRAMES: usize = 16;

/// What is known of a clip under a network.
pub struct Session {
    /// That which pass 1 began with: its network and its range are those of the tracks.
    pub plan: Arc<Resolved>,
    pub tracks: Tracks,
    /// For what shall be looked at first.
    pub watch: Watch,
    pub size: FrameSize,
    /// The clip is ours while this lives.
    pub _clip: Arc<ClipStore>,
}

impl Session {
    /// The soft masks under a plan for this network; of the frames that pass 1 goes through.
    pub fn soft_source(&self, plan: Arc<Resolved>) -> SoftSource {
        SoftSource { plan, tracks: self.tracks.clone(), range: self.range(), size: self.size }
    }

    /// The frames that pass 1 goes through.
    pub fn range(&self) -> FrameRange {
        self.plan.plan().range
    }

    pub fn size(&self) -> FrameSize {
        self.size
    }

    pub fn has_masks(&self, index: usize) -> bool {
        self.tracks.has_masks(index, self.range())
    }

    /// Of frames spread over what has been seen: the mean share of each class.
    pub fn coverage(&self) -> Vec<f32> {
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
    opened: Arc<Mutex<Option<OpenClip>>>,
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
    /// Once they are request.
    times: Option<Arc<Track<Timestamp>>>,
}

impl Clips {
    pub fn in_folder(root: PathBuf, limit_bytes: u64) -> Self {
        Self { root, limit_bytes, opened: Arc::default(), proxies: Arc::default() }
    }

    /// The small pictures of a video. Those of the last one asked for stay open.
    pub fn proxies(&self, clip: &Clip) -> Result<Arc<Track<Proxy>>, PipelineError> {
        let mut open = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = open.as_ref().filter(|open| open.video == clip.path()) {
            return Ok(open.track.clone());
        }
        *open = None;
        let name = format!("{}-proxies", clip.fingerprint()?);
        let store = Store::new(self.root.clone(), self.limit_bytes).clip(&name)?;
        let track = Arc::new(store.track("480")?);
        *open = Some(OpenProxies { video: clip.path().to_owned(), track: track.clone(), _store: store });
        Ok(track)
    }

    /// The store without a limit of its size.
    pub fn store(&self) -> Store {
        Store::new(self.root.clone(), 0)
    }

    /// The tracks of this clip for this network.
    ///
    /// # Errors
    /// When the clip or the store can't be read.
    pub fn open(
        &self,
        clip: &Clip,
        manifest: &Manifest,
        every: Every,
    ) -> Result<(Tracks, Arc<ClipStore>), PipelineError> {
        let (fingerprint, size) = (clip.fingerprint()?, clip.info().size);
        let mut open = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
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
