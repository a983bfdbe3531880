//! What the window knows, apart from how it is drawn.

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Instant};

use super::{
    choice::{Choice, Preferences},
    describe::ModelForm,
    history::History,
    machine::Usage,
    player::Player,
    plots::Curve,
    project::OpenProject,
    results::Results,
    toasts::Toasts,
    view::{Mode, View},
    work::{ModelInfo, Pass, Recipe, Session, StableMasks},
};
use crate::{
    export::{ExportKind, ExportOptions, ExportSettings, NameError},
    jobs,
    pipeline::{CancelToken, FrameRange, Progress, RunProgress},
    project::{LeftOver, Preset, Presets, Project},
    segment::{ClassGroup, torchscript::CudaStatus},
    smooth::Settings,
    video::VideoInfo,
};

/// The opened video.
#[derive(Clone, Debug)]
pub struct Clip {
    pub path: PathBuf,
    pub info: VideoInfo,
    /// Claimed at first, counted later.
    pub frames: usize,
}

impl Clip {
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }
}

/// What lies over the window, with what is typed into it.
#[derive(Clone, Debug, PartialEq)]
pub enum Dialog {
    Export,
    /// The line of clips.
    Line,
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
    Restore(Box<LeftOver>),
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

/// What the export dialog is filled with.
#[derive(Clone, Debug)]
pub struct ExportPlan {
    pub kinds: Vec<ExportKind>,
    pub options: ExportOptions,
    /// As it is typed; empty for the usual names.
    pub names: String,
    pub folder: String,
    pub force: bool,
}

impl ExportPlan {
    /// # Errors
    /// What is wrong with the names.
    pub fn options(&self) -> Result<ExportOptions, NameError> {
        let names = Some(self.names.trim()).filter(|names| !names.is_empty());
        Ok(ExportOptions { names: names.map(str::parse).transpose()?, ..self.options.clone() })
    }

    /// What a preset keeps of it; `None` while the names are wrong.
    pub fn settings(&self) -> Option<ExportSettings> {
        Some(ExportSettings { kinds: self.kinds.clone(), options: self.options().ok()? })
    }

    /// Fills in what a preset says.
    pub fn take(&mut self, ExportSettings { kinds, options }: ExportSettings) {
        self.names = options.names.as_ref().map(ToString::to_string).unwrap_or_default();
        (self.kinds, self.options) = (kinds, options);
    }
}

impl Default for ExportPlan {
    fn default() -> Self {
        Self {
            kinds: ExportKind::DEFAULT.to_vec(),
            options: ExportOptions::default(),
            names: String::new(),
            folder: String::new(),
            force: false,
        }
    }
}

/// The network at work, or done.
pub struct Job {
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
    pub pass: Pass,
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
    pub waiting: VecDeque<PathBuf>,
    /// Clips that are done one after another.
    pub line: jobs::Shown,
    pub path_field: String,
    pub models: Option<Vec<ModelInfo>>,
    pub choice: Choice,
    pub history: History<Choice>,
    pub player: Player,
    pub view: View,
    pub job: Option<Job>,
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
    pub plan: ExportPlan,
    /// Frames that the last pass of smoothing and measuring did in a second.
    pub pass_rate: Option<f64>,
    pub dialog: Option<Dialog>,
    pub toasts: Toasts,
    pub preferences: Preferences,
    pub store_folder: PathBuf,
    pub next_id: u64,
}

impl State {
    pub fn new(preferences: Preferences, store_folder: PathBuf) -> Self {
        Self {
            clip: None,
            opening: None,
            waiting: VecDeque::new(),
            line: jobs::Shown::default(),
            path_field: String::new(),
            models: None,
            choice: preferences.choice.clone(),
            history: History::default(),
            player: Player::default(),
            view: View::default(),
            job: None,
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
            plan: ExportPlan::default(),
            pass_rate: None,
            dialog: None,
            toasts: Toasts::default(),
            preferences,
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
        let name = self.choice.model.as_ref()?;
        self.models.as_ref()?.iter().find(|model| &model.name == name)
    }

    /// The masks to make.
    pub fn groups(&self) -> Vec<ClassGroup> {
        let Some(model) = self.model() else { return Vec::new() };
        self.choice.classes.iter().filter_map(|name| ClassGroup::parse(name, &model.manifest).ok()).collect()
    }

    /// What is worked on: between the in and the out point.
    pub fn range(&self) -> FrameRange {
        FrameRange { first: self.player.first.unwrap_or(0), last: self.player.last.unwrap_or(usize::MAX) }
    }

    /// The results of pass 1 that belong to the network chosen now.
    pub fn session(&self) -> Option<&Arc<Session>> {
        let job = self.job.as_ref()?;
        let is_of_choice = |session: &&Arc<Session>| {
            Some(&job.model) == self.choice.model.as_ref() && session.tracks.every == self.choice.every
        };
        job.session.as_ref().filter(is_of_choice)
    }

    /// How masks come about now; `None` where there are none to be had.
    pub fn recipe(&self) -> Option<Recipe> {
        let (session, groups) = (self.session()?.clone(), self.groups());
        let Choice { settings, leave_out, .. } = self.choice.clone();
        (!groups.is_empty()).then_some(Recipe { session, groups, settings, other: None, leave_out })
    }

    /// The same for the screen, which can show A beside B.
    pub fn recipe_shown(&self) -> Option<Recipe> {
        let mut recipe = self.recipe()?;
        if self.view.mode == Mode::Compare && !self.view.raw_only {
            let (a, b) = self.choice.a_and_b();
            (recipe.settings, recipe.other) = (b, Some(a));
        }
        Some(recipe)
    }

    pub fn is_running(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.running)
    }

    /// Why Stabilise can't be pressed.
    pub fn why_not_stabilise(&self) -> Option<super::text::Text> {
        use super::text::Text;
        if self.clip.is_none() {
            Some(Text::NeedVideo)
        } else if self.model().is_none() {
            Some(Text::NeedModel)
        } else if self.groups().is_empty() {
            Some(Text::NoClass)
        } else if self.job.as_ref().is_some_and(|job| {
            job.complete && Some(&job.model) == self.choice.model.as_ref() && job.range == self.range()
        }) {
            Some(Text::UpToDate)
        } else {
            None
        }
    }

    /// Why «Auto» can't be pressed.
    pub fn why_not_tune(&self) -> Option<super::text::Text> {
        let done = self.job.as_ref().is_some_and(|job| job.complete);
        if done { self.why_not_export() } else { Some(super::text::Text::NeedResults) }
    }

    pub fn why_not_export(&self) -> Option<super::text::Text> {
        use super::text::Text;
        if self.session().is_none() || self.groups().is_empty() { Some(Text::NeedResults) } else { None }
    }
}
