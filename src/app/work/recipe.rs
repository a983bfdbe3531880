//! How masks come about.

use std::sync::Arc;

use crate::work::session::Session;
use metrics::MeterSettings;
use pipeline::{CancelToken, Detail, PipelineError, Preview, PreviewFrame, Stabilisation};
use plan::Resolved;
use segment::ClassGroup;
use smooth::Settings;

/// How the masks on the screen come about.
#[derive(Clone)]
pub struct Recipe {
    pub session: Arc<Session>,
    pub plan: Arc<Resolved>,
    /// Shown in the place of the raw masks.
    pub other: Option<Settings>,
}

impl PartialEq for Recipe {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.session, &other.session)
            && self.plan.plan().makes_same_masks(other.plan.plan())
            && self.other == other.other
    }
}

impl Recipe {
    pub fn settings(&self) -> Settings {
        self.plan.plan().settings
    }

    pub fn groups(&self) -> &[ClassGroup] {
        self.plan.classes()
    }

    /// Whether both have the same masks before they are smoothed.
    pub fn is_over_the_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.session, &other.session)
            && self.groups() == other.groups()
            && self.plan.plan().edits == other.plan.plan().edits
    }

    /// Pass 2 of it.
    pub fn stabilisation(self, memory_bytes: usize, cancel: &CancelToken) -> Stabilisation {
        let settings = self.settings();
        Stabilisation {
            source: self.session.soft_source(self.plan),
            settings,
            memory_bytes,
            meter: MeterSettings {
                expected_lag_frames: settings.expected_lag_frames(),
                ..MeterSettings::default()
            },
            truth: None,
            cancel: cancel.clone(),
        }
    }

    /// The masks of a frame; in the place of the raw ones those of the other settings, where
    /// two are compared.
    pub fn preview(
        &self,
        preview: &mut Preview,
        index: usize,
        detail: Detail,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<PreviewFrame>, PipelineError> {
        let mut frame = |settings: &Settings| preview.frame(index, settings, detail, go_on);
        match (frame(&self.settings())?, &self.other) {
            (Some(previewed), Some(other)) => Ok(frame(other)?.map(|other| previewed.beside(other))),
            (previewed, _) => Ok(previewed),
        }
    }
}
