//! The saved file, `*.steadymask.json`: readable, versioned, and kind to what it doesn't know.
//!
//! Every object keeps the fields that this program has no name for and writes them back, so
//! that a file which another version or another tool has added to loses nothing here.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::ProjectError;
use crate::{export::write_atomically, region::Region, smooth::Settings};

/// Files of a higher version are not opened and not written over.
pub const VERSION: u64 = 1;
pub const EXTENSION: &str = "steadymask.json";

/// Fields that are not known here.
pub type Unknown = Map<String, Value>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    version: u64,
    pub video: Video,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// As [`ClassGroup::parse`](crate::segment::ClassGroup::parse) reads them.
    #[serde(default)]
    pub classes: Vec<String>,
    #[serde(default)]
    pub smoothing: Smoothing,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    #[serde(default)]
    pub range: Range,
    /// Polygons, each a list of corners in pixels of the picture.
    #[serde(default, skip_serializing_if = "Region::is_empty")]
    pub leave_out: Region,
    #[serde(default)]
    pub view: View,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Which video; found again by its content where it was moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Video {
    pub path: PathBuf,
    /// From the folder of the project, for a project that is moved with its video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_path: Option<PathBuf>,
    /// Of [`crate::video::fingerprint`]; empty where it was not taken yet.
    #[serde(default)]
    pub fingerprint: String,
    #[serde(flatten)]
    pub unknown: Unknown,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Its name, or the path of its `.pt`.
    pub name: String,
    /// It sees every Nth frame; each one where this is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<usize>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Smoothing {
    /// By the names of the command line's options.
    #[serde(flatten)]
    pub settings: Settings,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Two settings to switch between, A and B.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Whether [`Project::smoothing`] is B; the other one is here.
    #[serde(default)]
    pub is_b: bool,
    #[serde(default)]
    pub other: Smoothing,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// Frames that are worked on, both ends in; counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Range {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<usize>,
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// What was looked at, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    #[serde(default)]
    pub frame: usize,
    /// The window's word for it; one that is not known is passed over.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mode: String,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Project {
    pub fn new(video: PathBuf) -> Self {
        Self {
            version: VERSION,
            video: Video { path: video, ..Video::default() },
            network: None,
            classes: Vec::new(),
            smoothing: Smoothing::default(),
            comparison: None,
            range: Range::default(),
            leave_out: Region::default(),
            view: View::default(),
            unknown: Unknown::new(),
        }
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

    /// Whether the two differ in what is work: not in what was looked at, nor in where the
    /// video lies as seen from the file.
    pub fn is_same_work(&self, other: &Self) -> bool {
        let video = Video {
            relative_path: other.video.relative_path.clone(),
            fingerprint: other.video.fingerprint.clone(),
            ..self.video.clone()
        };
        Self { view: other.view.clone(), video, ..self.clone() } == *other
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
        project.network = Some(Network { name: "net".into(), every: Some(3), unknown: Unknown::new() });
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
