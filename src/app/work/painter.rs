//! Answers requests: the picture at hand and the masks at hand first, a draft of better ones
//! after them.

use std::{ops::RangeInclusive, sync::Arc, thread};

use eframe::egui::ColorImage;

use crate::work::{
    error_words::words,
    events::{Event, Mail},
    layers::{self, Look},
    previews::{Previews, caught, is_stable, paint, stable},
    recipe::Recipe,
    screen_state::{FrameRef, LastUpdate, OnScreen, Shared},
    view_request::{Layers, Picture, Quality, Source, ViewRequest, ViewUpdate},
};
use base::mask::{Mask, MaskPair};
use pipeline::{Detail, PipelineError, Preview, PreviewFrame};

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

/// The picture that can be shown before anything is decoded.
enum AtHand {
    /// It is on the screen already.
    OnScreen,
    Ready(Picture),
    Nothing,
}

impl Painter {
    fn run(mut self) {
        while let Some(request) = self.next_request() {
            let path = request.path.clone();
            match caught(|| self.answer(request)) {
                Ok(()) | Err(PipelineError::Cancelled) => {}
                Err(error) => self.mail.send(Event::ViewFailed { path, error: words(&error) }),
            }
        }
    }

    fn next_request(&self) -> Option<ViewRequest> {
        let mut state = self.shared.state();
        loop {
            if state.is_closed {
                return None;
            }
            match state.request.take() {
                Some(request) => {
                    state.current = Some(request.clone());
                    return Some(request);
                }
                None => state = self.shared.wait(state),
            }
        }
    }

    fn answer(&mut self, request: ViewRequest) -> Result<(), PipelineError> {
        if self.is_answered(&request) {
            return Ok(());
        }
        // Nothing to show: the decoder puts the request back when it has the picture.
        let picture = match self.picture(&request) {
            AtHand::Nothing => return Ok(()),
            AtHand::OnScreen => None,
            AtHand::Ready(picture) => Some(picture),
        };
        let Some(recipe) = request.recipe.as_ref().filter(|recipe| !recipe.groups().is_empty()) else {
            self.send(&request, picture, Some(Layers { complete: true, ..Layers::default() }), None);
            return Ok(());
        };
        if self.is_exact(&request) && !is_stable(&request, recipe) {
            // More neighbours than before have a say. A draft would only be worse meanwhile.
            self.shared.finish(request);
            return Ok(());
        }
        let masks = self.masks_at_hand(&request, recipe)?;
        let quality = masks.quality;
        self.send(&request, picture, Some(masks), None);
        if !recipe.session.has_masks(request.index) {
            // What is on the screen is done first.
            self.shared.hurry(&request, &recipe.session.watch);
            return Ok(());
        }
        let shared = self.shared.clone();
        if quality < Quality::Draft {
            let go_on = || shared.is_same_frame(&request);
            let preview = self.preview(recipe);
            let Some(previewed) = recipe.preview(preview, request.index, Detail::Draft, &go_on)? else {
                return Ok(());
            };
            let masks = paint(&request, recipe, &previewed, Quality::Draft);
            self.send(&request, None, Some(masks), Some(previewed));
        }
        shared.finish(request.clone());
        if quality == Quality::Full {
            // The next slider finds what it needs in memory.
            let go_on = || shared.state().is_current(&request);
            self.preview(recipe).warm(request.index, &recipe.settings(), &go_on)?;
        }
        Ok(())
    }

    /// Whether asking once more would give nothing new.
    fn is_answered(&self, request: &ViewRequest) -> bool {
        let from = self.neighbours(request);
        let state = self.shared.state();
        if state.on_screen.as_ref().is_none_or(|shown| shown.frame != FrameRef::of(request)) {
            return false;
        }
        let Some(last) = state.last_update.as_ref().filter(|last| last.request.is_the_same(request)) else {
            return false;
        };
        let Some(recipe) = &request.recipe else { return last.complete };
        last.complete || (last.quality == Quality::Full && !is_stable(request, recipe) && last.from == from)
    }

    /// The frames that have a say in the masks. It may read the disk.
    fn neighbours(&self, request: &ViewRequest) -> Option<RangeInclusive<usize>> {
        let recipe = request.recipe.as_ref()?;
        Some(self.previews.known(recipe)?.neighbours(request.index, &recipe.settings()))
    }

    /// Whether what is on the screen was exact when it was made.
    fn is_exact(&self, request: &ViewRequest) -> bool {
        let state = self.shared.state();
        let last = state.last_update.as_ref().filter(|last| last.request.is_the_same(request));
        last.is_some_and(|last| last.quality == Quality::Full)
    }

    fn picture(&self, request: &ViewRequest) -> AtHand {
        let state = self.shared.state();
        let is_of = |shown: &&OnScreen| shown.frame == FrameRef::of(request);
        let on_screen = state.on_screen.as_ref().filter(is_of);
        if on_screen.is_some_and(|shown| shown.is_sharp) {
            return AtHand::OnScreen;
        }
        if let Some(image) = state.picture(&request.path, request.index) {
            let source = if state.has_come_back { Source::Decoded } else { Source::Kept };
            return AtHand::Ready(Picture { image, source });
        }
        if on_screen.is_some() {
            return AtHand::OnScreen;
        }
        let proxies = state.proxies(&request.path).filter(|_| !state.is_near);
        drop(state);
        let proxy = proxies.and_then(|track| track.get(request.index).ok()?).and_then(|proxy| proxy.rgb());
        if let Some((size, rgb)) = proxy {
            let image = Arc::new(ColorImage::from_rgb([size.width(), size.height()], &rgb));
            return AtHand::Ready(Picture { image, source: Source::Proxy });
        }
        let mut state = self.shared.state();
        if let Some(image) = state.picture(&request.path, request.index) {
            return AtHand::Ready(Picture { image, source: Source::Decoded });
        }
        if state.request.is_none() {
            state.awaiting = Some(request.clone());
        }
        AtHand::Nothing
    }

    /// The best masks that are there without much work.
    fn masks_at_hand(&mut self, request: &ViewRequest, recipe: &Recipe) -> Result<Layers, PipelineError> {
        let (index, settings) = (request.index, &recipe.settings());
        // Probabilities are not among what pass 2 leaves.
        let stable = stable(request, recipe).filter(|_| request.look != Look::Heat);
        if let Some(masks) = stable.and_then(|stable| stable.get(index)) {
            let images = layers::layers(request.look, &masks, [&[], &[]], recipe.groups());
            return Ok(Layers { images, quality: Quality::Full, is_seen: true, complete: true });
        }
        if !recipe.session.has_masks(index) {
            return Ok(Layers::default());
        }
        let nothing_yet = || Layers { is_seen: true, ..Layers::default() };
        let last = self.shared.state().last_update.as_ref().map(|last| last.request.index);
        let preview = self.preview(recipe);
        let is_step = last.is_some_and(|last| last.abs_diff(index) <= FEW_FRAMES);
        if is_step && preview.cold(index, settings) <= FEW_FRAMES {
            // Not given up for the next step: while a key is held nothing would be seen.
            let draft = recipe.preview(preview, index, Detail::Draft, &|| true)?;
            return Ok(draft.map_or_else(nothing_yet, |draft| paint(request, recipe, &draft, Quality::Draft)));
        }
        if !matches!(request.look, Look::Masks | Look::Fills | Look::Matte) || recipe.other.is_some() {
            return Ok(nothing_yet());
        }
        let raw = preview.raw(index, settings, Detail::Draft)?.unwrap_or_default();
        let unsmoothed = |raw: Mask| MaskPair { smoothed: Mask::empty(raw.size()), raw };
        let masks: Vec<MaskPair> = raw.into_iter().map(unsmoothed).collect();
        let images = layers::layers(request.look, &masks, [&[], &[]], recipe.groups());
        Ok(Layers { images, quality: Quality::Raw, is_seen: true, complete: false })
    }

    /// For drafts.
    fn preview(&mut self, recipe: &Recipe) -> &mut Preview {
        let drafts = self.shared.state().bytes.drafts;
        self.previews.of(recipe, [drafts, 0])
    }

    fn send(
        &mut self,
        request: &ViewRequest,
        picture: Option<Picture>,
        masks: Option<Layers>,
        previewed: Option<PreviewFrame>,
    ) {
        let from = self.neighbours(request);
        let probabilities = previewed.map(|previewed| [previewed.raw, previewed.smoothed]);
        let is_blurred = picture.as_ref().is_some_and(|picture| picture.source == Source::Proxy);
        let mut state = self.shared.state();
        if let Some(masks) = &masks {
            state.last_update = Some(LastUpdate::new(request, masks, from));
        }
        if picture.is_some() {
            state.on_screen = Some(OnScreen { frame: FrameRef::of(request), is_sharp: true });
        }
        let update = ViewUpdate { request: request.clone(), picture, masks, probabilities };
        self.mail.send(Event::View(Box::new(update)));
        if !is_blurred {
            return;
        }
        // The decoder sharpens what it finds blurred on the screen; what it has delivered in
        // the meantime, it did not find there.
        let late = state.picture(&request.path, request.index);
        state.on_screen = Some(OnScreen { frame: FrameRef::of(request), is_sharp: late.is_some() });
        drop(state);
        if let Some(image) = late {
            self.mail.send(Event::SharpPicture { path: request.path.clone(), index: request.index, image });
        }
    }
}
