//! Video files that we write, through the `ffmpeg` program.

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    process::ChildStdin,
};

use super::{
    VideoError,
    capture::Capture,
    ffmpeg::{Ffmpeg, output_arguments, passthrough_timestamps},
    libav,
    matroska::{MatroskaWriter, PixelFormat},
    ratio::Ratio,
    sound::SoundPart,
};
use base::files::{PartFile, free_bytes};
use base::frame::{FrameSize, Timestamp};

/// With less free space than this and one frame, writing fails before the disk is full.
const MIN_FREE_BYTES: u64 = 8 << 20;
/// Times are given to FFmpeg in microseconds, so a finer clock can't be kept.
const FINEST_CLOCK: Ratio = Ratio::new(1, 1_000_000);
/// Pictures of as many rows and more are HD, whose colours are BT.709; the others BT.601.
const HD_ROWS: usize = 720;

/// A codec with its container and settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoFormat {
    /// Lossless grey (FFV1, pixel format `gray`) in MKV: mattes.
    Ffv1Grey,
    /// Lossless RGB and alpha (FFV1, `bgra`) in MKV.
    Ffv1Alpha,
    /// Grey as H.264 (x264, CRF 12, 4:2:0) in MP4.
    H264Grey,
    /// H.264 (x264, CRF 14, 4:2:0) in MP4. It looks like the original.
    H264,
    /// ProRes 4444 with 16-bit alpha in MOV.
    ProRes4444,
    /// VP9 (CRF 18, 4:2:0) with alpha in WebM.
    Vp9Alpha,
}

impl VideoFormat {
    /// The file name's ending, without the dot. It chooses the container.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Ffv1Grey | Self::Ffv1Alpha => "mkv",
            Self::H264Grey | Self::H264 => "mp4",
            Self::ProRes4444 => "mov",
            Self::Vp9Alpha => "webm",
        }
    }

    /// Of the frames that are written.
    pub const fn pixels(self) -> PixelFormat {
        match self {
            Self::Ffv1Grey | Self::H264Grey => PixelFormat::Grey,
            Self::H264 => PixelFormat::Rgb,
            Self::Ffv1Alpha | Self::ProRes4444 | Self::Vp9Alpha => PixelFormat::Rgba,
        }
    }

    /// H.264 with 4:2:0 has even sides: the last row or column is there twice where they are
    /// odd. The others keep odd sides.
    pub const fn has_even_sides(self) -> bool {
        matches!(self, Self::H264Grey | Self::H264)
    }

    /// FFmpeg's pixel format where the file has luma and chroma of limited range; `None` where
    /// it holds the bytes as they are.
    const fn video_range(self) -> Option<&'static str> {
        match self {
            Self::Ffv1Grey | Self::Ffv1Alpha => None,
            Self::H264Grey | Self::H264 => Some("yuv420p"),
            Self::ProRes4444 => Some("yuva444p10le"),
            Self::Vp9Alpha => Some("yuva420p"),
        }
    }

    const fn encoder(self) -> &'static str {
        match self {
            Self::Ffv1Grey => "ffv1 -level 3 -g 1 -slicecrc 1 -pix_fmt gray -color_range pc",
            Self::Ffv1Alpha => "ffv1 -level 3 -g 1 -slicecrc 1 -pix_fmt bgra",
            Self::H264Grey => "libx264 -preset veryfast -subq 1 -crf 12",
            Self::H264 => "libx264 -preset veryfast -subq 1 -crf 14",
            Self::ProRes4444 => "prores_ks -profile:v 4444 -alpha_bits 16 -vendor apl0",
            Self::Vp9Alpha => {
                "libvpx-vp9 -crf 18 -b:v 0 -row-mt 1 -deadline good -cpu-used 4 -auto-alt-ref 0"
            }
        }
    }
}

/// Size, rate, clock and pixel aspect of a video.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StreamParameters {
    /// Width and height.
    pub size: FrameSize,
    /// Nominal.
    pub frames_per_sec: f64,
    /// The tick of the clock, in seconds: times are multiples of it.
    pub time_base: Ratio,
    /// Width to height of a pixel.
    pub pixel_aspect: Ratio,
}

/// A video file in the making. It lies under a temporary name until [`finish`](Self::finish),
/// and is removed when dropped before.
pub struct VideoSink {
    stream: MatroskaWriter<BufWriter<ChildStdin>>,
    encoder: Ffmpeg,
    // After the encoder, which must be gone before its file is removed.
    temporary: PartFile,
    target: PathBuf,
    format: VideoFormat,
    parameters: StreamParameters,
    sound: Option<SoundPart>,
    frames: usize,
    first: Timestamp,
    last: Timestamp,
    /// Of the last picture, in ticks after the first.
    last_tick: i64,
    padded_row: Vec<u8>,
}

impl VideoSink {
    /// Begins a video. `path` must have the format's [extension](VideoFormat::extension), and its
    /// folder must exist.
    ///
    /// # Errors
    /// When the name or the rate is wrong, the file can't be created, or `ffmpeg` is missing.
    pub fn create(
        path: &Path,
        format: VideoFormat,
        parameters: StreamParameters,
        sound: Option<SoundPart>,
    ) -> Result<Self, VideoError> {
        if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(format.extension())) {
            return Err(VideoError::write(path, format!("the name must end in .{}", format.extension())));
        }
        if !(parameters.frames_per_sec.is_normal() && parameters.frames_per_sec > 0.0) {
            return Err(VideoError::write(
                path,
                format!("{} frames a second are no rate", parameters.frames_per_sec),
            ));
        }
        let parameters = StreamParameters {
            time_base: if parameters.time_base.value() < 2e-6 { FINEST_CLOCK } else { parameters.time_base },
            ..parameters
        };
        let temporary = PartFile::beside(path);
        // The program's words for what the system refuses are less clear.
        File::create(temporary.path()).map_err(|error| VideoError::write(path, error))?;
        check_free_space(path, 0)?;
        let mut encoder = Ffmpeg::start(&arguments(format, &parameters, temporary.path()))?;
        let input = encoder.take_input().ok_or_else(|| VideoError::write(path, "ffmpeg takes no input"))?;
        let stored = stored_size(format, parameters.size);
        let stream = MatroskaWriter::begin(
            BufWriter::with_capacity(1 << 16, input),
            stored,
            format.pixels(),
            parameters.frames_per_sec,
        );
        Ok(Self {
            stream: stream.map_err(|error| VideoError::write(path, error))?,
            encoder,
            temporary,
            target: path.to_owned(),
            format,
            parameters,
            sound,
            frames: 0,
            first: Timestamp::default(),
            last: Timestamp::default(),
            last_tick: -1,
            padded_row: Vec::new(),
        })
    }

    /// Adds a frame that is shown `at` this time: `height × width × channels` bytes.
    ///
    /// # Errors
    /// When the number of bytes is wrong, the disk is full, or the encoder fails.
    pub fn write(&mut self, at: Timestamp, pixels: &[u8]) -> Result<(), VideoError> {
        let size = self.parameters.size;
        let row_bytes = size.width() * self.format.pixels().channels();
        if pixels.len() != size.height() * row_bytes {
            let expected = size.height() * row_bytes;
            let cause = format!("a frame has {} bytes and not {expected}", pixels.len());
            return Err(VideoError::write(&self.target, cause));
        }
        check_free_space(&self.target, pixels.len())?;
        if self.frames == 0 {
            self.first = at;
        }
        let tick_micros = self.parameters.time_base.value() * 1e6;
        let tick = ((at.micros() - self.first.micros()) as f64 / tick_micros).round() as i64;
        // Two frames with the same time would become one.
        self.last_tick = tick.max(self.last_tick + 1);
        let micros = (self.last_tick as f64 * tick_micros).round() as u64;
        self.last = at;
        self.frames += 1;
        if let Err(error) = self.send(micros, pixels, row_bytes) {
            return Err(self.encoder_error(error));
        }
        Ok(())
    }

    fn send(&mut self, micros: u64, pixels: &[u8], row_bytes: usize) -> std::io::Result<()> {
        let size = self.parameters.size;
        let stored = stored_size(self.format, size);
        let channels = self.format.pixels().channels();
        let bytes = stored.pixels() * channels;
        if stored == size {
            return self.stream.picture(micros, bytes, std::iter::once(pixels));
        }
        self.padded_row.clear();
        for row in pixels.chunks_exact(row_bytes) {
            self.padded_row.extend(row);
            if stored.width() > size.width() {
                self.padded_row.extend(&row[row_bytes - channels..]);
            }
        }
        let last_row = self.padded_row.len() - stored.width() * channels;
        let below = (stored.height() > size.height()).then(|| &self.padded_row[last_row..]);
        self.stream.picture(micros, bytes, std::iter::once(&self.padded_row[..]).chain(below))
    }

    /// Why the encoder accepts no more input, in its own words if it has any.
    fn encoder_error(&mut self, error: std::io::Error) -> VideoError {
        VideoError::write(&self.target, self.encoder.finish().err().unwrap_or_else(|| error.to_string()))
    }

    /// Closes the file, counts its frames, adds the sound, flushes it to the disk, and gives it its
    /// name. Returns a note if the sound had to be left out.
    ///
    /// # Errors
    /// When the encoder fails, frames are missing, or the file can't be renamed.
    pub fn finish(self) -> Result<Option<String>, VideoError> {
        let Self { stream, mut encoder, temporary, target, frames, .. } = self;
        let closed = stream.finish();
        encoder.finish().map_err(|cause| VideoError::write(&target, cause))?;
        closed.map_err(|error| VideoError::write(&target, error))?;
        let (written, breaks_off) = count_packets(temporary.path()).unwrap_or_default();
        if written != frames || breaks_off {
            let cause = format!("{written} of {frames} frames got into the file, so the disk may be full");
            return Err(VideoError::write(&target, cause));
        }
        let mut whole = temporary;
        let mut note = None;
        if let Some(sound) = self.sound {
            let interval_micros = (1e6 / self.parameters.frames_per_sec).round() as i64;
            let end = Timestamp::from_micros(self.last.micros() + interval_micros);
            let muxed = PartFile::beside(&target);
            if sound.mux(whole.path(), self.first, end, muxed.path())? {
                whole = muxed;
            } else {
                let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
                note = Some(format!("{name} has no sound: FFmpeg could not put the clip's into it"));
            }
        }
        whole.persist().map_err(|error| VideoError::write(&target, error))?;
        Ok(note)
    }
}

/// Of the pictures in the file.
fn stored_size(format: VideoFormat, size: FrameSize) -> FrameSize {
    let even = |side: usize| side.next_multiple_of(2) as u32;
    let padded = FrameSize::new(even(size.width()), even(size.height()));
    padded.filter(|_| format.has_even_sides()).unwrap_or(size)
}

fn arguments(format: VideoFormat, parameters: &StreamParameters, to: &Path) -> Vec<String> {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let Ratio { num, den } = parameters.pixel_aspect;
    // Left to itself the filter rounds to numbers up to 100.
    let mut filter = format!("setsar={num}/{den}:max=65535");
    let mut colours = Vec::new();
    if let Some(pixels) = format.video_range() {
        let name = if parameters.size.height() >= HD_ROWS { "bt709" } else { "smpte170m" };
        let convert = match format.pixels() {
            // `scale` takes a grey picture for a coloured one when it changes the range: five times as slow.
            PixelFormat::Grey => "lutyuv=y=16+round(val*219/255),setparams=range=tv,\
                             scale=in_range=tv:out_range=tv"
                .to_owned(),
            PixelFormat::Rgb | PixelFormat::Rgba => format!(
                "scale=in_range=pc:out_range=tv:out_color_matrix={name}:flags=accurate_rnd+full_chroma_int"
            ),
        };
        filter = format!(
            "{convert},format={pixels},{filter},\
             setparams=range=tv:color_primaries={name}:color_trc={name}:colorspace={name}"
        );
        colours =
            words(&format!("-color_range tv -colorspace {name} -color_primaries {name} -color_trc {name}"));
    }
    let Ratio { num, den } = parameters.time_base;
    let mut arguments = words("-f matroska -i pipe:0 -map 0:v:0");
    arguments.extend(passthrough_timestamps());
    arguments.extend(words(&format!("-enc_time_base {num}:{den} -vf {filter}")));
    arguments.extend(words(&format!("-c:v {}", format.encoder())));
    arguments.extend(colours);
    arguments.extend(output_arguments(to));
    arguments
}

/// And whether the file breaks off in one. One that has no frames can't be opened.
fn count_packets(path: &Path) -> Option<(usize, bool)> {
    libav::silence();
    let mut capture = Capture::open_undecoded(path).ok()?;
    let mut packets = 0;
    while capture.grab().is_some() {
        packets += 1;
    }
    Some((packets, capture.is_cut_off()))
}

fn check_free_space(path: &Path, frame_bytes: usize) -> Result<(), VideoError> {
    match free_bytes(path) {
        Some(free) if free < MIN_FREE_BYTES + frame_bytes as u64 => {
            Err(VideoError::write(path, "the disk is full"))
        }
        _ => Ok(()),
    }
}
