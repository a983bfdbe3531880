//! The pixels of exported pictures, from a frame's picture and masks.

use opencv::{
    core::{CV_8UC3, Mat, Point, Scalar, Size, Vec3b},
    imgproc,
    prelude::*,
};

use super::{DrawOptions, ExportFrame, overlay, palette::Rgb};
use base::{
    frame::Frame,
    mask::{Mask, MaskPair},
};

/// Before or after smoothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Raw,
    Smoothed,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::Raw, Self::Smoothed];

    /// For paths.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Smoothed => "smoothed",
        }
    }

    pub fn of(self, pair: &MaskPair) -> &Mask {
        match self {
            Self::Raw => &pair.raw,
            Self::Smoothed => &pair.smoothed,
        }
    }
}

/// How much of each pixel belongs to a class, smoothed: grey.
pub fn matte(frame: &ExportFrame, class: usize, options: DrawOptions) -> Vec<u8> {
    let soft = frame.soft.as_ref().and_then(|soft| soft.get(class));
    options.edges.alpha(&frame.masks[class].smoothed, soft, options.threshold)
}

/// The same with two bytes a pixel, the high one first.
pub fn matte16(frame: &ExportFrame, class: usize, options: DrawOptions) -> Vec<u8> {
    matte(frame, class, options).into_iter().flat_map(|value| [value, value]).collect()
}

/// The picture with the class's matte as straight alpha. The picture's own colours stay where
/// it is transparent: an edge that an editor scales or blurs finds the subject's surroundings
/// there and no black.
pub fn cutout(frame: &ExportFrame, picture: &Frame, class: usize, options: DrawOptions) -> Vec<u8> {
    let alpha = matte(frame, class, options);
    let mut rgba = Vec::with_capacity(4 * alpha.len());
    for (rgb, alpha) in picture.rgb().as_chunks::<3>().0.iter().zip(alpha) {
        rgba.extend([rgb[0], rgb[1], rgb[2], alpha]);
    }
    rgba
}

/// All classes over one colour.
pub fn over_colour(frame: &ExportFrame, picture: &Frame, colour: Rgb, options: DrawOptions) -> Vec<u8> {
    let alpha = all_mattes(frame, options);
    let mut rgb = picture.rgb().to_vec();
    for (pixel, alpha) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(alpha) {
        mix(pixel, &colour, alpha);
    }
    rgb
}

/// All classes over the blurred picture.
pub fn over_blur(frame: &ExportFrame, picture: &Frame, options: DrawOptions) -> opencv::Result<Vec<u8>> {
    let alpha = all_mattes(frame, options);
    let behind = blurred_background(picture, &alpha)?;
    let mut rgb = picture.rgb().to_vec();
    let (pixels, _) = rgb.as_chunks_mut::<3>();
    for ((pixel, behind), alpha) in pixels.iter_mut().zip(behind.as_chunks::<3>().0).zip(alpha) {
        mix(pixel, behind, alpha);
    }
    Ok(rgb)
}

/// Raw beside smoothed, each painted on the picture and with its name. Twice as wide.
pub fn side_by_side(
    frame: &ExportFrame,
    picture: &Frame,
    colours: &[Rgb],
    labels: &[String; 2],
) -> opencv::Result<Vec<u8>> {
    let row = 3 * picture.size().width();
    let mut halves = Vec::new();
    for (side, label) in Side::BOTH.into_iter().zip(labels) {
        let masks = frame.masks.iter().map(|pair| side.of(pair)).zip(colours.iter().copied());
        let mut half = overlay(picture, masks);
        write_label(&mut half, picture, label)?;
        halves.push(half);
    }
    let rows = halves[0].chunks_exact(row).zip(halves[1].chunks_exact(row));
    Ok(rows.flat_map(|(left, right)| [left, right]).flatten().copied().collect())
}

/// Each pixel's class as an index into the palette. Where classes overlap, the first counts.
pub fn class_map(frame: &ExportFrame, indices: &[u8]) -> Vec<u8> {
    let mut map = vec![0; frame.masks.first().map_or(0, |pair| pair.smoothed.size().pixels())];
    for (pair, &index) in frame.masks.iter().zip(indices).rev() {
        for (value, set) in map.iter_mut().zip(pair.smoothed.to_bytes(1)) {
            *value = if set == 1 { index } else { *value };
        }
    }
    map
}

fn all_mattes(frame: &ExportFrame, options: DrawOptions) -> Vec<u8> {
    let mut classes = (0..frame.masks.len()).map(|class| matte(frame, class, options));
    let mut all = classes.next().unwrap_or_default();
    for class in classes {
        all.iter_mut().zip(class).for_each(|(all, alpha)| *all = alpha.max(*all));
    }
    all
}

/// `alpha` of the pixel, and the rest of what lies behind.
fn mix(pixel: &mut [u8; 3], behind: &[u8; 3], alpha: u8) {
    let alpha = u16::from(alpha);
    for (value, behind) in pixel.iter_mut().zip(behind) {
        *value = ((u16::from(*value) * alpha + u16::from(*behind) * (255 - alpha) + 127) / 255) as u8;
    }
}

/// The blur is this share of the picture's height, and is done on a picture scaled down by
/// [`BLUR_SCALE`], which nobody sees.
const BLUR_SHARE: f64 = 0.03;
const BLUR_SCALE: usize = 4;

/// The background alone, blurred: what belongs to a class doesn't bleed into it.
fn blurred_background(picture: &Frame, alpha: &[u8]) -> opencv::Result<Vec<u8>> {
    let size = picture.size();
    let (width, height) = (size.width() as i32, size.height() as i32);
    // Weighted by how much of a pixel is background, then divided by the weights' own blur.
    let mut weighted = Vec::with_capacity(4 * size.pixels());
    for (rgb, &alpha) in picture.rgb().as_chunks::<3>().0.iter().zip(alpha) {
        let weight = f32::from(255 - alpha) / 255.0;
        weighted.extend(rgb.map(|value| f32::from(value) * weight));
        // A small weight everywhere, so that nothing is divided by 0.
        weighted.push(weight + 1e-4);
    }
    let weighted = Mat::new_rows_cols_with_data::<f32>(height, 4 * width, &weighted)?;
    let weighted = weighted.reshape(4, height)?;
    let small = |side: i32| (side as usize).div_ceil(BLUR_SCALE).max(1) as i32;
    let (mut scaled, mut blurred) = (Mat::default(), Mat::default());
    let (small_size, full_size) = (Size::new(small(width), small(height)), Size::new(width, height));
    imgproc::resize(&weighted, &mut scaled, small_size, 0.0, 0.0, imgproc::INTER_AREA)?;
    let sigma = (BLUR_SHARE * f64::from(height) / BLUR_SCALE as f64).max(1.0);
    imgproc::gaussian_blur_def(&scaled, &mut blurred, Size::new(0, 0), sigma)?;
    imgproc::resize(&blurred, &mut scaled, full_size, 0.0, 0.0, imgproc::INTER_LINEAR)?;
    let values: &[f32] = bytemuck::cast_slice(scaled.data_bytes()?);
    let pixels = values.as_chunks::<4>().0.iter();
    Ok(pixels
        .flat_map(|&[r, g, b, weight]| [r, g, b].map(|value| (value / weight + 0.5).clamp(0.0, 255.0) as u8))
        .collect())
}

/// In the upper left, on a dark ground. Hershey's letters are ASCII.
fn write_label(rgb: &mut [u8], picture: &Frame, label: &str) -> opencv::Result<()> {
    let size = picture.size();
    let label: String = label.chars().map(|letter| if letter.is_ascii() { letter } else { '?' }).collect();
    let font = imgproc::FONT_HERSHEY_SIMPLEX;
    let mut canvas =
        Mat::new_rows_cols_with_bytes_mut::<Vec3b>(size.height() as i32, size.width() as i32, rgb)?;
    debug_assert_eq!(canvas.typ(), CV_8UC3);
    let mut scale = (size.height() as f64 / 480.0).max(0.4);
    let mut below = 0;
    let text = loop {
        let text = imgproc::get_text_size(&label, font, scale, 1, &mut below)?;
        if f64::from(text.width) < 0.9 * size.width() as f64 || scale < 0.25 {
            break text;
        }
        scale *= 0.9;
    };
    let margin = (text.height / 2).max(2);
    let corner = Point::new(text.width + 3 * margin, text.height + below + 2 * margin);
    let white = Scalar::all(255.0);
    imgproc::rectangle_points(
        &mut canvas,
        Point::new(0, 0),
        corner,
        Scalar::all(24.0),
        -1,
        imgproc::LINE_8,
        0,
    )?;
    let start = Point::new(3 * margin / 2, text.height + margin);
    let thickness = (scale * 1.5).round().max(1.0) as i32;
    imgproc::put_text(&mut canvas, &label, start, font, scale, white, thickness, imgproc::LINE_AA, false)
}
