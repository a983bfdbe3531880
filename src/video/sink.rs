//! Video files that we write, through OpenCV's FFmpeg backend.

use std::path::{Path, PathBuf};

use opencv::core::{self, Mat, Size, ToInputArray, Vec3b};
use opencv::imgproc;
use opencv::videoio::{self, VideoWriter, VideoWriterTrait, VideoWriterTraitConst};

use super::capture::Capture;
use super::temporary::Temporary;
use super::{VideoError, libav};
use crate::frame::FrameSize;

/// With less than this on the disk, and a frame, writing ends with an error before the disk
/// is full.
const LEAST_FREE_BYTES: u64 = 8 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoFormat {
    /// Lossless grey, FFV1 (pixel format `gray`) in MKV: masks and mattes.
    Ffv1Grey,
    /// Lossless RGB, FFV1 (pixel format `bgr0`, or `bgra` and opaque) in MKV.
    Ffv1Rgb,
    /// H.264 (x264, CRF 23, 4:2:0) in MP4, to look at.
    H264,
}

impl VideoFormat {
    /// The file name's ending, without the dot. It chooses the container.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Ffv1Grey | Self::Ffv1Rgb => "mkv",
            Self::H264 => "mp4",
        }
    }

    /// Bytes a pixel of the frames that are written: grey or RGB.
    pub const fn channels(self) -> usize {
        match self {
            Self::Ffv1Grey => 1,
            Self::Ffv1Rgb | Self::H264 => 3,
        }
    }

    fn four_letters(self) -> i32 {
        let letters = match self {
            Self::Ffv1Grey | Self::Ffv1Rgb => b"FFV1",
            Self::H264 => b"avc1",
        };
        i32::from_le_bytes(*letters)
    }
}

/// A video file in the making. It lies under a temporary name until [`finish`](Self::finish),
/// and is removed when dropped before.
///
/// The pictures in the file have even sides: OpenCV would cut an odd column or row off, so
/// the last one is repeated instead.
pub struct VideoSink {
    writer: VideoWriter,
    // After the writer, which must close the file before it is removed.
    temporary: Temporary,
    target: PathBuf,
    format: VideoFormat,
    size: FrameSize,
    frames: usize,
    /// In OpenCV's channel order.
    converted: Mat,
    padded: Mat,
}

impl VideoSink {
    /// `path` should end as [`VideoFormat::extension`] says; its folder must exist.
    pub fn create(
        path: &Path,
        format: VideoFormat,
        size: FrameSize,
        frames_per_sec: f64,
    ) -> Result<Self, VideoError> {
        libav::silence();
        if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(format.extension())) {
            return Err(VideoError::write(path, format!("the name must end in .{}", format.extension())));
        }
        let temporary = Temporary::beside(path);
        // OpenCV does not say why a file can't be created; the system does.
        std::fs::File::create(temporary.path()).map_err(|error| VideoError::write(path, error))?;
        check_free_space(path, 0)?;
        let absolute =
            std::path::absolute(temporary.path()).map_err(|error| VideoError::write(path, error))?;
        let even = |side: usize| side.next_multiple_of(2) as i32;
        let writer = VideoWriter::new_with_backend(
            &absolute,
            videoio::CAP_FFMPEG,
            format.four_letters(),
            frames_per_sec,
            Size::new(even(size.width()), even(size.height())),
            format.channels() == 3,
        );
        match writer {
            Ok(writer) if writer.is_opened().unwrap_or(false) => Ok(Self {
                writer,
                temporary,
                target: path.to_owned(),
                format,
                size,
                frames: 0,
                converted: Mat::default(),
                padded: Mat::default(),
            }),
            _ => Err(VideoError::write(
                path,
                format!("OpenCV has no encoder for {format:?} at {size}, {frames_per_sec} frames a second"),
            )),
        }
    }

    /// Adds a frame: `height × width × channels` bytes.
    pub fn write(&mut self, pixels: &[u8]) -> Result<(), VideoError> {
        let expected_bytes = self.size.pixels() * self.format.channels();
        if pixels.len() != expected_bytes {
            // OpenCV would accept it and write nothing.
            let cause = format!("a frame has {} bytes and not {expected_bytes}", pixels.len());
            return Err(VideoError::write(&self.target, cause));
        }
        check_free_space(&self.target, pixels.len())?;
        self.encode(pixels).map_err(|error| VideoError::write(&self.target, error.message))?;
        self.frames += 1;
        Ok(())
    }

    fn encode(&mut self, pixels: &[u8]) -> opencv::Result<()> {
        let (rows, columns) = (self.size.height() as i32, self.size.width() as i32);
        if self.format.channels() == 1 {
            let grey = Mat::new_rows_cols_with_bytes::<u8>(rows, columns, pixels)?;
            return write_even(&mut self.writer, &mut self.padded, &grey, self.size);
        }
        let rgb = Mat::new_rows_cols_with_bytes::<Vec3b>(rows, columns, pixels)?;
        imgproc::cvt_color_def(&rgb, &mut self.converted, imgproc::COLOR_RGB2BGR)?;
        write_even(&mut self.writer, &mut self.padded, &self.converted, self.size)
    }

    /// Closes the file, counts its frames, flushes it to the disk, and gives it its name.
    ///
    /// OpenCV reports no error of writing, a full disk included. So the packets in the file
    /// are counted by reading them back, which costs no decoding.
    pub fn finish(mut self) -> Result<(), VideoError> {
        self.writer.release().map_err(|error| VideoError::write(&self.target, error.message))?;
        let (written, breaks_off) = count_packets(self.temporary.path()).unwrap_or_default();
        if written != self.frames || breaks_off {
            let cause =
                format!("{written} of {} frames got into the file, so the disk may be full", self.frames);
            return Err(VideoError::write(&self.target, cause));
        }
        self.temporary.persist().map_err(|error| VideoError::write(&self.target, error))
    }
}

/// Writes `picture`, with its last row and column repeated where a side is odd.
fn write_even(
    writer: &mut VideoWriter,
    padded: &mut Mat,
    picture: &impl ToInputArray,
    size: FrameSize,
) -> opencv::Result<()> {
    let (below, right) = ((size.height() % 2) as i32, (size.width() % 2) as i32);
    if (below, right) == (0, 0) {
        return writer.write(picture);
    }
    core::copy_make_border_def(picture, padded, 0, below, 0, right, core::BORDER_REPLICATE)?;
    writer.write(padded)
}

/// And whether the file breaks off in one. One that has no frames can't be opened.
fn count_packets(path: &Path) -> Option<(usize, bool)> {
    let mut capture = Capture::open_undecoded(path).ok()?;
    let mut packets = 0;
    while capture.grab().is_some() {
        packets += 1;
    }
    Some((packets, capture.is_cut_off()))
}

fn check_free_space(path: &Path, frame_bytes: usize) -> Result<(), VideoError> {
    match free_bytes(path) {
        Some(free) if free < LEAST_FREE_BYTES + frame_bytes as u64 => {
            Err(VideoError::write(path, "the disk is full"))
        }
        _ => Ok(()),
    }
}

/// Of the disk that `path` will lie on, for us; `None` where the system doesn't say.
fn free_bytes(path: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut numbers = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a 0, and the numbers are read only after success.
    unsafe {
        (libc::statvfs(folder.as_ptr(), numbers.as_mut_ptr()) == 0).then(|| {
            let numbers = numbers.assume_init();
            numbers.f_bavail * numbers.f_frsize
        })
    }
}
