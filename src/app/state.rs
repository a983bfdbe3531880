//! What the window knows, apart from how it is drawn.

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Instant};

use crate::{
    choice::{Choice, Preferences},
    dialogs::model_form::ModelForm,
    export::form::ExportForm,
    history::History,
    plots::curve::Curve,
    projects::open_project::OpenProject,
    results::Results,
    text::Text,
    timeline::player::Player,
    toasts::Toasts,
    viewer::view::{Mode, View},
    work::{Clip, ModelInfo, PassId, Recipe, Session, StableMasks, Usage},
};
use base::frame::FrameRange;
use jobs::QueueSnapshot;
use pipeline::{CancelToken, Progress, RunProgress};
use plan::{MaskSource, Plan, Resolved};
use project::{Preset, Presets, Project, RecoveryFile};
use segment::{ClassGroup, CudaStatus, Library};
use smooth::Settings;

/// What lies over the window, with what is typed into it.
#[derive(Clone, Debug, PartialEq)]
pub enum Dialog {
    Export,
    Queue,
    Settings,
    Keys,
    SaveProject {
        path: String,
    },
    /// Closing would lose work.
    Unsaved,
    /// The video of a project is nowhere.
    LostVideo {
        file: Option<PathBuf>,
        project: Box<Project>,
        path: String,
    },
    /// A crash left work.
    Restore(Box<RecoveryFile>),
    TrustModel {
        pt: PathBuf,
        sha256: String,
    },
    DescribeModel(Box<ModelForm>),
    /// A name for the settings of now, or another one for a preset.
    NamePreset {
        name: String,
        instead_of: Option<String>,
        /// Whether the preset says what is exported too.
        with_export: bool,
    },
    /// The user's presets to a JSON file, or from one.
    PresetsFile {
        import: bool,
        path: String,
    },
    SavePlot {
        curve: Curve,
        path: String,
    },
}

/// The network at work, or done.
pub struct NetworkRun {
    pub id: u64,
    pub model: String,
    pub range: FrameRange,
    pub cancel: CancelToken,
    pub progress: RunProgress,
    /// There once the store is open.
    pub session: Option<Arc<Session>>,
    pub running: bool,
    pub complete: bool,
    pub device: Option<String>,
}

/// Smoothing and measuring behind the picture.
pub struct Measuring {
    pub pass: PassId,
    pub cancel: CancelToken,
    pub progress: Progress,
    pub running: bool,
    /// The masks made so far.
    pub stable: Arc<StableMasks>,
}

/// Looking for the setting that suits the clip.
pub struct Tuning {
    pub id: u64,
    pub cancel: CancelToken,
    pub progress: Progress,
}

pub struct Exporting {
    pub cancel: CancelToken,
    pub progress: RunProgress,
}

pub struct State {
    pub clip: Option<Clip>,
    pub opening: Option<PathBuf>,
    /// Dropped together with the open one; opened next.
    pub dropped: VecDeque<PathBuf>,
    pub queue: QueueSnapshot,
    pub path_field: String,
    pub models: Option<Vec<ModelInfo>>,
    pub choice: Choice,
    pub history: History<Choice>,
    pub player: Player,
    pub view: View,
    pub run: Option<NetworkRun>,
    pub measuring: Option<Measuring>,
    /// Settings changed at this moment and are not measured yet.
    pub changed: Option<Instant>,
    pub results: Results,
    pub exporting: Option<Exporting>,
    pub tuning: Option<Tuning>,
    /// What «Auto» found, in words, and the settings it is true of.
    pub tuned: Option<(Settings, String)>,
    pub presets: Vec<Preset>,
    pub project: OpenProject,
    /// Corners of the polygon that is being drawn, in pixels of the picture.
    pub drawing: Option<Vec<[f32; 2]>>,
    /// `None` until it was looked for.
    pub cuda: Option<CudaStatus>,
    pub usage: Arc<Usage>,
    pub export: ExportForm,
    /// Frames that the last pass of smoothing and measuring did in a second.
    pub pass_rate: Option<f64>,
    pub dialog: Option<Dialog>,
    pub toasts: Toasts,
    pub preferences: Preferences,
    /// Where networks are.
    pub library: Library,
    pub store_folder: PathBuf,
    pub next_id: u64,
}

impl State {
    pub fn new(preferences: Preferences, library: Library, store_folder: PathBuf) -> Self {
        Self {
            clip: None,
            opening: None,
            dropped: VecDeque::new(),
            queue: QueueSnapshot::default(),
            path_field: String::new(),
            models: None,
            choice: preferences.choice.clone(),
            history: History::default(),
            player: Player::default(),
            view: View::default(),
            run: None,
            measuring: None,
            changed: None,
            results: Results::default(),
            exporting: None,
            tuning: None,
            tuned: None,
            presets: Presets::built_in(),
            project: OpenProject::default(),
            drawing: None,
            cuda: None,
            usage: Usage::watch(store_folder.clone()),
            export: ExportForm::default(),
            pass_rate: None,
            dialog: None,
            toasts: Toasts::default(),
            preferences,
            library,
            store_folder,
            next_id: 0,
        }
    }

    pub fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub fn frames(&self) -> usize {
        self.clip.as_ref().map_or(0, |clip| clip.frames)
    }

    pub fn model(&self) -> Option<&ModelInfo> {
        let name = self.choice.model()?;
        self.models.as_ref()?.iter().find(|model| model.name == name)
    }

    /// What shall be done with the clip, whole: what is chosen, where the network runs, and what the
    /// export dialog says. Whatever works on the clip is handed this.
    pub fn plan(&self) -> Plan {
        let mut plan = self.choice.plan.clone();
        if let MaskSource::Network(network) = &mut plan.source {
            network.device = self.preferences.machine.device;
        }
        plan.export = self.export.settings().or(plan.export);
        plan
    }

    /// The plan with the network that was found when the networks were listed; `None` while no
    /// network is chosen, or no class of it.
    pub fn resolved(&self) -> Option<Resolved> {
        let mut plan = self.plan();
        let model = self.model()?;
        // Those of another network stay chosen, and count again with that.
        plan.classes.retain(|name| ClassGroup::parse(name, model.manifest()).is_ok());
        plan.resolve_with(model.found.clone()).ok()
    }

    /// The masks to make.
    pub fn groups(&self) -> Vec<ClassGroup> {
        self.resolved().map(|resolved| resolved.classes().to_vec()).unwrap_or_default()
    }

    /// What is worked on: between the in and the out point.
    pub fn range(&self) -> FrameRange {
        self.choice.plan.range
    }

    /// The results of pass 1 that belong to the network chosen now.
    pub fn session(&self) -> Option<&Arc<Session>> {
        let job = self.run.as_ref()?;
        let is_of_choice = |session: &&Arc<Session>| {
            Some(job.model.as_str()) == self.choice.model() && session.tracks.every == self.choice.plan.every
        };
        job.session.as_ref().filter(is_of_choice)
    }

    /// How masks come about now; `None` where there are none to be had.
    pub fn recipe(&self) -> Option<Recipe> {
        let session = self.session()?.clone();
        Some(Recipe { session, plan: Arc::new(self.resolved()?), other: None })
    }

    /// The same for the screen, which can show A beside B.
    pub fn recipe_shown(&self) -> Option<Recipe> {
        let mut recipe = self.recipe()?;
        if self.view.mode == Mode::Compare && !self.view.raw_only {
            let (a, b) = self.choice.a_and_b();
            (recipe.plan, recipe.other) = (Arc::new(recipe.plan.with_settings(b)), Some(a));
        }
        Some(recipe)
    }

    pub fn is_running(&self) -> bool {
        self.run.as_ref().is_some_and(|job| job.running)
    }

    /// Why Stabilise can't be pressed.
    pub fn why_not_stabilise(&self) -> Option<Text> {
        if let Some(lacking) = self.why_not_queue() {
            Some(lacking)
        } else if self.run.as_ref().is_some_and(|job| {
            job.complete && Some(job.model.as_str()) == self.choice.model() && job.range == self.range()
        }) {
            Some(Text::UpToDate)
        } else {
            None
        }
    }

    /// Why the open clip can't be added to the queue.
    pub fn why_not_queue(&self) -> Option<Text> {
        if self.clip.is_none() {
            Some(Text::NeedVideo)
        } else if self.model().is_none() {
            Some(Text::NeedModel)
        } else if self.groups().is_empty() {
            Some(Text::NoClass)
        } else {
            None
        }
    }

    /// Why «Auto» can't be pressed.
    pub fn why_not_tune(&self) -> Option<Text> {
        let done = self.run.as_ref().is_some_and(|job| job.complete);
        if done { self.why_not_export() } else { Some(Text::NeedResults) }
    }

    pub fn why_not_export(&self) -> Option<Text> {
        if self.session().is_none() || self.groups().is_empty() { Some(Text::NeedResults) } else { None }
    }

    /// What a clip of the queue may take.
    pub fn queue_machine(&self) -> jobs::Machine {
        let machine = &self.preferences.machine;
        jobs::Machine {
            library: self.library.clone(),
            trust_model: false,
            threads: machine.threads,
            // The clip that is open has the rest.
            memory_bytes: machine.job_bytes() / 2,
            store: self.store_folder.clone(),
            store_limit_bytes: machine.cache_bytes(),
        }
    }
}
