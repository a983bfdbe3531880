//! The `ffmpeg` program, which writes what OpenCV's encoder can't: transparency, sound, exact times,
//! and colour metadata.

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::OnceLock,
};

use super::VideoError;

/// FFmpeg of this version and later calls `-vsync` by another name.
const FPS_MODE_SINCE: (u32, u32) = (5, 1);

/// One run of the program. Dropped before it has ended, it is killed.
pub struct Ffmpeg {
    child: Child,
    stderr: File,
}

impl Ffmpeg {
    /// Starts `ffmpeg ARGUMENTS`; what it reads from `pipe:0` is [written](Self::take_input)
    /// to it.
    ///
    /// # Errors
    /// When the program is not installed.
    pub fn start(arguments: &[String]) -> Result<Self, VideoError> {
        version().ok_or(VideoError::NoFfmpeg)?;
        let begin = || {
            let stderr = tempfile::tempfile()?;
            let child = Command::new("ffmpeg")
                .args(["-y", "-v", "error", "-nostats", "-nostdin"])
                .args(arguments)
                // Its messages are searched for reasons.
                .env("LC_ALL", "C")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(stderr.try_clone()?)
                // Ctrl-C is for us: an encoder that stops by itself looks like a fault.
                .process_group(0)
                .spawn()?;
            Ok::<_, std::io::Error>(Self { child, stderr })
        };
        begin().map_err(|_| VideoError::NoFfmpeg)
    }

    /// Where `pipe:0` is written to; `None` the second time.
    pub fn take_input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits for the program to end.
    ///
    /// # Errors
    /// Why it failed, in the program's words.
    pub fn finish(&mut self) -> Result<(), String> {
        drop(self.child.stdin.take());
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.error_message().unwrap_or_else(|| format!("ffmpeg ended with {status}"))),
            Err(error) => Err(error.to_string()),
        }
    }

    fn error_message(&mut self) -> Option<String> {
        let mut text = Vec::new();
        self.stderr.rewind().ok()?;
        self.stderr.read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        if text.contains("No space left on device") {
            return Some("the disk is full".to_owned());
        }
        // The first complaint is the cause; the later ones are what came of it.
        let line = text.lines().find(|line| !line.trim().is_empty())?;
        let line = line.split_once("] ").map_or(line, |(_, words)| words);
        Some(format!("ffmpeg says «{}»", line.trim()))
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        // After its end both do nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The option that keeps timestamps as they are; its name depends on the version.
pub fn passthrough_timestamps() -> [String; 2] {
    let is_new = version().is_some_and(|version| version >= FPS_MODE_SINCE);
    [if is_new { "-fps_mode" } else { "-vsync" }.to_owned(), "passthrough".to_owned()]
}

/// The major and minor version; a build without a number counts as recent. `None` where the program
/// is not installed.
fn version() -> Option<(u32, u32)> {
    static VERSION: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *VERSION.get_or_init(|| {
        let output_arguments = Command::new("ffmpeg").arg("-version").stdin(Stdio::null()).output().ok()?;
        Some(parse_version(&String::from_utf8_lossy(&output_arguments.stdout)))
    })
}

/// A path as an argument, in which colons and percent signs have no special meaning.
pub fn file_url(path: &Path) -> String {
    format!("file:{}", path.display())
}

/// The last arguments. The same pictures give the same file: nothing in it is random, as Matroska's ids
/// would be, or depends on the clock.
pub fn output_arguments(to: &Path) -> [String; 3] {
    ["-fflags".to_owned(), "+bitexact".to_owned(), file_url(to)]
}

/// Reads «ffmpeg version 5.1.9-0+deb12u1 Copyright …».
fn parse_version(text: &str) -> (u32, u32) {
    let number = text.split_whitespace().nth(2).unwrap_or_default().trim_start_matches('n');
    let mut parts = number.split(|letter: char| !letter.is_ascii_digit()).map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (u32::MAX, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_they_are_written() {
        assert_eq!(parse_version("ffmpeg version 5.1.9-0+deb12u1 Copyright (c)"), (5, 1));
        assert_eq!(parse_version("ffmpeg version n4.4.2 Copyright"), (4, 4));
        assert_eq!(parse_version("ffmpeg version N-109876-gabc Copyright"), (u32::MAX, 0));
    }
}
