//! Every read is the right frame: in order, by seeks, backwards.

use std::path::{Path, PathBuf};
use std::time::Instant;

use steadymask::frame::FrameIndex;
use steadymask::video::{self, VideoSource};

use crate::clips::{convert, encode, ffprobe, number_of, raw_frames, size, times_by_ffprobe};
use crate::needs;

/// How often frames were not the right ones.
#[derive(Debug, Default, PartialEq)]
struct Wrong {
    in_order: usize,
    timestamps: usize,
    by_seek: usize,
    backward: usize,
    fresh: usize,
}

/// Reads `path` in every way and compares it with the `ffmpeg` program's own decoding.
fn check(path: &Path) -> Wrong {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let mut source = video::open(path).unwrap();
    let (shown, degrees) = (source.info().size, source.info().rotation_degrees);
    let stored = if degrees % 180 == 0 { shown } else { size(shown.height() as u32, shown.width() as u32) };
    // ffmpeg turns the pictures too, so its grey planes are read as shown.
    let expected: Vec<_> = raw_frames(path, "rgb24")
        .chunks_exact(3 * stored.pixels())
        .map(|rgb| {
            let frame =
                steadymask::frame::Frame::new(FrameIndex::ZERO, Default::default(), shown, rgb.to_vec());
            number_of(&frame, degrees)
        })
        .collect();
    assert!(!expected.is_empty(), "{name}: ffmpeg decodes nothing");

    let mut wrong = Wrong::default();
    let started = Instant::now();
    let mut times = Vec::new();
    let mut read = Vec::new();
    while let Some(frame) = source.next_frame().unwrap() {
        assert_eq!(frame.index().get(), read.len());
        read.push(number_of(&frame, degrees));
        times.push(frame.timestamp());
    }
    let decode_secs = started.elapsed().as_secs_f64();
    wrong.in_order = read.len().abs_diff(expected.len());
    wrong.in_order += read.iter().zip(&expected).filter(|(read, expected)| read != expected).count();
    assert_eq!(source.counted_frames(), Some(read.len()));
    wrong.timestamps = times
        .iter()
        .zip(times_by_ffprobe(path))
        .filter(|(time, expected)| expected.is_some_and(|expected| (time.secs() - expected).abs() > 1.5e-6))
        .count();

    let right = |source: &mut dyn VideoSource, index: usize| {
        let frame = source.next_frame().unwrap().expect("a frame before the end");
        frame.index().get() == index
            && frame.timestamp() == times[index]
            && number_of(&frame, degrees) == read[index]
    };
    let count = read.len();
    let started = Instant::now();
    for index in random_indices(count, 40) {
        source.seek(FrameIndex::new(index)).unwrap();
        // And on from there, across a key frame now and then.
        let run = index..count.min(index + 3);
        wrong.by_seek += usize::from(!run.into_iter().all(|index| right(source.as_mut(), index)));
    }
    let seek_secs = started.elapsed().as_secs_f64() / 40.0;
    for index in (count.saturating_sub(25)..count).rev() {
        source.seek(FrameIndex::new(index)).unwrap();
        wrong.backward += usize::from(!right(source.as_mut(), index));
    }
    source.seek(FrameIndex::new(count)).unwrap();
    assert!(source.next_frame().unwrap().is_none());

    // Places that have not been decoded yet, and back, and on to the end.
    let mut fresh = video::open(path).unwrap();
    for index in [count / 2, count / 4, count - 1, 0, count * 3 / 4] {
        fresh.seek(FrameIndex::new(index)).unwrap();
        wrong.fresh += usize::from(!right(fresh.as_mut(), index));
    }
    let mut fresh = video::open(path).unwrap();
    fresh.seek(FrameIndex::new(count * 2 / 3)).unwrap();
    fresh.seek(FrameIndex::new(count / 3)).unwrap();
    for index in count / 3..count {
        wrong.fresh += usize::from(!right(fresh.as_mut(), index));
    }
    wrong.fresh += usize::from(fresh.next_frame().unwrap().is_some());
    assert_eq!(fresh.counted_frames(), Some(count), "{name}");

    println!(
        "{name:<24} {count:>4} frames (claimed {:>4}) wrong: {} in order, {} times, {} of 40 seeks, {} of 25 back, {} fresh; decode {:.0} ms, seek {:.1} ms",
        source.info().claimed_frames.unwrap_or(0),
        wrong.in_order,
        wrong.timestamps,
        wrong.by_seek,
        wrong.backward,
        wrong.fresh,
        1e3 * decode_secs,
        1e3 * seek_secs,
    );
    wrong
}

/// A fixed sequence (a linear congruential generator of Knuth's).
fn random_indices(count: usize, how_many: usize) -> Vec<usize> {
    let mut state = 12345_u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % count
    };
    (0..how_many).map(|_| next()).collect()
}

/// All are checked before any failure is told.
fn check_all(clips: &[PathBuf]) {
    let wrong: Vec<_> = clips
        .iter()
        .map(|clip| (clip, check(clip)))
        .filter(|(_, wrong)| *wrong != Wrong::default())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Uneven, and uneven with halves of 5 and 100 frames a second, where guesses by the average
/// rate go far astray.
const UNEVEN: &str =
    "-vf settb=1/1000,setpts=N*40+100*floor(N/10)+7*mod(N\\,3) -fps_mode passthrough -enc_time_base 1:1000";
const HALVES: &str = "-vf settb=1/1000,setpts=if(lt(N\\,75)\\,N*200\\,15000+(N-75)*10) -fps_mode passthrough -enc_time_base 1:1000";
const X264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

#[test]
fn h264_in_every_container() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let make = |name, arguments: &str| {
        encode(folder.path(), name, size(160, 96), 150, &format!("{X264} {arguments}"))
    };
    let plain = make("bframes.mp4", "-bf 3 -g 50");
    let open_gop = make("open-gop.mp4", "-bf 3 -x264-params open-gop=1:keyint=30");
    check_all(&[
        convert(&plain, "", "-c copy", "bframes.mkv"),
        convert(&plain, "", "-c copy", "bframes.mov"),
        convert(&plain, "", "-c copy", "bframes.ts"),
        convert(&plain, "", "-c copy", "bframes.avi"),
        convert(&plain, "", "-c copy -movflags frag_keyframe+empty_moov", "fragments.mp4"),
        convert(&plain, "", "-c copy", "stream.h264"),
        convert(&open_gop, "", "-c copy", "open-gop.mkv"),
        convert(&open_gop, "", "-c copy", "open-gop.ts"),
        make("intra-refresh.mkv", "-bf 0 -x264-params intra-refresh=1:keyint=40"),
        make("10-bit.mp4", "-bf 3 -g 50 -pix_fmt yuv420p10le"),
        plain,
        open_gop,
    ]);
}

#[test]
fn variable_rates() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let make = |name, arguments: &str| {
        encode(folder.path(), name, size(160, 96), 150, &format!("{X264} {arguments}"))
    };
    let uneven = make("vfr.mp4", &format!("{UNEVEN} -bf 3 -g 50"));
    let halves = make("vfr-halves.mp4", &format!("{HALVES} -bf 3 -g 50"));
    check_all(&[
        convert(&uneven, "", "-c copy", "vfr.mkv"),
        convert(&uneven, "", "-c copy", "vfr.ts"),
        convert(&halves, "", "-c copy", "vfr-halves.mkv"),
        uneven,
        halves,
    ]);
}

#[test]
fn other_codecs() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let make = |name, arguments: &str| encode(folder.path(), name, size(160, 96), 150, arguments);
    let x265 = "-c:v libx265 -preset ultrafast -x265-params log-level=error:bframes=3:keyint=40";
    check_all(&[
        make("hevc.mp4", &format!("{x265} -pix_fmt yuv420p")),
        make("hevc-10-bit.mkv", &format!("{x265} -pix_fmt yuv420p10le")),
        make("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 50 -pix_fmt yuv420p"),
        make("mpeg4.avi", "-c:v mpeg4 -bf 2 -q:v 3 -g 50"),
        make("mpeg4.mp4", "-c:v mpeg4 -bf 2 -q:v 3 -g 50"),
        make("mpeg2.ts", "-c:v mpeg2video -bf 2 -q:v 3 -g 25"),
        make("mjpeg.mov", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p"),
        make("mjpeg.avi", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p"),
        make("ffv1.mkv", "-c:v ffv1"),
    ]);
}

#[test]
fn odd_sizes_single_frames_and_long_gaps_between_key_frames() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let odd = |name, arguments: &str| encode(folder.path(), name, size(127, 93), 60, arguments);
    let even = |name, frames, arguments: &str| {
        encode(folder.path(), name, size(160, 96), frames, &format!("{X264} {arguments}"))
    };
    let long = even("gop-250.mp4", 300, "-bf 3 -x264-params keyint=250:min-keyint=250:scenecut=0");
    check_all(&[
        odd("odd-h264.mp4", "-c:v libx264 -preset ultrafast -pix_fmt yuv444p"),
        odd("odd-vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p"),
        odd("odd-mpeg4.avi", "-c:v mpeg4 -bf 2 -q:v 3"),
        odd("odd-ffv1.mkv", "-c:v ffv1 -pix_fmt gray"),
        even("one.mp4", 1, ""),
        even("one.mkv", 1, ""),
        even("six.ts", 6, "-bf 1"),
        convert(&long, "", "-c copy", "gop-250.mkv"),
        convert(&long, "", "-c copy", "gop-250.ts"),
        long,
    ]);
}

#[test]
fn edit_lists_and_broken_clocks() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let long = encode(folder.path(), "long.mp4", size(160, 96), 150, &format!("{X264} -bf 3 -g 60"));
    let stream = convert(&long, "", "-c copy", "long.ts");
    // A stream that is joined in the middle of a group of pictures, and one whose clock
    // starts again.
    let bytes = std::fs::read(&stream).unwrap();
    let joined_late = folder.path().join("joined-late.ts");
    std::fs::write(&joined_late, &bytes[bytes.len() / 376 * 188 / 4..]).unwrap();
    let clock_restarts = folder.path().join("clock-restarts.ts");
    std::fs::write(&clock_restarts, [&bytes[..], &bytes[..]].concat()).unwrap();
    let edit_list = convert(&long, "-ss 1.3", "-c copy", "edit-list.mp4");
    let packets = ffprobe(&edit_list, "stream=nb_frames")[0].parse::<usize>().unwrap();
    assert!(packets > raw_frames(&edit_list, "gray").len() / (160 * 96), "the edit list hides frames");
    check_all(&[edit_list, convert(&long, "-ss 1.3", "-c copy", "edit-list.mkv"), joined_late]);

    // Its times are no use, so they are estimated; its frames still must be right.
    let wrong = check(&clock_restarts);
    assert_eq!(Wrong { timestamps: 0, ..wrong }, Wrong::default());
}

#[test]
fn damage_in_the_middle_keeps_numbers_and_times() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let whole = encode(folder.path(), "whole.mp4", size(160, 96), 150, &format!("{X264} -bf 3 -g 30"));
    for name in ["damaged.mkv", "damaged.ts", "damaged.mp4"] {
        let clip = convert(&whole, "", "-c copy", name);
        let mut bytes = std::fs::read(&clip).unwrap();
        let length = bytes.len();
        for place in random_indices(length / 2, 12) {
            bytes[length / 4 + place..][..60].fill(0x5a);
        }
        std::fs::write(&clip, bytes).unwrap();
        let mut source = video::open(&clip).unwrap();
        let mut frames = Vec::new();
        while let Some(frame) = source.next_frame().unwrap() {
            frames.push(frame);
        }
        println!("{name}: {} frames; {:?}", frames.len(), source.loss());
        assert!((30..=150).contains(&frames.len()), "{name}");
        assert!(frames.len() > 120 || source.loss().is_some(), "{name}: {} frames", frames.len());
        for index in random_indices(frames.len(), 20) {
            source.seek(FrameIndex::new(index)).unwrap();
            // Not the picture: FFmpeg conceals damage differently from run to run.
            let frame = source.next_frame().unwrap().unwrap();
            assert_eq!(
                (frame.index().get(), frame.timestamp()),
                (index, frames[index].timestamp()),
                "{name}"
            );
        }
    }
}

#[test]
fn several_files_are_read_at_once() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let clip = encode(folder.path(), "clip.mp4", size(160, 96), 60, &format!("{X264} -bf 3 -g 30"));
    std::thread::scope(|scope| {
        for reader in 0..4 {
            let clip = &clip;
            scope.spawn(move || {
                let mut source = video::open(clip).unwrap();
                for index in random_indices(60, 12 + reader) {
                    source.seek(FrameIndex::new(index)).unwrap();
                    let frame = source.next_frame().unwrap().unwrap();
                    assert_eq!((frame.index().get(), number_of(&frame, 0)), (index, Some(index)));
                }
            });
        }
    });
}

#[test]
fn rotation_is_applied() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let upright = encode(folder.path(), "upright.mp4", size(160, 96), 30, &format!("{X264} -bf 3"));
    // This ffmpeg writes the angle counter-clockwise.
    for degrees in [90, 180, 270] {
        let name = format!("rotated-{degrees}.mp4");
        let clip = convert(&upright, "", &format!("-c copy -metadata:s:v rotate={}", 360 - degrees), &name);
        let info = video::open(&clip).unwrap().info().clone();
        assert_eq!(info.rotation_degrees, degrees);
        let shown = if degrees == 180 { size(160, 96) } else { size(96, 160) };
        assert_eq!(info.size, shown);
        check_all(&[clip]);
    }
}
