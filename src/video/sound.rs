//! The sound of a video, muxed in sync with new pictures.

use std::path::{Path, PathBuf};

use super::{
    VideoError,
    capture::Capture,
    ffmpeg::{Ffmpeg, file_url, output_arguments},
    libav,
};
use base::frame::Timestamp;

/// The first packets decide where a stream starts; decoders reorder fewer than this.
const FIRST_PACKETS: usize = 64;

/// The sound of a video file.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    path: PathBuf,
    /// FFmpeg's name.
    codec: String,
    /// When the first picture is shown, after the start of the file's clock.
    pictures_start_secs: f64,
}

/// The part of the sound that belongs to the exported pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundPart {
    /// The sound of the whole clip.
    pub sound: Sound,
    /// Whether it is the whole clip's, including any sound after the last picture.
    pub is_whole: bool,
}

impl Sound {
    /// `None` where a file has no sound, or is not a video file.
    pub fn of(path: &Path) -> Option<Self> {
        let probe = libav::probe(path)?.ok()?;
        let (codec, stream) = (probe.audio_codec?, probe.video?);
        let tick_secs = Capture::open_undecoded(path).ok()?.tick_secs()?;
        let ticks = libav::packet_times(path, stream.index, 0.0, FIRST_PACKETS).unwrap_or_default();
        let start_secs = ticks.iter().min().map_or(probe.start_secs, |&tick| tick as f64 * tick_secs);
        Some(Self {
            path: path.to_owned(),
            codec,
            pictures_start_secs: (start_secs - probe.start_secs).max(0.0),
        })
    }

    /// Whether a container, by its extension, holds the sound as it is.
    fn fits(&self, extension: &str) -> bool {
        let codec = &*self.codec;
        match extension {
            "mkv" => true,
            "webm" => matches!(codec, "opus" | "vorbis"),
            "mov" => matches!(codec, "aac" | "mp3" | "ac3" | "alac") || codec.starts_with("pcm_s"),
            _ => matches!(codec, "aac" | "mp3" | "ac3" | "eac3" | "alac" | "opus"),
        }
    }
}

impl SoundPart {
    /// Writes `to`: the pictures of `from`, with the sound from the time of the first of them
    /// to that of the `end`. As it is where the container can hold it and all of it is wanted,
    /// cut to the sample and encoded anew otherwise.
    ///
    /// # Errors
    /// When neither is possible; `Ok(false)` when the sound can't be used.
    pub fn mux(&self, from: &Path, first: Timestamp, end: Timestamp, to: &Path) -> Result<bool, VideoError> {
        let extension = to.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let encoders: &[&str] = match extension {
            "mkv" => &["flac"],
            "webm" => &["libopus", "-b:a", "160k"],
            "mov" => &["pcm_s16le"],
            _ => &["aac", "-b:a", "192k"],
        };
        let copy = (self.is_whole && self.sound.fits(extension)).then_some(&["copy"][..]);
        for encoder in copy.into_iter().chain([encoders]) {
            if Ffmpeg::start(&self.arguments(from, first, end, to, encoder))?.finish().is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn arguments(
        &self,
        from: &Path,
        first: Timestamp,
        end: Timestamp,
        to: &Path,
        encoder: &[&str],
    ) -> Vec<String> {
        let mut arguments = vec!["-i".to_owned(), file_url(from)];
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(|&word| word.to_owned()));
        let start_secs = self.sound.pictures_start_secs + first.secs();
        if start_secs > 0.0 {
            add(&["-ss", &format!("{start_secs:.6}")]);
        }
        if !self.is_whole {
            add(&["-t", &format!("{:.6}", end.secs() - first.secs())]);
        }
        add(&["-i", &file_url(&self.sound.path), "-map", "0:v:0", "-map", "1:a:0", "-c:v", "copy", "-c:a"]);
        add(encoder);
        // An encoder's lead-in lies before 0. The pictures don't move for it.
        add(&["-avoid_negative_ts", "disabled"]);
        arguments.extend(output_arguments(to));
        arguments
    }
}
