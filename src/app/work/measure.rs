//! Pass 2 behind the picture: the numbers of every frame under the settings of now.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::work::{
    error_words::words,
    events::{Event, Mail, PassId},
    stable::StableMasks,
};
use base::process;
use pipeline::{CancelToken, PipelineError, Progress, StabilisationOutput};

/// Rows are sent in batches: the window needn't wake for each.
const BATCH: Duration = Duration::from_millis(100);

/// Follows pass 1 to its end, and fills `stable`, whose recipe it takes.
pub fn measure(
    mail: Mail,
    stable: Arc<StableMasks>,
    memory_bytes: usize,
    pass: PassId,
    progress: Progress,
    cancel: CancelToken,
) {
    thread::spawn(move || {
        process::lower_priority();
        let stabilisation = stable.recipe.clone().stabilisation(memory_bytes, &cancel);
        let mut rows = Vec::new();
        let mut sent = Instant::now();
        let result = stabilisation.run(|result| {
            match result {
                StabilisationOutput::Frame(frame) => {
                    stable.put(frame.index.get(), &frame.masks);
                    progress.advance();
                }
                StabilisationOutput::Row(row) => rows.push(*row),
            }
            if sent.elapsed() >= BATCH {
                mail.send(Event::Rows { pass, rows: std::mem::take(&mut rows) });
                sent = Instant::now();
            }
            Ok(())
        });
        mail.send(Event::Rows { pass, rows });
        let result = match result {
            Ok(summaries) => Ok(Some(summaries)),
            Err(PipelineError::Cancelled) => Ok(None),
            Err(error) => Err(words(&error)),
        };
        mail.send(Event::Measured { pass, result });
    });
}
