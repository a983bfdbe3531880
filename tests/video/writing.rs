//! What is written reads back, by FFmpeg's own programs.

use std::{path::Path, process::Command};

use steadymask::{
    frame::Timestamp,
    video::{self, PixelFormat, Ratio, Sound, SoundPart, StreamParameters, VideoFormat, VideoSink},
};

use crate::clips::{ffprobe, number_of, picture, size};
use crate::needs;

/// Uneven: two frames are held.
const TICKS: [i64; 9] = [0, 1001, 2002, 3003, 6006, 7007, 12012, 13013, 14014];
const TIME_BASE: Ratio = Ratio::new(1, 30000);

fn parameters(width: u32, height: u32) -> StreamParameters {
    StreamParameters {
        size: size(width, height),
        frames_per_sec: 30000.0 / 1001.0,
        time_base: TIME_BASE,
        // Above 100, which FFmpeg rounds to where nobody says otherwise.
        pixel_aspect: Ratio::new(128, 117),
    }
}

fn at(ticks: i64) -> Timestamp {
    // Somewhere in the middle of a clip.
    Timestamp::from_secs(7.0 + ticks as f64 * TIME_BASE.value())
}

/// A picture that moves, and a disc of alpha that moves too.
fn frame(format: VideoFormat, parameters: &StreamParameters, number: usize) -> Vec<u8> {
    let (width, height) = (parameters.size.width() as i32, parameters.size.height() as i32);
    let rgb = picture(parameters.size, number);
    let mut bytes = Vec::new();
    for (i, rgb) in rgb.chunks_exact(3).enumerate() {
        let (x, y) = (i as i32 % width - width / 2 - number as i32, i as i32 / width - height / 2);
        let alpha = if x * x + y * y < height * height / 9 { 255 } else { 0 };
        match format.pixels() {
            PixelFormat::Grey => bytes.push(alpha),
            PixelFormat::Rgb => bytes.extend(rgb),
            PixelFormat::Rgba => bytes.extend([rgb[0], rgb[1], rgb[2], alpha]),
        }
    }
    bytes
}

fn write(path: &Path, format: VideoFormat, parameters: StreamParameters) -> Vec<Vec<u8>> {
    let mut sink = VideoSink::create(path, format, parameters, None).unwrap();
    let frames: Vec<_> = (0..TICKS.len()).map(|number| frame(format, &parameters, number)).collect();
    for (frame, ticks) in frames.iter().zip(TICKS) {
        sink.write(at(ticks), frame).unwrap();
    }
    assert!(!path.exists());
    assert_eq!(sink.finish().unwrap(), None);
    assert_eq!(files_in(path.parent().unwrap()), 1);
    frames
}

fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// Decoded by ffmpeg with `decoder`, as `pixels`.
fn decoded(path: &Path, decoder: &[&str], pixels: &str) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error"])
        .args(decoder)
        .arg("-i")
        .arg(path)
        .args(["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", pixels, "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn psnr(a: impl Iterator<Item = u8>, b: impl Iterator<Item = u8>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (a, b) in a.zip(b) {
        sum += f64::from(a.abs_diff(b)).powi(2);
        count += 1.0;
    }
    10.0 * (255.0f64.powi(2) / (sum / count).max(1e-9)).log10()
}

/// Presentation times in seconds, in order.
fn times(path: &Path) -> Vec<f64> {
    let mut times: Vec<f64> = ffprobe(path, "packet=pts_time")
        .iter()
        .map(|time| time.trim_end_matches(',').parse().unwrap())
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

/// Writes and reads a format; `milliseconds` of its container round the times.
fn survives(
    format: VideoFormat,
    parameters: StreamParameters,
    codec: &str,
    decoder: &[&str],
    rounding_secs: f64,
) -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("what ü %d.{}", format.extension()));
    let frames = write(&path, format, parameters);
    assert_eq!(ffprobe(&path, "stream=codec_name")[0].trim_end_matches(','), codec);
    let found = times(&path);
    assert_eq!(found.len(), TICKS.len());
    for (found, ticks) in found.iter().zip(TICKS) {
        let expected = ticks as f64 * TIME_BASE.value();
        assert!((found - expected).abs() <= rounding_secs, "{found} for {expected}");
    }
    let channels = format.pixels().channels();
    let pixels = ["gray", "", "rgb24", "rgba"][channels - 1];
    let read = decoded(&path, decoder, pixels);
    let even = |side: usize| if format.has_even_sides() { side.next_multiple_of(2) } else { side };
    let (width, height) = (even(parameters.size.width()), even(parameters.size.height()));
    assert_eq!(read.len(), TICKS.len() * width * height * channels);
    // Cut to what was given.
    let cut: Vec<Vec<u8>> = read
        .chunks_exact(width * height * channels)
        .map(|frame| {
            let rows = frame.chunks_exact(width * channels).take(parameters.size.height());
            rows.flat_map(|row| &row[..parameters.size.width() * channels]).copied().collect()
        })
        .collect();
    let is_alpha = |i: &usize| channels != 4 || i % 4 == 3;
    let side = |frames: &[Vec<u8>], wanted: bool| -> Vec<u8> {
        let bytes = frames.iter().flat_map(|frame| frame.iter().enumerate());
        bytes.filter(|(i, _)| is_alpha(i) == wanted).map(|(_, &byte)| byte).collect()
    };
    let compare = |wanted| psnr(side(&frames, wanted).into_iter(), side(&cut, wanted).into_iter());
    let (pictures, alpha) =
        if channels == 4 { (compare(false), compare(true)) } else { (compare(true), f64::MAX) };
    println!(
        "{format:?} {}: pictures {pictures:.1} dB, alpha {:.1} dB",
        parameters.size,
        alpha.min(EXACT + 50.0)
    );
    (pictures, alpha)
}

/// Lossless is 130 dB here.
const EXACT: f64 = 100.0;

#[test]
fn mattes_are_exact_in_ffv1_and_nearly_in_h264() {
    if !needs::ffmpeg() {
        return;
    }
    for parameters in [parameters(160, 96), parameters(127, 93)] {
        assert!(survives(VideoFormat::Ffv1Grey, parameters, "ffv1", &[], 0.0006).0 > EXACT);
        assert!(survives(VideoFormat::H264Grey, parameters, "h264", &[], 1e-6).0 > 35.0);
    }
}

#[test]
fn transparency_survives_in_each_format() {
    if !needs::ffmpeg() {
        return;
    }
    for parameters in [parameters(160, 96), parameters(127, 93)] {
        let (pictures, alpha) = survives(VideoFormat::Ffv1Alpha, parameters, "ffv1", &[], 0.0006);
        assert!(pictures > EXACT && alpha > EXACT);
        let (pictures, alpha) = survives(VideoFormat::ProRes4444, parameters, "prores", &[], 1e-6);
        assert!(pictures > 35.0 && alpha > EXACT, "{pictures} {alpha}");
        let (pictures, alpha) =
            survives(VideoFormat::Vp9Alpha, parameters, "vp9", &["-c:v", "libvpx-vp9"], 0.0006);
        assert!(pictures > 30.0 && alpha > 35.0, "{pictures} {alpha}");
    }
}

#[test]
fn pictures_look_the_same_and_say_what_their_colours_are() {
    if !needs::ffmpeg() {
        return;
    }
    let tags = "stream=pix_fmt,color_range,color_space,color_transfer,color_primaries,sample_aspect_ratio";
    for (parameters, matrix) in [
        (parameters(160, 96), "smpte170m"),
        (parameters(127, 93), "smpte170m"),
        (parameters(64, 720), "bt709"),
    ] {
        assert!(survives(VideoFormat::H264, parameters, "h264", &[], 1e-6).0 > 32.0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("look.mp4");
        write(&path, VideoFormat::H264, parameters);
        let expected = format!("128:117,yuv420p,tv,{matrix},{matrix},{matrix}");
        assert_eq!(ffprobe(&path, tags)[0].trim_end_matches(','), expected);
    }
    // And through our own reader.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("look.mp4");
    write(&path, VideoFormat::H264, parameters(160, 96));
    let mut source = video::open(&path).unwrap();
    assert_eq!(source.info().pixel_aspect, Ratio::new(128, 117));
    assert_eq!(source.info().time_base, TIME_BASE);
    for (number, ticks) in TICKS.into_iter().enumerate() {
        let frame = source.next_frame().unwrap().unwrap();
        assert_eq!(number_of(&frame, 0), Some(number));
        let expected = (ticks as f64 * TIME_BASE.value() * 1e6).round() as i64;
        assert_eq!(frame.timestamp().micros(), expected);
    }
}

/// A killed export that is made again shall be what it would have been.
#[test]
fn the_same_frames_make_the_same_file() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.mp4");
    clip_with_sound(&clip);
    let parameters =
        StreamParameters { frames_per_sec: 25.0, time_base: Ratio::new(1, 12800), ..parameters(160, 96) };
    for format in [
        VideoFormat::Ffv1Grey,
        VideoFormat::Ffv1Alpha,
        VideoFormat::H264Grey,
        VideoFormat::H264,
        VideoFormat::ProRes4444,
        VideoFormat::Vp9Alpha,
    ] {
        for sound in [None, Sound::of(&clip)] {
            let [once, again] = ["once", "again"].map(|name| {
                let path = folder.path().join(format!("{name}.{}", format.extension()));
                let part = sound.clone().map(|sound| SoundPart { sound, is_whole: false });
                let mut sink = VideoSink::create(&path, format, parameters, part).unwrap();
                for number in 0..20 {
                    let at = Timestamp::from_secs(number as f64 / 25.0);
                    sink.write(at, &frame(format, &parameters, number)).unwrap();
                }
                assert_eq!(sink.finish().unwrap(), None);
                std::fs::read(path).unwrap()
            });
            assert!(once == again, "{format:?}, sound: {}", sound.is_some());
        }
    }
}

/// Four seconds, 25 frames each.
fn clip_with_sound(path: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=4"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:duration=4", "-c:a", "aac"])
        .arg(path)
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn sound_comes_along_whole_or_cut() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = folder.path().join("clip.mp4");
    clip_with_sound(&clip);
    let sound = Sound::of(&clip).unwrap();
    let parameters =
        StreamParameters { frames_per_sec: 25.0, time_base: Ratio::new(1, 12800), ..parameters(160, 96) };
    for (format, is_whole, codec) in [
        (VideoFormat::H264, true, "aac"),
        (VideoFormat::H264, false, "aac"),
        (VideoFormat::ProRes4444, true, "aac"),
        (VideoFormat::ProRes4444, false, "pcm_s16le"),
        (VideoFormat::Vp9Alpha, true, "opus"),
        (VideoFormat::Ffv1Alpha, false, "flac"),
    ] {
        let path = folder.path().join(format!("out.{}", format.extension()));
        let part = SoundPart { sound: sound.clone(), is_whole };
        let mut sink = VideoSink::create(&path, format, parameters, Some(part)).unwrap();
        let range = if is_whole { 0..100 } else { 25..75 };
        for number in range.clone() {
            sink.write(Timestamp::from_secs(number as f64 / 25.0), &frame(format, &parameters, number))
                .unwrap();
        }
        assert_eq!(sink.finish().unwrap(), None, "{format:?}");
        assert_eq!(times(&path).len(), range.len());
        let probed = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-select_streams",
                "a",
                "-show_entries",
                "stream=codec_name",
                "-of",
                "csv=p=0",
            ])
            .arg(&path)
            .output()
            .unwrap();
        let found = String::from_utf8(probed.stdout).unwrap();
        assert_eq!(found.trim().trim_end_matches(','), codec, "{format:?} {is_whole}");
        let samples = Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(&path)
            .args(["-vn", "-ac", "1", "-ar", "8000", "-f", "s16le", "-"])
            .output()
            .unwrap();
        let secs = samples.stdout.len() as f64 / 16000.0;
        assert!((secs - range.len() as f64 / 25.0).abs() < 0.05, "{format:?} {is_whole}: {secs} s");
    }
    assert_eq!(Sound::of(&folder.path().join("none.mp4")), None);
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dropped.mkv");
    let parameters = parameters(160, 96);
    let mut sink = VideoSink::create(&path, VideoFormat::Ffv1Grey, parameters, None).unwrap();
    sink.write(at(0), &frame(VideoFormat::Ffv1Grey, &parameters, 0)).unwrap();
    assert_eq!(files_in(folder.path()), 1);
    drop(sink);
    assert_eq!(files_in(folder.path()), 0);
}

#[test]
fn refuses_what_would_not_be_a_video() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mkv");
    let mut sink = VideoSink::create(&path, VideoFormat::Ffv1Grey, parameters(160, 96), None).unwrap();
    let error = sink.write(at(0), &[0; 15200]).unwrap_err().to_string();
    assert!(error.contains("15200 bytes and not 15360"), "{error}");
    drop(sink);
    let create = |name: &str, parameters| {
        VideoSink::create(&folder.path().join(name), VideoFormat::H264, parameters, None).err()
    };
    assert!(create("a.avi", parameters(160, 96)).unwrap().to_string().contains(".mp4"));
    assert!(create("none/a.mp4", parameters(160, 96)).is_some());
    for frames_per_sec in [f64::NAN, 0.0, -1.0] {
        assert!(create("a.mp4", StreamParameters { frames_per_sec, ..parameters(160, 96) }).is_some());
    }
    assert_eq!(files_in(folder.path()), 0);
}
