//! Masks as transparent pictures that lie over the frame.

use std::sync::Arc;

use eframe::egui::{Color32, ColorImage};

use base::{
    frame::{Frame, FrameSize},
    mask::{Mask, MaskPair, SoftMask},
};
use export::palette;
use segment::ClassGroup;

/// What is painted of masks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Raw and smoothed masks in the classes' colours, each outlined in its side's colour.
    Masks,
    /// The same without outlines.
    Fills,
    /// Smoothed masks with the outline of the raw ones, dashed.
    Outlines,
    /// What smoothing added and what it removed.
    Difference,
    /// White on black.
    Matte,
    /// Probabilities.
    Heat,
}

const FILL_ALPHA: u8 = 120;
const DASH_PX: usize = 6;
/// Wider pictures are shown reduced, as a rule, where a line of one pixel is lost.
const LARGE_PX: usize = 640;

/// The frame itself.
pub fn picture(frame: &Frame) -> Arc<ColorImage> {
    let size = frame.size();
    Arc::new(ColorImage::from_rgb([size.width(), size.height()], frame.rgb()))
}

/// One layer, or one for raw and one for smoothed.
pub fn layers(
    look: Look,
    masks: &[MaskPair],
    [raw, smoothed]: [&[SoftMask]; 2],
    groups: &[ClassGroup],
) -> Vec<ColorImage> {
    let Some(size) = masks.first().map(|pair| pair.raw.size()) else { return Vec::new() };
    let fill = |class: usize| tone(palette::class_colour(class_of(&groups[class])), FILL_ALPHA);
    let (amber, teal) = (solid(palette::RAW), solid(palette::SMOOTHED.map(|value| value.saturating_add(50))));
    let blank = || ColorImage::filled([size.width(), size.height()], Color32::TRANSPARENT);
    let sides = [|pair: &MaskPair| pair.raw.clone(), |pair: &MaskPair| pair.smoothed.clone()];
    match look {
        Look::Masks | Look::Fills => [amber, teal]
            .into_iter()
            .zip(sides)
            .map(|(line, side)| {
                let mut image = blank();
                for (class, pair) in masks.iter().enumerate() {
                    let mask = side(pair);
                    paint(&mut image, &mask, |_, _| Some(fill(class)));
                    if look == Look::Masks {
                        paint(&mut image, &outline(&mask), |_, _| Some(line));
                    }
                }
                image
            })
            .collect(),
        Look::Outlines => {
            let mut image = blank();
            for (class, pair) in masks.iter().enumerate() {
                paint(&mut image, &pair.smoothed, |_, _| Some(fill(class)));
                paint(&mut image, &outline(&pair.smoothed), |_, _| Some(teal));
                // Dashes along both axes: the line differs in shape as well as in colour.
                paint(&mut image, &outline(&pair.raw), |x, y| {
                    ((x + y) / DASH_PX).is_multiple_of(2).then_some(amber)
                });
            }
            vec![image]
        }
        Look::Difference => {
            let mut image = blank();
            let (added, removed) = (solid(palette::ADDED), solid(palette::REMOVED));
            for pair in masks {
                paint(&mut image, &outline(&pair.smoothed), |_, _| Some(Color32::from_white_alpha(90)));
                paint(&mut image, &pair.smoothed.and_not(&pair.raw), |_, _| Some(added));
                // Hatched, so that it differs in more than colour.
                paint(&mut image, &pair.raw.and_not(&pair.smoothed), |x, y| {
                    Some(if (x + y) % 4 < 3 { removed } else { Color32::BLACK })
                });
            }
            vec![image]
        }
        Look::Matte => sides
            .into_iter()
            .map(|side| {
                let mut image = ColorImage::filled([size.width(), size.height()], Color32::BLACK);
                for pair in masks {
                    paint(&mut image, &side(pair), |_, _| Some(Color32::WHITE));
                }
                image
            })
            .collect(),
        Look::Heat => vec![heat(raw, size), heat(smoothed, size)],
    }
}

fn class_of(group: &ClassGroup) -> usize {
    // A network without background has its first class where others have that.
    group.members().first().copied().filter(|&class| class > 0).unwrap_or(15)
}

fn solid([r, g, b]: palette::Rgb) -> Color32 {
    Color32::from_rgb(r, g, b)
}

fn tone([r, g, b]: palette::Rgb, alpha: u8) -> Color32 {
    Color32::from_rgba_unmultiplied(r, g, b, alpha)
}

fn paint(image: &mut ColorImage, mask: &Mask, colour: impl Fn(usize, usize) -> Option<Color32>) {
    let width = mask.size().width();
    for (y, row) in image.pixels.chunks_exact_mut(width).enumerate() {
        for (at, &word) in mask.row(y).iter().enumerate() {
            let mut left = word;
            while left != 0 {
                let x = 64 * at + left.trailing_zeros() as usize;
                left &= left - 1;
                if let Some(colour) = colour(x, y) {
                    row[x] = colour;
                }
            }
        }
    }
}

/// Set pixels with a neighbour that is not; two pixels wide on large pictures.
fn outline(mask: &Mask) -> Mask {
    let inner = eroded(mask);
    let inner = if mask.size().width() > LARGE_PX { eroded(&inner) } else { inner };
    mask.and_not(&inner)
}

/// Pixels whose four neighbours inside the picture are set, 64 at a time.
fn eroded(mask: &Mask) -> Mask {
    let size = mask.size();
    let last_bits = base::mask::last_word_bits(size.width());
    Mask::from_fn_rows(size, |y, out| {
        let row = mask.row(y);
        let above = mask.row(y.saturating_sub(1));
        let below = mask.row((y + 1).min(size.height() - 1));
        let last = row.len() - 1;
        for (at, out) in out.iter_mut().enumerate() {
            // Beyond the picture counts as set, so that its edge is no outline.
            let before = if at > 0 { row[at - 1] >> 63 } else { 1 };
            let after = if at < last { row[at + 1] << 63 } else { 1 << 63 };
            let padded = if at == last { row[at] | !last_bits } else { row[at] };
            let left = row[at] << 1 | before;
            let right = padded >> 1 | after;
            *out = row[at] & left & right & above[at] & below[at];
        }
    })
}

/// The most probable class's probability, from dark blue over red to yellow.
fn heat(masks: &[SoftMask], size: FrameSize) -> ColorImage {
    let table: Vec<Color32> = (0..=255u16).map(|value| heat_colour(value as f32 / 255.0)).collect();
    let mut most = vec![0u8; size.pixels()];
    for mask in masks {
        for (most, &value) in most.iter_mut().zip(mask.values()) {
            *most = value.max(*most);
        }
    }
    let pixels = most.into_iter().map(|value| table[usize::from(value)]).collect();
    ColorImage::new([size.width(), size.height()], pixels)
}

/// Five points of matplotlib's «inferno».
pub fn heat_colour(value: f32) -> Color32 {
    const POINTS: [[f32; 3]; 5] = [
        [0.0, 0.0, 4.0],
        [87.0, 16.0, 110.0],
        [188.0, 55.0, 84.0],
        [249.0, 142.0, 9.0],
        [252.0, 255.0, 164.0],
    ];
    let at = value.clamp(0.0, 1.0) * 4.0;
    let (low, t) = ((at as usize).min(3), at.fract());
    let t = if at >= 4.0 { 1.0 } else { t };
    let mixed = [0, 1, 2].map(|channel| POINTS[low][channel] * (1.0 - t) + POINTS[low + 1][channel] * t);
    Color32::from_rgb(mixed[0] as u8, mixed[1] as u8, mixed[2] as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn erosion_is_the_plain_loop(width in 1u32..140, height in 1u32..6, seed: u64) {
            let size = FrameSize::new(width, height).unwrap();
            let mut state = seed | 1;
            let mask = Mask::from_fn(size, |_, _| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                state >> 62 != 0
            });
            let inside = |x: i64, y: i64| {
                let outside = x < 0 || y < 0 || x >= i64::from(width) || y >= i64::from(height);
                outside || mask.get(x as usize, y as usize)
            };
            let plain = Mask::from_fn(size, |x, y| {
                let (x, y) = (x as i64, y as i64);
                [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)].iter().all(|(dx, dy)| inside(x + dx, y + dy))
            });
            prop_assert_eq!(eroded(&mask), plain);
        }
    }
}
