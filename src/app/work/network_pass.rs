//! Pass 1 of a clip under a network.

use std::{sync::Arc, thread, time::Duration};

use crate::work::{
    error_words::words,
    events::{Event, Mail, RunSummary},
    machine::Machine,
    session::{Clips, Session},
};
use base::process;
use pipeline::{Analysis, CancelToken, PipelineError, Progress, Watch};
use plan::Resolved;
use segment::{SegmentError, Segmenter};
use video::Clip;

pub struct NetworkPass {
    pub run: u64,
    pub clip: Arc<Clip>,
    pub plan: Arc<Resolved>,
    pub machine: Machine,
    pub progress: Progress,
    pub cancel: CancelToken,
}

impl NetworkPass {
    /// Runs pass 1, beginning with what the store does not have.
    pub fn spawn(self, mail: Mail, clips: Clips) {
        thread::spawn(move || {
            process::lower_priority();
            let run = self.run;
            let result = match self.run(&mail, &clips) {
                Ok(done) => Ok(Some(done)),
                Err(PipelineError::Cancelled) => Ok(None),
                Err(error) => Err(words(&error)),
            };
            mail.send(Event::Analysed { run, result });
        });
    }

    fn run(self, mail: &Mail, clips: &Clips) -> Result<RunSummary, PipelineError> {
        let Self { run, clip, plan, machine, progress, cancel } = self;
        let (tracks, store) = clips.open(&clip, plan.manifest(), plan.plan().every)?;
        // Without proxies the screen is slower, and that is all.
        let proxies = clips.proxies(&clip).inspect_err(|error| tracing::info!("no proxies: {error}"));
        let watch = Watch::new(proxies.ok());
        let session = Arc::new(Session {
            plan: plan.clone(),
            tracks: tracks.clone(),
            watch: watch.clone(),
            size: clip.info().size,
            _clip: store,
        });
        let (theirs, threads) = (mail.clone(), machine.threads);
        let range = plan.plan().range;
        let load = move || -> Result<Box<dyn Segmenter>, SegmentError> {
            let network = plan.load(threads)?;
            theirs.send(Event::Device { run, name: network.device_name() });
            Ok(network)
        };
        let analysis = Analysis {
            clip,
            range,
            tracks,
            load_network: Box::new(load),
            memory_bytes: machine.job_bytes() / 2,
            progress,
            cancel: cancel.clone(),
            watch,
        }
        .spawn();
        mail.send(Event::Session { run, session: session.clone() });
        let mut seen = 0;
        while !analysis.is_finished() {
            thread::sleep(Duration::from_millis(250));
            if cancel.is_cancelled() {
                // A network step can't be interrupted: it ends unseen.
                thread::spawn(move || (analysis.join(), session));
                return Err(PipelineError::Cancelled);
            }
            let now = session.tracks.segmented.indices().len();
            if now >= 2 * seen.max(1) || (seen == 0 && now > 0) {
                seen = now;
                mail.send(Event::Coverage { run, coverage: session.coverage() });
            }
        }
        let analysed =
            analysis.join().unwrap_or_else(|_| Err(PipelineError::Internal("pass 1 panicked".into())))?;
        mail.send(Event::Coverage { run, coverage: session.coverage() });
        // What can't be read has no length either.
        let frames = session.tracks.segmented.length().ok().flatten();
        Ok(RunSummary { loss: analysed.loss, frames })
    }
}
