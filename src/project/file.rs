//! The saved file, `*.steadymask.json`: readable, versioned, and kind to what it doesn't know.
//!
//! Every object keeps the fields that this program has no name for and writes them back, so
//! that a file which another version or another tool has added to loses nothing here.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use base::{
    files::write_atomically,
    frame::{Every, FrameRange},
    region::Region,
};
use export::ExportSettings;
use plan::{DetectBoxStep, Edits, MaskSource, NormaliseStep, Plan};
use segment::Device;
use smooth::Settings;

use super::ProjectError;

/// Files of a higher version are not opened and not written over.
pub const VERSION: u64 = 1;
/// How the name of a project ends.
pub const EXTENSION: &str = "steadymask.json";

/// Fields that are not known here.
pub type Unknown = Map<String, Value>;

/// A saved project: the video, the plan for it, and how it was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    version: u64,
    /// What the project is about.
    pub video: Video,
    /// The network and its input; the best that is installed where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Masks that another program made, in place of a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masks: Option<PathBuf>,
    /// As [`ClassGroup::parse`](segment::ClassGroup::parse) reads them.
    #[serde(default)]
    pub classes: Vec<String>,
    /// How masks are smoothed.
    #[serde(default)]
    pub smoothing: Smoothing,
    /// The settings to compare with, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// The frames to work on.
    #[serde(default)]
    pub range: Range,
    /// Polygons, each a list of corners in pixels of the picture.
    #[serde(default, skip_serializing_if = "Region::is_empty")]
    pub leave_out: Region,
    /// Pictures with a longer side, in pixels, are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_side: Option<u32>,
    /// Whether boxes are written, and how sure they must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detect_box: Option<DetectBoxStep>,
    /// The files to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<ExportSettings>,
    /// What was looked at when it was saved.
    #[serde(default)]
    pub view: View,
    /// What another version or another tool has added; written back as it is.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Which video; found again by its content where it was moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Video {
    /// Where it was when the project was saved.
    pub path: PathBuf,
    /// From the folder of the project, for a project that is moved with its video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_path: Option<PathBuf>,
    /// Of [`video::fingerprint`]; empty where it was not taken yet.
    #[serde(default)]
    pub fingerprint: String,
    /// What another version or another tool has added; written back as it is.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The network of a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Its name, or the path of its `.pt`; empty for the best that is installed.
    #[serde(default)]
    pub name: String,
    /// It sees every Nth frame; each one where this is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<usize>,
    /// Longer side of its input, in pixels, where it is not its manifest's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_side: Option<u32>,
    /// In place of its manifest's mean and standard deviation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalise: Option<NormaliseStep>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub device: Device,
    /// What another version or another tool has added; written back as it is.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The smoothing of a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Smoothing {
    /// By the names of the command line's options.
    #[serde(flatten)]
    pub settings: Settings,
    /// Whether method and strength are looked for, beginning with these.
    #[serde(default, skip_serializing_if = "is_default")]
    pub auto: bool,
    /// What another version or another tool has added; written back as it is.
    #[serde(flatten)]
    pub unknown: Unknown,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Two settings to switch between, A and B.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Whether [`Project::smoothing`] is B; the other one is here.
    #[serde(default)]
    pub is_b: bool,
    /// The settings that are not in use.
    #[serde(default)]
    pub other: Smoothing,
    /// What another version or another tool has added; written back as it is.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Frames that are worked on, both ends in; counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// 0 where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<usize>,
    /// The end of the clip where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<usize>,
    /// What another version or another tool has added; written back as it is.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What was looked at, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The frame on the screen, counted from 0.
    #[serde(default)]
    pub frame: usize,
    /// The window's word for it; one that is not known is passed over.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mode: String,
    /// What another version or another tool has added; written back as it is.
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Project {
    /// A project of this video with the usual settings.
    pub fn new(video: PathBuf) -> Self {
        Self {
            version: VERSION,
            video: Video { path: video, ..Video::default() },
            network: None,
            masks: None,
            classes: Vec::new(),
            smoothing: Smoothing::default(),
            comparison: None,
            range: Range::default(),
            leave_out: Region::default(),
            max_side: None,
            detect_box: None,
            export: None,
            view: View::default(),
            unknown: Unknown::new(),
        }
    }

    /// What shall be done with the video.
    pub fn plan(&self) -> Plan {
        let Self {
            network, masks, classes, smoothing, range, leave_out, max_side, detect_box, export, ..
        } = self.clone();
        let Network { name, every, long_side, normalise, device, unknown: _ } = network.unwrap_or_default();
        let Smoothing { settings, auto, unknown: _ } = smoothing;
        let Range { first, last, unknown: _ } = range;
        let network = plan::Network {
            name: Some(name).filter(|name| !name.is_empty()),
            long_side_px: long_side,
            normalise,
            device,
        };
        Plan {
            source: masks.map_or(MaskSource::Network(network), MaskSource::Mattes),
            classes,
            // A number that is none of ours is passed over, like a word for a view.
            every: every.and_then(|every| every.try_into().ok()).unwrap_or_default(),
            range: FrameRange { first: first.unwrap_or(0), last: last.unwrap_or(usize::MAX) },
            max_side_px: max_side,
            settings,
            auto,
            edits: Edits { leave_out },
            detect_box,
            export,
        }
    }

    /// Takes a plan in; what this program has no name for stays.
    pub fn set_plan(&mut self, plan: &Plan) {
        let Plan { source, classes, every, range, max_side_px, settings, auto, edits, detect_box, export } =
            plan.clone();
        let Edits { leave_out } = edits;
        let (network, masks) = match source {
            MaskSource::Network(network) => (network, None),
            MaskSource::Mattes(masks) => (plan::Network::default(), Some(masks)),
        };
        let plan::Network { name, long_side_px, normalise, device } = network;
        let unknown = self.network.take().unwrap_or_default().unknown;
        let network = Network {
            name: name.unwrap_or_default(),
            every: Some(every).filter(|every| !every.is_one()).map(Every::into),
            long_side: long_side_px,
            normalise,
            device,
            unknown,
        };
        self.network = Some(network).filter(|network| *network != Network::default());
        self.masks = masks;
        self.classes = classes;
        (self.smoothing.settings, self.smoothing.auto) = (settings, auto);
        self.range.first = Some(range.first).filter(|&first| first > 0);
        self.range.last = Some(range.last).filter(|&last| last < usize::MAX);
        self.leave_out = leave_out;
        self.max_side = max_side_px;
        self.detect_box = detect_box;
        self.export = export;
    }

    /// # Errors
    /// When the file can't be read, is no project, or is a newer program's.
    pub fn load(path: &Path) -> Result<Self, ProjectError> {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ProjectError::Read { path: path.to_owned(), cause })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ProjectError> {
        let wrong = |cause: String| ProjectError::Wrong { path: path.to_owned(), cause };
        let value: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        // A newer file may differ in anything but this.
        match value.get("version").and_then(Value::as_u64) {
            None => Err(wrong("it has no version number".into())),
            Some(found) if found > VERSION => Err(ProjectError::Newer { path: path.to_owned(), found }),
            Some(_) => serde_json::from_value(value).map_err(|error| wrong(error.to_string())),
        }
    }

    /// Writes the project under a temporary name beside `path`, flushes it to the disk and
    /// renames it. Gives what was written: the video's path as seen from there is new in it.
    ///
    /// # Errors
    /// When it can't be written, or a newer program's project is there.
    pub fn save(&self, path: &Path) -> Result<Self, ProjectError> {
        if let Ok(text) = std::fs::read_to_string(path)
            && let Err(newer @ ProjectError::Newer { .. }) = Self::parse(path, &text)
        {
            return Err(newer);
        }
        let mut saved = Self { version: VERSION, ..self.clone() };
        saved.video.relative_path = path.parent().and_then(|folder| relative(&self.video.path, folder));
        write_atomically(path, |out| {
            serde_json::to_writer_pretty(&mut *out, &saved)?;
            out.write_all(b"\n")
        })?;
        Ok(saved)
    }

    /// Whether the two are the same work: what was looked at, and where the video lies as seen from
    /// the file, is none.
    pub fn is_same_work(&self, other: &Self) -> bool {
        let comparison = |project: &Self| {
            let Comparison { is_b, other, unknown: _ } = project.comparison.clone()?;
            Some((is_b, other.settings))
        };
        self.plan() == other.plan()
            && comparison(self) == comparison(other)
            && self.video.path == other.video.path
    }
}

/// Where `path` lies as seen from `folder`; only downwards, since what lies elsewhere does
/// not move with it.
fn relative(path: &Path, folder: &Path) -> Option<PathBuf> {
    let absolute = |path: &Path| std::path::absolute(path).ok();
    absolute(path)?.strip_prefix(absolute(folder)?).ok().map(Path::to_owned)
}

/// Whether a file is a project, by its name.
pub fn is_project(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().ends_with(EXTENSION))
}

/// The path with a project's ending.
pub fn named(path: PathBuf) -> PathBuf {
    if is_project(&path) || path.file_name().is_none() {
        return path;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(EXTENSION);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything that a project can hold.
    fn full() -> Project {
        let mut project = Project::new("/clips/a.mp4".into());
        project.network = Some(Network { name: "net".into(), every: Some(3), ..Network::default() });
        project.classes = vec!["person".into(), "motorbike+person".into()];
        project.comparison = Some(Comparison { is_b: true, ..Comparison::default() });
        project.range = Range { first: Some(3), last: Some(90), unknown: Unknown::new() };
        project.leave_out = ["1,2,30.5,2,30,40".parse().unwrap()].into_iter().collect();
        project.view = View { frame: 17, mode: "wipe".into(), unknown: Unknown::new() };
        project
    }

    /// The objects of a project, by where they are.
    fn objects(value: &Value) -> Vec<String> {
        let mut found = vec![String::new()];
        fn visit(value: &Value, at: &str, found: &mut Vec<String>) {
            for (name, inner) in value.as_object().into_iter().flatten() {
                let here = format!("{at}/{name}");
                if inner.is_object() {
                    found.push(here.clone());
                }
                visit(inner, &here, found);
            }
        }
        visit(value, "", &mut found);
        found
    }

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9f64..1e9).prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn unknown_fields_survive_at_every_level(
            added in proptest::collection::btree_map("x-[a-z]{1,8}", anything(), 1..4),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let (first, second) = (folder.path().join("a.steadymask.json"), folder.path().join("b.steadymask.json"));
            let mut value = serde_json::to_value(full()).unwrap();
            let places = objects(&value);
            prop_assert!(places.contains(&"/comparison/other".to_owned()), "{:?}", places);
            for place in &places {
                let object = value.pointer_mut(place).unwrap().as_object_mut().unwrap();
                object.extend(added.clone());
            }
            std::fs::write(&first, value.to_string()).unwrap();
            let loaded = Project::load(&first).unwrap();
            prop_assert_eq!(&loaded.smoothing.settings, &full().smoothing.settings);
            loaded.save(&second).unwrap();
            let saved: Value = serde_json::from_str(&std::fs::read_to_string(&second).unwrap()).unwrap();
            for place in &places {
                for (name, content) in &added {
                    prop_assert_eq!(&saved.pointer(place).unwrap()[name], content, "{} of {}", name, place);
                }
            }
            prop_assert_eq!(Project::load(&second).unwrap(), loaded);
        }
    }

    #[test]
    fn a_newer_project_is_refused_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.steadymask.json");
        let newer = r#"{"version": 2, "video": {"dimensions": 4}}"#;
        std::fs::write(&path, newer).unwrap();
        for error in [Project::load(&path).unwrap_err(), full().save(&path).unwrap_err()] {
            let error = error.to_string();
            assert!(error.contains("newer Steadymask") && error.contains("; update Steadymask"), "{error}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), newer);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_is_no_project_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.steadymask.json");
        for (text, why) in [
            ("", "EOF"),
            ("[]", "no version"),
            (r#"{"version": 1}"#, "video"),
            (r#"{"version": 1, "video": {"path": "a"}, "smoothing": {"window": 4}}"#, "odd number"),
            (r#"{"version": 1, "video": {"path": "a"}, "leave_out": [[[1, 2]]]}"#, "three or more corners"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Project::load(&path).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("a.steadymask.json"), "{error}");
        }
        let least: Project = serde_json::from_str(r#"{"version": 1, "video": {"path": "a"}}"#).unwrap();
        assert_eq!(least, Project::new("a".into()));
    }

    proptest! {
        #[test]
        fn a_plan_comes_back_as_it_went_in(
            every in 1usize..=30,
            (first, count) in (0usize..1000, 0usize..1000),
            is_open_ended: bool,
            auto: bool,
            (name, masks) in (proptest::option::of("[a-z]{1,6}"), proptest::option::of("[a-z]{1,6}")),
            long_side_px in proptest::option::of(32u32..8192),
            max_side_px in proptest::option::of(1u32..9000),
            has_export: bool,
        ) {
            let network = plan::Network { name, long_side_px, normalise: None, device: Device::Cpu };
            let plan = Plan {
                source: masks.map_or(MaskSource::Network(network), |path| MaskSource::Mattes(path.into())),
                classes: vec!["a".into(), "b+c".into()],
                every: every.try_into().unwrap(),
                range: FrameRange { first, last: if is_open_ended { usize::MAX } else { first + count } },
                max_side_px,
                settings: Settings { min_area_px: 7, ..Settings::default() },
                auto,
                edits: Edits { leave_out: ["1,2,30.5,2,30,40".parse().unwrap()].into_iter().collect() },
                detect_box: Some(DetectBoxStep { min_confidence: 0.5 }),
                export: has_export.then(ExportSettings::default),
            };
            let mut project = full();
            project.set_plan(&plan);
            let text = serde_json::to_string(&project).unwrap();
            prop_assert_eq!(serde_json::from_str::<Project>(&text).unwrap().plan(), plan);
        }
    }

    #[test]
    fn looking_is_no_work_and_a_project_has_its_ending() {
        let (project, mut other) = (full(), full());
        other.view.frame = 3;
        assert!(project.is_same_work(&other));
        other.range.last = None;
        assert!(!project.is_same_work(&other));
        assert_eq!(named("a/b.mp4".into()), Path::new("a/b.mp4.steadymask.json"));
        assert_eq!(named("a/b.steadymask.json".into()), Path::new("a/b.steadymask.json"));
        assert!(!is_project(Path::new("a/b.json")));
    }
}
