//! What the screen is asked to show, and what it answers.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use eframe::egui::ColorImage;

use crate::work::{layers::Look, recipe::Recipe, stable::StableMasks};
use base::mask::Masks;

/// What shall be on the screen.
#[derive(Clone)]
pub struct ViewRequest {
    pub path: PathBuf,
    pub index: usize,
    pub look: Look,
    pub recipe: Option<Recipe>,
    /// Asks again for what was not complete the last time.
    pub attempt: u64,
    /// What pass 2 has made so far, of this recipe or of another.
    pub stable: Option<Arc<StableMasks>>,
}

impl PartialEq for ViewRequest {
    fn eq(&self, other: &Self) -> bool {
        self.attempt == other.attempt && self.is_the_same(other)
    }
}

impl ViewRequest {
    /// But for being asked again.
    pub fn is_the_same(&self, other: &Self) -> bool {
        self.is_of(&other.path, other.index) && self.look == other.look && self.recipe == other.recipe
    }

    pub fn is_of(&self, path: &Path, index: usize) -> bool {
        self.path == path && self.index == index
    }
}

/// An answer, or a better one.
pub struct ViewUpdate {
    pub request: ViewRequest,
    /// `None` where the one on the screen stays.
    pub picture: Option<Picture>,
    pub masks: Option<Layers>,
    /// Probabilities, raw and smoothed, to read off; `None` where those known stay.
    pub probabilities: Option<[Masks; 2]>,
}

pub struct Picture {
    pub image: Arc<ColorImage>,
    pub source: Source,
}

/// What a picture was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The frame's proxy.
    Proxy,
    /// The frame, decoded for this.
    Decoded,
    /// The frame, kept from before.
    Kept,
}

/// Masks to lay over a picture, of the picture's size or a smaller one.
#[derive(Default)]
pub struct Layers {
    /// None where there are no masks; one, or one for raw and one for smoothed.
    pub images: Vec<ColorImage>,
    pub quality: Quality,
    /// The network has come to this frame: there are masks, or there will be soon.
    pub is_seen: bool,
    /// Nothing more will come for this frame and these settings.
    pub complete: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
pub enum Quality {
    #[default]
    Nothing,
    /// Not smoothed yet.
    Raw,
    /// Smoothed at a proxy's size.
    Draft,
    Full,
}
