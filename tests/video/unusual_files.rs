//! Files that are no video, or may not be read, or have odd names.

use std::{fs, path::Path};

use steadymask::video::{self, VideoError};

use crate::{
    clips::{cut, encode, size},
    needs,
};

/// The error of opening, or of reading the first frame.
fn refusal(path: &Path) -> String {
    let error = match video::open(path) {
        Err(error) => error,
        Ok(mut source) => source.next_frame().unwrap_err(),
    };
    let text = error.to_string();
    assert!(text.starts_with(&path.display().to_string()) || text.contains(".png"), "{text}");
    assert!(text.contains("; ") && !text.contains('\n'), "{text}");
    println!("{text}");
    text
}

#[test]
fn files_that_are_no_video() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    assert!(matches!(video::open(&folder.path().join("none.mp4")), Err(VideoError::Missing(_))));
    assert!(matches!(video::open(&file("empty.mp4", b"")), Err(VideoError::Empty(_))));
    let text = b"This is a shopping list: milk, bread, and a video camera.\n".repeat(50);
    assert!(refusal(&file("text.mp4", &text)).contains("not a video"));
    assert!(refusal(&file("text.mkv", &text)).contains("not a video"));
    assert!(refusal(&file("notes.txt", &text)).contains("text file"));
    assert!(refusal(&file("broken.png", b"\x89PNG\r\n\x1a\n and no more")).contains("can't be read"));
    assert!(refusal(&folder.path().join("*.jpeg")).contains("no image fits"));

    let tone = folder.path().join("tone.m4a");
    let made = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", "sine=duration=1"])
        .arg(&tone)
        .status();
    assert!(made.unwrap().success());
    assert!(refusal(&tone).contains("sound and no video"));

    let clip = encode(
        folder.path(),
        "clip.mp4",
        size(160, 96),
        30,
        "-c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    assert!(refusal(&cut(&clip, 0.7, "no-index.mp4")).contains("cut off before its index"));
    let folder = tempfile::tempdir().unwrap();
    assert!(refusal(folder.path()).contains("has no images"));
}

#[test]
fn a_file_without_permission() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.mp4");
    fs::write(&path, "secret").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let by_nobody = move || {
        // SAFETY: it concerns files, and this thread alone; root, who may read everything, is
        // then somebody else, and others stay who they are.
        unsafe { libc::setfsuid(65534) };
        refusal(&path)
    };
    assert!(std::thread::spawn(by_nobody).join().unwrap().contains("permission"));
}

#[test]
fn odd_names_are_just_names() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = encode(
        folder.path(),
        "clip.mp4",
        size(160, 96),
        3,
        "-c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    for name in
        ["a b ü 日本.mp4", "clip%03d.mp4", "http:clip.mp4", "[a]*?.mp4", "-i.mp4", "it's \"quoted\".mp4"]
    {
        let path = folder.path().join(name);
        fs::copy(&clip, &path).unwrap();
        let mut source = video::open(&path).unwrap();
        assert!(source.next_frame().unwrap().is_some(), "{name}");
    }
    use std::os::unix::ffi::OsStrExt;
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"latin-\xfc.mp4"));
    fs::copy(&clip, &path).unwrap();
    let first = video::open(&path).and_then(|mut source| source.next_frame());
    assert!(first.unwrap().is_some());
}
