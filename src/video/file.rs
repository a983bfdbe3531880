//! A video file, read frame-exactly.
//!
//! OpenCV's seek by number is wrong on variable-rate files and MPEG-TS. So each frame that
//! is decoded leaves a row in a [`Timeline`]: its time, and a checksum of its picture. A seek
//! asks for a time, looks up where it landed, and decodes forward; the frame it gives must
//! have the time and the checksum of its row. Where it has not (or where the times can't tell
//! frames apart) the file is decoded from its start, which is exact by definition.

use std::fs::File;
use std::io::Read;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

use opencv::videoio;

use super::capture::Capture;
use super::libav::{self, Probe};
use super::loss::{self, DecodedFile};
use super::timeline::Timeline;
use super::{Ratio, VideoError, VideoInfo, VideoSource, trailing_timestamps};
use base::frame::{Frame, FrameIndex, FrameSize};

/// A seek this many frames ahead decodes them: quicker than a jump, which decodes about as
/// many from a key frame.
const MAX_STEP_FRAMES: usize = 32;

/// How often a jump that landed too late is tried again from further back.
const JUMP_TRIES: usize = 6;

/// The packets are read from so much before the last frames whose times are known.
const TRAILING_MARGIN_SECS: f64 = 1.0;
const MAX_TRAILING_PACKETS: usize = 1 << 14;

/// A claimed rate outside of this is measured instead, over so many packets.
const PLAUSIBLE_FRAMES_PER_SEC: RangeInclusive<f64> = 0.1..=480.0;
const MAX_PACKETS_FOR_RATE: usize = 256;

/// A video file as a source of frames.
pub struct FileSource {
    info: VideoInfo,
    probe: Option<Probe>,
    capture: Capture,
    timeline: Timeline,
    /// The frame that the capture gives next, or holds already.
    next: usize,
    /// The capture has grabbed frame `next`.
    is_grabbed: bool,
    /// The capture has jumped since it was opened, so where it is must be checked.
    has_jumped: bool,
    /// Frames that jumps could not reach, so that they are not tried again.
    unreachable: Range<usize>,
    /// How many frames there are, once the end has been met.
    count: Option<usize>,
    /// Packets that the decoder refused while the file was first read.
    refused_packets: usize,
}

impl FileSource {
    /// Opens a video file.
    ///
    /// # Errors
    /// When it is no video, or none of its frames can be decoded.
    pub fn open(path: &Path) -> Result<Self, VideoError> {
        let probe = probe_video(path)?;
        let stream = probe.as_ref().and_then(|probe| probe.video.clone());
        let rotation_degrees = stream.as_ref().map_or(0, |stream| stream.rotation_degrees);
        let capture = Capture::open(path, rotation_degrees)?;
        let width = capture.property(videoio::CAP_PROP_FRAME_WIDTH) as u32;
        let height = capture.property(videoio::CAP_PROP_FRAME_HEIGHT) as u32;
        let size = match rotation_degrees {
            90 | 270 => FrameSize::new(height, width),
            _ => FrameSize::new(width, height),
        };
        let unreadable = |cause: &str| VideoError::Unreadable {
            path: path.to_owned(),
            cause: cause.to_owned(),
            remedy: "copy it again from where it came, or play it to see whether it is broken".to_owned(),
        };
        let size = size.ok_or_else(|| unreadable("its pictures have no usable size"))?;
        // Where the container has no count, OpenCV makes one of its rate, and seeks by it.
        let has_rate = PLAUSIBLE_FRAMES_PER_SEC.contains(&capture.property(videoio::CAP_PROP_FPS));
        let claimed = capture.property(videoio::CAP_PROP_FRAME_COUNT);
        let rate = nominal_rate(path, &capture, probe.as_ref());
        let info = VideoInfo {
            path: path.to_owned(),
            size,
            frames_per_sec: rate,
            claimed_frames: (has_rate && claimed > 0.0).then_some(claimed as usize),
            claimed_duration_secs: probe.as_ref().and_then(|probe| probe.duration_secs),
            container: probe.as_ref().map_or_else(|| "unknown".to_owned(), |probe| probe.format.clone()),
            pixel_format: stream.as_ref().and_then(|stream| stream.pixel_format.clone()),
            time_base: capture
                .tick_secs()
                .and_then(Ratio::of)
                .unwrap_or_else(|| Ratio::of(1.0 / rate).unwrap_or(Ratio::new(1, 1_000_000))),
            pixel_aspect: match (stream.as_ref().map(|stream| stream.pixel_aspect), rotation_degrees) {
                (Some(aspect), 90 | 270) => aspect.inverse(),
                (aspect, _) => aspect.unwrap_or(Ratio::ONE),
            },
            codec: stream.map_or_else(|| four_letters(&capture), |stream| stream.codec),
            rotation_degrees,
        };
        let mut source = Self {
            timeline: Timeline::new(info.frames_per_sec),
            info,
            probe,
            capture,
            next: 0,
            is_grabbed: false,
            has_jumped: false,
            unreachable: if has_rate { 0..0 } else { 0..usize::MAX },
            count: None,
            refused_packets: 0,
        };
        // A file that has no frame is refused here rather than read as an empty clip.
        if source.advance()? { Ok(source) } else { Err(unreadable("none of its pictures decodes")) }
    }

    /// Grabs frame `next` unless it is held; `false` at the end. A new frame gets its row.
    fn advance(&mut self) -> Result<bool, VideoError> {
        if self.is_grabbed {
            return Ok(true);
        }
        if self.count.is_some_and(|count| self.next >= count) {
            return Ok(false);
        }
        match self.capture.grab() {
            Some(micros) if self.next < self.timeline.len() => {
                // A frame may lack its time in one run and have it in another.
                let is_elsewhere = micros.is_some_and(|micros| {
                    self.timeline
                        .seek_point(self.next)
                        .is_some_and(|(frame, key)| frame == self.next && key != micros)
                });
                if self.has_jumped && is_elsewhere {
                    return self.decode_from_start(self.next);
                }
            }
            Some(micros) => {
                let (info, probe, tick_secs) = (&self.info, &self.probe, self.capture.tick_secs());
                self.timeline
                    .append(micros, |known| timestamps_after(info, probe.as_ref(), tick_secs, known));
            }
            // After a jump an early end is the jump's fault.
            None if self.has_jumped
                && (self.next < self.timeline.len() || self.capture.stopped_by_count()) =>
            {
                return self.decode_from_start(self.next);
            }
            None => {
                self.count = Some(self.next);
                return Ok(false);
            }
        }
        self.refused_packets = self.refused_packets.max(self.capture.refused_packets());
        self.is_grabbed = true;
        Ok(true)
    }

    /// Holds frame `index` by decoding from the start; `false` when the file ends before it.
    fn decode_from_start(&mut self, index: usize) -> Result<bool, VideoError> {
        tracing::debug!(path = %self.info.path.display(), index, "decoding from the start");
        self.capture.reopen()?;
        self.next = 0;
        self.is_grabbed = false;
        self.has_jumped = false;
        self.step_to(index)
    }

    /// Holds frame `index`, which is not behind, by decoding forward.
    fn step_to(&mut self, index: usize) -> Result<bool, VideoError> {
        while self.advance()? {
            if self.next >= index {
                return Ok(true);
            }
            self.is_grabbed = false;
            self.next += 1;
        }
        Ok(false)
    }

    /// Tries to hold frame `index` or one shortly before it by a seek in time; `false` when
    /// the times don't allow it. The capture is anywhere then.
    fn jump_towards(&mut self, index: usize) -> bool {
        let Some((seek_point, micros)) = self.timeline.seek_point(index) else { return false };
        let interval = self.timeline.mean_interval_micros();
        let mut aim = micros;
        let mut earlier = 0;
        for _ in 0..JUMP_TRIES {
            // So near the start nothing is gained.
            let is_near_start = aim < MAX_STEP_FRAMES as i64 * interval;
            if is_near_start || self.unreachable.contains(&seek_point) || !self.capture.seek_about(aim) {
                return false;
            }
            self.has_jumped = true;
            let Some(landed) = self.grab_until(micros) else {
                self.next = seek_point;
                self.is_grabbed = true;
                return true;
            };
            // Too late. OpenCV may have counted too far, or found no key frame before.
            earlier = 2 * earlier + (landed - seek_point) as i64 + 2;
            let (Ok(aimed) | Err(aimed)) = self.timeline.find(aim);
            aim = micros - earlier * interval;
            if aim < MAX_STEP_FRAMES as i64 * interval {
                self.unreachable = match &self.unreachable {
                    known if known.contains(&aimed) || known.contains(&landed) => {
                        known.start.min(aimed)..known.end.max(landed)
                    }
                    _ => aimed..landed,
                };
            }
        }
        false
    }

    /// Decodes forward after a jump until the frame with the time `wanted`. Where that has
    /// passed already: the frame that came instead, or the number of frames at the end.
    fn grab_until(&mut self, wanted: i64) -> Option<usize> {
        loop {
            match self.capture.grab() {
                Some(Some(micros)) if micros == wanted => return None,
                Some(Some(micros)) if micros > wanted => {
                    let (Ok(landed) | Err(landed)) = self.timeline.find(micros);
                    return Some(landed);
                }
                Some(_) => {}
                None => return Some(self.timeline.len()),
            }
        }
    }

    fn decode_error(&self, cause: String) -> VideoError {
        VideoError::Decode { path: self.info.path.clone(), frame: FrameIndex::new(self.next), cause }
    }
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
            if self.has_jumped && self.timeline.checksum(self.next).is_some_and(|known| known != checksum) {
                // Right time, wrong picture: a decoder that started without its references.
                self.decode_from_start(self.next)?;
                continue;
            }
            self.timeline.set_checksum(self.next, checksum);
            let timestamp = self.timeline.timestamp(self.next);
            let frame = Frame::new(FrameIndex::new(self.next), timestamp, self.info.size, rgb);
            self.is_grabbed = false;
            self.next += 1;
            return Ok(Some(frame));
        }
    }

    fn seek(&mut self, index: FrameIndex) -> Result<(), VideoError> {
        let index = index.get();
        if self.count.is_some_and(|count| index >= count) {
            self.is_grabbed = false;
            self.next = index;
            return Ok(());
        }
        // Frames without a row are reached from the last one that has it.
        let known = index.min(self.timeline.len() - 1);
        let is_near = self.next <= index && known.saturating_sub(self.next) <= MAX_STEP_FRAMES;
        if !is_near && !self.jump_towards(known) {
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
        loss::describe(&DecodedFile {
            decoded_frames: self.count?,
            last: self.timeline.last()?,
            info: &self.info,
            is_cut_off: self.capture.is_cut_off(),
            has_demuxer_errors: self.capture.has_demuxer_errors(),
            refused_packets: self.refused_packets,
        })
    }
}

/// Frames per second, as the header or the first packets give it.
fn nominal_rate(path: &Path, capture: &Capture, probe: Option<&Probe>) -> f64 {
    let claimed = capture.property(videoio::CAP_PROP_FPS);
    if PLAUSIBLE_FRAMES_PER_SEC.contains(&claimed) {
        return claimed;
    }
    // For an uneven MPEG-TS, FFmpeg gives its clock's 90,000.
    let measure = || {
        let probe = probe?;
        let stream = probe.video.as_ref()?.index;
        let ticks = libav::packet_times(path, stream, probe.start_secs, MAX_PACKETS_FOR_RATE)?;
        let span_secs = (ticks.iter().max()? - ticks.iter().min()?) as f64 * capture.tick_secs()?;
        Some((ticks.len() - 1) as f64 / span_secs).filter(|rate| rate.is_normal())
    };
    measure().unwrap_or(super::NOMINAL_FRAMES_PER_SEC)
}

/// The times of the frames after the `known` ones, from the packets.
fn timestamps_after(
    info: &VideoInfo,
    probe: Option<&Probe>,
    tick_secs: Option<f64>,
    known: &[i64],
) -> Vec<i64> {
    let read = || {
        let probe = probe?;
        let from_secs = probe.start_secs + *known.first()? as f64 / 1e6 - TRAILING_MARGIN_SECS;
        let stream = probe.video.as_ref()?.index;
        let ticks = libav::packet_times(&info.path, stream, from_secs, MAX_TRAILING_PACKETS)?;
        Some(trailing_timestamps::timestamps_after(known, ticks, tick_secs?, probe.start_secs))
    };
    read().unwrap_or_default()
}

/// Refuses what is not a video, and says why; what the file holds where FFmpeg can be asked.
fn probe_video(path: &Path) -> Result<Option<Probe>, VideoError> {
    let unreadable = |cause: String, remedy: &str| VideoError::Unreadable {
        path: path.to_owned(),
        cause,
        remedy: remedy.to_owned(),
    };
    let probe = match libav::probe(path) {
        None => return Ok(None),
        Some(Ok(probe)) => probe,
        // FFmpeg goes by the name, and takes any file called .mp4 for one at first.
        Some(Err(reason)) if reason.contains("moov atom not found") && begins_as_mp4(path) => {
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
        _ if probe.audio_codec.is_some() => {
            Err(unreadable("it has sound and no video".to_owned(), "give a file that has a video stream"))
        }
        _ => Err(unreadable("it has no video stream".to_owned(), "give a file that has one")),
    }
}

/// Whether the first box is one that MP4 and MOV files begin with.
fn begins_as_mp4(path: &Path) -> bool {
    let mut start = [0; 8];
    let is_read = File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok();
    is_read
        && [b"ftyp", b"mdat", b"moov", b"free", b"skip", b"wide", b"pnot"]
            .iter()
            .any(|name| start[4..] == name[..])
}

/// The codec's four letters, where FFmpeg's own name can't be had.
fn four_letters(capture: &Capture) -> String {
    let code = capture.property(videoio::CAP_PROP_FOURCC) as u32;
    let letters = code.to_le_bytes().map(|byte| if byte.is_ascii_graphic() { byte as char } else { '?' });
    letters.iter().collect()
}
