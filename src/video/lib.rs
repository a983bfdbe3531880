//! Pictures in and out: video files, folders of images, and the files we write.
//!
//! Frame k is the k-th frame that decodes. Containers' frame counts and OpenCV's seeks by frame number
//! are wrong for variable-rate files and MPEG-TS, so neither is relied on.

#![warn(missing_docs)]

mod capture;
mod clip;
mod ffmpeg;
mod file;
mod fingerprint;
mod images;
mod libav;
mod loss;
mod matroska;
mod mattes;
mod png;
mod proxy;
mod ratio;
mod sink;
mod sound;
mod timeline;
mod trailing_timestamps;

use std::path::{Path, PathBuf};

pub use clip::Clip;
pub use file::FileSource;
pub use fingerprint::fingerprint;
pub use images::{ImageBytes, ImageSource, has_image_name, read_image};
pub use matroska::PixelFormat;
pub use mattes::{Matte, MatteKind, MatteSource, VOID_INDEX};
pub use png::{PngPixels, is_whole_png, write_png};
pub use proxy::Proxy;
pub use ratio::Ratio;
pub use sink::{StreamParameters, VideoFormat, VideoSink};
pub use sound::{Sound, SoundPart};

use base::frame::{Frame, FrameIndex, FrameSize};

/// The version of OpenCV that reads and writes videos here.
pub fn opencv_version() -> String {
    opencv::core::get_version_string().unwrap_or_else(|error| format!("unknown ({})", error.message))
}

/// The rate of sources without one: images, and files that don't state it.
pub const NOMINAL_FRAMES_PER_SEC: f64 = 25.0;

/// Frames one after another, in decode order.
pub trait VideoSource: Send {
    /// What the file's header says.
    fn info(&self) -> &VideoInfo;

    /// The next frame, or `None` after the last.
    ///
    /// # Errors
    /// When it can't be decoded.
    fn next_frame(&mut self) -> Result<Option<Frame>, VideoError>;

    /// Makes `index` the frame that [`next_frame`](Self::next_frame) gives next, exactly.
    /// Past the end, the next frame is `None`.
    ///
    /// # Errors
    /// When the file can't be read any more.
    fn seek(&mut self, index: FrameIndex) -> Result<(), VideoError>;

    /// How many frames there are; `None` until a video file has been read to its end.
    fn counted_frames(&self) -> Option<usize>;

    /// After the end: which frames seem to be missing, as a sentence without the file's name; `None`
    /// without credible evidence.
    fn loss(&self) -> Option<String> {
        None
    }
}

/// What a file's header says. Counts and durations are the container's claims.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct VideoInfo {
    /// The file, the folder, or the pattern.
    pub path: PathBuf,
    /// As shown: after rotation.
    pub size: FrameSize,
    /// Nominal frames per second; 0 is never given, unknown rates read as 25.
    pub frames_per_sec: f64,
    /// The container's frame count, which may be wrong; `None` where it gives none.
    pub claimed_frames: Option<usize>,
    /// Of the container's longest stream, which may be its sound.
    pub claimed_duration_secs: Option<f64>,
    /// FFmpeg's name, such as `matroska,webm`; `images` for a folder or a glob.
    pub container: String,
    /// FFmpeg's name, such as `h264`; for images their format.
    pub codec: String,
    /// FFmpeg's name, such as `yuv420p10le`, where it is known.
    pub pixel_format: Option<String>,
    /// Clockwise, in degrees, already applied to the frames.
    pub rotation_degrees: u16,
    /// A tick of the clock, in seconds: times are multiples of it.
    pub time_base: Ratio,
    /// Width to height of a pixel, as shown: after rotation.
    pub pixel_aspect: Ratio,
}

/// A video or an image could not be read or written.
#[expect(missing_docs, reason = "the fields are in the messages")]
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// Nothing is at this path.
    #[error("{}: there is no such file or folder; check the path", .0.display())]
    Missing(PathBuf),
    /// The file has no bytes.
    #[error("{}: the file is empty; copy it again from where it came", .0.display())]
    Empty(PathBuf),
    /// The file can't be read as a video or an image.
    #[error("{}: {cause}; {remedy}", .path.display())]
    Unreadable { path: PathBuf, cause: String, remedy: String },
    /// The system failed, not the file: it may pass.
    #[error("{}: it could not be read ({cause}); check the disk or the network that it lies on", .path.display())]
    System { path: PathBuf, cause: std::io::Error },
    /// A frame could not be decoded.
    #[error("{}: frame {frame} could not be decoded: {cause}; the frames before it are good, shorten the range with --to", .path.display())]
    Decode { path: PathBuf, frame: FrameIndex, cause: String },
    /// A file could not be written.
    #[error("{}: could not be written: {cause}; check the free space and the permissions of its folder", .path.display())]
    Write { path: PathBuf, cause: String },
    /// The `ffmpeg` program is missing.
    #[error(
        "the program ffmpeg writes videos, and it is not there; install it (sudo apt install ffmpeg), or export what is no video, such as png, csv and json"
    )]
    NoFfmpeg,
}

impl VideoError {
    fn write(path: &Path, cause: impl ToString) -> Self {
        Self::Write { path: path.to_owned(), cause: cause.to_string() }
    }

    /// For a file or folder that the system doesn't let us read.
    fn from_io(path: &Path, error: &std::io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::Missing(path),
            std::io::ErrorKind::PermissionDenied => Self::Unreadable {
                path,
                cause: "you have no permission to read it".to_owned(),
                remedy: "change its permissions (chmod u+r) or copy it as its owner".to_owned(),
            },
            _ => Self::System { path, cause: std::io::Error::new(error.kind(), error.to_string()) },
        }
    }
}

/// Checks quickly whether there is anything to [open].
///
/// # Errors
/// When there is nothing at the path.
pub fn check_exists(path: &Path) -> Result<(), VideoError> {
    match std::fs::metadata(path) {
        Err(error) if !images::is_glob(path) => Err(VideoError::from_io(path, &error)),
        _ => Ok(()),
    }
}

/// Opens a video file, an image, a folder of images, or a glob of images such as
/// `frames/*.png`.
///
/// # Errors
/// When there is nothing, or it is neither a video nor images that can be read.
pub fn open(path: &Path) -> Result<Box<dyn VideoSource>, VideoError> {
    tracing::debug!(path = %path.display(), "opening a video");
    let metadata = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && images::is_glob(path) => {
            return Ok(Box::new(ImageSource::open_glob(path)?));
        }
        Err(error) => return Err(VideoError::from_io(path, &error)),
        Ok(metadata) => metadata,
    };
    if metadata.is_dir() {
        return Ok(Box::new(ImageSource::open_folder(path)?));
    }
    std::fs::File::open(path).map_err(|error| VideoError::from_io(path, &error))?;
    if metadata.is_file() && metadata.len() == 0 {
        return Err(VideoError::Empty(path.to_owned()));
    }
    if images::has_image_name(path) {
        return Ok(Box::new(ImageSource::open_image(path)?));
    }
    Ok(Box::new(FileSource::open(path)?))
}
