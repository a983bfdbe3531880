//! What a user can choose of an export besides its kinds.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{kinds::ExportKind, names::NameTemplate, palette::Rgb};
use base::mask::{Mask, SoftMask};

/// How exported files are called and what they look like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExportOptions {
    /// The usual layout where there is none.
    pub names: Option<NameTemplate>,
    /// How masks end.
    pub edges: Edges,
    /// The colour of the `backdrop` kind.
    pub backdrop: Backdrop,
}

/// What is written of a clip, and how. Where to is not part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExportSettings {
    /// Which kinds of files.
    #[serde(default)]
    pub kinds: Vec<ExportKind>,
    /// How they are called and what they look like.
    #[serde(flatten)]
    pub options: ExportOptions,
}

impl Default for ExportSettings {
    fn default() -> Self {
        Self { kinds: ExportKind::DEFAULT.to_vec(), options: ExportOptions::default() }
    }
}

/// How a smoothed mask ends where it is written as grey or as transparency.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Edges {
    /// In or out
    #[default]
    Hard,
    /// With the smoothed probability, so that edges are as soft as the network is unsure
    Soft,
}

/// The colour behind cut-out pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backdrop(pub Rgb);

impl Default for Backdrop {
    /// The green of chroma-key screens.
    fn default() -> Self {
        Self([0, 177, 64])
    }
}

const NAMED: [(&str, Rgb); 6] = [
    ("green", [0, 177, 64]),
    ("blue", [0, 71, 187]),
    ("black", [0, 0, 0]),
    ("white", [255, 255, 255]),
    ("grey", [128, 128, 128]),
    ("magenta", [255, 0, 255]),
];

impl FromStr for Backdrop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|&(_, colour)| colour);
        let digits = text.trim_start_matches('#');
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 6);
        let numbered = number.map(|number| [(number >> 16) as u8, (number >> 8) as u8, number as u8]);
        let names = NAMED.map(|(name, _)| name).join(", ");
        named.or(numbered).map(Self).ok_or_else(|| format!("a colour such as #00b140, or one of {names}"))
    }
}

impl Edges {
    /// How much of each pixel belongs to the mask, 0 to 255, `height × width`. Soft edges are
    /// scaled so that the threshold falls on the middle, and agree with the decision: at least
    /// 128 is in.
    pub fn alpha(self, hard: &Mask, soft: Option<&SoftMask>, threshold: f32) -> Vec<u8> {
        let mut alpha = hard.to_bytes(u8::MAX);
        if let (Self::Soft, Some(soft)) = (self, soft) {
            let [outside, inside] = soft_levels(threshold);
            for (alpha, &value) in alpha.iter_mut().zip(soft.values()) {
                *alpha = if *alpha == 0 { outside[usize::from(value)] } else { inside[usize::from(value)] };
            }
        }
        alpha
    }
}

/// What each probability becomes outside and inside of the mask.
fn soft_levels(threshold: f32) -> [[u8; 256]; 2] {
    let mut levels = [[0; 256]; 2];
    let theta = threshold.clamp(0.01, 0.99);
    for value in 0..=255u8 {
        let p = f32::from(value) / 255.0;
        let scaled = if p < theta { 0.5 * p / theta } else { 0.5 + 0.5 * (p - theta) / (1.0 - theta) };
        let level = (scaled * 255.0).round() as u8;
        levels[0][usize::from(value)] = level.min(127);
        levels[1][usize::from(value)] = level.max(128);
    }
    levels
}

impl fmt::Display for Backdrop {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self([red, green, blue]) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::FrameSize;

    #[test]
    fn colours_have_names_and_numbers() {
        assert_eq!("#00B140".parse(), Ok(Backdrop([0, 177, 64])));
        assert_eq!("Green".parse(), Ok(Backdrop::default()));
        assert_eq!("102030".parse(), Ok(Backdrop([16, 32, 48])));
        assert_eq!(Backdrop::default().to_string().parse(), Ok(Backdrop::default()));
        for wrong in ["", "#12345", "greenish", "#12345g"] {
            assert!(wrong.parse::<Backdrop>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn soft_edges_agree_with_the_decision_and_one_half_changes_nothing() {
        let size = FrameSize::new(256, 1).unwrap();
        let soft = SoftMask::new(size, (0..=255).collect());
        let hard = soft.threshold(0.5);
        assert_eq!(Edges::Soft.alpha(&hard, Some(&soft), 0.5), soft.values());
        assert_eq!(Edges::Hard.alpha(&hard, Some(&soft), 0.5), hard.to_bytes(255));
        let hard = soft.threshold(0.3);
        let alpha = Edges::Soft.alpha(&hard, Some(&soft), 0.3);
        let again = SoftMask::new(size, alpha.clone()).threshold(0.5);
        assert_eq!(again, hard);
        assert!(alpha.is_sorted() && alpha[0] == 0 && alpha[255] == 255);
    }
}
