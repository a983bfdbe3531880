//! A project's video, where it may have been moved.

use std::path::{Path, PathBuf};

use super::Video;
use video::fingerprint;

/// Files beside the project that are looked into.
const MAX_LOOKED_INTO: usize = 32;

/// Where the video of a project was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VideoLocation {
    /// The same content.
    Same(PathBuf),
    /// There, but with other content than when the project was saved.
    Changed(PathBuf),
    /// Nowhere.
    Missing,
}

/// Looks for the video of the project in `project_file`: where it lies as seen from there,
/// where it was, and beside the project, by name and then by content.
pub fn locate(video: &Video, project_file: &Path) -> VideoLocation {
    let folder = project_file.parent().unwrap_or(Path::new("."));
    let beside = video.path.file_name().map(|name| folder.join(name));
    let named: Vec<PathBuf> = video
        .relative_path
        .iter()
        .map(|path| folder.join(path))
        .chain([folder.join(&video.path)])
        .chain(beside)
        .filter(|path| path.exists())
        .collect();
    let is_same = |path: &PathBuf| {
        video.fingerprint.is_empty() || fingerprint(path).is_ok_and(|found| found == video.fingerprint)
    };
    if let Some(path) = named.iter().find(|path| is_same(path)) {
        return VideoLocation::Same(path.clone());
    }
    if !video.fingerprint.is_empty()
        && let Some(path) = others(folder, &video.path).into_iter().find(is_same)
    {
        return VideoLocation::Same(path);
    }
    named.into_iter().next().map_or(VideoLocation::Missing, VideoLocation::Changed)
}

/// Files in the folder that have the video's extension.
fn others(folder: &Path, video: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension() == video.extension() && path.is_file()).collect();
    found.sort_unstable();
    found.truncate(MAX_LOOKED_INTO);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_moved_video_is_found_again() {
        let root = tempfile::tempdir().unwrap();
        let (home, away) = (root.path().join("home"), root.path().join("away"));
        fs::create_dir_all(home.join("clips")).unwrap();
        fs::create_dir_all(&away).unwrap();
        let (there, project) = (home.join("clips/a.mp4"), home.join("p.steadymask.json"));
        fs::write(&there, "pictures").unwrap();
        let video = Video {
            path: there.clone(),
            relative_path: Some("clips/a.mp4".into()),
            fingerprint: fingerprint(&there).unwrap(),
            ..Video::default()
        };
        assert_eq!(locate(&video, &project), VideoLocation::Same(there.clone()));
        // With the project.
        let moved = root.path().join("moved");
        fs::rename(&home, &moved).unwrap();
        let project = moved.join("p.steadymask.json");
        assert_eq!(locate(&video, &project), VideoLocation::Same(moved.join("clips/a.mp4")));
        // Beside the project under another name.
        fs::rename(moved.join("clips/a.mp4"), moved.join("renamed.mp4")).unwrap();
        fs::write(moved.join("b.mp4"), "other pictures").unwrap();
        assert_eq!(locate(&video, &project), VideoLocation::Same(moved.join("renamed.mp4")));
        // Another file has its name.
        fs::rename(moved.join("renamed.mp4"), away.join("a.mp4")).unwrap();
        fs::write(moved.join("a.mp4"), "new pictures").unwrap();
        assert_eq!(locate(&video, &project), VideoLocation::Changed(moved.join("a.mp4")));
        fs::remove_file(moved.join("a.mp4")).unwrap();
        assert_eq!(locate(&video, &project), VideoLocation::Missing);
    }
}
