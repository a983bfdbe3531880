//! Makes the masks on the screen exact when nothing else was asked for a moment. A thread of
//! its own, so that the next request never waits for it.

use std::{sync::Arc, thread, time::Duration};

use crate::work::{
    error_words::words,
    events::{Event, Mail},
    layers::Look,
    previews::{Previews, caught, is_stable, paint},
    screen_state::{LastUpdate, Shared},
    view_request::{Quality, ViewRequest, ViewUpdate},
};
use base::process;
use pipeline::{Detail, PipelineError};

/// Exact masks are begun when nothing else was asked for so long. While a slider moves or a
/// playhead plays, they would always come too late.
const REST: Duration = Duration::from_millis(100);

pub fn spawn(mail: Mail, shared: Arc<Shared>) {
    let threads =
        rayon::ThreadPoolBuilder::new().start_handler(|_| process::lower_priority_slightly()).build();
    thread::spawn(move || {
        process::lower_priority_slightly();
        let finisher = Finisher { mail, shared, previews: Previews::default() };
        match threads {
            Ok(threads) => threads.install(|| finisher.run()),
            Err(_) => finisher.run(),
        }
    });
}

struct Finisher {
    mail: Mail,
    shared: Arc<Shared>,
    previews: Previews,
}

impl Finisher {
    fn run(mut self) {
        while let Some(request) = self.next() {
            if !self.shared.rest(&request, REST) {
                continue;
            }
            match caught(|| self.finish(&request)) {
                Ok(()) | Err(PipelineError::Cancelled) => {}
                Err(error) => {
                    self.mail.send(Event::ViewFailed { path: request.path, error: words(&error) });
                }
            }
        }
    }

    fn next(&self) -> Option<ViewRequest> {
        let mut state = self.shared.state();
        loop {
            if state.is_closed {
                return None;
            }
            match state.to_finish.take() {
                Some(request) => return Some(request),
                None => state = self.shared.wait(state),
            }
        }
    }

    fn finish(&mut self, request: &ViewRequest) -> Result<(), PipelineError> {
        let Some(recipe) = &request.recipe else { return Ok(()) };
        let shared = self.shared.clone();
        let go_on = || shared.state().is_current(request);
        let full = shared.state().bytes.full;
        let preview = self.previews.of(recipe, [0, full]);
        let Some(previewed) = recipe.preview(preview, request.index, Detail::Full, &go_on)? else {
            return Ok(());
        };
        // Where pass 2 has had the last word on the masks, the rest is for reading off.
        let has_masks = is_stable(request, recipe) && request.look != Look::Heat;
        let masks = (!has_masks).then(|| paint(request, recipe, &previewed, Quality::Full));
        let from = preview.neighbours(request.index, &recipe.settings());
        let mut state = shared.state();
        if !state.is_current(request) {
            return Ok(());
        }
        if let Some(masks) = &masks {
            state.last_update = Some(LastUpdate::new(request, masks, Some(from)));
        }
        let probabilities = Some([previewed.raw, previewed.smoothed]);
        let update = ViewUpdate { request: request.clone(), picture: None, masks, probabilities };
        self.mail.send(Event::View(Box::new(update)));
        Ok(())
    }
}
