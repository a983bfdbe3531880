//! Small pictures of the open clip, read while the playhead moves, made where they lack.

use std::{sync::Arc, thread};

use crate::work::{
    screen_state::{Proxies, Shared},
    session::Clips,
};
use base::process;
use pipeline::{CancelToken, PipelineError, make_proxies};
use video::Clip;

/// Opens the clip's proxies for the screen and makes those that lack.
pub fn fill(clip: Arc<Clip>, clips: Clips, shared: Arc<Shared>, cancel: CancelToken) {
    thread::spawn(move || {
        process::lower_priority();
        let made = clips.proxies(&clip).and_then(|track| {
            if !cancel.is_cancelled() {
                shared.state().proxies = Some(Proxies { path: clip.path().to_owned(), track: track.clone() });
            }
            make_proxies(&clip, &track, &cancel)
        });
        match made {
            Ok(()) | Err(PipelineError::Cancelled) => {}
            // Scrubbing is slower without them, that is all; a broken file is told of elsewhere.
            Err(error) => tracing::info!("no more proxies: {error}"),
        }
    });
}
