//! A video that is opened once, for everything that is done with it.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::{VideoError, VideoInfo, VideoSource, fingerprint, open};

/// A video with its header and the fingerprint of its content. All passes of a job share one, so that
/// the video is opened and fingerprinted once.
pub struct Clip {
    path: PathBuf,
    info: VideoInfo,
    fingerprint: Mutex<Option<String>>,
    /// The source from opening it, until it is taken.
    source: Mutex<Option<Box<dyn VideoSource>>>,
}

impl Clip {
    /// Opens a video.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(path: &Path) -> Result<Self, VideoError> {
        let source = open(path)?;
        let info = source.info().clone();
        let (fingerprint, source) = (Mutex::new(None), Mutex::new(Some(source)));
        Ok(Self { path: path.to_owned(), info, fingerprint, source })
    }

    /// Where the video is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its header says.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// The [`fingerprint`] of its content, computed at the first call.
    ///
    /// # Errors
    /// When the file can't be read any more.
    pub fn fingerprint(&self) -> Result<String, VideoError> {
        let mut known = self.fingerprint.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(known) => Ok(known.clone()),
            None => Ok(known.insert(fingerprint(&self.path)?).clone()),
        }
    }

    /// Its frames from the first on. The first call returns the source from opening the clip, later
    /// calls open another one.
    ///
    /// # Errors
    /// As [`open`].
    pub fn source(&self) -> Result<Box<dyn VideoSource>, VideoError> {
        let opened = self.source.lock().unwrap_or_else(PoisonError::into_inner).take();
        opened.map_or_else(|| open(&self.path), Ok)
    }
}

impl std::fmt::Debug for Clip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clip").field("path", &self.path).finish_non_exhaustive()
    }
}
