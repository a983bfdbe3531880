//! OpenCV's decoder on one file, with its oddities hidden.

use std::path::{Path, PathBuf};

use opencv::core::{self, Mat, MatTraitConst, Vec3b, Vector};
use opencv::imgproc;
use opencv::videoio::{self, VideoCapture, VideoCaptureTrait, VideoCaptureTraitConst};

use super::{VideoError, libav};
use base::frame::FrameSize;

/// How many failed reads in a row count as the end of the file. OpenCV reports a packet that the
/// decoder refuses just like the end of the file, and the next packet may be good.
const END_AFTER_FAILURES: usize = 256;

/// A decoder at some position in a file.
pub struct Capture {
    path: PathBuf,
    decoder: VideoCapture,
    rotation_degrees: u16,
    /// The picture as decoded, and upright.
    picture: Mat,
    turned: Mat,
    /// The demuxer met the end of the file in the middle of something.
    cut_off: bool,
    /// The demuxer complained of anything.
    demuxer_errors: bool,
    refused_packets: usize,
}

impl Capture {
    /// Its pictures are turned clockwise by `rotation_degrees`, a multiple of 90.
    ///
    /// OpenCV turns them too, but by an angle whose sign 4.6 gets wrong, so it is told not to.
    pub fn open(path: &Path, rotation_degrees: u16) -> Result<Self, VideoError> {
        let mut capture = Self::with_parameters(path, &[])?;
        // Refused where there is nothing to turn off.
        let _ = capture.decoder.set(videoio::CAP_PROP_ORIENTATION_AUTO, 0.0);
        capture.rotation_degrees = rotation_degrees;
        Ok(capture)
    }

    /// Reads packets and decodes nothing: to count the frames that a file holds.
    pub fn open_undecoded(path: &Path) -> Result<Self, VideoError> {
        Self::with_parameters(path, &[videoio::CAP_PROP_FORMAT, -1])
    }

    fn with_parameters(path: &Path, parameters: &[i32]) -> Result<Self, VideoError> {
        libav::silence();
        // An absolute path, or FFmpeg takes what stands before a colon for a protocol. The
        // backend is named, or OpenCV takes «%03d» in a name for a sequence of images.
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let decoder = VideoCapture::from_file_with_params(
            &absolute,
            videoio::CAP_FFMPEG,
            &Vector::from_slice(parameters),
        );
        match decoder {
            Ok(decoder) if decoder.is_opened().unwrap_or(false) => Ok(Self {
                path: path.to_owned(),
                decoder,
                rotation_degrees: 0,
                picture: Mat::default(),
                turned: Mat::default(),
                cut_off: false,
                demuxer_errors: false,
                refused_packets: 0,
            }),
            _ => Err(VideoError::Unreadable {
                path: path.to_owned(),
                cause: "its pictures can't be decoded here".to_owned(),
                remedy: "convert it, for instance with: ffmpeg -i FILE -c:v libx264 -crf 12 NEW.mp4"
                    .to_owned(),
            }),
        }
    }

    /// A property of `videoio::CAP_PROP_…`; 0 is also «unknown».
    pub fn property(&self, property: i32) -> f64 {
        self.decoder.get(property).unwrap_or(0.0)
    }

    /// Decodes the next frame, and gives its time in microseconds after the start of the
    /// video stream, or `None` at the end.
    ///
    /// The time is `None` where the container has none, and for the frames that the decoder
    /// still holds when the packets are over: OpenCV 4.6 gives 0 for these. A frame whose
    /// presentation time is 0 gets its decoding time, so the first frame's means nothing.
    pub fn grab(&mut self) -> Option<Option<i64>> {
        for failures in 0..END_AFTER_FAILURES {
            let decoder = &mut self.decoder;
            let (grabbed, errors) = libav::capture_errors(|| decoder.grab().unwrap_or(false));
            self.demuxer_errors |= !errors.is_empty();
            self.cut_off |= ["partial file", "ended prematurely", "Truncating packet"]
                .iter()
                .any(|sign| errors.contains(sign));
            if grabbed {
                self.refused_packets += failures;
                let micros = self.property(videoio::CAP_PROP_POS_MSEC) * 1e3;
                // A stream without a start time reads as an absurd one.
                let is_time = micros != 0.0 && micros.abs() < 1e17;
                return Some(is_time.then(|| micros.round() as i64));
            }
        }
        None
    }

    /// The grabbed frame as RGB, upright: `3 · width · height` bytes.
    pub fn retrieve(&mut self, size: FrameSize) -> Result<Vec<u8>, String> {
        self.decoder.retrieve(&mut self.picture, 0).map_err(|error| error.message)?;
        let code = match self.rotation_degrees {
            90 => Some(core::ROTATE_90_CLOCKWISE),
            180 => Some(core::ROTATE_180),
            270 => Some(core::ROTATE_90_COUNTERCLOCKWISE),
            _ => None,
        };
        let mut upright = &self.picture;
        if let Some(code) = code {
            core::rotate(&self.picture, &mut self.turned, code).map_err(|error| error.message)?;
            upright = &self.turned;
        }
        let (rows, columns) = (upright.rows(), upright.cols());
        if (columns as usize, rows as usize) != (size.width(), size.height()) {
            return Err(format!("the picture is {columns}×{rows}, and the ones before it are {size}"));
        }
        let mut rgb = vec![0; 3 * size.pixels()];
        let mut target = Mat::new_rows_cols_with_bytes_mut::<Vec3b>(rows, columns, &mut rgb)
            .map_err(|error| error.message)?;
        imgproc::cvt_color_def(upright, &mut target, imgproc::COLOR_BGR2RGB)
            .map_err(|error| error.message)?;
        Ok(rgb)
    }

    /// The tick of the video stream's clock, in seconds; `None` where it is unknown.
    pub fn tick_secs(&self) -> Option<f64> {
        // OpenCV's FFmpeg backend gives the time base under this name.
        Some(self.property(videoio::CAP_PROP_POS_AVI_RATIO)).filter(|secs| (1e-10..10.0).contains(secs))
    }

    /// Seeks to about `micros` after the start of the video stream. OpenCV converts the time to a frame
    /// number by the nominal rate and decodes up to it from an earlier key frame, so the next frame may
    /// be before or after that time.
    pub fn seek_about(&mut self, micros: i64) -> bool {
        let decoder = &mut self.decoder;
        libav::capture_errors(|| {
            decoder.set(videoio::CAP_PROP_POS_MSEC, micros as f64 / 1e3).unwrap_or(false)
        })
        .0
    }

    /// Whether OpenCV stopped because it counted more frames than the header has, which after
    /// a seek in a variable-rate file it does too early.
    pub fn stopped_by_count(&self) -> bool {
        self.property(videoio::CAP_PROP_POS_FRAMES) > self.property(videoio::CAP_PROP_FRAME_COUNT)
    }

    pub fn reopen(&mut self) -> Result<(), VideoError> {
        let fresh = Self::open(&self.path, self.rotation_degrees)?;
        let Self { cut_off, demuxer_errors, .. } = *self;
        *self = Self { cut_off, demuxer_errors, ..fresh };
        Ok(())
    }

    /// Whether the file was found to be cut off, as far as it has been read.
    pub fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    /// Whether FFmpeg's demuxer has complained of the file, as far as has been read.
    pub fn has_demuxer_errors(&self) -> bool {
        self.demuxer_errors
    }

    /// How many packets the decoder refused between good ones since the file was opened.
    pub fn refused_packets(&self) -> usize {
        self.refused_packets
    }
}
