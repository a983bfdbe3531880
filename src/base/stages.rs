//! How long the stages of a pass take, as `tracing` spans. `steadymask bench` adds them up; without
//! a subscriber a span costs one comparison.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use tracing::{Subscriber, span};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

/// The target of the spans that are stages.
pub const TARGET: &str = "steadymask::stage";

/// Evaluates an expression within a span of the named stage.
#[macro_export]
macro_rules! stage {
    ($name:literal, $step:expr) => {{
        let _stage = $crate::stages::tracing::trace_span!(target: "steadymask::stage", $name).entered();
        $step
    }};
}
pub use crate::stage;
#[doc(hidden)]
pub use tracing;

/// A `tracing` layer that adds up how long each stage was busy, over all threads. Time in a nested
/// stage counts for both.
#[derive(Clone, Default)]
pub struct StageClock(Arc<Inner>);

#[derive(Default)]
struct Inner {
    busy: Mutex<BTreeMap<&'static str, Duration>>,
    paused: OnceLock<Box<dyn Fn() -> Duration + Send + Sync>>,
}

/// When a span was entered.
struct EnterTime {
    at: Instant,
    /// How long the process had been paused by then.
    paused: Duration,
}

impl StageClock {
    /// The busy time of each stage so far.
    pub fn busy(&self) -> BTreeMap<&'static str, Duration> {
        self.0.busy.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves out the time for which the whole process was paused; `paused` returns its total so far.
    pub fn subtract_pauses(&self, paused: impl Fn() -> Duration + Send + Sync + 'static) {
        let _ = self.0.paused.set(Box::new(paused));
    }

    fn now(&self) -> EnterTime {
        let paused = self.0.paused.get().map_or(Duration::ZERO, |paused| paused());
        EnterTime { at: Instant::now(), paused }
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
        let Some(entered) = span.extensions_mut().remove::<EnterTime>() else { return };
        let now = self.now();
        let took = (now.at - entered.at).saturating_sub(now.paused - entered.paused);
        let mut busy = self.0.busy.lock().unwrap_or_else(PoisonError::into_inner);
        *busy.entry(span.name()).or_default() += took;
    }
}
