//! The setting that suits the clip, looked for behind the window.

use std::{sync::Arc, thread};

use crate::work::{
    error_words::words,
    events::{Event, Mail},
    recipe::Recipe,
};
use base::process;
use pipeline::{CancelToken, PipelineError, Progress, tune as find};

/// Tries settings on what the network has seen.
pub fn tune(
    mail: Mail,
    id: u64,
    recipe: Recipe,
    memory_bytes: usize,
    progress: Progress,
    cancel: CancelToken,
) {
    thread::spawn(move || {
        process::lower_priority();
        let base = recipe.settings();
        let job = |settings| {
            let plan = Arc::new(recipe.plan.with_settings(settings));
            Recipe { plan, ..recipe.clone() }.stabilisation(memory_bytes, &cancel)
        };
        let tuned = find(job, base, &progress, &cancel);
        let result = match tuned {
            Ok(tuned) => Ok(Box::new(tuned)),
            // Nobody waits for it any more.
            Err(PipelineError::Cancelled) => return,
            Err(error) => Err(words(&error)),
        };
        mail.send(Event::Tuned { id, result });
    });
}
