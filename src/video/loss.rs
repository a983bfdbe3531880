//! Whether a file that has been read to its end seems to have lost frames.
//!
//! Headers count frames wrongly: a variable-rate Matroska file claims its duration times its
//! top rate (213 for 150), an edit list hides frames that are counted (120 for 105), sound
//! may go on after the pictures. So a count alone is no reason to speak of loss. FFmpeg's
//! demuxer saying that the file is broken is one, and so is, for AVI (whose demuxer says
//! nothing, and whose header counts this one stream's frames), a count that the time covered
//! falls short of as well.

use super::VideoInfo;
use base::frame::Timestamp;

/// A file that has been decoded to its end.
pub struct DecodedFile<'a> {
    pub info: &'a VideoInfo,
    pub decoded_frames: usize,
    /// Of the last frame.
    pub last: Timestamp,
    /// The demuxer met the end in the middle of something.
    pub is_cut_off: bool,
    /// The demuxer complained of anything, that included.
    pub has_demuxer_errors: bool,
    /// Packets between good ones that the decoder refused.
    pub refused_packets: usize,
}

/// One sentence for the user, or `None` when nothing credible says that frames are missing.
pub fn describe(file: &DecodedFile) -> Option<String> {
    missing_end(file).or_else(|| {
        // At the end of a file that breaks off, a damaged packet is the break.
        (file.refused_packets > 0 && !file.is_cut_off).then(|| {
            format!(
                "left out what could not be decoded of the file ({} damaged packets)",
                file.refused_packets
            )
        })
    })
}

fn missing_end(file: &DecodedFile) -> Option<String> {
    let DecodedFile { info, decoded_frames, .. } = *file;
    let interval_secs = 1.0 / info.frames_per_sec;
    let covered_secs = file.last.secs() + interval_secs;
    let falls_short_of = |secs: f64| secs - covered_secs > 1.5 * interval_secs;
    let claimed_frames = info.claimed_frames.filter(|&claimed| claimed > decoded_frames);
    let claimed_secs = claimed_frames.map(|claimed| claimed as f64 * interval_secs);

    let counts_one_stream = info.container == "avi";
    let is_credible =
        file.has_demuxer_errors || counts_one_stream && claimed_secs.is_some_and(falls_short_of);
    if !is_credible {
        return None;
    }
    let has_constant_rate =
        (decoded_frames as f64 * interval_secs - covered_secs).abs() < 1.5 * interval_secs;
    let guess = if file.is_cut_off || counts_one_stream { "cut off" } else { "damaged" };
    match (claimed_frames, info.claimed_duration_secs) {
        (Some(claimed), _) if has_constant_rate && claimed_secs.is_some_and(falls_short_of) => Some(format!(
            "decoded {decoded_frames} of the {claimed} frames that the file claims; it seems {guess}"
        )),
        (_, Some(duration)) if falls_short_of(duration) => Some(format!(
            "decoded {decoded_frames} frames, {covered_secs:.2} s of the {duration:.2} s that the file claims; \
             it seems {guess}"
        )),
        // Broken off after the last frame, in what players use for seeking.
        (_, Some(_)) => None,
        (_, None) if !file.is_cut_off => None,
        (_, None) => {
            Some(format!("decoded {decoded_frames} frames; the file breaks off in the middle of one"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::FrameSize;

    fn info(container: &str, claimed_frames: usize, duration_secs: f64) -> VideoInfo {
        VideoInfo {
            path: "clip".into(),
            size: FrameSize::new(16, 16).unwrap(),
            frames_per_sec: 25.0,
            claimed_frames: Some(claimed_frames),
            claimed_duration_secs: Some(duration_secs),
            container: container.into(),
            codec: "h264".into(),
            pixel_format: None,
            rotation_degrees: 0,
            time_base: super::super::Ratio::new(1, 25),
            pixel_aspect: super::super::Ratio::ONE,
        }
    }

    fn loss(info: &VideoInfo, decoded_frames: usize, last_secs: f64, is_cut_off: bool) -> Option<String> {
        let last = Timestamp::from_secs(last_secs);
        describe(&DecodedFile {
            info,
            decoded_frames,
            last,
            is_cut_off,
            has_demuxer_errors: is_cut_off,
            refused_packets: 0,
        })
    }

    #[test]
    fn counts_that_lie_are_no_loss() {
        let vfr = info("matroska,webm", 213, 8.52);
        assert_eq!(loss(&vfr, 150, 8.48, false), None);
        let edit_list = info("mov,mp4,m4a,3gp,3g2,mj2", 120, 4.2);
        assert_eq!(loss(&edit_list, 105, 4.16, false), None);
        let longer_sound = info("matroska,webm", 250, 10.0);
        assert_eq!(loss(&longer_sound, 150, 5.96, false), None);
        let lost_cues = info("matroska,webm", 150, 6.0);
        assert_eq!(loss(&lost_cues, 150, 5.96, true), None);
    }

    #[test]
    fn a_file_that_breaks_off_says_what_is_left() {
        let expected = Some("decoded 87 of the 150 frames that the file claims; it seems cut off".to_owned());
        assert_eq!(loss(&info("mov,mp4", 150, 6.0), 87, 3.44, true), expected);
        assert_eq!(loss(&info("avi", 150, 3.5), 87, 3.44, false), expected);
        let vfr = loss(&info("matroska,webm", 213, 8.52), 87, 5.0, true).unwrap();
        assert!(vfr.contains("5.04 s of the 8.52 s"), "{vfr}");
    }

    #[test]
    fn damage_in_the_middle_is_told() {
        let info = info("mpegts", 150, 6.0);
        let last = Timestamp::from_secs(5.96);
        let file = DecodedFile {
            info: &info,
            decoded_frames: 148,
            last,
            is_cut_off: false,
            has_demuxer_errors: true,
            refused_packets: 2,
        };
        assert_eq!(
            describe(&file).unwrap(),
            "left out what could not be decoded of the file (2 damaged packets)"
        );
        let last = Timestamp::from_secs(2.0);
        let loss = describe(&DecodedFile { decoded_frames: 51, last, ..file }).unwrap();
        assert_eq!(loss, "decoded 51 of the 150 frames that the file claims; it seems damaged");
    }
}
