//! Small pictures of the open clip, read while the playhead moves, made where they lack.

use std::{path::PathBuf, sync::Arc, thread};

use super::{Clips, screen::Shared};
use crate::{
    pipeline::{CancelToken, PipelineError, make_proxies},
    process,
};

/// Opens the clip's proxies for the screen and makes those that lack.
pub fn fill(path: PathBuf, clips: Clips, shared: Arc<Shared>, cancel: CancelToken) {
    thread::spawn(move || {
        process::give_way();
        let made = clips.proxies(&path).and_then(|track| {
            if !cancel.is_cancelled() {
                shared.state().proxies = Some((path.clone(), track.clone()));
            }
            make_proxies(&path, &track, &cancel)
        });
        match made {
            Ok(()) | Err(PipelineError::Cancelled) => {}
            // Scrubbing is slower without them, that is all; a broken file is told of elsewhere.
            Err(error) => tracing::info!("no more proxies: {error}"),
        }
    });
}
