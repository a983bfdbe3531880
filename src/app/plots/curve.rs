//! What can be plotted.

use serde::{Deserialize, Serialize};

use crate::{results::FLICKER, text::Text};
use metrics::Metric;

/// What can be plotted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curve {
    Flicker,
    Instability,
    Iou,
    Dice,
    #[serde(alias = "flip-rate")]
    PopRate,
    Area,
}

impl Curve {
    pub const ALL: [Self; 6] =
        [Self::Flicker, Self::Instability, Self::Iou, Self::Dice, Self::PopRate, Self::Area];

    pub const fn metric(self) -> Metric {
        match self {
            Self::Flicker => FLICKER,
            Self::Instability => Metric::Instability,
            Self::Iou => Metric::Iou,
            Self::Dice => Metric::Dice,
            Self::PopRate => Metric::PopRate,
            Self::Area => Metric::Area,
        }
    }

    pub const fn text(self) -> Text {
        match self {
            Self::Flicker => Text::WarpedInstability,
            Self::Instability => Text::Instability,
            Self::Iou => Text::Iou,
            Self::Dice => Text::Dice,
            Self::PopRate => Text::PopRate,
            Self::Area => Text::Area,
        }
    }
}
