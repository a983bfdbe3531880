//! The setting that suits the clip, looked for behind the window.

use std::thread;

use super::{Event, Mail, Recipe, words};
use crate::{
    pipeline::{CancelToken, PipelineError, Progress, tune as find},
    process,
};

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
        process::give_way();
        let base = recipe.settings;
        let job = |settings| Recipe { settings, ..recipe.clone() }.stabilisation(memory_bytes, &cancel);
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
