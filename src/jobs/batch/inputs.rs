//! What there is to do: files and folders of them, or a manifest with a line for each.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{BatchError, path_text};
use video::has_image_name;

/// Of files in folders, those with these endings are videos.
const VIDEOS: [&str; 18] = [
    "mp4", "m4v", "mkv", "mov", "avi", "webm", "mpg", "mpeg", "ts", "mts", "m2ts", "wmv", "flv", "ogv",
    "3gp", "y4m", "vob", "mxf",
];

/// One job of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// A video, an image, or a folder of images that is one clip.
    pub path: PathBuf,
    /// Of its own; the batch's otherwise.
    pub pipeline: Option<String>,
}

impl Input {
    /// A single image, and no clip.
    pub fn is_image(&self) -> bool {
        has_image_name(&self.path) && !self.path.is_dir()
    }

    /// A name for its folder of results that no other input has.
    pub fn folder(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ' | '.');
        let plain: String = stem.chars().map(|c| if is_plain(c) { c } else { '_' }).take(40).collect();
        let hash = Sha256::digest(self.path.as_os_str().as_bytes());
        let hash: String = hash.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
        // A leading dot would hide it.
        format!("{}-{hash}", plain.trim_start_matches('.'))
    }
}

/// The files themselves, and of folders every image and video below them, by name. Each once.
///
/// # Errors
/// When a folder can't be read.
pub fn from_paths(paths: &[PathBuf]) -> Result<Vec<Input>, BatchError> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() { walk(path, &mut files)? } else { files.push(path.clone()) }
    }
    let mut seen = std::collections::HashSet::new();
    let files = files.into_iter().filter(|path| seen.insert(path.clone()));
    Ok(files.map(|path| Input { path, pipeline: None }).collect())
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), BatchError> {
    let unreadable = |cause: std::io::Error| BatchError::Input {
        path: folder.to_owned(),
        cause: format!("the folder can't be read ({cause})"),
        remedy: "check its permissions",
    };
    let mut entries =
        fs::read_dir(folder).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let is_hidden = entry.file_name().as_bytes().starts_with(b".");
        let kind = entry.file_type().map_err(unreadable)?;
        // A link to a folder could lead around in a circle.
        if kind.is_dir() && !is_hidden {
            walk(&path, files)?;
        } else if !is_hidden && path.is_file() && (has_image_name(&path) || has_video_name(&path)) {
            files.push(path);
        }
    }
    Ok(())
}

fn has_video_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    VIDEOS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// A line of a manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestLine {
    /// As [`path_text::path_text`] writes it; seen from the manifest's folder. A folder is a clip.
    input: String,
    #[serde(default)]
    pipeline: Option<String>,
}

fn parse(manifest: &Path, number: usize, text: &str) -> Result<Input, BatchError> {
    let line: ManifestLine = serde_json::from_str(text).map_err(|error| BatchError::Input {
        path: manifest.to_owned(),
        cause: format!("line {number} is not right ({error})"),
        remedy: "write it as {\"input\": \"clip.mp4\"}, with a \"pipeline\" if it has its own",
    })?;
    let folder = manifest.parent().unwrap_or(Path::new(""));
    Ok(Input { path: folder.join(path_text::text_path(&line.input)), pipeline: line.pipeline })
}

/// Those that are not empty, with their numbers in the file, from 1.
fn lines(
    manifest: &Path,
) -> Result<impl Iterator<Item = Result<(usize, String), BatchError>> + use<'_>, BatchError> {
    let unreadable = |cause: std::io::Error| BatchError::Input {
        path: manifest.to_owned(),
        cause: format!("the manifest can't be read ({cause})"),
        remedy: "give a text file with a JSON object on each line",
    };
    let file = fs::File::open(manifest).map_err(unreadable)?;
    let numbered = (1..).zip(BufReader::new(file).lines());
    let filled = numbered.filter(|(_, line)| line.as_ref().map_or(true, |line| !line.trim().is_empty()));
    Ok(filled.map(move |(number, line)| Ok((number, line.map_err(unreadable)?))))
}

/// Every line of the manifest that is not empty.
///
/// # Errors
/// When the manifest can't be read, a line is not right, or an input comes twice with other pipelines.
pub fn from_manifest(manifest: &Path) -> Result<Vec<Input>, BatchError> {
    let mut seen = HashMap::new();
    let mut all = Vec::new();
    for line in lines(manifest)? {
        let (number, line) = line?;
        let input = parse(manifest, number, &line)?;
        match seen.insert(input.path.clone(), input.pipeline.clone()) {
            None => all.push(input),
            Some(pipeline) if pipeline == input.pipeline => {}
            Some(_) => {
                return Err(BatchError::Input {
                    path: manifest.to_owned(),
                    cause: format!("line {number} has an input once more, with another pipeline"),
                    remedy: "put it into a manifest of its own, with another --out",
                });
            }
        }
    }
    Ok(all)
}

/// One line, counted from 0 without empty ones.
///
/// # Errors
/// When the manifest can't be read, or the line is not there or not right.
pub fn manifest_line(manifest: &Path, index: usize) -> Result<Input, BatchError> {
    let line = lines(manifest)?.nth(index).ok_or_else(|| BatchError::Input {
        path: manifest.to_owned(),
        cause: format!("it has no line {index}"),
        remedy: "lines are counted from 0",
    })?;
    let (number, line) = line?;
    parse(manifest, number, &line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_give_their_files_in_order_and_names_of_results_never_meet() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("b/.hidden")).unwrap();
        for name in ["b/2.jpg", "b/1.PNG", "a.mp4", "notes.txt", ".x.jpg", "b/.hidden/3.jpg"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = from_paths(&[folder.path().to_owned(), folder.path().join("a.mp4")]).unwrap();
        let names: Vec<_> =
            found.iter().map(|input| input.path.strip_prefix(folder.path()).unwrap()).collect();
        assert_eq!(names, ["a.mp4", "b/1.PNG", "b/2.jpg"].map(Path::new));
        let name = |path: &str| Input { path: path.into(), pipeline: None }.folder();
        assert_ne!(name("a/1.jpg"), name("b/1.jpg"));
        assert_ne!(name("1.jpg"), name("1.png"));
        assert!(name("../..").chars().all(|c| c != '/') && !name(".x").starts_with('.'));
    }

    #[test]
    fn a_manifest_has_a_line_for_each() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.jsonl");
        fs::write(&path, "{\"input\": \"a.mp4\"}\n\n{\"input\": \"b\\\\xff.jpg\", \"pipeline\": \"p\"}\n")
            .unwrap();
        let all = from_manifest(&path).unwrap();
        assert_eq!((all.len(), all[1].pipeline.as_deref()), (2, Some("p")));
        assert!(all[1].path.as_os_str().as_bytes().ends_with(b"/b\xff.jpg"));
        assert_eq!(manifest_line(&path, 1).unwrap(), all[1]);
        assert!(manifest_line(&path, 2).unwrap_err().to_string().contains("no line 2"));
        fs::write(&path, "{\"input\": \"a.mp4\"}\n\nnonsense\n").unwrap();
        assert!(from_manifest(&path).unwrap_err().to_string().contains("line 3 is not right"));
        let twice = "{\"input\": \"a.mp4\"}\n{\"input\": \"a.mp4\"}\n";
        fs::write(&path, twice).unwrap();
        assert_eq!(from_manifest(&path).unwrap().len(), 1);
        fs::write(&path, format!("{twice}{{\"input\": \"a.mp4\", \"pipeline\": \"p\"}}\n")).unwrap();
        assert!(from_manifest(&path).unwrap_err().to_string().contains("line 3 has an input once more"));
    }
}
