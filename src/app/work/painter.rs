//! Answers wishes: the picture at hand and the masks at hand first, a draft of better ones
//! after them.

use std::{
    ops::RangeInclusive,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

use eframe::egui::ColorImage;

use super::{
    Event, Look, Mail, StableMasks, layers,
    screen::{Answered, Layers, Painted, Picture, Quality, Recipe, Shared, Source, Wanted},
    words,
};
use crate::{
    export::MaskPair,
    mask::Mask,
    pipeline::{Detail, PipelineError, Preview, Previewed},
    smooth::Settings,
};

/// From a frame to one so near, with so few to read, a draft is there before anybody has
/// missed it.
const FEW_FRAMES: usize = 4;

pub fn spawn(mail: Mail, shared: Arc<Shared>) {
    // A thread of its own: the picture must not queue behind the passes' work. A draft is too
    // small to be shared out: waiting for a second thread takes longer than its part.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().ok();
    let painter = Painter { mail, shared, previews: Previews::default() };
    thread::spawn(move || match one {
        Some(one) => one.install(|| painter.run()),
        None => painter.run(),
    });
}

struct Painter {
    mail: Mail,
    shared: Arc<Shared>,
    previews: Previews,
}

/// A fault over one wish shall not be the end of all.
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
            _ => recipe.session.preview(recipe.groups.clone(), bytes),
        };
        &mut self.0.insert((recipe.clone(), preview)).1
    }

    /// If there is one of the same masks already.
    fn known(&self, recipe: &Recipe) -> Option<&Preview> {
        self.0.as_ref().filter(|(known, _)| known.is_over_the_same(recipe)).map(|(_, preview)| preview)
    }
}

impl Recipe {
    /// The masks of a frame; in the place of the raw ones those of the other settings, where
    /// two are compared.
    pub fn preview(
        &self,
        preview: &mut Preview,
        index: usize,
        detail: Detail,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Previewed>, PipelineError> {
        let mut frame = |settings: &Settings| preview.frame(index, settings, &self.leave_out, detail, go_on);
        match (frame(&self.settings)?, &self.other) {
            (Some(previewed), Some(other)) => Ok(frame(other)?.map(|other| previewed.beside(other))),
            (previewed, _) => Ok(previewed),
        }
    }
}

impl Painter {
    fn run(mut self) {
        while let Some(wanted) = self.next_wish() {
            let path = wanted.path.clone();
            match caught(|| self.answer(wanted)) {
                Ok(()) | Err(PipelineError::Cancelled) => {}
                Err(error) => self.mail.send(Event::NotPainted { path, error: words(&error) }),
            }
        }
    }

    fn next_wish(&self) -> Option<Wanted> {
        let mut state = self.shared.state();
        loop {
            if state.is_closed {
                return None;
            }
            match state.wanted.take() {
                Some(wanted) => {
                    state.current = Some(wanted.clone());
                    return Some(wanted);
                }
                None => state = self.shared.wait(state),
            }
        }
    }

    fn answer(&mut self, wanted: Wanted) -> Result<(), PipelineError> {
        if self.is_answered(&wanted) {
            return Ok(());
        }
        // Nothing to show: the decoder puts the wish back when it has the picture.
        let Some(picture) = self.picture(&wanted) else { return Ok(()) };
        let Some(recipe) = wanted.recipe.as_ref().filter(|recipe| !recipe.groups.is_empty()) else {
            self.send(&wanted, picture, Some(Layers { complete: true, ..Layers::default() }), None);
            return Ok(());
        };
        if self.is_exact(&wanted) && !is_stable(&wanted, recipe) {
            // More neighbours than before have a say. A draft would only be worse meanwhile.
            self.shared.finish(wanted);
            return Ok(());
        }
        let masks = self.masks_at_hand(&wanted, recipe)?;
        let quality = masks.quality;
        self.send(&wanted, picture, Some(masks), None);
        if !recipe.session.has_masks(wanted.index) {
            // What is on the screen is done first.
            self.shared.hurry(&wanted, &recipe.session.watch);
            return Ok(());
        }
        let shared = self.shared.clone();
        if quality < Quality::Draft {
            let go_on = || shared.is_same_frame(&wanted);
            let preview = self.preview(recipe);
            let Some(previewed) = recipe.preview(preview, wanted.index, Detail::Draft, &go_on)? else {
                return Ok(());
            };
            let masks = paint(&wanted, recipe, &previewed, Quality::Draft);
            self.send(&wanted, None, Some(masks), Some(previewed));
        }
        shared.finish(wanted.clone());
        if quality == Quality::Full {
            // The next slider finds what it needs in memory.
            let go_on = || shared.state().is_current(&wanted);
            self.preview(recipe).warm(wanted.index, &recipe.settings, &go_on)?;
        }
        Ok(())
    }

    /// Whether asking once more would give nothing new.
    fn is_answered(&self, wanted: &Wanted) -> bool {
        let from = self.neighbours(wanted);
        let state = self.shared.state();
        let Some(last) = state.answered.as_ref().filter(|last| last.wanted.is_the_same(wanted)) else {
            return false;
        };
        let Some(recipe) = &wanted.recipe else { return last.complete };
        last.complete || (last.quality == Quality::Full && !is_stable(wanted, recipe) && last.from == from)
    }

    /// The frames that have a say in the masks. It may read the disk.
    fn neighbours(&self, wanted: &Wanted) -> Option<RangeInclusive<usize>> {
        let recipe = wanted.recipe.as_ref()?;
        Some(self.previews.known(recipe)?.neighbours(wanted.index, &recipe.settings))
    }

    /// Whether what is on the screen was exact when it was made.
    fn is_exact(&self, wanted: &Wanted) -> bool {
        let state = self.shared.state();
        let last = state.answered.as_ref().filter(|last| last.wanted.is_the_same(wanted));
        last.is_some_and(|last| last.quality == Quality::Full)
    }

    /// The picture at hand: `Some(None)` where it is on the screen already, `None` when there
    /// is nothing to show before it is decoded.
    fn picture(&self, wanted: &Wanted) -> Option<Option<Picture>> {
        let state = self.shared.state();
        let on_screen = state.on_screen.as_ref().filter(|(path, index, _)| wanted.is_of(path, *index));
        if on_screen.is_some_and(|&(.., is_sharp)| is_sharp) {
            return Some(None);
        }
        if let Some(image) = state.picture(&wanted.path, wanted.index) {
            let source = if state.has_come_back { Source::Decoded } else { Source::Kept };
            return Some(Some(Picture { image, source }));
        }
        if on_screen.is_some() {
            return Some(None);
        }
        let proxies = state.proxies(&wanted.path).filter(|_| !state.is_near);
        drop(state);
        let proxy = proxies.and_then(|track| track.get(wanted.index).ok()?).and_then(|proxy| proxy.rgb());
        if let Some((size, rgb)) = proxy {
            let image = Arc::new(ColorImage::from_rgb([size.width(), size.height()], &rgb));
            return Some(Some(Picture { image, source: Source::Proxy }));
        }
        let mut state = self.shared.state();
        if let Some(image) = state.picture(&wanted.path, wanted.index) {
            return Some(Some(Picture { image, source: Source::Decoded }));
        }
        if state.wanted.is_none() {
            state.awaiting = Some(wanted.clone());
        }
        None
    }

    /// The best masks that are there without much work.
    fn masks_at_hand(&mut self, wanted: &Wanted, recipe: &Recipe) -> Result<Layers, PipelineError> {
        let (index, settings) = (wanted.index, &recipe.settings);
        // Probabilities are not among what pass 2 leaves.
        let stable = stable(wanted, recipe).filter(|_| wanted.look != Look::Heat);
        if let Some(masks) = stable.and_then(|stable| stable.get(index)) {
            let images = layers::layers(wanted.look, &masks, [&[], &[]], &recipe.groups);
            return Ok(Layers { images, quality: Quality::Full, complete: true });
        }
        if !recipe.session.has_masks(index) {
            return Ok(Layers::default());
        }
        let last = self.shared.state().answered.as_ref().map(|last| last.wanted.index);
        let preview = self.preview(recipe);
        let is_step = last.is_some_and(|last| last.abs_diff(index) <= FEW_FRAMES);
        if is_step && preview.cold(index, settings) <= FEW_FRAMES {
            // Not given up for the next step: while a key is held nothing would be seen.
            let draft = recipe.preview(preview, index, Detail::Draft, &|| true)?;
            return Ok(
                draft.map_or_else(Layers::default, |draft| paint(wanted, recipe, &draft, Quality::Draft))
            );
        }
        if !matches!(wanted.look, Look::Masks | Look::Fills | Look::Matte) || recipe.other.is_some() {
            return Ok(Layers::default());
        }
        let raw = preview.raw(index, settings, &recipe.leave_out, Detail::Draft)?.unwrap_or_default();
        let unsmoothed = |raw: Mask| MaskPair { smoothed: Mask::empty(raw.size()), raw };
        let masks: Vec<MaskPair> = raw.into_iter().map(unsmoothed).collect();
        let images = layers::layers(wanted.look, &masks, [&[], &[]], &recipe.groups);
        Ok(Layers { images, quality: Quality::Raw, complete: false })
    }

    /// For drafts.
    fn preview(&mut self, recipe: &Recipe) -> &mut Preview {
        let drafts = self.shared.state().bytes.drafts;
        self.previews.of(recipe, [drafts, 0])
    }

    fn send(
        &mut self,
        wanted: &Wanted,
        picture: Option<Picture>,
        masks: Option<Layers>,
        previewed: Option<Previewed>,
    ) {
        let from = self.neighbours(wanted);
        let probabilities = previewed.map(|previewed| [previewed.raw, previewed.smoothed]);
        let is_blurred = picture.as_ref().is_some_and(|picture| picture.source == Source::Proxy);
        let mut state = self.shared.state();
        if let Some(masks) = &masks {
            state.answered = Some(Answered::new(wanted, masks, from));
        }
        if picture.is_some() {
            state.on_screen = Some((wanted.path.clone(), wanted.index, true));
        }
        let painted = Painted { wanted: wanted.clone(), picture, masks, probabilities };
        self.mail.send(Event::Painted(Box::new(painted)));
        if !is_blurred {
            return;
        }
        // The decoder sharpens what it finds blurred on the screen; what it has delivered in
        // the meantime, it did not find there.
        let late = state.picture(&wanted.path, wanted.index);
        state.on_screen = Some((wanted.path.clone(), wanted.index, late.is_some()));
        drop(state);
        if let Some(image) = late {
            self.mail.send(Event::Sharp { path: wanted.path.clone(), index: wanted.index, image });
        }
    }
}

fn stable<'a>(wanted: &'a Wanted, recipe: &Recipe) -> Option<&'a StableMasks> {
    wanted.stable.as_deref().filter(|stable| stable.recipe == *recipe)
}

/// Whether pass 2 has made the masks of the frame.
pub fn is_stable(wanted: &Wanted, recipe: &Recipe) -> bool {
    stable(wanted, recipe).is_some_and(|stable| stable.contains(wanted.index))
}

pub fn paint(wanted: &Wanted, recipe: &Recipe, previewed: &Previewed, quality: Quality) -> Layers {
    let probabilities = [&previewed.raw[..], &previewed.smoothed[..]];
    let images = layers::layers(wanted.look, &previewed.masks, probabilities, &recipe.groups);
    Layers { images, quality, complete: quality == Quality::Full && previewed.complete }
}
