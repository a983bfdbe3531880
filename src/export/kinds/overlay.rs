//! Masks painted onto the picture.

use crate::palette::Rgb;
use base::{frame::Frame, mask::Mask};

/// How strongly a mask is painted: 0 leaves the picture, 256 hides it.
const OPACITY: u16 = 115;

/// Paints each mask in its colour, with a solid outline, onto a copy of the picture's RGB.
pub fn overlay<'a>(picture: &Frame, masks: impl IntoIterator<Item = (&'a Mask, Rgb)>) -> Vec<u8> {
    let mut rgb = picture.rgb().to_vec();
    for (mask, colour) in masks {
        paint(&mut rgb, mask, colour);
    }
    rgb
}

fn paint(rgb: &mut [u8], mask: &Mask, colour: Rgb) {
    let width = mask.size().width();
    for (y, row) in rgb.chunks_exact_mut(3 * width).enumerate() {
        for (at, &word) in mask.row(y).iter().enumerate() {
            let mut left = word;
            while left != 0 {
                let x = 64 * at + left.trailing_zeros() as usize;
                left &= left - 1;
                let pixel = &mut row[3 * x..3 * x + 3];
                if on_outline(mask, x, y) {
                    pixel.copy_from_slice(&colour.map(|value| value / 2 + 127));
                } else {
                    for (value, colour) in pixel.iter_mut().zip(colour) {
                        let mixed = u16::from(*value) * (256 - OPACITY) + u16::from(colour) * OPACITY;
                        *value = (mixed >> 8) as u8;
                    }
                }
            }
        }
    }
}

/// A set pixel with a neighbour inside the picture that is not set.
fn on_outline(mask: &Mask, x: usize, y: usize) -> bool {
    let (right, bottom) = (mask.size().width() - 1, mask.size().height() - 1);
    (x > 0 && !mask.get(x - 1, y))
        || (x < right && !mask.get(x + 1, y))
        || (y > 0 && !mask.get(x, y - 1))
        || (y < bottom && !mask.get(x, y + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::{FrameIndex, FrameSize, Timestamp};

    #[test]
    fn only_the_mask_is_painted_and_its_outline_is_solid() {
        let size = FrameSize::new(9, 9).unwrap();
        let picture = Frame::new(FrameIndex::ZERO, Timestamp::default(), size, vec![100; 243]);
        let mask = Mask::from_fn(size, |x, y| (2..7).contains(&x) && (2..7).contains(&y));
        let rgb = overlay(&picture, [(&mask, [200, 0, 0])]);
        let pixel = |x: usize, y: usize| &rgb[3 * (9 * y + x)..][..3];
        assert_eq!(pixel(0, 0), [100, 100, 100]);
        assert_eq!(pixel(2, 4), [227, 127, 127]);
        assert_eq!(pixel(4, 4), [144, 55, 55]);
    }
}
