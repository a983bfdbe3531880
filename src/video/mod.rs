//! Pictures in and out: video files, folders of images, and the files we write.
//!
//! Frame k is the k-th frame that decodes. Containers' frame counts and seeks by frame
//! number are wrong for variable-rate files and MPEG-TS, so neither is believed.

use std::path::{Path, PathBuf};

use crate::frame::{Frame, FrameIndex, FrameSize};

/// Frames one after another, in decode order.
pub trait VideoSource: Send {
    fn info(&self) -> &VideoInfo;

    /// The next frame, or `None` after the last.
    fn next_frame(&mut self) -> Result<Option<Frame>, VideoError>;

    /// Makes `index` the frame that [`next_frame`](Self::next_frame) gives next, exactly.
    /// Past the end, the next frame is `None`.
    fn seek(&mut self, index: FrameIndex) -> Result<(), VideoError>;
}

/// What a file says of itself before anything is decoded. Counts are the container's claim.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct VideoInfo {
    pub path: PathBuf,
    /// As shown: after rotation.
    pub size: FrameSize,
    /// Nominal frames per second; 0 is never given, unknown rates read as 25.
    pub frames_per_sec: f64,
    /// The container's frame count, which may be wrong; `None` where it gives none.
    pub claimed_frames: Option<usize>,
    /// Four letters, such as `h264`; for images their format.
    pub codec: String,
    /// Clockwise, in degrees, already applied to the frames.
    pub rotation_degrees: u16,
}

#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    #[error("{}: there is no such file or folder; check the path", .0.display())]
    Missing(PathBuf),
    #[error("{}: the file is empty; copy it again from where it came", .0.display())]
    Empty(PathBuf),
    #[error("{}: {cause}; {remedy}", .path.display())]
    Unreadable { path: PathBuf, cause: String, remedy: String },
    #[error("{}: frame {frame} could not be decoded: {cause}; the frames before it are good, shorten the range with --to", .path.display())]
    Decode { path: PathBuf, frame: FrameIndex, cause: String },
    #[error("{}: could not be written: {cause}; check the free space and the permissions of its folder", .path.display())]
    Write { path: PathBuf, cause: String },
}

/// Opens a video file, a folder of images, or a glob of images.
pub fn open(path: &Path) -> Result<Box<dyn VideoSource>, VideoError> {
    let _ = path;
    todo!()
}
