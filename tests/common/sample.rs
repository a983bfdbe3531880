//! A small real clip, cut out of the program's own sample.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub const SIZE: (u32, u32) = (176, 144);

/// 100 frames, with a person in each. Needs ffmpeg.
pub fn people(folder: &Path) -> PathBuf {
    let path = folder.join("people.mp4");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/sample/pedestrians.mp4"))
        .args(["-vf", &format!("crop={}:{}:210:190", SIZE.0, SIZE.1)])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-pix_fmt", "yuv420p"])
        .arg(&path)
        .stdin(Stdio::null())
        .status();
    assert!(status.unwrap().success(), "ffmpeg cuts the sample");
    path
}
