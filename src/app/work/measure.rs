//! Pass 2 behind the picture: the numbers of every frame under the settings of now.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{Event, Mail, Pass, Recipe, StableMasks, words};
use crate::{
    metrics::MeterSettings,
    pipeline::{CancelToken, PipelineError, Progress, Stabilisation, Stable},
    process,
};

/// Rows are sent in batches: the window needn't wake for each.
const BATCH: Duration = Duration::from_millis(100);

impl Recipe {
    /// Pass 2 of it.
    pub fn stabilisation(self, memory_bytes: usize, cancel: &CancelToken) -> Stabilisation {
        let Self { session, groups, settings, leave_out, .. } = self;
        Stabilisation {
            tracks: session.tracks.clone(),
            range: session.range,
            manifest: session.manifest.clone(),
            groups,
            settings,
            size: session.size(),
            memory_bytes,
            meter: MeterSettings {
                expected_lag_frames: settings.expected_lag_frames(),
                ..MeterSettings::default()
            },
            truth: None,
            leave_out,
            cancel: cancel.clone(),
        }
    }
}

/// Follows pass 1 to its end, and fills `stable`, whose recipe it takes.
pub fn measure(
    mail: Mail,
    stable: Arc<StableMasks>,
    memory_bytes: usize,
    pass: Pass,
    progress: Progress,
    cancel: CancelToken,
) {
    thread::spawn(move || {
        process::give_way();
        let stabilisation = stable.recipe.clone().stabilisation(memory_bytes, &cancel);
        let mut rows = Vec::new();
        let mut sent = Instant::now();
        let result = stabilisation.run(|result| {
            match result {
                Stable::Frame(frame) => {
                    stable.put(frame.index.get(), &frame.masks);
                    progress.advance();
                }
                Stable::Row(row) => rows.push(*row),
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
