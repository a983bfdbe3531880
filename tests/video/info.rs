//! What `steadymask info` says: a loss where a file breaks off, and uneven times.

use std::path::Path;

use steadymask::{cli::info::Report, video};

use crate::{
    clips::{convert, cut, encode, size},
    needs,
};

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
