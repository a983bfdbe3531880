//! Files that are written behind the window.

use std::{sync::Arc, thread};

use crate::work::{
    error_words::words,
    events::{Event, Mail},
    session::Session,
};
use base::process;
use pipeline::{CancelToken, Export, PipelineError, RunProgress};

/// Writes files behind the window.
pub fn export(mail: Mail, job: Export, session: Arc<Session>, progress: RunProgress, cancel: CancelToken) {
    thread::spawn(move || {
        process::lower_priority();
        let written = job.begin().and_then(|begun| {
            let source = session.soft_source(begun.plan().clone());
            begun.run(source, || Ok(None), &progress, &cancel)
        });
        mail.send(Event::Exported(match written {
            Ok(finished) => Ok(Some(Box::new(finished))),
            Err(PipelineError::Cancelled) => Ok(None),
            Err(error) => Err(words(&error)),
        }));
    });
}
