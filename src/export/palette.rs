//! Colours that mean something, the same in every picture, plot and screen.

use std::sync::LazyLock;

/// Red, green and blue, 0 to 255.
pub type Rgb = [u8; 3];

/// Raw masks and their curves.
pub const RAW: Rgb = [230, 150, 20];
/// Smoothed masks and their curves.
pub const SMOOTHED: Rgb = [0, 150, 150];
/// Pixels that smoothing added.
pub const ADDED: Rgb = [70, 130, 255];
/// Pixels that smoothing removed.
pub const REMOVED: Rgb = [255, 120, 40];

/// The colour of a class in Pascal VOC's palette: the class number's bits, three at a time,
/// become the high bits of red, green and blue (`VOClabelcolormap`).
pub fn class_colour(class: usize) -> Rgb {
    let mut colour = [0; 3];
    for bit in 0..8 {
        for (channel, value) in colour.iter_mut().enumerate() {
            *value |= ((class >> (3 * bit + channel) & 1) as u8) << (7 - bit);
        }
    }
    colour
}

/// All 256 colours of the palette, as RGB triples one after another.
pub fn voc() -> &'static [u8] {
    static PALETTE: LazyLock<Vec<u8>> = LazyLock::new(|| (0..256).flat_map(class_colour).collect());
    &PALETTE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_pascal_voc() {
        assert_eq!(class_colour(0), [0, 0, 0]);
        assert_eq!(class_colour(1), [128, 0, 0]);
        assert_eq!(class_colour(7), [128, 128, 128]);
        assert_eq!(class_colour(15), [192, 128, 128]);
        assert_eq!(class_colour(20), [0, 64, 128]);
    }
}
