//! What the user has chosen: what undo takes back, and what is kept from one start to the next.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{machine::Machine, plots::Curve, text::Language, theme::ThemeChoice};
use crate::{pipeline::Every, region::Region, smooth::Settings};

/// Everything that undo takes back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choice {
    pub model: Option<String>,
    /// Which frames the network sees.
    pub every: Every,
    pub classes: Vec<String>,
    pub settings: Settings,
    /// The settings that `settings` can be exchanged for, A for B or B for A.
    pub other: Option<Settings>,
    /// Whether `settings` is B.
    pub is_b: bool,
    /// Of this clip, and so not kept for the next.
    #[serde(skip)]
    pub leave_out: Region,
}

impl Choice {
    pub fn a_and_b(&self) -> (Settings, Settings) {
        let other = self.other.unwrap_or(self.settings);
        if self.is_b { (other, self.settings) } else { (self.settings, other) }
    }

    /// B in the place of A, or A in the place of B.
    pub fn exchanged(&self) -> Self {
        let settings = self.other.unwrap_or(self.settings);
        Self { settings, other: Some(self.settings), is_b: !self.is_b, ..self.clone() }
    }
}

/// Kept from one start to the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    pub theme: ThemeChoice,
    pub language: Language,
    pub scale: f32,
    pub opacity: f32,
    /// Whether masks have an outline.
    pub outlines: bool,
    pub recent: Vec<PathBuf>,
    /// Networks of the user's own.
    pub models: Vec<PathBuf>,
    pub machine: Machine,
    /// The curves that are shown.
    pub plots: Vec<Curve>,
    pub choice: Choice,
}

const MAX_RECENT: usize = 6;

impl Preferences {
    /// The file goes to the top of the recent ones.
    pub fn opened(&mut self, path: &Path) {
        self.recent.retain(|known| known != path);
        self.recent.insert(0, path.to_owned());
        self.recent.truncate(MAX_RECENT);
    }
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::System,
            language: Language::of_system(),
            scale: 1.0,
            opacity: 1.0,
            outlines: true,
            recent: Vec::new(),
            models: Vec::new(),
            machine: Machine::default(),
            plots: Curve::ALL.to_vec(),
            choice: Choice::default(),
        }
    }
}
