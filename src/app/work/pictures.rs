//! Decodes the frame on the screen.

use std::{path::PathBuf, sync::Arc, thread};

use crate::work::{
    error_words::words,
    events::{Event, Mail},
    layers,
    screen_state::{FrameRef, Shared},
};
use base::{
    frame::{Frame, FrameIndex},
    process,
};
use video::{self, VideoError, VideoSource};

/// So many frames ahead are decoded as quickly as a proxy is read.
pub const NEAR_FRAMES: usize = 3;
/// Frames never seen before are reached by decoding; after so many a newer request is looked for.
const STRIDE_FRAMES: usize = 16;

pub fn spawn(mail: Mail, shared: Arc<Shared>) {
    thread::spawn(move || {
        // The decoder's own threads take after this one.
        process::lower_priority_slightly();
        Decoder { mail, shared, source: None }.run();
    });
}

struct Decoder {
    mail: Mail,
    shared: Arc<Shared>,
    source: Option<OpenSource>,
}

struct OpenSource {
    path: PathBuf,
    source: Box<dyn VideoSource>,
    /// The frame that comes next without a seek.
    next: usize,
    /// Frames from here on were never decoded.
    unseen: usize,
    counted: bool,
}

impl Decoder {
    fn run(mut self) {
        while let Some(FrameRef { path, index }) = self.next_frame() {
            match self.decode(&path, index) {
                Ok(Some(frame)) => self.deliver(path, Arc::new(frame)),
                Ok(None) => {}
                Err(error) => {
                    self.source = None;
                    self.mail.send(Event::ViewFailed { path, error: words(&error) });
                }
            }
        }
    }

    /// The next frame that nobody has; `None` when the window is gone.
    fn next_frame(&self) -> Option<FrameRef> {
        let mut state = self.shared.state();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(frame) = state.to_decode.take()
                && state.picture(&frame.path, frame.index).is_none()
            {
                return Some(frame);
            }
            state = self.shared.wait(state);
        }
    }

    /// `None` past the end, and when another frame is asked for by now.
    fn decode(&mut self, path: &std::path::Path, index: usize) -> Result<Option<Frame>, VideoError> {
        let source = match self.source.take() {
            Some(source) if source.path == path => source,
            _ => {
                let opened = self.shared.state().opened.take().filter(|opened| opened.path == path);
                let source = opened.map_or_else(|| video::open(path), |opened| Ok(opened.source))?;
                OpenSource { path: path.to_owned(), source, next: 0, unseen: 1, counted: false }
            }
        };
        let source = self.source.insert(source);
        while source.unseen + STRIDE_FRAMES < index {
            let on_the_way = source.unseen + STRIDE_FRAMES;
            source.source.seek(FrameIndex::new(on_the_way))?;
            (source.next, source.unseen) = (on_the_way, on_the_way);
            if source.source.counted_frames().is_some() {
                break;
            }
            let is_another = |newer: &FrameRef| newer.path != path || newer.index != index;
            if self.shared.state().to_decode.as_ref().is_some_and(is_another) {
                return Ok(None);
            }
        }
        if source.next != index {
            source.source.seek(FrameIndex::new(index))?;
        }
        let frame = source.source.next_frame()?;
        source.next = if frame.is_some() { index + 1 } else { usize::MAX };
        source.unseen = source.unseen.max(index + 1);
        if let Some(frames) = source.source.counted_frames().filter(|_| !source.counted) {
            source.counted = true;
            self.mail.send(Event::Counted { path: path.to_owned(), frames });
        }
        Ok(frame)
    }

    fn deliver(&self, path: PathBuf, frame: Arc<Frame>) {
        let index = frame.index().get();
        let image = layers::picture(&frame);
        let mut state = self.shared.state();
        state.keep(&path, frame.clone(), image.clone());
        state.next = index + 1;
        let hurry = state.hurry.take_if(|hurry| hurry.index == index);
        if let Some(awaiting) = state.awaiting.take_if(|awaiting| awaiting.is_of(&path, index)) {
            // It can be answered now, unless a newer request has come.
            state.has_come_back = state.request.is_none();
            state.request.get_or_insert(awaiting);
        }
        let frame_ref = FrameRef { path, index };
        let on_screen = state.on_screen.as_mut();
        let blurred = on_screen.filter(|shown| shown.frame == frame_ref && !shown.is_sharp);
        let is_blurred = blurred.is_some();
        if let Some(shown) = blurred {
            shown.is_sharp = true;
        }
        drop(state);
        self.shared.changed.notify_all();
        if let Some(hurry) = hurry {
            hurry.watch.hurry(frame);
        }
        if is_blurred {
            let FrameRef { path, index } = frame_ref;
            self.mail.send(Event::SharpPicture { path, index, image });
        }
    }
}
