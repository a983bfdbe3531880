//! What a frame is: its number, its time, its size and its picture.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The place of a frame in decode order, counted from 0. Frame k is the k-th frame that
/// decodes, whatever the container claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameIndex(usize);

impl FrameIndex {
    pub const ZERO: Self = Self(0);

    pub const fn new(index: usize) -> Self {
        Self(index)
    }

    pub const fn get(self) -> usize {
        self.0
    }

    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The frame before, or `None` at the start.
    pub fn previous(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }
}

impl fmt::Display for FrameIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When a frame is shown, in microseconds from the container's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Rounded to the nearest microsecond; NaN becomes 0.
    pub fn from_secs(secs: f64) -> Self {
        Self((secs * 1e6).round() as i64)
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    pub fn secs(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// Width and height in pixels, neither of them 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FrameSize {
    width: u32,
    height: u32,
}

impl FrameSize {
    /// The longest side a picture may have.
    pub const MAX_SIDE_PX: u32 = 1 << 15;

    /// `None` when a side is 0 or longer than [`Self::MAX_SIDE_PX`].
    pub const fn new(width: u32, height: u32) -> Option<Self> {
        let fits = 0 < width && width <= Self::MAX_SIDE_PX && 0 < height && height <= Self::MAX_SIDE_PX;
        if fits { Some(Self { width, height }) } else { None }
    }

    pub const fn width(self) -> usize {
        self.width as usize
    }

    pub const fn height(self) -> usize {
        self.height as usize
    }

    pub const fn pixels(self) -> usize {
        self.width() * self.height()
    }

    pub fn diagonal_px(self) -> f64 {
        f64::from(self.width).hypot(f64::from(self.height))
    }

    /// The size of the same picture with a long side of at most `long_side_px`; never enlarged.
    pub fn fit_long_side(self, long_side_px: u32) -> Self {
        let long = self.width.max(self.height);
        if long <= long_side_px {
            return self;
        }
        let scale = |side: u32| {
            let scaled = (u64::from(side) * u64::from(long_side_px) + u64::from(long) / 2) / u64::from(long);
            (scaled as u32).max(1)
        };
        Self { width: scale(self.width), height: scale(self.height) }
    }
}

impl fmt::Display for FrameSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.width, self.height)
    }
}

/// A decoded picture: 8-bit RGB, interleaved, rows from the top, upright (rotation applied).
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    index: FrameIndex,
    timestamp: Timestamp,
    size: FrameSize,
    rgb: Vec<u8>,
}

impl Frame {
    /// # Panics
    /// When `rgb` is not `3 · width · height` bytes: a decoder that gets this wrong is broken.
    pub fn new(index: FrameIndex, timestamp: Timestamp, size: FrameSize, rgb: Vec<u8>) -> Self {
        assert_eq!(rgb.len(), 3 * size.pixels(), "an RGB picture of {size}");
        Self { index, timestamp, size, rgb }
    }

    pub fn index(&self) -> FrameIndex {
        self.index
    }

    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// `height × width × 3` bytes.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// The same picture under another number and time, as a sequence of images needs.
    pub fn at(self, index: FrameIndex, timestamp: Timestamp) -> Self {
        Self { index, timestamp, ..self }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame {} at {:.3} s, {}", self.index, self.timestamp.secs(), self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_checked() {
        assert_eq!(FrameSize::new(0, 4), None);
        assert_eq!(FrameSize::new(4, 1 << 16), None);
        assert_eq!(FrameSize::new(3, 4).unwrap().diagonal_px(), 5.0);
    }

    #[test]
    fn fitting_keeps_the_aspect_and_never_enlarges() {
        let hd = FrameSize::new(1920, 1080).unwrap();
        assert_eq!(hd.fit_long_side(960), FrameSize::new(960, 540).unwrap());
        assert_eq!(hd.fit_long_side(4000), hd);
        assert_eq!(FrameSize::new(4000, 1).unwrap().fit_long_side(10), FrameSize::new(10, 1).unwrap());
    }

    #[test]
    fn timestamps_round_to_microseconds() {
        assert_eq!(Timestamp::from_secs(1.0 / 3.0).micros(), 333_333);
        assert_eq!(Timestamp::from_micros(1_500_000).secs(), 1.5);
    }
}
