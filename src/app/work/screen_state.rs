//! What the window, the painter, the finisher and the decoder tell each other about the frame on
//! the screen.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use eframe::egui::ColorImage;

use crate::work::{
    machine::PreviewBytes,
    view_request::{Layers, Quality, ViewRequest},
};
use base::frame::Frame;
use pipeline::Watch;
use store::Track;
use video::{Proxy, VideoSource};

/// The last request that was answered, how well, and from which frames.
pub struct LastUpdate {
    pub request: ViewRequest,
    pub quality: Quality,
    pub complete: bool,
    pub from: Option<RangeInclusive<usize>>,
}

impl LastUpdate {
    pub fn new(request: &ViewRequest, masks: &Layers, from: Option<RangeInclusive<usize>>) -> Self {
        Self { request: request.clone(), quality: masks.quality, complete: masks.complete, from }
    }
}

/// A frame of a clip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameRef {
    pub path: PathBuf,
    pub index: usize,
}

/// The picture on the screen.
pub struct OnScreen {
    pub frame: FrameRef,
    /// The frame itself, not its proxy.
    pub is_sharp: bool,
}

/// A frame that the network shall look at once it is decoded.
pub struct Hurry {
    pub index: usize,
    pub watch: Watch,
}

/// The small pictures of a clip.
pub struct Proxies {
    pub path: PathBuf,
    pub track: Arc<Track<Proxy>>,
}

/// A source that nothing was read from yet.
pub struct OpenedSource {
    pub path: PathBuf,
    pub source: Box<dyn VideoSource>,
}

/// What the window and its three threads tell each other.
pub struct Shared {
    state: Mutex<ScreenState>,
    pub changed: Condvar,
}

pub struct ScreenState {
    pub bytes: PreviewBytes,
    pub is_closed: bool,
    /// The newest request, until it is taken up.
    pub request: Option<ViewRequest>,
    /// The request that the painter has taken up.
    pub current: Option<ViewRequest>,
    /// How well the last one could be answered.
    pub last_update: Option<LastUpdate>,
    /// A request whose masks can become exact, until that begins.
    pub to_finish: Option<ViewRequest>,
    /// The frame to decode, until that begins.
    pub to_decode: Option<FrameRef>,
    /// The frame that the decoder gives next without a seek.
    pub next: usize,
    /// The request was for a frame that is soon decoded: its proxy would only flash up.
    pub is_near: bool,
    /// A request that nothing can be shown for until its picture is decoded.
    pub awaiting: Option<ViewRequest>,
    /// The newest request is one that was waited for.
    pub has_come_back: bool,
    pub hurry: Option<Hurry>,
    pub on_screen: Option<OnScreen>,
    pub proxies: Option<Proxies>,
    pub opened: Option<OpenedSource>,
    /// Decoded frames of one clip, ready for the screen.
    clip: PathBuf,
    pictures: HashMap<usize, Arc<ColorImage>>,
    /// The one that was decoded last.
    last: Option<Arc<Frame>>,
}

impl FrameRef {
    pub fn of(request: &ViewRequest) -> Self {
        Self { path: request.path.clone(), index: request.index }
    }
}

impl Shared {
    pub fn new(bytes: PreviewBytes) -> Self {
        Self { state: Mutex::new(ScreenState::new(bytes)), changed: Condvar::new() }
    }

    pub fn state(&self) -> MutexGuard<'_, ScreenState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn wait<'a>(&self, state: MutexGuard<'a, ScreenState>) -> MutexGuard<'a, ScreenState> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits a moment; `false` when something else is asked for meanwhile.
    pub fn rest(&self, request: &ViewRequest, pause: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), pause, |state| state.is_current(request));
        waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// The network shall see this frame next. Its pixels are decoded once more where only its
    /// picture is known.
    pub fn hurry(&self, request: &ViewRequest, watch: &Watch) {
        let mut state = self.state();
        let last = state.last.clone().filter(|last| last.index().get() == request.index);
        if let Some(frame) = last.filter(|_| state.clip == request.path) {
            return watch.hurry(frame);
        }
        if state.clip == request.path && state.pictures.remove(&request.index).is_some() {
            state.to_decode = Some(FrameRef::of(request));
            self.changed.notify_all();
        }
        state.hurry = Some(Hurry { index: request.index, watch: watch.clone() });
    }

    /// The masks of this request may become exact.
    pub fn finish(&self, request: ViewRequest) {
        self.state().to_finish = Some(request);
        self.changed.notify_all();
    }

    /// Whether the newest request is for the same frame.
    pub fn is_same_frame(&self, request: &ViewRequest) -> bool {
        let state = self.state();
        !state.is_closed
            && state.request.as_ref().is_none_or(|newer| newer.is_of(&request.path, request.index))
    }
}

impl ScreenState {
    fn new(bytes: PreviewBytes) -> Self {
        Self {
            bytes,
            is_closed: false,
            request: None,
            current: None,
            last_update: None,
            to_finish: None,
            to_decode: None,
            next: 0,
            is_near: false,
            awaiting: None,
            has_come_back: false,
            hurry: None,
            on_screen: None,
            proxies: None,
            opened: None,
            clip: PathBuf::new(),
            pictures: HashMap::new(),
            last: None,
        }
    }

    /// Whether nothing else was asked for since.
    pub fn is_current(&self, request: &ViewRequest) -> bool {
        let newest = self.request.as_ref().or(self.current.as_ref());
        !self.is_closed && newest.is_some_and(|newest| newest.is_the_same(request))
    }

    pub fn picture(&self, path: &Path, index: usize) -> Option<Arc<ColorImage>> {
        if self.clip == path { self.pictures.get(&index).cloned() } else { None }
    }

    /// Keeps a decoded frame's picture, those nearest to it before others.
    pub fn keep(&mut self, path: &Path, frame: Arc<Frame>, picture: Arc<ColorImage>) {
        let index = frame.index().get();
        self.last = Some(frame);
        if self.clip != path {
            self.pictures.clear();
            self.clip = path.to_owned();
        }
        let room = (self.bytes.pictures / size_of_val(&picture.pixels[..]).max(1)).max(1);
        self.pictures.insert(index, picture);
        while self.pictures.len() > room {
            let farthest = self.pictures.keys().copied().max_by_key(|key| key.abs_diff(index));
            farthest.map(|key| self.pictures.remove(&key));
        }
    }

    pub fn proxies(&self, path: &Path) -> Option<Arc<Track<Proxy>>> {
        Some(self.proxies.as_ref().filter(|proxies| proxies.path == path)?.track.clone())
    }
}
