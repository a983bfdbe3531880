//! Small pictures of a whole clip, for a timeline that answers at once.

use std::{sync::Arc, thread, time::Duration};

use super::{CancelToken, PipelineError};
use base::frame::{Frame, FrameIndex};
use store::{StoreError, Track};
use video::{Clip, Proxy};

/// No clip's proxies take more of the disk, about 50,000 frames' worth.
const MOST_BYTES: u64 = 1 << 30;
/// How often we look whether pass 1, which makes proxies by the way, is over.
const TURN: Duration = Duration::from_millis(200);

/// Stores the proxy of a frame that has none.
pub(super) fn put(track: &Track<Proxy>, frame: &Frame) -> Result<(), StoreError> {
    let index = frame.index().get();
    if track.contains(index) || track.bytes() >= MOST_BYTES {
        return Ok(());
    }
    Proxy::of(frame).map_or(Ok(()), |proxy| track.put(index, &proxy))
}

/// Decodes a clip from the first frame without a proxy to its end, waiting while somebody
/// else writes proxies.
///
/// # Errors
/// When the video or the store fails, and [`PipelineError::Cancelled`].
pub fn make_proxies(
    clip: &Clip,
    track: &Arc<Track<Proxy>>,
    cancel: &CancelToken,
) -> Result<(), PipelineError> {
    let mut index = 0;
    let mut source = None;
    while track.length()?.is_none_or(|frames| index < frames) && track.bytes() < MOST_BYTES {
        cancel.checkpoint()?;
        if track.has_writer() {
            thread::sleep(TURN);
            continue;
        }
        if track.contains(index) {
            index += 1;
            continue;
        }
        let source = match &mut source {
            Some(source) => source,
            none => none.insert(clip.source()?),
        };
        // Next to nothing where it is the next frame anyway.
        source.seek(FrameIndex::new(index))?;
        let Some(frame) = source.next_frame()? else {
            track.set_length(source.counted_frames().unwrap_or(index), None)?;
            return Ok(());
        };
        put(track, &frame)?;
        index += 1;
    }
    Ok(())
}
