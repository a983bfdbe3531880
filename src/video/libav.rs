//! What FFmpeg knows and OpenCV does not pass on: why a file does not open, what its
//! streams are, and the demuxer's complaints. And silence: FFmpeg writes to stderr unless
//! told not to.
//!
//! OpenCV's video module is linked with libavformat, so its functions are in this process
//! already and are looked up by name. Only those are used whose arguments are opaque
//! pointers and whose signatures have not changed since FFmpeg 2 (and packets, whose first
//! fields haven't either). Where they are missing (an OpenCV built another way), [`probe`]
//! gives `None` and the rest works without it.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Once, OnceLock};

use super::ratio::Ratio;

/// `AV_LOG_…`
const LOG_NOTHING: c_int = -8;
const LOG_ERROR: c_int = 16;
const LOG_INFO: c_int = 32;

/// What a container says of its streams.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// FFmpeg's name of the container, such as `matroska,webm`.
    pub format: String,
    /// The longest stream's, as the header gives it or as FFmpeg estimates it.
    pub duration_secs: Option<f64>,
    /// The clock's reading at the start.
    pub start_secs: f64,
    /// The first one, which is the one that OpenCV decodes.
    pub video: Option<VideoStream>,
    /// FFmpeg's name of the first sound stream's codec.
    pub audio_codec: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct VideoStream {
    /// Its place among the container's streams.
    pub index: usize,
    /// FFmpeg's name, such as `h264`.
    pub codec: String,
    /// FFmpeg's name, such as `yuv420p10le`.
    pub pixel_format: Option<String>,
    /// A cover image that belongs to a sound file.
    pub is_cover: bool,
    /// Clockwise, as the pictures are to be turned for showing; what is not a multiple of 90
    /// reads as 0.
    pub rotation_degrees: u16,
    /// Width to height of a pixel, before rotation.
    pub pixel_aspect: Ratio,
}

/// Asks FFmpeg what `path` is. `Err` is FFmpeg's reason why it does not open.
pub fn probe(path: &Path) -> Option<Result<Probe, String>> {
    let av = functions()?;
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut context: *mut c_void = std::ptr::null_mut();
    let null = std::ptr::null_mut();
    // SAFETY: the signatures are libavformat's; `context` is null before, is owned by us
    // after success, and is freed by FFmpeg itself after failure.
    let (code, errors) =
        capture_log(LOG_ERROR, || unsafe { (av.open_input)(&mut context, path.as_ptr(), null, null) });
    if code < 0 {
        let reason = errors.lines().last().map_or_else(|| error_text(av, code), str::to_owned);
        return Some(Err(reason));
    }
    let (code, description) = capture_log(LOG_INFO, || {
        // SAFETY: `context` is an open input until the last line.
        unsafe {
            let code = (av.find_stream_info)(context, null);
            clear_log();
            (av.dump_format)(context, 0, c"".as_ptr(), 0);
            (av.close_input)(&mut context);
            code
        }
    });
    if code < 0 {
        return Some(Err(error_text(av, code)));
    }
    Some(Ok(parse(&description)))
}

/// The presentation times of a stream's packets, in ticks of its clock and in the order of the
/// file, from a key frame at or before `from_secs` (on the container's clock) on. `None` where
/// they can't be had, or where a packet has none.
pub fn packet_times(path: &Path, stream: usize, from_secs: f64, most: usize) -> Option<Vec<i64>> {
    const NO_TIME: i64 = i64::MIN;
    /// To be decoded and not shown: what an edit list hides.
    const HIDDEN: c_int = 4;
    const SEEK_BACKWARD: c_int = 1;
    /// The versions of libavcodec whose packets begin as [`Packet`] says.
    const KNOWN_VERSIONS: std::ops::RangeInclusive<u32> = 58..=62;

    let av = functions()?;
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let null = std::ptr::null_mut();
    let mut context: *mut c_void = null;
    let mut times = Vec::new();
    let mut is_whole = true;
    // SAFETY: as in `probe`; a packet is allocated by FFmpeg, read only after a successful
    // read, and freed once.
    capture_log(LOG_NOTHING, || unsafe {
        if !KNOWN_VERSIONS.contains(&((av.codec_version)() >> 16))
            || (av.open_input)(&mut context, path.as_ptr(), null, null) < 0
        {
            return None;
        }
        let mut packet = (av.packet_alloc)();
        if !packet.is_null() && (av.find_stream_info)(context, null) >= 0 {
            (av.seek_frame)(context, -1, (from_secs * 1e6) as i64, SEEK_BACKWARD);
            while times.len() < most && (av.read_frame)(context, packet) >= 0 {
                let Packet { pts, stream_index, flags, .. } = *packet;
                if stream_index as usize == stream && flags & HIDDEN == 0 {
                    is_whole &= pts != NO_TIME;
                    times.push(pts);
                }
                (av.packet_unref)(packet);
            }
        }
        (av.packet_free)(&mut packet);
        (av.close_input)(&mut context);
        Some(())
    })
    .0?;
    is_whole.then_some(times)
}

/// How FFmpeg's `AVPacket` begins.
#[repr(C)]
struct Packet {
    _buffer: *mut c_void,
    pts: i64,
    _dts: i64,
    _data: *mut u8,
    _size: c_int,
    stream_index: c_int,
    flags: c_int,
}

/// Runs `work`, and gives what FFmpeg's demuxer said meanwhile on this thread, of the level
/// of an error, one message a line. (Decoders speak on threads of their own.)
pub fn capture_errors<T>(work: impl FnOnce() -> T) -> (T, String) {
    capture_log(LOG_ERROR, work)
}

/// Stops OpenCV and FFmpeg from writing to stderr, for the whole process.
///
/// Environment variables could do it too, but setting one is unsound once there are threads,
/// and OpenCV resets FFmpeg's log level at every open. It never touches FFmpeg's log
/// callback, so that is what is set here.
pub fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A failure leaves the default level: noise, no harm.
        let _ = opencv::core::set_log_level(opencv::core::LogLevel::LOG_LEVEL_SILENT);
        if let Some(av) = functions() {
            // SAFETY: `on_log` has the signature of FFmpeg's log callback.
            unsafe { (av.log_set_callback)(on_log) };
        }
    });
}

type LogCallback = unsafe extern "C" fn(*mut c_void, c_int, *const c_char, *mut c_void);

struct Functions {
    open_input: unsafe extern "C" fn(*mut *mut c_void, *const c_char, *mut c_void, *mut c_void) -> c_int,
    find_stream_info: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
    dump_format: unsafe extern "C" fn(*mut c_void, c_int, *const c_char, c_int),
    close_input: unsafe extern "C" fn(*mut *mut c_void),
    seek_frame: unsafe extern "C" fn(*mut c_void, c_int, i64, c_int) -> c_int,
    read_frame: unsafe extern "C" fn(*mut c_void, *mut Packet) -> c_int,
    packet_alloc: unsafe extern "C" fn() -> *mut Packet,
    packet_unref: unsafe extern "C" fn(*mut Packet),
    packet_free: unsafe extern "C" fn(*mut *mut Packet),
    codec_version: unsafe extern "C" fn() -> u32,
    strerror: unsafe extern "C" fn(c_int, *mut c_char, usize) -> c_int,
    log_set_callback: unsafe extern "C" fn(LogCallback),
    log_format_line:
        unsafe extern "C" fn(*mut c_void, c_int, *const c_char, *mut c_void, *mut c_char, c_int, *mut c_int),
}

fn functions() -> Option<&'static Functions> {
    static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();
    FUNCTIONS
        .get_or_init(|| {
            // SAFETY: each name is looked up as the type that FFmpeg's headers give it. A
            // `va_list` argument is a pointer in the C calling conventions of 64-bit Linux.
            unsafe {
                Some(Functions {
                    open_input: function(c"avformat_open_input")?,
                    find_stream_info: function(c"avformat_find_stream_info")?,
                    dump_format: function(c"av_dump_format")?,
                    close_input: function(c"avformat_close_input")?,
                    seek_frame: function(c"av_seek_frame")?,
                    read_frame: function(c"av_read_frame")?,
                    packet_alloc: function(c"av_packet_alloc")?,
                    packet_unref: function(c"av_packet_unref")?,
                    packet_free: function(c"av_packet_free")?,
                    codec_version: function(c"avcodec_version")?,
                    strerror: function(c"av_strerror")?,
                    log_set_callback: function(c"av_log_set_callback")?,
                    log_format_line: function(c"av_log_format_line")?,
                })
            }
        })
        .as_ref()
}

/// # Safety
/// `F` must be the type of the function called `name`.
unsafe fn function<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: a lookup in the libraries that are loaded; the caller vouches for the type.
    unsafe {
        let address = libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr());
        (!address.is_null()).then(|| std::mem::transmute_copy(&address))
    }
}

thread_local! {
    static CAPTURE_LEVEL: Cell<c_int> = const { Cell::new(LOG_NOTHING) };
    static CAPTURED_LOG: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `work` and gives what FFmpeg said on this thread meanwhile, up to `level`.
fn capture_log<T>(level: c_int, work: impl FnOnce() -> T) -> (T, String) {
    silence();
    clear_log();
    CAPTURE_LEVEL.set(level);
    let result = work();
    CAPTURE_LEVEL.set(LOG_NOTHING);
    (result, CAPTURED_LOG.take())
}

fn clear_log() {
    CAPTURED_LOG.with_borrow_mut(String::clear);
}

/// Nothing is printed. What a listening thread's own calls say is kept, up to a bound.
unsafe extern "C" fn on_log(
    context: *mut c_void,
    level: c_int,
    format: *const c_char,
    arguments: *mut c_void,
) {
    const MAX_BYTES: usize = 1 << 16;
    // The upper bits of a level are colours.
    if level < 0 || level & 0xff > CAPTURE_LEVEL.get() {
        return;
    }
    let Some(av) = functions() else { return };
    let mut line = [0 as c_char; 1024];
    // 0: no «[mov @ 0x…]» before the text.
    let mut prefix = 0;
    // SAFETY: the arguments are passed on as they came; the buffer's size is given, and
    // FFmpeg ends the text with a 0.
    let text = unsafe {
        (av.log_format_line)(context, level, format, arguments, line.as_mut_ptr(), 1024, &mut prefix);
        CStr::from_ptr(line.as_ptr())
    };
    let _ = CAPTURED_LOG.try_with(|captured| {
        if let Ok(mut captured) = captured.try_borrow_mut()
            && captured.len() < MAX_BYTES
        {
            captured.push_str(&text.to_string_lossy());
        }
    });
}

fn error_text(av: &Functions, code: c_int) -> String {
    let mut text = [0 as c_char; 256];
    // SAFETY: the buffer's size is given; the text ends with a 0 also for unknown codes.
    unsafe {
        (av.strerror)(code, text.as_mut_ptr(), text.len());
        CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned()
    }
}

/// Reads the text of `av_dump_format`, which is the same as what the `ffmpeg` program shows.
fn parse(description: &str) -> Probe {
    let lines = description.lines().map(str::trim_start);
    let format = lines
        .clone()
        .find_map(|line| line.strip_prefix("Input #0, ")?.split(", from ").next().map(str::to_owned))
        .unwrap_or_default();
    let duration_secs = lines.clone().find_map(|line| seconds(line.strip_prefix("Duration: ")?));
    let start_secs = lines
        .clone()
        .find_map(|line| {
            line.strip_prefix("Duration: ")?.split_once("start: ")?.1.split(',').next()?.parse().ok()
        })
        .unwrap_or(0.0);
    let audio_codec = lines
        .clone()
        .find_map(|line| line.strip_prefix("Stream #0:")?.split_once(": Audio: "))
        .map(|(_, rest)| rest.split([' ', ',']).next().unwrap_or_default().to_owned());
    let is_video = |line: &&str| line.starts_with("Stream #0:") && line.contains(": Video: ");
    let mut of_video = lines.skip_while(|line| !is_video(line));
    let video = of_video.next().and_then(|line| line.split_once(": Video: ")).map(|(stream, rest)| {
        let mut parts = split_outside_brackets(rest);
        let first_word = |part: &str| part.split([' ', '(']).next().unwrap_or_default().to_owned();
        // Up to the next stream. FFmpeg counts the angle counter-clockwise.
        let counter_clockwise_degrees = of_video
            .take_while(|line| !line.starts_with("Stream #0:"))
            .find_map(|line| {
                line.strip_prefix("displaymatrix: rotation of ")?.split(' ').next()?.parse().ok()
            })
            .map_or(0, |degrees: f64| degrees.round() as i32);
        let clockwise_degrees = (-counter_clockwise_degrees).rem_euclid(360) as u16;
        let number =
            stream.trim_start_matches("Stream #0:").split(|letter: char| !letter.is_ascii_digit()).next();
        VideoStream {
            index: number.and_then(|number| number.parse().ok()).unwrap_or(0),
            codec: parts.next().map(first_word).unwrap_or_default(),
            pixel_format: parts.next().map(first_word).filter(|name| !name.is_empty() && name != "none"),
            is_cover: rest.contains("(attached pic)"),
            // Where the container and the stream differ, the container's comes last and counts.
            pixel_aspect: rest
                .rsplit_once("SAR ")
                .and_then(|(_, aspect)| Ratio::parse(aspect.split([' ', ']']).next()?))
                .unwrap_or(Ratio::ONE),
            rotation_degrees: if clockwise_degrees.is_multiple_of(90) { clockwise_degrees } else { 0 },
        }
    });
    Probe { format, duration_secs, start_secs, video, audio_codec }
}

/// The parts of `h264 (High) (avc1 / 0x31637661), yuv420p(tv, bt709), 160x96`.
fn split_outside_brackets(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    text.split(move |letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    })
    .map(str::trim_start)
}

/// The seconds of `00:01:02.50, start: …`; `None` of `N/A`.
fn seconds(text: &str) -> Option<f64> {
    let time = text.split(',').next()?;
    let mut total = 0.0;
    for part in time.split(':') {
        total = total * 60.0 + part.trim().parse::<f64>().ok()?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_ffmpeg_says_of_the_streams() {
        let probe = parse(
            "Input #0, mov,mp4,m4a,3gp,3g2,mj2, from '':\n  Metadata:\n    title : Stream of, words\n  \
             Duration: 00:01:02.50, start: 1.400000, bitrate: 73 kb/s\n  \
             Stream #0:0[0x1](eng): Audio: aac (LC), 48000 Hz, stereo\n  \
             Stream #0:1[0x2](und): Video: hevc (Main 10) (hvc1 / 0x31637668), yuv420p10le(tv, bt709), 127x93 [SAR 16:11 DAR 4:3]\n    \
             Side data:\n      displaymatrix: rotation of -90.00 degrees\n",
        );
        let video = VideoStream {
            index: 1,
            codec: "hevc".into(),
            pixel_format: Some("yuv420p10le".into()),
            is_cover: false,
            rotation_degrees: 90,
            pixel_aspect: Ratio::new(16, 11),
        };
        assert_eq!(
            probe,
            Probe {
                format: "mov,mp4,m4a,3gp,3g2,mj2".into(),
                duration_secs: Some(62.5),
                start_secs: 1.4,
                video: Some(video),
                audio_codec: Some("aac".into())
            }
        );
    }

    #[test]
    fn a_cover_image_is_told_from_a_video() {
        let probe = parse(
            "Input #0, mp3, from '':\n  Duration: N/A, start: 0.0\n  Stream #0:0: Audio: mp3, 44100 Hz\n  \
             Stream #0:1: Video: png, rgb24(pc, gbr/unknown/unknown), 64x64 (attached pic)\n",
        );
        assert_eq!(probe.duration_secs, None);
        assert!(probe.video.unwrap().is_cover);
    }
}
