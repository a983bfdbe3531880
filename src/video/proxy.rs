//! Small pictures that stand in for frames until these are decoded: decoding a frame late in a group of
//! pictures takes as long as decoding all frames before it in the group.

use image::{ExtendedColorType, ImageFormat, codecs::jpeg::JpegEncoder};
use opencv::core::{Mat, MatTraitConstManual, Size, Vec3b};
use opencv::imgproc;

use base::frame::{Frame, FrameSize};

/// Enough for the eye while a playhead moves.
const LONG_SIDE_PX: u32 = 480;
const JPEG_QUALITY: u8 = 80;

/// A frame's picture, reduced and compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    jpeg: Vec<u8>,
}

impl Proxy {
    /// The proxy of a frame; `None` when it can't be scaled or compressed. Nothing depends on a proxy.
    pub fn of(frame: &Frame) -> Option<Self> {
        let size = Self::size_for(frame.size());
        let (width, height) = (size.width() as u32, size.height() as u32);
        let scaled = scaled(frame, size).inspect_err(|error| tracing::debug!("no proxy: {error}")).ok()?;
        let pixels = scaled.data_bytes().ok()?;
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
            .encode(pixels, width, height, ExtendedColorType::Rgb8)
            .ok()?;
        Some(Self { jpeg })
    }

    /// From what [`jpeg`](Self::jpeg) gave; [`rgb`](Self::rgb) tells whether it is one.
    pub fn from_jpeg(jpeg: Vec<u8>) -> Self {
        Self { jpeg }
    }

    /// The picture as JPEG.
    pub fn jpeg(&self) -> &[u8] {
        &self.jpeg
    }

    /// How large the proxy of a picture of this size is; never larger than it.
    pub fn size_for(picture: FrameSize) -> FrameSize {
        picture.fit_long_side(LONG_SIDE_PX)
    }

    /// The size and `height × width × 3` bytes, or `None` when the bytes are no JPEG.
    pub fn rgb(&self) -> Option<(FrameSize, Vec<u8>)> {
        let picture = image::load_from_memory_with_format(&self.jpeg, ImageFormat::Jpeg).ok()?.into_rgb8();
        Some((FrameSize::new(picture.width(), picture.height())?, picture.into_raw()))
    }
}

fn scaled(frame: &Frame, size: FrameSize) -> opencv::Result<Mat> {
    let (rows, columns) = (frame.size().height() as i32, frame.size().width() as i32);
    let picture = Mat::new_rows_cols_with_bytes::<Vec3b>(rows, columns, frame.rgb())?;
    let size = Size::new(size.width() as i32, size.height() as i32);
    let mut scaled = Mat::default();
    imgproc::resize(&picture, &mut scaled, size, 0.0, 0.0, imgproc::INTER_AREA)?;
    Ok(scaled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::{FrameIndex, Timestamp};

    #[test]
    fn a_proxy_looks_like_its_frame() {
        let size = FrameSize::new(1200, 900).unwrap();
        let colour = |x: usize| if x < 600 { [200, 40, 40] } else { [30, 60, 220] };
        let rgb = (0..size.pixels()).flat_map(|at| colour(at % size.width())).collect();
        let frame = Frame::new(FrameIndex::ZERO, Timestamp::default(), size, rgb);
        let (small, rgb) = Proxy::from_jpeg(Proxy::of(&frame).unwrap().jpeg().to_vec()).rgb().unwrap();
        assert_eq!(small, FrameSize::new(480, 360).unwrap());
        for (x, expected) in [(100, colour(0)), (400, colour(1199))] {
            let found = &rgb[3 * (180 * small.width() + x)..][..3];
            let off = found.iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max();
            assert!(off.unwrap() < 12, "{found:?} for {expected:?}");
        }
        assert_eq!(Proxy::from_jpeg(vec![1, 2, 3]).rgb(), None);
    }
}
