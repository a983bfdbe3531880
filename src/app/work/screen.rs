//! The frame on the screen: what is wished for, what comes back, and the hand that the window
//! holds. Three threads answer: one paints ([`painter`](super::painter)), one decodes
//! ([`pictures`](super::pictures)), one makes exact what is painted
//! ([`finisher`](super::finisher)), so that neither a picture deep inside a group of pictures
//! nor work on large masks keeps anybody waiting. Only the newest wish counts; what is on the
//! screen stays until the next is ready.
//!
//! A wish is answered in steps. What is at hand comes at once: a proxy of the picture, and the
//! masks that pass 2 has made or a draft of them. The sharp picture and the exact masks follow.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use eframe::egui::ColorImage;

use super::{Clips, Look, Mail, PreviewBytes, Session, StableMasks, finisher, painter, pictures, proxies};
use crate::{
    frame::Frame,
    pipeline::{CancelToken, Watch},
    region::Region,
    segment::ClassGroup,
    smooth::{Masks, Settings},
    store::Track,
    video::{Proxy, VideoSource},
};

/// What shall be on the screen.
#[derive(Clone)]
pub struct Wanted {
    pub path: PathBuf,
    pub index: usize,
    pub look: Look,
    pub recipe: Option<Recipe>,
    /// Asks again for what was not complete the last time.
    pub attempt: u64,
    /// What pass 2 has made so far, of this recipe or of another.
    pub stable: Option<Arc<StableMasks>>,
}

/// How the masks on the screen come about.
#[derive(Clone)]
pub struct Recipe {
    pub session: Arc<Session>,
    pub groups: Vec<ClassGroup>,
    pub settings: Settings,
    /// Shown in the place of the raw masks.
    pub other: Option<Settings>,
    pub leave_out: Region,
}

impl PartialEq for Recipe {
    fn eq(&self, other: &Self) -> bool {
        self.is_over_the_same(other)
            && (self.settings, self.other) == (other.settings, other.other)
            && self.leave_out == other.leave_out
    }
}

impl Recipe {
    pub fn is_over_the_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.session, &other.session) && self.groups == other.groups
    }
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        self.attempt == other.attempt && self.is_the_same(other)
    }
}

impl Wanted {
    /// But for being asked again.
    pub fn is_the_same(&self, other: &Self) -> bool {
        self.is_of(&other.path, other.index) && self.look == other.look && self.recipe == other.recipe
    }

    pub fn is_of(&self, path: &Path, index: usize) -> bool {
        self.path == path && self.index == index
    }
}

/// An answer, or a better one.
pub struct Painted {
    pub wanted: Wanted,
    /// `None` where the one on the screen stays.
    pub picture: Option<Picture>,
    pub masks: Option<Layers>,
    /// Probabilities, raw and smoothed, to read off; `None` where those known stay.
    pub probabilities: Option<[Masks; 2]>,
}

pub struct Picture {
    pub image: Arc<ColorImage>,
    pub source: Source,
}

/// What a picture was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The frame's proxy.
    Proxy,
    /// The frame, decoded for this.
    Decoded,
    /// The frame, kept from before.
    Kept,
}

/// Masks to lay over a picture, of the picture's size or a smaller one.
#[derive(Default)]
pub struct Layers {
    /// None where there are no masks; one, or one for raw and one for smoothed.
    pub images: Vec<ColorImage>,
    pub quality: Quality,
    /// Nothing more will come for this frame and these settings.
    pub complete: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
pub enum Quality {
    #[default]
    Nothing,
    /// Not smoothed yet.
    Raw,
    /// Smoothed at a proxy's size.
    Draft,
    Full,
}

/// The last wish that was answered, how well, and from which frames.
pub struct Answered {
    pub wanted: Wanted,
    pub quality: Quality,
    pub complete: bool,
    pub from: Option<RangeInclusive<usize>>,
}

impl Answered {
    pub fn new(wanted: &Wanted, masks: &Layers, from: Option<RangeInclusive<usize>>) -> Self {
        Self { wanted: wanted.clone(), quality: masks.quality, complete: masks.complete, from }
    }
}

/// The hand that the window holds. The threads end when it is dropped.
pub struct Screen {
    shared: Arc<Shared>,
    clips: Clips,
    sent: Option<Wanted>,
    /// Ends the making of proxies of the clip before.
    filling: CancelToken,
}

impl Screen {
    pub fn new(mail: Mail, clips: Clips, bytes: PreviewBytes) -> Self {
        let shared = Arc::new(Shared { state: Mutex::new(State::new(bytes)), changed: Condvar::new() });
        painter::spawn(mail.clone(), shared.clone());
        finisher::spawn(mail.clone(), shared.clone());
        pictures::spawn(mail, shared.clone());
        Self { shared, clips, sent: None, filling: CancelToken::new() }
    }

    /// Decodes from this source when its clip is wished for: it was opened to look what is in
    /// the clip, and has the first frame already.
    pub fn adopt(&self, path: PathBuf, source: Box<dyn VideoSource>) {
        self.shared.state().opened = Some((path, source));
    }

    /// Where proxies are kept, and how much memory may be used, from the next clip on.
    pub fn set_limits(&mut self, clips: Clips, bytes: PreviewBytes) {
        self.clips = clips;
        self.shared.state().bytes = bytes;
    }

    /// Asks for this, if it isn't what was asked for last. Gives whether something else shall
    /// be seen.
    pub fn want(&mut self, wanted: Wanted) -> bool {
        if self.sent.as_ref() == Some(&wanted) {
            return false;
        }
        let is_new = self.sent.as_ref().is_none_or(|sent| !sent.is_the_same(&wanted));
        if self.sent.as_ref().is_none_or(|sent| sent.path != wanted.path) {
            self.filling.cancel();
            self.filling = CancelToken::new();
            proxies::fill(wanted.path.clone(), self.clips.clone(), self.shared.clone(), self.filling.clone());
        }
        self.sent = Some(wanted.clone());
        let mut state = self.shared.state();
        state.to_decode = Some((wanted.path.clone(), wanted.index));
        state.is_near = (state.next..state.next + pictures::NEAR_FRAMES).contains(&wanted.index);
        state.awaiting = None;
        state.has_come_back = false;
        state.wanted = Some(wanted);
        drop(state);
        self.shared.changed.notify_all();
        is_new
    }

    /// Whether this answers what was asked for last.
    pub fn is_answer(&self, painted: &Painted) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.is_the_same(&painted.wanted))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.filling.cancel();
        self.shared.state().is_closed = true;
        self.shared.changed.notify_all();
    }
}

/// What the window and the two threads tell each other.
pub struct Shared {
    state: Mutex<State>,
    pub changed: Condvar,
}

pub struct State {
    pub bytes: PreviewBytes,
    pub is_closed: bool,
    /// The newest wish, until it is taken up.
    pub wanted: Option<Wanted>,
    /// The wish that the painter has taken up.
    pub current: Option<Wanted>,
    /// How well the last one could be answered.
    pub answered: Option<Answered>,
    /// A wish whose masks can become exact, until that begins.
    pub to_finish: Option<Wanted>,
    /// The frame to decode, until that begins.
    pub to_decode: Option<(PathBuf, usize)>,
    /// The frame that the decoder gives next without a seek.
    pub next: usize,
    /// The wish was for a frame that is soon decoded: its proxy would only flash up.
    pub is_near: bool,
    /// A wish that nothing can be shown for until its picture is decoded.
    pub awaiting: Option<Wanted>,
    /// The newest wish is one that was waited for.
    pub has_come_back: bool,
    /// The network shall look at this frame once it is decoded.
    pub hurry: Option<(usize, Watch)>,
    /// The picture on the screen, and whether it is sharp.
    pub on_screen: Option<(PathBuf, usize, bool)>,
    pub proxies: Option<(PathBuf, Arc<Track<Proxy>>)>,
    /// A source that nothing was read from yet.
    pub opened: Option<(PathBuf, Box<dyn VideoSource>)>,
    /// Decoded frames of one clip, ready for the screen.
    clip: PathBuf,
    pictures: HashMap<usize, Arc<ColorImage>>,
    /// The one that was decoded last.
    last: Option<Arc<Frame>>,
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits a moment; `false` when something else is wished for meanwhile.
    pub fn rest(&self, wanted: &Wanted, pause: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), pause, |state| state.is_current(wanted));
        waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// The network shall see this frame next. Its pixels are decoded once more where only its
    /// picture is known.
    pub fn hurry(&self, wanted: &Wanted, watch: &Watch) {
        let mut state = self.state();
        let last = state.last.clone().filter(|last| last.index().get() == wanted.index);
        if let Some(frame) = last.filter(|_| state.clip == wanted.path) {
            return watch.hurry(frame);
        }
        if state.clip == wanted.path && state.pictures.remove(&wanted.index).is_some() {
            state.to_decode = Some((wanted.path.clone(), wanted.index));
            self.changed.notify_all();
        }
        state.hurry = Some((wanted.index, watch.clone()));
    }

    /// The masks of this wish may become exact.
    pub fn finish(&self, wanted: Wanted) {
        self.state().to_finish = Some(wanted);
        self.changed.notify_all();
    }

    /// Whether the newest wish is for the same frame.
    pub fn is_same_frame(&self, wanted: &Wanted) -> bool {
        let state = self.state();
        !state.is_closed && state.wanted.as_ref().is_none_or(|newer| newer.is_of(&wanted.path, wanted.index))
    }
}

impl State {
    fn new(bytes: PreviewBytes) -> Self {
        Self {
            bytes,
            is_closed: false,
            wanted: None,
            current: None,
            answered: None,
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

    /// Whether nothing else was wished for since.
    pub fn is_current(&self, wanted: &Wanted) -> bool {
        let newest = self.wanted.as_ref().or(self.current.as_ref());
        !self.is_closed && newest.is_some_and(|newest| newest.is_the_same(wanted))
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
        let (_, track) = self.proxies.as_ref().filter(|(of, _)| of == path)?;
        Some(track.clone())
    }
}
