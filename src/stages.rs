//! How long the stages of a pass take, told through `tracing` spans: who listens (`steadymask
//! bench`) sums them up, for everybody else they cost a comparison.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
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
pub struct StageClock(Arc<Mutex<BTreeMap<&'static str, Duration>>>);

impl StageClock {
    pub fn busy(&self) -> BTreeMap<&'static str, Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn reset(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for StageClock {
    fn on_enter(&self, id: &span::Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().replace(Instant::now());
        }
    }

    fn on_exit(&self, id: &span::Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let Some(entered) = span.extensions_mut().remove::<Instant>() else { return };
        let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *busy.entry(span.name()).or_default() += entered.elapsed();
    }
}
