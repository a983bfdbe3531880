//! Makes the masks on the screen exact when nothing else was wished for a moment. A thread of
//! its own, so that the next wish never waits for it.

use std::{sync::Arc, thread, time::Duration};

use super::{
    Event, Look, Mail,
    painter::{Previews, caught, is_stable, paint},
    screen::{Answered, Painted, Quality, Shared, Wanted},
    words,
};
use crate::{
    pipeline::{Detail, PipelineError},
    process,
};

/// Exact masks are begun when nothing else was wished for so long. While a slider moves or a
/// playhead plays, they would always come too late.
const REST: Duration = Duration::from_millis(100);

pub fn spawn(mail: Mail, shared: Arc<Shared>) {
    let threads = rayon::ThreadPoolBuilder::new().start_handler(|_| process::give_way_a_little()).build();
    thread::spawn(move || {
        process::give_way_a_little();
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
        while let Some(wanted) = self.next() {
            if !self.shared.rest(&wanted, REST) {
                continue;
            }
            match caught(|| self.finish(&wanted)) {
                Ok(()) | Err(PipelineError::Cancelled) => {}
                Err(error) => {
                    self.mail.send(Event::NotPainted { path: wanted.path, error: words(&error) });
                }
            }
        }
    }

    fn next(&self) -> Option<Wanted> {
        let mut state = self.shared.state();
        loop {
            if state.is_closed {
                return None;
            }
            match state.to_finish.take() {
                Some(wanted) => return Some(wanted),
                None => state = self.shared.wait(state),
            }
        }
    }

    fn finish(&mut self, wanted: &Wanted) -> Result<(), PipelineError> {
        let Some(recipe) = &wanted.recipe else { return Ok(()) };
        let shared = self.shared.clone();
        let go_on = || shared.state().is_current(wanted);
        let full = shared.state().bytes.full;
        let preview = self.previews.of(recipe, [0, full]);
        let Some(previewed) = recipe.preview(preview, wanted.index, Detail::Full, &go_on)? else {
            return Ok(());
        };
        // Where pass 2 has had the last word on the masks, the rest is for reading off.
        let has_masks = is_stable(wanted, recipe) && wanted.look != Look::Heat;
        let masks = (!has_masks).then(|| paint(wanted, recipe, &previewed, Quality::Full));
        let from = preview.neighbours(wanted.index, &recipe.settings);
        let mut state = shared.state();
        if !state.is_current(wanted) {
            return Ok(());
        }
        if let Some(masks) = &masks {
            state.answered = Some(Answered::new(wanted, masks, Some(from)));
        }
        let probabilities = Some([previewed.raw, previewed.smoothed]);
        let painted = Painted { wanted: wanted.clone(), picture: None, masks, probabilities };
        self.mail.send(Event::Painted(Box::new(painted)));
        Ok(())
    }
}
