//! Decodes the frame on the screen.

use std::{path::PathBuf, sync::Arc, thread};

use super::{Event, Mail, layers, screen::Shared, words};
use crate::{
    frame::{Frame, FrameIndex},
    process,
    video::{self, VideoError, VideoSource},
};

/// So many frames ahead are decoded as quickly as a proxy is read.
pub const NEAR_FRAMES: usize = 3;
/// Frames never seen before are reached by decoding; after so many a newer wish is looked for.
const STRIDE_FRAMES: usize = 16;

pub fn spawn(mail: Mail, shared: Arc<Shared>) {
    thread::spawn(move || {
        // The decoder's own threads take after this one.
        process::give_way_a_little();
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
        while let Some((path, index)) = self.next_job() {
            match self.decode(&path, index) {
                Ok(Some(frame)) => self.deliver(path, Arc::new(frame)),
                Ok(None) => {}
                Err(error) => {
                    self.source = None;
                    self.mail.send(Event::NotPainted { path, error: words(&error) });
                }
            }
        }
    }

    /// The next frame that nobody has; `None` when the window is gone.
    fn next_job(&self) -> Option<(PathBuf, usize)> {
        let mut state = self.shared.state();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some((path, index)) = state.to_decode.take()
                && state.picture(&path, index).is_none()
            {
                return Some((path, index));
            }
            state = self.shared.wait(state);
        }
    }

    /// `None` past the end, and when another frame is wanted by now.
    fn decode(&mut self, path: &std::path::Path, index: usize) -> Result<Option<Frame>, VideoError> {
        let source = match self.source.take() {
            Some(source) if source.path == path => source,
            _ => {
                let opened = self.shared.state().opened.take().filter(|(of, _)| of == path);
                let source = opened.map_or_else(|| video::open(path), |(_, source)| Ok(source))?;
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
            if self.shared.state().to_decode.as_ref().is_some_and(|newer| *newer != (path.into(), index)) {
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
        let hurry = state.hurry.take_if(|(hurried, _)| *hurried == index);
        if let Some(awaiting) = state.awaiting.take_if(|awaiting| awaiting.is_of(&path, index)) {
            // It can be answered now, unless a newer wish has come.
            state.has_come_back = state.wanted.is_none();
            state.wanted.get_or_insert(awaiting);
        }
        let on_screen = state.on_screen.as_mut();
        let blurred = on_screen.filter(|(of, at, is_sharp)| *of == path && *at == index && !is_sharp);
        let is_blurred = blurred.is_some();
        if let Some((.., is_sharp)) = blurred {
            *is_sharp = true;
        }
        drop(state);
        self.shared.changed.notify_all();
        if let Some((_, watch)) = hurry {
            watch.hurry(frame);
        }
        if is_blurred {
            self.mail.send(Event::Sharp { path, index, image });
        }
    }
}
