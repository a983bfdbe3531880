//! How long the stages of a pass take, told through `tracing` spans: who listens (`steadymask
//! bench`) sums them up, for everybody else they cost a comparison.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use tracing::{Subscriber, span};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

/// Spans of this target are stages.
pub const TARGET: &str = "steadymask::stage";

/// Runs one step of a stage.
macro_rules! stage {
    ($name:literal, $step:expr) => {{
        let _stage = tracing::trace_span!(target: "steadymask::stage", $name).entered();
        $step
    }};
}
pub(crate) use stage;

/// Sums up how long each stage was busy, in all threads together. A stage inside another is
/// part of that too.
#[derive(Clone, Default)]
pub struct StageClock(Arc<Inner>);

#[derive(Default)]
struct Inner {
    busy: Mutex<BTreeMap<&'static str, Duration>>,
    paused: OnceLock<Box<dyn Fn() -> Duration + Send + Sync>>,
}

/// An instant, and how long the process had been paused by then.
struct Entered(Instant, Duration);

impl StageClock {
    pub fn busy(&self) -> BTreeMap<&'static str, Duration> {
        self.0.busy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves out how long the whole process was stopped, which `paused` says in all.
    pub fn leave_out(&self, paused: impl Fn() -> Duration + Send + Sync + 'static) {
        let _ = self.0.paused.set(Box::new(paused));
    }

    fn now(&self) -> Entered {
        Entered(Instant::now(), self.0.paused.get().map_or(Duration::ZERO, |paused| paused()))
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for StageClock {
    fn on_enter(&self, id: &span::Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(self.now());
        }
    }

    fn on_exit(&self, id: &span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let Some(entered) = span.extensions_mut().remove::<Entered>() else { return };
        let now = self.now();
        let took = (now.0 - entered.0).saturating_sub(now.1 - entered.1);
        let mut busy = self.0.busy.lock().unwrap_or_else(PoisonError::into_inner);
        *busy.entry(span.name()).or_default() += took;
    }
}
