//! Ground-truth masks, frame for frame beside a clip.

use std::path::{Path, PathBuf};

use base::{
    frame::{FrameIndex, FrameSize},
    mask::Mask,
};
use video::{self, VideoError, VideoSource};

/// A folder of images or a video of masks, frame k for frame k of the clip: what is not
/// black is set.
pub struct Truth {
    path: PathBuf,
    source: Box<dyn VideoSource>,
    next: usize,
}

impl Truth {
    /// # Errors
    /// When `path` can't be opened, or its masks are not of the clip's size.
    pub fn open(path: &Path, size: FrameSize) -> Result<Self, VideoError> {
        let source = video::open(path)?;
        let found = source.info().size;
        if found != size {
            return Err(VideoError::Unreadable {
                path: path.to_owned(),
                cause: format!("its masks are {found} where the clip is {size}"),
                remedy: "scale the masks to the clip's size".into(),
            });
        }
        Ok(Self { path: path.to_owned(), source, next: 0 })
    }

    /// The mask of frame `index`. Frames are best asked for in order.
    ///
    /// # Errors
    /// When there is none.
    pub fn mask(&mut self, index: FrameIndex) -> Result<Mask, VideoError> {
        if self.next != index.get() {
            self.source.seek(index)?;
        }
        let frame = self.source.next_frame()?.ok_or_else(|| VideoError::Unreadable {
            path: self.path.clone(),
            cause: format!("there is no mask for frame {index}"),
            remedy: "give a mask for each frame of the clip, or shorten the range with --to".into(),
        })?;
        self.next = index.get() + 1;
        let set: Vec<u8> = frame.rgb().chunks_exact(3).map(|rgb| rgb[0] | rgb[1] | rgb[2]).collect();
        Ok(Mask::from_bytes(frame.size(), &set))
    }
}
