//! What can't be read, or only in part, is said in a sentence.

use std::fs;
use std::path::Path;

use steadymask::cli::info::Report;
use steadymask::frame::FrameIndex;
use steadymask::video::{self, VideoError};

use crate::clips::{convert, cut, encode, number, size};
use crate::needs;

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

#[test]
fn files_that_break_off_are_read_and_the_loss_is_told() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let whole = encode(
        folder.path(),
        "whole.mp4",
        size(160, 96),
        150,
        "-c:v libx264 -preset ultrafast -g 50 -pix_fmt yuv420p",
    );
    let clips = [
        convert(&whole, "", "-c copy -movflags faststart", "faststart.mp4"),
        convert(&whole, "", "-c copy", "whole.mkv"),
        convert(&whole, "", "-c:v mpeg4 -q:v 3", "whole.avi"),
    ];
    for clip in clips {
        let report = |path: &Path| Report::of(video::open(path).unwrap().as_mut()).unwrap();
        assert_eq!(report(&clip).loss, None, "{}", clip.display());
        let name = format!("cut-{}", clip.file_name().unwrap().to_string_lossy());
        let part = report(&cut(&clip, 0.6, &name));
        assert!((30..149).contains(&part.decoded_frames), "{name}: {}", part.decoded_frames);
        let loss = part.loss.unwrap_or_else(|| panic!("{name}: no loss told"));
        println!("{name}: {loss}");
        assert!(
            loss.contains(&format!("decoded {} of the 150 frames", part.decoded_frames)),
            "{name}: {loss}"
        );
    }
    // MPEG-TS has no header that could claim anything.
    let stream = convert(&whole, "", "-c copy", "whole.ts");
    let part = Report::of(video::open(&cut(&stream, 0.6, "cut.ts")).unwrap().as_mut()).unwrap();
    assert!(part.decoded_frames > 60);
    // Counts that claim more than there is are no loss.
    let edit_list = convert(&whole, "-ss 1.3", "-c copy", "edit-list.mp4");
    assert_eq!(Report::of(video::open(&edit_list).unwrap().as_mut()).unwrap().loss, None);
}

#[test]
fn what_info_says_of_a_variable_rate() {
    if !needs::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let arguments = "-vf settb=1/1000,setpts=N*40+100*floor(N/10) -fps_mode passthrough -enc_time_base 1:1000 \
                     -c:v libx264 -pix_fmt yuv420p10le";
    let clip = encode(folder.path(), "vfr.mkv", size(160, 96), 50, arguments);
    let report = Report::of(video::open(&clip).unwrap().as_mut()).unwrap();
    println!("{report}");
    let intervals = report.intervals.unwrap();
    assert!(!intervals.is_constant);
    assert_eq!((intervals.min_secs, intervals.median_secs, intervals.max_secs), (0.04, 0.04, 0.14));
    assert_eq!((report.decoded_frames, report.loss), (50, None));
    assert_eq!(report.claims.codec, "h264");
    assert_eq!(report.claims.pixel_format.as_deref(), Some("yuv420p10le"));
    assert_eq!(report.last_timestamp_secs, 2.36);
}

#[test]
fn images_of_every_kind_in_natural_order() {
    let folder = tempfile::tempdir().unwrap();
    let shown = size(160, 96);
    let image = |number| image::RgbImage::from_raw(160, 96, crate::clips::picture(shown, number)).unwrap();
    let path = |name: &str| folder.path().join(name);
    image(1).save(path("f1.png")).unwrap();
    image::DynamicImage::from(image(2)).to_luma8().save(path("f2.png")).unwrap();
    image::DynamicImage::from(image(3)).to_rgba16().save(path("f3.png")).unwrap();
    image(10).save(path("f10.jpg")).unwrap();
    image(11).save(path("f11.bmp")).unwrap();
    image(12).save(path("f12.TIF")).unwrap();
    image(13).save(path("f13.webp")).unwrap();
    fs::write(path(".hidden.png"), "").unwrap();
    fs::write(path("notes.txt"), "no image").unwrap();
    let numbers = |path: &Path| {
        let mut source = video::open(path).unwrap();
        let mut numbers = Vec::new();
        while let Some(frame) = source.next_frame().unwrap() {
            assert_eq!(frame.timestamp().micros(), 40_000 * numbers.len() as i64);
            numbers.push(number(shown, |x, y| frame.rgb()[3 * (y * 160 + x)]).unwrap());
        }
        assert_eq!(source.counted_frames(), Some(numbers.len()));
        source.seek(FrameIndex::new(numbers.len() - 1)).unwrap();
        assert!(source.next_frame().unwrap().is_some() && source.next_frame().unwrap().is_none());
        numbers
    };
    assert_eq!(numbers(folder.path()), [1, 2, 3, 10, 11, 12, 13]);
    assert_eq!(numbers(&path("f?.png")), [1, 2, 3]);
    assert_eq!(numbers(&path("f10.jpg")), [10]);

    image::RgbImage::new(160, 97).save(path("f4.png")).unwrap();
    let error = video::open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("f1.png is 160×96 and f4.png is 160×97"), "{error}");
    fs::write(path("f4.png"), &fs::read(path("f1.png")).unwrap()[..200]).unwrap();
    let mut source = video::open(folder.path()).unwrap();
    source.seek(FrameIndex::new(3)).unwrap();
    assert!(source.next_frame().unwrap_err().to_string().contains("f4.png"));
}
