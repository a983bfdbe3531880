//! A video file, read frame-exactly.
//!
//! OpenCV's seek by number is wrong on variable-rate files and MPEG-TS. So each frame that
//! is decoded leaves a row in an index: its time, and a checksum of its picture. A seek asks
//! for a time, looks up where it landed, and decodes forward; the frame it gives must have
//! the time and the checksum that the index has. Where it has not (or where the times can't
//! tell frames apart) the file is decoded from its start, which is exact by definition.

use std::path::Path;

use opencv::videoio;

use super::capture::Capture;
use super::libav::{self, Probe};
use super::loss::{self, Reading};
use super::{VideoError, VideoInfo, VideoSource};
use crate::frame::{Frame, FrameIndex, FrameSize, Timestamp};

/// A seek this many frames ahead decodes them: quicker than a jump, which decodes at least
/// as many from a key frame.
const STEP_FRAMES: usize = 32;

/// How often a jump that landed too late is tried again from further back.
const JUMP_TRIES: usize = 6;

/// What is remembered of a frame.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// As the decoder gave it; the key by which a landing is recognised.
    micros: Option<i64>,
    /// As it is given on: never going back.
    timestamp: Timestamp,
    /// CRC-32 of the RGB picture; `None` while the frame has only been passed over.
    checksum: Option<u32>,
}

pub struct FileSource {
    info: VideoInfo,
    capture: Capture,
    rows: Vec<Row>,
    /// Whether the rows' times are there and strictly increase.
    times_tell_frames_apart: bool,
    /// The frame that the capture gives next, or holds already.
    next: usize,
    /// The capture has grabbed frame `next`.
    is_held: bool,
    /// The capture has jumped since it was opened, so where it is must be checked.
    has_jumped: bool,
    /// How many frames there are, once the end has been met.
    count: Option<usize>,
    /// Packets that the decoder refused while the file was first read.
    refused_packets: usize,
}

impl FileSource {
    pub fn open(path: &Path) -> Result<Self, VideoError> {
        let probe = look_inside(path)?;
        let capture = Capture::open(path)?;
        let size = FrameSize::new(
            capture.property(videoio::CAP_PROP_FRAME_WIDTH) as u32,
            capture.property(videoio::CAP_PROP_FRAME_HEIGHT) as u32,
        );
        let unreadable = |cause: &str| VideoError::Unreadable {
            path: path.to_owned(),
            cause: cause.to_owned(),
            remedy: "copy it again from where it came, or play it to see whether it is broken".to_owned(),
        };
        let size = size.ok_or_else(|| unreadable("its pictures have no usable size"))?;
        let rate = capture.property(videoio::CAP_PROP_FPS);
        let claimed = capture.property(videoio::CAP_PROP_FRAME_COUNT);
        let stream = probe.as_ref().and_then(|probe| probe.video.clone());
        let info = VideoInfo {
            path: path.to_owned(),
            size,
            frames_per_sec: if rate.is_finite() && rate > 0.0 { rate } else { super::NOMINAL_FRAMES_PER_SEC },
            claimed_frames: (claimed.is_finite() && claimed > 0.0).then_some(claimed as usize),
            claimed_duration_secs: probe.as_ref().and_then(|probe| probe.duration_secs),
            container: probe.as_ref().map_or_else(|| "unknown".to_owned(), |probe| probe.format.clone()),
            pixel_format: stream.as_ref().and_then(|stream| stream.pixel_format.clone()),
            codec: stream.map_or_else(|| four_letters(&capture), |stream| stream.codec),
            rotation_degrees: (capture.property(videoio::CAP_PROP_ORIENTATION_META) as i32).rem_euclid(360) as u16,
        };
        let mut source = Self {
            info,
            capture,
            rows: Vec::new(),
            times_tell_frames_apart: true,
            next: 0,
            is_held: false,
            has_jumped: false,
            count: None,
            refused_packets: 0,
        };
        // A file that has no frame is refused here rather than read as an empty clip.
        if source.advance()? { Ok(source) } else { Err(unreadable("none of its pictures decodes")) }
    }

    /// Grabs frame `next` unless it is held; `false` at the end. A new frame gets its row.
    fn advance(&mut self) -> Result<bool, VideoError> {
        if self.is_held {
            return Ok(true);
        }
        if self.count.is_some_and(|count| self.next >= count) {
            return Ok(false);
        }
        match self.capture.grab() {
            Some(micros) if self.next < self.rows.len() => {
                if self.has_jumped && micros != self.rows[self.next].micros {
                    return self.decode_from_start(self.next);
                }
            }
            Some(micros) => self.append_row(micros),
            // After a jump an early end is the jump's fault.
            None if self.has_jumped && (self.next < self.rows.len() || self.capture.stopped_by_count()) => {
                return self.decode_from_start(self.next);
            }
            None => {
                self.count = Some(self.next);
                return Ok(false);
            }
        }
        self.refused_packets = self.refused_packets.max(self.capture.refused_packets());
        self.is_held = true;
        Ok(true)
    }

    fn append_row(&mut self, micros: Option<i64>) {
        let previous = self.rows.last();
        self.times_tell_frames_apart &=
            micros.is_some() && previous.is_none_or(|previous| previous.micros < micros);
        let interval = (1e6 / self.info.frames_per_sec).round().max(1.0) as i64;
        let timestamp = match (micros, previous.map(|previous| previous.timestamp.micros())) {
            (micros, None) => micros.unwrap_or(0).max(0),
            (Some(micros), Some(previous)) if micros > previous => micros,
            // A missing time, or one that goes back: a nominal interval on.
            (_, Some(previous)) => previous + interval,
        };
        self.rows.push(Row { micros, timestamp: Timestamp::from_micros(timestamp), checksum: None });
    }

    /// Holds frame `index` by decoding from the start; `false` when the file ends before it.
    fn decode_from_start(&mut self, index: usize) -> Result<bool, VideoError> {
        self.capture.reopen()?;
        self.next = 0;
        self.is_held = false;
        self.has_jumped = false;
        self.step_to(index)
    }

    /// Holds frame `index`, which is not behind, by decoding forward.
    fn step_to(&mut self, index: usize) -> Result<bool, VideoError> {
        while self.advance()? {
            if self.next >= index {
                return Ok(true);
            }
            self.is_held = false;
            self.next += 1;
        }
        Ok(false)
    }

    /// Tries to hold frame `index`, which has a row, by a seek in time; `false` when the
    /// times don't allow it. The capture is anywhere then.
    fn jump_to(&mut self, index: usize) -> bool {
        let Some(wanted) = self.rows[index].micros.filter(|_| self.times_tell_frames_apart) else {
            return false;
        };
        let interval = 1e6 / self.info.frames_per_sec;
        let mut frames_earlier = 0;
        for attempt in 0..JUMP_TRIES {
            let aim = wanted - (frames_earlier as f64 * interval) as i64;
            if aim <= 0 || !self.capture.seek_about(aim) {
                return false;
            }
            self.has_jumped = true;
            match self.step_by_time(index) {
                Landing::Held => return true,
                Landing::Unknown => return false,
                Landing::Late { by_frames } => frames_earlier += by_frames + (2 << attempt),
            }
        }
        false
    }

    /// Decodes forward after a jump until the frame's time is that of `index`.
    fn step_by_time(&mut self, index: usize) -> Landing {
        loop {
            // The end: too late by at least what lies between.
            let Some(micros) = self.capture.grab() else {
                return Landing::Late { by_frames: self.rows.len() - index };
            };
            let Ok(found) = self.rows.binary_search_by_key(&micros, |row| row.micros) else {
                // Times past the index are late; times that the index lacks mean nothing.
                return match self.rows.last() {
                    Some(last) if micros > last.micros => {
                        Landing::Late { by_frames: self.rows.len() - index }
                    }
                    _ => Landing::Unknown,
                };
            };
            if found > index {
                return Landing::Late { by_frames: found - index };
            }
            if found == index {
                self.next = index;
                self.is_held = true;
                return Landing::Held;
            }
        }
    }

    fn decode_error(&self, cause: String) -> VideoError {
        VideoError::Decode { path: self.info.path.clone(), frame: FrameIndex::new(self.next), cause }
    }
}

/// Where a jump came out.
enum Landing {
    Held,
    Late { by_frames: usize },
    Unknown,
}

impl VideoSource for FileSource {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, VideoError> {
        loop {
            if !self.advance()? {
                return Ok(None);
            }
            let rgb = self.capture.retrieve(self.info.size).map_err(|cause| self.decode_error(cause))?;
            let checksum = crc32fast::hash(&rgb);
            let row = &mut self.rows[self.next];
            if self.has_jumped && row.checksum.is_some_and(|known| known != checksum) {
                // Right time, wrong picture: a decoder that started without its references.
                self.decode_from_start(self.next)?;
                continue;
            }
            row.checksum = Some(checksum);
            let frame = Frame::new(FrameIndex::new(self.next), row.timestamp, self.info.size, rgb);
            self.is_held = false;
            self.next += 1;
            return Ok(Some(frame));
        }
    }

    fn seek(&mut self, index: FrameIndex) -> Result<(), VideoError> {
        let index = index.get();
        if self.count.is_some_and(|count| index >= count) {
            self.is_held = false;
            self.next = index;
            return Ok(());
        }
        // Frames without a row are reached from the last one that has it.
        let known = index.min(self.rows.len() - 1);
        let is_near = self.next <= index && known.saturating_sub(self.next) <= STEP_FRAMES;
        if !is_near && !self.jump_to(known) {
            self.decode_from_start(known)?;
        }
        if !self.step_to(index)? {
            self.next = index;
        }
        Ok(())
    }

    fn counted_frames(&self) -> Option<usize> {
        self.count
    }

    fn loss(&self) -> Option<String> {
        loss::describe(&Reading {
            decoded_frames: self.count?,
            last: self.rows.last()?.timestamp,
            info: &self.info,
            is_cut_off: self.capture.is_cut_off(),
            refused_packets: self.refused_packets,
        })
    }
}

/// Refuses what is not a video, and says why; what the file holds where FFmpeg can be asked.
fn look_inside(path: &Path) -> Result<Option<Probe>, VideoError> {
    let unreadable = |cause: String, remedy: &str| VideoError::Unreadable {
        path: path.to_owned(),
        cause,
        remedy: remedy.to_owned(),
    };
    let probe = match libav::probe(path) {
        None => return Ok(None),
        Some(Ok(probe)) => probe,
        Some(Err(reason)) if reason.contains("moov atom not found") => {
            return Err(unreadable(
                "it is cut off before its index (no moov atom), so no frame can be found in it".to_owned(),
                "copy it again in full, or record it again",
            ));
        }
        Some(Err(reason)) => {
            return Err(unreadable(
                format!("it is not a video that FFmpeg can read ({reason})"),
                "give a video file such as MP4, MOV, MKV, WebM, AVI or TS, or a folder of images",
            ));
        }
    };
    match &probe.video {
        // FFmpeg draws text files as a terminal would.
        Some(stream) if stream.codec == "ansi" => {
            Err(unreadable("it is a text file".to_owned(), "give a video file, or a folder of images"))
        }
        Some(stream) if !stream.is_cover => Ok(Some(probe)),
        _ if probe.has_audio => {
            Err(unreadable("it has sound and no video".to_owned(), "give a file that has a video stream"))
        }
        _ => Err(unreadable("it has no video stream".to_owned(), "give a file that has one")),
    }
}

/// The codec's four letters, where FFmpeg's own name can't be had.
fn four_letters(capture: &Capture) -> String {
    let code = capture.property(videoio::CAP_PROP_FOURCC) as u32;
    let letters = code.to_le_bytes().map(|byte| if byte.is_ascii_graphic() { byte as char } else { '?' });
    letters.iter().collect()
}
