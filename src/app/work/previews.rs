//! Previews of masks, which painter and finisher both make.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::work::{
    layers,
    recipe::Recipe,
    stable::StableMasks,
    view_request::{Layers, Quality, ViewRequest},
};
use pipeline::{PipelineError, Preview, PreviewFrame};

/// A fault over one request shall not be the end of all.
pub fn caught(work: impl FnOnce() -> Result<(), PipelineError>) -> Result<(), PipelineError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(PipelineError::Internal("the picture's thread panicked".into())))
}

/// The preview of the recipe that was asked for last.
#[derive(Default)]
pub struct Previews(Option<(Recipe, Preview)>);

impl Previews {
    /// `bytes` are for drafts and for full detail.
    pub fn of(&mut self, recipe: &Recipe, bytes: [usize; 2]) -> &mut Preview {
        let preview = match self.0.take() {
            Some((known, preview)) if known.is_over_the_same(recipe) => preview,
            _ => Preview::new(recipe.session.soft_source(recipe.plan.clone()), bytes),
        };
        &mut self.0.insert((recipe.clone(), preview)).1
    }

    /// If there is one of the same masks already.
    pub fn known(&self, recipe: &Recipe) -> Option<&Preview> {
        self.0.as_ref().filter(|(known, _)| known.is_over_the_same(recipe)).map(|(_, preview)| preview)
    }
}

pub fn stable<'a>(request: &'a ViewRequest, recipe: &Recipe) -> Option<&'a StableMasks> {
    request.stable.as_deref().filter(|stable| stable.recipe == *recipe)
}

/// Whether pass 2 has made the masks of the frame.
pub fn is_stable(request: &ViewRequest, recipe: &Recipe) -> bool {
    stable(request, recipe).is_some_and(|stable| stable.contains(request.index))
}

pub fn paint(request: &ViewRequest, recipe: &Recipe, previewed: &PreviewFrame, quality: Quality) -> Layers {
    let probabilities = [&previewed.raw[..], &previewed.smoothed[..]];
    let images = layers::layers(request.look, &previewed.masks, probabilities, recipe.groups());
    Layers { images, quality, is_seen: true, complete: quality == Quality::Full && previewed.complete }
}
