//! The frame on the screen: the window's side of it. Three threads answer: one paints ([`painter`](super::painter)), one decodes
//! ([`pictures`](super::pictures)), one makes exact what is painted
//! ([`finisher`](super::finisher)), so that neither a picture deep inside a group of pictures
//! nor work on large masks keeps anybody waiting. Only the newest request counts; what is on the
//! screen stays until the next is ready.
//!
//! A request is answered in steps. What is at hand comes at once: a proxy of the picture, and the
//! masks that pass 2 has made or a draft of them. The sharp picture and the exact masks follow.

use std::sync::Arc;

use crate::work::{
    events::Mail,
    finisher,
    machine::PreviewBytes,
    painter, pictures, proxies,
    screen_state::{FrameRef, OpenedSource, Shared},
    session::Clips,
    view_request::{ViewRequest, ViewUpdate},
};
use pipeline::CancelToken;
use video::{Clip, VideoSource};

/// What the window holds of it. The threads end when it is dropped.
pub struct Screen {
    shared: Arc<Shared>,
    clips: Clips,
    /// The clip that is open.
    clip: Option<Arc<Clip>>,
    sent: Option<ViewRequest>,
    /// Ends the making of proxies of the clip before.
    filling: CancelToken,
}

impl Screen {
    pub fn new(mail: Mail, clips: Clips, bytes: PreviewBytes) -> Self {
        let shared = Arc::new(Shared::new(bytes));
        painter::spawn(mail.clone(), shared.clone());
        finisher::spawn(mail.clone(), shared.clone());
        pictures::spawn(mail, shared.clone());
        Self { shared, clips, clip: None, sent: None, filling: CancelToken::new() }
    }

    /// Decodes from this source when its clip is asked for: it was opened to look what is in
    /// the clip, and has the first frame already.
    pub fn adopt(&mut self, clip: Arc<Clip>, source: Box<dyn VideoSource>) {
        self.shared.state().opened = Some(OpenedSource { path: clip.path().to_owned(), source });
        self.clip = Some(clip);
    }

    /// Nothing is on the screen any more: what is asked for next is shown whole, even if it was there
    /// a moment ago.
    pub fn clear(&mut self) {
        self.sent = None;
        let mut state = self.shared.state();
        (state.on_screen, state.last_update) = (None, None);
    }

    /// Where proxies are kept, and how much memory may be used, from the next clip on.
    pub fn set_limits(&mut self, clips: Clips, bytes: PreviewBytes) {
        self.clips = clips;
        self.shared.state().bytes = bytes;
    }

    /// Asks for this, if it isn't what was asked for last. Gives whether something else shall
    /// be seen.
    pub fn want(&mut self, request: ViewRequest) -> bool {
        if self.sent.as_ref() == Some(&request) {
            return false;
        }
        let is_new = self.sent.as_ref().is_none_or(|sent| !sent.is_the_same(&request));
        if self.sent.as_ref().is_none_or(|sent| sent.path != request.path) {
            self.filling.cancel();
            self.filling = CancelToken::new();
            if let Some(clip) = self.clip.clone().filter(|clip| clip.path() == request.path) {
                proxies::fill(clip, self.clips.clone(), self.shared.clone(), self.filling.clone());
            }
        }
        self.sent = Some(request.clone());
        let mut state = self.shared.state();
        state.to_decode = Some(FrameRef::of(&request));
        state.is_near = (state.next..state.next + pictures::NEAR_FRAMES).contains(&request.index);
        state.awaiting = None;
        state.has_come_back = false;
        state.request = Some(request);
        drop(state);
        self.shared.changed.notify_all();
        is_new
    }

    /// Whether this answers what was asked for last.
    pub fn is_answer(&self, update: &ViewUpdate) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.is_the_same(&update.request))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.filling.cancel();
        self.shared.state().is_closed = true;
        self.shared.changed.notify_all();
    }
}
