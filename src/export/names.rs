//! What exported files are called.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// A pattern for the paths of all files, below the folder of the export and without the
/// ending: `{clip}`, `{kind}`, `{class}` and `{frame}` are filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NameTemplate(String);

/// A pattern for names can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// An unknown word in braces.
    #[error("«{{{0}}}» is not known in a name; it can have {{clip}}, {{kind}}, {{class}} and {{frame}}")]
    Unknown(String),
    /// The path is absolute or contains `..`.
    #[error("«{0}» would lead out of the folder of the export; give a relative path without ..")]
    LeadsOut(String),
    /// `{frame}` is in a folder's name, or there twice.
    #[error("«{0}»: {{frame}} belongs into the last part of a name")]
    FrameInFolder(String),
    /// The last part of the path is empty.
    #[error("a name needs at least one letter")]
    Empty,
}

impl FromStr for NameTemplate {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        for part in text.split('{').skip(1) {
            let word = part.split('}').next().unwrap_or_default();
            if !["clip", "kind", "class", "frame"].contains(&word) || !part.contains('}') {
                return Err(NameError::Unknown(word.to_owned()));
            }
        }
        let stays = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !Path::new(text).components().all(stays) {
            return Err(NameError::LeadsOut(text.to_owned()));
        }
        let (folder, name) = text.rsplit_once('/').unwrap_or(("", text));
        if name.trim().is_empty() {
            return Err(NameError::Empty);
        }
        if folder.contains("{frame}") || name.matches("{frame}").count() > 1 {
            return Err(NameError::FrameInFolder(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for NameTemplate {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<NameTemplate> for String {
    fn from(template: NameTemplate) -> Self {
        template.0
    }
}

impl fmt::Display for NameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Gives the files of an export their names.
#[derive(Clone, Debug)]
pub struct Names {
    clip: String,
    template: Option<NameTemplate>,
}

/// The `{class}` of files that are not of a single class.
const ALL_CLASSES: &str = "all";

impl Names {
    /// Without a template each kind of file has a name of its own.
    pub fn new(video: &Path, template: Option<NameTemplate>) -> Self {
        let clip = video.file_stem().unwrap_or_default().to_string_lossy();
        Self { clip: in_path(&clip), template }
    }

    /// A single file; `usual` is the pattern where the user gave none.
    pub fn file(&self, usual: &str, kind: &str, class: Option<&str>, extension: &str) -> PathBuf {
        let pattern = self.template.as_ref().map_or(usual, |template| &template.0);
        // A video has no frame number.
        let pattern = ["_{frame}", "-{frame}", "/{frame}", "{frame}"]
            .iter()
            .fold(pattern.to_owned(), |pattern, frame| pattern.replace(frame, ""));
        PathBuf::from(format!("{}.{extension}", self.fill(&pattern, kind, class)))
    }

    /// Files that are numbered by frame.
    pub fn sequence(&self, kind: &str, class: Option<&str>, extension: &str) -> SequenceNames {
        let usual = if class.is_some() { "{kind}/{class}/{frame}" } else { "{kind}/{frame}" };
        let pattern = self.template.as_ref().map_or(usual, |template| &template.0);
        let pattern =
            if pattern.contains("{frame}") { pattern.to_owned() } else { format!("{pattern}/{{frame}}") };
        let filled = self.fill(&pattern, kind, class);
        let (folder, name) = filled.rsplit_once('/').unwrap_or(("", &filled));
        let (before, after) = name.split_once("{frame}").unwrap_or((name, ""));
        SequenceNames {
            folder: folder.into(),
            before: before.to_owned(),
            after: format!("{after}.{extension}"),
        }
    }

    fn fill(&self, pattern: &str, kind: &str, class: Option<&str>) -> String {
        let class = class.map_or_else(|| ALL_CLASSES.to_owned(), in_path);
        pattern.replace("{clip}", &self.clip).replace("{kind}", kind).replace("{class}", &class)
    }
}

/// The files of a sequence: a number of six digits between two texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceNames {
    pub folder: PathBuf,
    before: String,
    after: String,
}

impl SequenceNames {
    pub fn path(&self, frame: usize) -> PathBuf {
        self.folder.join(format!("{}{frame:06}{}", self.before, self.after))
    }

    /// Whether a file of this name is one of them.
    pub fn contains(&self, name: &str) -> bool {
        let number = name.strip_prefix(&self.before).and_then(|rest| rest.strip_suffix(&self.after));
        number.is_some_and(|digits| digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// The same names in another folder.
    pub fn within(&self, root: &Path) -> Self {
        Self { folder: root.join(&self.folder), ..self.clone() }
    }
}

/// A name as it can stand in a path.
fn in_path(name: &str) -> String {
    let name = name.replace(['/', '\\', '\0', '{', '}'], "_");
    // The folder itself and the one above.
    if matches!(&*name, "" | "." | "..") { "_".repeat(name.len().max(1)) } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(template: Option<&str>) -> Names {
        Names::new(Path::new("in/a clip.mp4"), template.map(|text| text.parse().unwrap()))
    }

    #[test]
    fn the_usual_layout() {
        let names = names(None);
        assert_eq!(names.file("{kind}_{class}", "raw", Some("a/b"), "mkv"), Path::new("raw_a_b.mkv"));
        let sequence = names.sequence("raw", Some("person"), "png");
        assert_eq!(sequence.path(7), Path::new("raw/person/000007.png"));
        assert!(sequence.contains("000007.png") && sequence.contains("1000000.png"));
        assert!(
            !sequence.contains("7.png")
                && !sequence.contains("notes.png")
                && !sequence.contains("000007.txt")
        );
        assert_eq!(names.sequence("classmap", None, "png").path(0), Path::new("classmap/000000.png"));
        assert_eq!(names.sequence("raw", Some(".."), "png").path(0), Path::new("raw/__/000000.png"));
    }

    #[test]
    fn a_template_names_everything() {
        let names = names(Some("{clip}/{class}_{kind}_{frame}"));
        assert_eq!(names.file("", "raw", Some("dog"), "mkv"), Path::new("a clip/dog_raw.mkv"));
        assert_eq!(names.file("", "overlay", None, "mp4"), Path::new("a clip/all_overlay.mp4"));
        let sequence = names.sequence("raw", Some("dog"), "png");
        assert_eq!(sequence.path(7), Path::new("a clip/dog_raw_000007.png"));
        assert!(sequence.contains("dog_raw_000007.png") && !sequence.contains("cat_raw_000007.png"));
        let without = super::tests::names(Some("{kind}-{class}"));
        assert_eq!(without.sequence("raw", Some("dog"), "png").path(7), Path::new("raw-dog/000007.png"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for wrong in ["", "a/", "/etc/{clip}", "../{clip}", "{who}", "{clip", "{frame}/{kind}"] {
            assert!(wrong.parse::<NameTemplate>().is_err(), "{wrong}");
        }
    }
}
