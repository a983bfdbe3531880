//! Frames: number, time, size and picture; and ranges of frames.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The place of a frame in decode order, counted from 0. Frame k is the k-th frame that
/// decodes, whatever the container claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FrameIndex(usize);

impl FrameIndex {
    /// The first frame.
    pub const ZERO: Self = Self(0);

    /// Frame `index`, counted from 0.
    pub const fn new(index: usize) -> Self {
        Self(index)
    }

    /// The frame's number, counted from 0.
    pub const fn get(self) -> usize {
        self.0
    }

    /// The frame after this one.
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
    /// From microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From seconds, rounded to the nearest microsecond; NaN becomes 0.
    pub fn from_secs(secs: f64) -> Self {
        Self((secs * 1e6).round() as i64)
    }

    /// In microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// In seconds.
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

    /// In pixels.
    pub const fn width(self) -> usize {
        self.width as usize
    }

    /// In pixels.
    pub const fn height(self) -> usize {
        self.height as usize
    }

    /// Width times height.
    pub const fn pixels(self) -> usize {
        self.width() * self.height()
    }

    /// The length of the picture's diagonal.
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
    /// A frame from its RGB bytes, `height × width × 3`.
    ///
    /// # Panics
    /// When `rgb` is not `3 · width · height` bytes: a decoder that gets this wrong is broken.
    pub fn new(index: FrameIndex, timestamp: Timestamp, size: FrameSize, rgb: Vec<u8>) -> Self {
        assert_eq!(rgb.len(), 3 * size.pixels(), "an RGB picture of {size}");
        Self { index, timestamp, size, rgb }
    }

    /// Its place in decode order.
    pub fn index(&self) -> FrameIndex {
        self.index
    }

    /// When it is shown.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// Width and height of the picture.
    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// `height × width × 3` bytes.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// `height × width × 3` bytes, without copying.
    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// The same picture with another number and time.
    pub fn at(self, index: FrameIndex, timestamp: Timestamp) -> Self {
        Self { index, timestamp, ..self }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame {} at {:.3} s, {}", self.index, self.timestamp.secs(), self.size)
    }
}

/// Frames from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRange {
    /// The first frame, counted from 0.
    pub first: usize,
    /// The last frame; `usize::MAX` for the end of the clip.
    pub last: usize,
}

impl Default for FrameRange {
    fn default() -> Self {
        Self::ALL
    }
}

impl FrameRange {
    /// The whole clip.
    pub const ALL: Self = Self { first: 0, last: usize::MAX };

    /// Whether frame `index` is in the range.
    pub fn contains(&self, index: usize) -> bool {
        (self.first..=self.last).contains(&index)
    }

    /// The number of the frame after the last one, for a clip of `frames` frames, if that is known.
    pub fn end(&self, frames: Option<usize>) -> usize {
        self.last.saturating_add(1).min(frames.unwrap_or(usize::MAX))
    }

    /// How many frames of a clip of `frames` frames are in the range.
    pub fn count(&self, frames: usize) -> usize {
        self.end(Some(frames)).saturating_sub(self.first)
    }
}

/// Run the network on every Nth frame, counted from 0, and on the first and last of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "usize", into = "usize")]
pub struct Every(usize);

impl Every {
    /// Every frame.
    pub const ONE: Self = Self(1);
    /// Across longer gaps, motion can't be followed reliably.
    pub const MAX: usize = 30;

    /// Whether the network runs on every frame.
    pub fn is_one(self) -> bool {
        self.0 == 1
    }

    /// Whether the network runs on frame `index` of a range.
    pub fn sees(self, index: usize, range: FrameRange) -> bool {
        index.is_multiple_of(self.0) || index == range.first || index == range.last
    }

    /// The nearest frames before and after `index` on which the network runs, for a frame on which
    /// it doesn't. The latter may lie beyond the end of the clip.
    pub fn around(self, index: usize, range: FrameRange) -> (usize, usize) {
        let before = index - index % self.0;
        (before.max(range.first), (before + self.0).min(range.last))
    }
}

impl Default for Every {
    fn default() -> Self {
        Self::ONE
    }
}

impl TryFrom<usize> for Every {
    type Error = String;

    fn try_from(frames: usize) -> Result<Self, String> {
        match frames {
            1..=Self::MAX => Ok(Self(frames)),
            _ => Err(format!("must be a number from 1 to {}", Self::MAX)),
        }
    }
}

impl From<Every> for usize {
    fn from(every: Every) -> Self {
        every.0
    }
}

impl std::str::FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Text that is no number gets the same message as 0.
        Self::try_from(text.parse().unwrap_or(0))
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

    #[test]
    fn the_network_sees_every_nth_frame_and_the_ends() {
        let range = FrameRange { first: 4, last: 11 };
        let every: Every = "3".parse().unwrap();
        let seen: Vec<usize> = (4..12).filter(|&index| every.sees(index, range)).collect();
        assert_eq!(seen, [4, 6, 9, 11]);
        assert_eq!([5, 7, 10].map(|index| every.around(index, range)), [(4, 6), (6, 9), (9, 11)]);
        assert!(["0", "31", "-1", "x"].iter().all(|text| text.parse::<Every>().is_err()));
    }
}
