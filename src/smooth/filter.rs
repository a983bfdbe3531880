//! What every filter over time does, whichever it is.

use base::mask::Masks;

use super::SmoothFrame;

/// A filter within one scene, so it never meets a cut. The first frame has no flow; with motion
/// on, every later one has. What comes out is in order, one for each frame that went in.
pub(super) trait Filter: Send {
    /// Takes the next frame and returns those that are finished.
    fn push(&mut self, frame: SmoothFrame) -> Vec<Masks>;

    /// Returns the remaining frames. The filter can then begin another scene.
    fn finish(&mut self) -> Vec<Masks>;
}
