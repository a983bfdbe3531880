//! What a test needs beside the checkout. Where it is missing a test says so and passes; with
//! `CI=true` it fails, so that there nothing is left out in silence.
#![allow(dead_code, reason = "each test program needs another part of it")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The network that is quick.
pub const SELFIE: &str = "selfie";
/// The network that takes its time, and knows more than one class.
pub const DEEPLAB: &str = "deeplabv3-mobilenetv2";

pub fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Hands on whether `what` is there.
pub fn check(is_there: bool, what: &str, remedy: &str) -> bool {
    if !is_there {
        assert!(!is_ci(), "{what} is missing, and CI=true lets no test be skipped; {remedy}");
        eprintln!("skipped: {what} is missing; {remedy}");
    }
    is_there
}

pub fn ffmpeg() -> bool {
    let runs = |program| Command::new(program).arg("-version").stdout(Stdio::null()).status().is_ok();
    check(runs("ffmpeg") && runs("ffprobe"), "the program ffmpeg or ffprobe", "apt-get install ffmpeg")
}

/// Whether this network is installed in the checkout.
pub fn network(name: &str) -> bool {
    let pt = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("models/{name}.pt"));
    let remedy = format!("«make test» fetches it, and so does «steadymask models install {name}»");
    check(pt.is_file(), &format!("the network {name}"), &remedy)
}

/// What lies beside the checkout in `shared`, where nothing of its own can stand for it.
pub fn shared(name: &str, remedy: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    check(path.exists(), &path.display().to_string(), remedy).then_some(path)
}
