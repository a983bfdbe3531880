//! The frame on the screen: decoded, masked and painted in a thread of its own. Only the
//! newest wish counts; what is on the screen stays until the next is ready.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

use eframe::egui::ColorImage;

use super::{Event, Look, Mail, PREVIEW_BYTES, Session, layers, words};
use crate::{
    frame::{Frame, FrameIndex},
    pipeline::{Preview, Previewed},
    region::Region,
    segment::ClassGroup,
    smooth::{Masks, Settings},
    video::{self, VideoSource},
};

/// What shall be on the screen.
#[derive(Clone)]
pub struct Wanted {
    pub path: PathBuf,
    pub index: usize,
    pub look: Look,
    pub recipe: Option<Recipe>,
    /// Asks again for what was not complete the last time.
    pub attempt: u64,
}

/// How the masks on the screen come about.
#[derive(Clone)]
pub struct Recipe {
    pub session: Arc<Session>,
    pub groups: Vec<ClassGroup>,
    pub settings: Settings,
    /// Shown in the place of the raw masks.
    pub other: Option<Settings>,
    pub leave_out: Region,
}

impl PartialEq for Recipe {
    fn eq(&self, other: &Self) -> bool {
        self.is_over_the_same(other)
            && (self.settings, self.other) == (other.settings, other.other)
            && self.leave_out == other.leave_out
    }
}

impl Recipe {
    fn is_over_the_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.session, &other.session) && self.groups == other.groups
    }
}

impl PartialEq for Wanted {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, self.index, self.look, self.attempt)
            == (&other.path, other.index, other.look, other.attempt)
            && self.recipe == other.recipe
    }
}

/// What can be on the screen.
pub struct Painted {
    pub wanted: Wanted,
    /// `None` when it is the picture that was sent last.
    pub picture: Option<ColorImage>,
    pub layers: Vec<ColorImage>,
    /// Probabilities, raw and smoothed, to read off.
    pub probabilities: Option<[Masks; 2]>,
    /// Nothing more will come for this frame and these settings.
    pub complete: bool,
}

/// The hand that the window holds.
pub struct Screen {
    slot: Arc<Slot>,
    sent: Option<Wanted>,
}

#[derive(Default)]
struct Slot {
    wanted: Mutex<Option<Wanted>>,
    changed: Condvar,
}

impl Screen {
    pub fn new(mail: Mail) -> Self {
        let slot = Arc::new(Slot::default());
        let theirs = slot.clone();
        thread::spawn(move || match rayon::ThreadPoolBuilder::new().build() {
            // Threads of its own: the picture must not queue behind the passes' work.
            Ok(pool) => pool.install(|| Painter::new(mail).run(&theirs)),
            Err(_) => Painter::new(mail).run(&theirs),
        });
        Self { slot, sent: None }
    }

    /// Asks for this, if it isn't what was asked for last.
    pub fn want(&mut self, wanted: Wanted) {
        if self.sent.as_ref() == Some(&wanted) {
            return;
        }
        self.sent = Some(wanted.clone());
        *self.slot.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(wanted);
        self.slot.changed.notify_one();
    }
}

struct Painter {
    mail: Mail,
    source: Option<OpenSource>,
    preview: Option<(Recipe, Preview)>,
    last_picture: Option<(PathBuf, usize)>,
}

struct OpenSource {
    path: PathBuf,
    source: Box<dyn VideoSource>,
    /// The frame that comes next without a seek.
    next: usize,
    pictures: HashMap<usize, Arc<Frame>>,
    counted: bool,
}

impl Painter {
    fn new(mail: Mail) -> Self {
        Self { mail, source: None, preview: None, last_picture: None }
    }

    fn run(mut self, slot: &Slot) {
        loop {
            let wanted = {
                let mut wanted = slot.wanted.lock().unwrap_or_else(PoisonError::into_inner);
                loop {
                    match wanted.take() {
                        Some(wanted) => break wanted,
                        None => wanted = slot.changed.wait(wanted).unwrap_or_else(PoisonError::into_inner),
                    }
                }
            };
            let path = wanted.path.clone();
            match self.paint(wanted) {
                Ok(Some(painted)) => self.mail.send(Event::Painted(Box::new(painted))),
                Ok(None) => {}
                Err(error) => self.mail.send(Event::NotPainted { path, error }),
            }
        }
    }

    fn paint(&mut self, wanted: Wanted) -> Result<Option<Painted>, String> {
        let Some(frame) = self.picture(&wanted)? else { return Ok(None) };
        let previewed = match &wanted.recipe {
            Some(recipe) if !recipe.groups.is_empty() => self.previewed(recipe, frame.index().get())?,
            _ => None,
        };
        let key = (wanted.path.clone(), frame.index().get());
        let picture = (self.last_picture.as_ref() != Some(&key)).then(|| layers::picture(&frame));
        self.last_picture = Some(key);
        let layers = match (&previewed, &wanted.recipe) {
            (Some(previewed), Some(recipe)) => {
                let probabilities = [&previewed.raw[..], &previewed.smoothed[..]];
                layers::layers(wanted.look, &previewed.masks, probabilities, &recipe.groups)
            }
            _ => Vec::new(),
        };
        Ok(Some(Painted {
            picture,
            layers,
            complete: wanted.recipe.is_none()
                || previewed.as_ref().is_some_and(|previewed| previewed.complete),
            probabilities: previewed.map(|previewed| [previewed.raw, previewed.smoothed]),
            wanted,
        }))
    }

    fn previewed(&mut self, recipe: &Recipe, index: usize) -> Result<Option<Previewed>, String> {
        let preview = match self.preview.take() {
            Some((known, preview)) if known.is_over_the_same(recipe) => preview,
            _ => recipe.session.preview(recipe.groups.clone(), PREVIEW_BYTES / 2),
        };
        let (_, preview) = self.preview.insert((recipe.clone(), preview));
        let mut frame =
            |settings| preview.frame(index, settings, &recipe.leave_out).map_err(|error| words(&error));
        let previewed = frame(&recipe.settings)?;
        match (previewed, &recipe.other) {
            (Some(previewed), Some(other)) => Ok(frame(other)?.map(|other| previewed.beside(other))),
            (previewed, _) => Ok(previewed),
        }
    }

    /// The picture of the frame; `None` when the clip ends before it.
    fn picture(&mut self, wanted: &Wanted) -> Result<Option<Arc<Frame>>, String> {
        let source = match self.source.take() {
            Some(source) if source.path == wanted.path => source,
            _ => OpenSource::open(wanted.path.clone())?,
        };
        let source = self.source.insert(source);
        let frame = source.frame(wanted.index)?;
        if let Some(frames) = source.source.counted_frames().filter(|_| !source.counted) {
            source.counted = true;
            self.mail.send(Event::Counted { path: wanted.path.clone(), frames });
        }
        Ok(frame)
    }
}

impl OpenSource {
    fn open(path: PathBuf) -> Result<Self, String> {
        let source = video::open(&path).map_err(|error| words(&error))?;
        Ok(Self { path, source, next: 0, pictures: HashMap::new(), counted: false })
    }

    fn frame(&mut self, index: usize) -> Result<Option<Arc<Frame>>, String> {
        if let Some(frame) = self.pictures.get(&index) {
            return Ok(Some(frame.clone()));
        }
        if self.next != index {
            self.source.seek(FrameIndex::new(index)).map_err(|error| words(&error))?;
        }
        let Some(frame) = self.source.next_frame().map_err(|error| words(&error))? else {
            self.next = usize::MAX;
            return Ok(None);
        };
        self.next = index + 1;
        let frame = Arc::new(frame);
        self.pictures.insert(index, frame.clone());
        let room = (PREVIEW_BYTES / 2 / frame.rgb().len()).max(1);
        if self.pictures.len() > room {
            // What lies farthest away goes first.
            let farthest = self.pictures.keys().copied().max_by_key(|key| key.abs_diff(index));
            farthest.map(|key| self.pictures.remove(&key));
        }
        Ok(Some(frame))
    }
}
