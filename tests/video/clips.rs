//! Clips made by the `ffmpeg` program, with the number of each frame burned into its picture.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use steadymask::frame::{Frame, FrameSize};

/// Bits of a frame's number, from the left, the highest first.
const BITS: usize = 10;

pub fn size(width: u32, height: u32) -> FrameSize {
    FrameSize::new(width, height).unwrap()
}

/// The RGB picture of frame `number`: its bits as bright or dark blocks in the upper third,
/// inverted in the lower third, and a gradient that moves between them.
pub fn picture(size: FrameSize, number: usize) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(3 * size.pixels());
    for y in 0..size.height() {
        for x in 0..size.width() {
            let bit = number >> (BITS - 1 - x * BITS / size.width()) & 1 == 1;
            let level = |bright: bool| if bright { 210 } else { 45 };
            let pixel = match 3 * y / size.height() {
                0 => [level(bit); 3],
                1 => [(x + 3 * number) as u8 / 2 + 40, (y * 2) as u8, 90],
                _ => [level(!bit); 3],
            };
            rgb.extend(pixel);
        }
    }
    rgb
}

/// The number that the upper third shows; `None` when the lower third contradicts it.
pub fn number(size: FrameSize, at: impl Fn(usize, usize) -> u8) -> Option<usize> {
    let mut number = 0;
    for bit in 0..BITS {
        let x = (2 * bit + 1) * size.width() / (2 * BITS);
        let (upper, lower) = (at(x, size.height() / 6), at(x, size.height() * 5 / 6));
        if upper.abs_diff(lower) < 60 {
            return None;
        }
        number = number << 1 | usize::from(upper > lower);
    }
    Some(number)
}

/// The number in a frame whose picture was turned clockwise by `degrees` to be upright.
pub fn number_of(frame: &Frame, degrees: u16) -> Option<usize> {
    let shown = frame.size();
    let (width, height) = (shown.width(), shown.height());
    let at = |x, y| frame.rgb()[3 * (y * width + x) + 1];
    let turned = size(height as u32, width as u32);
    match degrees {
        0 => number(shown, at),
        90 => number(turned, |x, y| at(width - 1 - y, x)),
        180 => number(shown, |x, y| at(width - 1 - x, height - 1 - y)),
        270 => number(turned, |x, y| at(y, height - 1 - x)),
        _ => panic!("{degrees} degrees"),
    }
}

/// Encodes frames `0..frames` at 25 a second with the arguments given, into `name`.
pub fn encode(folder: &Path, name: &str, size: FrameSize, frames: usize, arguments: &str) -> PathBuf {
    let path = folder.join(name);
    let mut child = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-threads", "2", "-f", "rawvideo", "-pix_fmt", "rgb24", "-r", "25", "-s"])
        .arg(format!("{}x{}", size.width(), size.height()))
        .args(["-i", "-"])
        .args(arguments.split_whitespace())
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    for number in 0..frames {
        pipe.write_all(&picture(size, number)).unwrap();
    }
    drop(pipe);
    assert!(child.wait().unwrap().success(), "ffmpeg {arguments} {name}");
    path
}

/// `ffmpeg BEFORE -i source AFTER name`
pub fn convert(source: &Path, before: &str, after: &str, name: &str) -> PathBuf {
    let path = source.with_file_name(name);
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(before.split_whitespace())
        .arg("-i")
        .arg(source)
        .args(after.split_whitespace())
        .arg(&path)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "ffmpeg {before} -i {} {after}", source.display());
    path
}

/// The first `share` of a file's bytes, as another file.
pub fn cut(source: &Path, share: f64, name: &str) -> PathBuf {
    let bytes = std::fs::read(source).unwrap();
    let path = source.with_file_name(name);
    std::fs::write(&path, &bytes[..(bytes.len() as f64 * share) as usize]).unwrap();
    path
}

/// All frames as the `ffmpeg` program decodes them, upright.
pub fn raw_frames(path: &Path, pixel_format: &str) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-v", "fatal", "-i"])
        .arg(path)
        .args(["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", pixel_format, "-"])
        .output()
        .unwrap();
    output.stdout
}

/// What `ffprobe` prints for `entries`, a line for each.
pub fn ffprobe(path: &Path, entries: &str) -> Vec<String> {
    let output = Command::new("ffprobe")
        .args(["-v", "fatal", "-select_streams", "v:0", "-of", "csv=p=0", "-show_entries", entries])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Each frame's presentation time after the start of the stream, in seconds; `None` where the
/// container has none.
pub fn times_by_ffprobe(path: &Path) -> Vec<Option<f64>> {
    let start: f64 = ffprobe(path, "stream=start_time")[0].parse().unwrap_or(0.0);
    let times = ffprobe(path, "frame=pts_time");
    times.iter().map(|time| time.split(',').next()?.parse::<f64>().ok().map(|time| time - start)).collect()
}
