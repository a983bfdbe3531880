//! What is written reads back.

use std::path::Path;

use steadymask::video::{self, VideoFormat, VideoSink};

use crate::clips::{self, ffprobe, number_of, picture, raw_frames, size};

/// Black and white, another one for each frame.
fn matte(width: usize, height: usize, number: usize) -> Vec<u8> {
    let is_set = |i: usize| (i % width + i / width * 3 + 7 * number) / 11 % 2 == 1;
    (0..width * height).map(|i| if is_set(i) { 255 } else { 0 }).collect()
}

fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn grey_ffv1_is_bit_exact() {
    if !clips::have_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("matte ü.mkv");
    let mut sink = VideoSink::create(&path, VideoFormat::Ffv1Grey, size(160, 96), 29.97).unwrap();
    let mut expected = Vec::new();
    for number in 0..40 {
        sink.write(&matte(160, 96, number)).unwrap();
        expected.extend(matte(160, 96, number));
    }
    assert!(!path.exists());
    sink.finish().unwrap();
    assert_eq!(files_in(folder.path()), 1);
    assert_eq!(ffprobe(&path, "stream=codec_name,width,height,pix_fmt"), ["ffv1,160,96,gray"]);
    assert!(raw_frames(&path, "gray") == expected);

    // And through our own reader.
    let mut source = video::open(&path).unwrap();
    let frame = source.next_frame().unwrap().unwrap();
    assert!(frame.rgb().chunks_exact(3).zip(&expected).all(|(rgb, &grey)| rgb == [grey; 3]));
}

#[test]
fn rgb_ffv1_is_bit_exact() {
    if !clips::have_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rgb.mkv");
    let mut sink = VideoSink::create(&path, VideoFormat::Ffv1Rgb, size(160, 96), 25.0).unwrap();
    let mut expected = Vec::new();
    for number in 0..10 {
        sink.write(&picture(size(160, 96), number)).unwrap();
        expected.extend(picture(size(160, 96), number));
    }
    sink.finish().unwrap();
    // Which of the two depends on OpenCV's version.
    assert!(["bgra", "bgr0"].contains(&ffprobe(&path, "stream=pix_fmt")[0].as_str()));
    assert!(raw_frames(&path, "rgb24") == expected);
}

#[test]
fn odd_sides_are_padded_by_repetition() {
    if !clips::have_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.mkv");
    let mut sink = VideoSink::create(&path, VideoFormat::Ffv1Grey, size(127, 93), 25.0).unwrap();
    sink.write(&matte(127, 93, 3)).unwrap();
    sink.finish().unwrap();
    assert_eq!(ffprobe(&path, "stream=width,height"), ["128,94"]);
    let (read, expected) = (raw_frames(&path, "gray"), matte(127, 93, 3));
    for y in 0..94 {
        for x in 0..128 {
            assert_eq!(read[y * 128 + x], expected[y.min(92) * 127 + x.min(126)], "({x}, {y})");
        }
    }
}

#[test]
fn h264_keeps_the_frames_and_looks_the_same() {
    if !clips::have_ffmpeg() {
        return;
    }
    for shown in [size(160, 96), size(127, 93)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("look.mp4");
        let mut sink = VideoSink::create(&path, VideoFormat::H264, shown, 25.0).unwrap();
        for number in 0..60 {
            sink.write(&picture(shown, number)).unwrap();
        }
        sink.finish().unwrap();
        assert_eq!(ffprobe(&path, "stream=codec_name,pix_fmt"), ["h264,yuv420p"]);
        let mut source = video::open(&path).unwrap();
        let mut frames = 0;
        let mut error = 0.0;
        while let Some(frame) = source.next_frame().unwrap() {
            assert_eq!(number_of(&frame, 0), Some(frames));
            let (read, written) = (frame.rgb(), picture(shown, frames));
            for y in 0..shown.height() {
                for x in 0..3 * shown.width() {
                    let (read, written) =
                        (read[y * 3 * frame.size().width() + x], written[y * 3 * shown.width() + x]);
                    error += f64::from(read.abs_diff(written));
                }
            }
            frames += 1;
        }
        assert_eq!(frames, 60);
        let mean_error = error / (60 * 3 * shown.pixels()) as f64;
        println!("{shown}: mean error {mean_error:.2} of 255");
        assert!(mean_error < 4.0, "{mean_error}");
    }
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dropped.mkv");
    let mut sink = VideoSink::create(&path, VideoFormat::Ffv1Grey, size(160, 96), 25.0).unwrap();
    sink.write(&matte(160, 96, 0)).unwrap();
    assert_eq!(files_in(folder.path()), 1);
    drop(sink);
    assert_eq!(files_in(folder.path()), 0);
}

#[test]
fn refuses_what_opencv_would_pass_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mkv");
    let mut sink = VideoSink::create(&path, VideoFormat::Ffv1Grey, size(160, 96), 25.0).unwrap();
    assert!(sink.write(&matte(160, 95, 0)).unwrap_err().to_string().contains("15200 bytes and not 15360"));
    drop(sink);
    let create = |path: &Path, format, rate| VideoSink::create(path, format, size(160, 96), rate).err();
    assert!(
        create(&folder.path().join("a.avi"), VideoFormat::H264, 25.0).unwrap().to_string().contains(".mp4")
    );
    assert!(create(&folder.path().join("none/a.mp4"), VideoFormat::H264, 25.0).is_some());
    assert!(create(&folder.path().join("a.mp4"), VideoFormat::H264, f64::NAN).is_some());
    assert!(create(&folder.path().join("a.mp4"), VideoFormat::H264, 0.0).is_some());
    assert_eq!(files_in(folder.path()), 0);
}
