//! What the user has chosen: what undo takes back, and what is kept from one start to the next.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use base::frame::{Every, FrameRange};
use plan::{Edits, MaskSource, Network, Plan};
use smooth::Settings;

use crate::{plots::curve::Curve, text::Language, theme::ThemeChoice, work::Machine};

/// Everything that undo takes back: what shall be done with the clip, and the settings to compare it
/// with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredChoice", into = "StoredChoice")]
pub struct Choice {
    /// Where the network runs and what is exported are said elsewhere: [`State::plan`] puts all of it
    /// together.
    ///
    /// [`State::plan`]: crate::state::State::plan
    pub plan: Plan,
    /// The settings that the plan's can be exchanged for, A for B or B for A.
    pub other: Option<Settings>,
    /// Whether the plan's settings are B.
    pub is_b: bool,
}

/// What of a choice is kept for the next clip: not what belongs to this one.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredChoice {
    model: Option<String>,
    every: Every,
    classes: Vec<String>,
    settings: Settings,
    other: Option<Settings>,
    is_b: bool,
}

impl From<StoredChoice> for Choice {
    fn from(StoredChoice { model, every, classes, settings, other, is_b }: StoredChoice) -> Self {
        let network = Network { name: model, ..Network::default() };
        let source = MaskSource::Network(network);
        let plan = Plan {
            source,
            classes,
            every,
            range: FrameRange::ALL,
            max_side_px: None,
            settings,
            auto: false,
            edits: Edits::default(),
            detect_box: None,
            export: None,
        };
        Self { plan, other, is_b }
    }
}

impl From<Choice> for StoredChoice {
    fn from(Choice { plan, other, is_b }: Choice) -> Self {
        let model = plan.source.network().and_then(|network| network.name.clone());
        let Plan { every, classes, settings, .. } = plan;
        Self { model, every, classes, settings, other, is_b }
    }
}

impl Choice {
    /// What the network is called; `None` while none is chosen.
    pub fn model(&self) -> Option<&str> {
        self.plan.source.network()?.name.as_deref()
    }

    /// With another network.
    pub fn with_model(&self, name: String) -> Self {
        let mut choice = self.clone();
        choice.plan.source.network_mut().name = Some(name);
        choice
    }

    /// The same for the next clip: without what belongs to this one.
    pub fn for_another_clip(&self) -> Self {
        StoredChoice::from(self.clone()).into()
    }

    /// With other settings.
    pub fn with_settings(&self, settings: Settings) -> Self {
        Self { plan: Plan { settings, ..self.plan.clone() }, ..self.clone() }
    }

    pub fn a_and_b(&self) -> (Settings, Settings) {
        let own = self.plan.settings;
        let other = self.other.unwrap_or(own);
        if self.is_b { (other, own) } else { (own, other) }
    }

    /// B in the place of A, or A in the place of B.
    pub fn exchanged(&self) -> Self {
        let own = self.plan.settings;
        let exchanged = self.with_settings(self.other.unwrap_or(own));
        Self { other: Some(own), is_b: !self.is_b, ..exchanged }
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
