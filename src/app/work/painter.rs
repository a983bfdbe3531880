//! Answers wishes: the picture at hand and the masks at hand first, better masks after them.

use std::{ops::RangeInclusive, sync::Arc, thread, time::Duration};

use eframe::egui::ColorImage;

use super::{
    Event, Look, Mail, PreviewBytes, StableMasks, layers,
    screen::{Layers, Painted, Picture, Quality, Recipe, Shared, Source, Wanted},
    words,
};
use crate::{
    export::MaskPair,
    mask::Mask,
    pipeline::{Detail, PipelineError, Preview, Previewed},
    process,
    smooth::Settings,
};

/// From a frame to one so near, with so few to read, a draft is there before anybody has
/// missed it.
const FEW_FRAMES: usize = 4;
/// Exact masks are begun when nothing else was wished for so long.
const REST: Duration = Duration::from_millis(100);

pub fn spawn(mail: Mail, shared: Arc<Shared>) {
    // Threads of its own: the picture must not queue behind the passes' work. A draft is too
    // small to be shared out: waiting for a second thread takes longer than its part.
    let all = rayon::ThreadPoolBuilder::new().start_handler(|_| process::give_way_a_little()).build().ok();
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().ok();
    let painter = Painter { mail, shared, preview: None, answered: None, all: all.map(Arc::new) };
    thread::spawn(move || match one {
        Some(one) => one.install(|| painter.run()),
        None => painter.run(),
    });
}

struct Painter {
    mail: Mail,
    shared: Arc<Shared>,
    preview: Option<(Recipe, Preview)>,
    answered: Option<Answered>,
    /// For exact masks.
    all: Option<Arc<rayon::ThreadPool>>,
}

/// The last wish, how well it could be answered, and from which frames.
struct Answered {
    wanted: Wanted,
    quality: Quality,
    complete: bool,
    from: Option<RangeInclusive<usize>>,
}

impl Painter {
    fn run(mut self) {
        while let Some(wanted) = self.next_wish() {
            let path = wanted.path.clone();
            match self.answer(wanted) {
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
                Some(wanted) => return Some(wanted),
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
        let shared = self.shared.clone();
        let Some(recipe) = wanted.recipe.as_ref().filter(|recipe| !recipe.groups.is_empty()) else {
            self.send(&wanted, picture, Some(Layers { complete: true, ..Layers::default() }), None);
            return Ok(());
        };
        let masks = self.masks_at_hand(&wanted, recipe)?;
        let (quality, complete) = (masks.quality, masks.complete);
        self.send(&wanted, picture, Some(masks), None);
        if !recipe.session.has_masks(wanted.index) {
            self.hurry(&wanted, recipe);
            return Ok(());
        }
        if quality < Quality::Draft {
            let go_on = || shared.is_same_frame(&wanted);
            self.smooth(&wanted, recipe, Detail::Draft, &go_on)?;
        } else if quality == Quality::Full {
            // The next slider finds what it needs in memory.
            let go_on = || shared.is_newest();
            let all = self.all.clone();
            let preview = self.preview(recipe);
            let mut warm = || preview.warm(wanted.index, &recipe.settings, &go_on);
            match all {
                Some(all) => all.install(warm)?,
                None => warm()?,
            }
        }
        // While a slider moves or a playhead plays, what is exact would always come too late.
        if !shared.rest(REST) {
            return Ok(());
        }
        let go_on = || shared.is_newest();
        if complete && wanted.look != Look::Heat {
            // Pass 2 has had the last word on the masks; the rest is for reading off.
            let previewed = self.previewed(recipe, wanted.index, Detail::Full, &go_on)?;
            self.send(&wanted, None, None, previewed);
            return Ok(());
        }
        self.smooth(&wanted, recipe, Detail::Full, &go_on)
    }

    /// Whether asking once more would give nothing new.
    fn is_answered(&self, wanted: &Wanted) -> bool {
        let Some(last) = self.answered.as_ref().filter(|last| last.wanted.is_the_same(wanted)) else {
            return false;
        };
        let Some(recipe) = &wanted.recipe else { return last.complete };
        let is_stable = stable(wanted, recipe).is_some_and(|stable| stable.contains(wanted.index));
        let known = self.preview.as_ref().filter(|(of, _)| of.is_over_the_same(recipe));
        let from = known.map(|(_, preview)| preview.neighbours(wanted.index, &recipe.settings));
        last.complete || (last.quality == Quality::Full && !is_stable && last.from == from)
    }

    /// The picture at hand: `Some(None)` where it is on the screen already, `None` when there
    /// is nothing to show before it is decoded.
    fn picture(&self, wanted: &Wanted) -> Option<Option<Picture>> {
        let state = self.shared.state();
        let on_screen = state.on_screen.as_ref().filter(|(path, index, _)| wanted.is_of(path, *index));
        if on_screen.is_some_and(|&(.., is_sharp)| is_sharp) {
            return Some(None);
        }
        if let Some(frame) = state.frame(&wanted.path, wanted.index) {
            let source = if state.has_come_back { Source::Decoded } else { Source::Kept };
            return Some(Some(Picture { image: layers::picture(&frame), source }));
        }
        if on_screen.is_some() {
            return Some(None);
        }
        let proxies = state.proxies(&wanted.path).filter(|_| !state.is_near);
        drop(state);
        let proxy = proxies.and_then(|track| track.get(wanted.index).ok()?).and_then(|proxy| proxy.rgb());
        if let Some((size, rgb)) = proxy {
            let image = ColorImage::from_rgb([size.width(), size.height()], &rgb);
            return Some(Some(Picture { image, source: Source::Proxy }));
        }
        let mut state = self.shared.state();
        if let Some(frame) = state.frame(&wanted.path, wanted.index) {
            drop(state);
            return Some(Some(Picture { image: layers::picture(&frame), source: Source::Decoded }));
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
        let last = self.answered.as_ref().map(|last| last.wanted.index);
        let preview = self.preview(recipe);
        let is_step = last.is_some_and(|last| last.abs_diff(index) <= FEW_FRAMES);
        if is_step && preview.cold(index, settings) <= FEW_FRAMES {
            // Not given up for the next step: while a key is held nothing would be seen.
            let draft = self.previewed(recipe, index, Detail::Draft, &|| true)?;
            return Ok(
                draft.map_or_else(Layers::default, |draft| paint(wanted, recipe, &draft, Quality::Draft))
            );
        }
        if !matches!(wanted.look, Look::Masks | Look::Fills | Look::Matte) || recipe.other.is_some() {
            return Ok(Layers::default());
        }
        let raw =
            self.preview(recipe).raw(index, settings, &recipe.leave_out, Detail::Draft)?.unwrap_or_default();
        let unsmoothed = |raw: Mask| MaskPair { smoothed: Mask::empty(raw.size()), raw };
        let masks: Vec<MaskPair> = raw.into_iter().map(unsmoothed).collect();
        let images = layers::layers(wanted.look, &masks, [&[], &[]], &recipe.groups);
        Ok(Layers { images, quality: Quality::Raw, complete: false })
    }

    /// Smooths the frame anew and sends it.
    fn smooth(
        &mut self,
        wanted: &Wanted,
        recipe: &Recipe,
        detail: Detail,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), PipelineError> {
        let Some(previewed) = self.previewed(recipe, wanted.index, detail, go_on)? else { return Ok(()) };
        let quality = if detail == Detail::Full { Quality::Full } else { Quality::Draft };
        let masks = paint(wanted, recipe, &previewed, quality);
        self.send(wanted, None, Some(masks), Some(previewed));
        Ok(())
    }

    fn previewed(
        &mut self,
        recipe: &Recipe,
        index: usize,
        detail: Detail,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Previewed>, PipelineError> {
        let all = self.all.clone().filter(|_| detail == Detail::Full);
        let preview = self.preview(recipe);
        let mut frame = |settings: &Settings| {
            let mut frame = || preview.frame(index, settings, &recipe.leave_out, detail, go_on);
            match &all {
                Some(all) => all.install(frame),
                None => frame(),
            }
        };
        let previewed = frame(&recipe.settings)?;
        match (previewed, &recipe.other) {
            (Some(previewed), Some(other)) => Ok(frame(other)?.map(|other| previewed.beside(other))),
            (previewed, _) => Ok(previewed),
        }
    }

    fn preview(&mut self, recipe: &Recipe) -> &mut Preview {
        let preview = match self.preview.take() {
            Some((known, preview)) if known.is_over_the_same(recipe) => preview,
            _ => {
                let PreviewBytes { drafts, full, .. } = self.shared.state().bytes;
                recipe.session.preview(recipe.groups.clone(), [drafts, full])
            }
        };
        &mut self.preview.insert((recipe.clone(), preview)).1
    }

    /// What is on the screen is done first.
    fn hurry(&self, wanted: &Wanted, recipe: &Recipe) {
        let watch = &recipe.session.watch;
        let mut state = self.shared.state();
        match state.frame(&wanted.path, wanted.index) {
            Some(frame) => watch.hurry(frame),
            None => state.hurry = Some((wanted.index, watch.clone())),
        }
    }

    fn send(
        &mut self,
        wanted: &Wanted,
        picture: Option<Picture>,
        masks: Option<Layers>,
        previewed: Option<Previewed>,
    ) {
        if let Some(masks) = &masks {
            let known = self.preview.as_ref();
            let from = known.zip(wanted.recipe.as_ref());
            self.answered = Some(Answered {
                wanted: wanted.clone(),
                quality: masks.quality,
                complete: masks.complete,
                from: from.map(|((_, preview), recipe)| preview.neighbours(wanted.index, &recipe.settings)),
            });
        }
        let probabilities = previewed.map(|previewed| [previewed.raw, previewed.smoothed]);
        let is_blurred = picture.as_ref().is_some_and(|picture| picture.source == Source::Proxy);
        let mut state = self.shared.state();
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
        let late = state.frame(&wanted.path, wanted.index);
        state.on_screen = Some((wanted.path.clone(), wanted.index, late.is_some()));
        drop(state);
        if let Some(frame) = late {
            let (path, index) = (wanted.path.clone(), wanted.index);
            self.mail.send(Event::Sharp { path, index, image: layers::picture(&frame) });
        }
    }
}

fn stable<'a>(wanted: &'a Wanted, recipe: &Recipe) -> Option<&'a StableMasks> {
    wanted.stable.as_deref().filter(|stable| stable.recipe == *recipe)
}

fn paint(wanted: &Wanted, recipe: &Recipe, previewed: &Previewed, quality: Quality) -> Layers {
    let probabilities = [&previewed.raw[..], &previewed.smoothed[..]];
    let images = layers::layers(wanted.look, &previewed.masks, probabilities, &recipe.groups);
    Layers { images, quality, complete: quality == Quality::Full && previewed.complete }
}
