//! What to do with a clip, in one record.
//!
//! Every front end (command line, window, service, batch, queue, project) makes a [`Plan`] and passes it
//! on whole, so nothing on the way to the engine can drop what the user chose. [`Plan::resolve`] is the
//! only place where names become networks, and classes become channels of their output.

#![warn(missing_docs)]

mod resolve;
mod steps;

use std::path::PathBuf;

use base::{
    frame::{Every, FrameRange},
    region::Region,
};
use export::{ExportKind, ExportOptions, ExportSettings};
use segment::Device;
use serde::{Deserialize, Serialize};
use smooth::Settings;

pub use resolve::{PlanError, Resolved};
pub use steps::{
    CleanUpStep, DecodeStep, DetectBoxStep, ExportStep, LeaveOutStep, NormaliseStep, ResizeStep, SegmentStep,
    SmoothStep, Step, StepsError, settings_of, smoothing_steps,
};

/// What to do with a clip or an image. Which one it is and where results go are not part of it.
/// It is serialised as its [steps](Step).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Step>", into = "Vec<Step>")]
pub struct Plan {
    /// Where masks come from.
    pub source: MaskSource,
    /// The masks to make, as [`ClassGroup::parse`](segment::ClassGroup::parse) reads them.
    pub classes: Vec<String>,
    /// The network runs on every Nth frame; the frames between follow the motion.
    pub every: Every,
    /// The frames to work on; both ends belong to it.
    pub range: FrameRange,
    /// Pictures whose longer side has more pixels are refused.
    pub max_side_px: Option<u32>,
    /// How masks are smoothed, and how they are cleaned up.
    pub settings: Settings,
    /// Whether to find the method and the strength that suit the clip; `settings` say the rest.
    pub auto: bool,
    /// What the user has changed by hand.
    pub edits: Edits,
    /// In an image, the box to look for; in a video, boxes frame by frame.
    pub detect_box: Option<DetectBoxStep>,
    /// The files to write; `None` where nothing was said about files.
    pub export: Option<ExportSettings>,
}

impl Plan {
    /// Whether both make the same masks of the same frames.
    pub fn makes_same_masks(&self, other: &Self) -> bool {
        let masks = |plan: &Self| {
            let Self {
                source,
                classes,
                every,
                range: _,
                max_side_px: _,
                settings,
                auto: _,
                edits,
                detect_box: _,
                export: _,
            } = plan.clone();
            (source, classes, every, settings, edits)
        };
        masks(self) == masks(other)
    }

    /// The files to write: metrics where nothing was said about files, and boxes where they are looked for.
    pub fn export_settings(&self) -> ExportSettings {
        let numbers = || ExportSettings {
            kinds: vec![ExportKind::Csv, ExportKind::Json],
            options: ExportOptions::default(),
        };
        let mut export = self.export.clone().unwrap_or_else(numbers);
        if self.detect_box.is_some() && !export.kinds.contains(&ExportKind::Coco) {
            export.kinds.push(ExportKind::Coco);
        }
        export
    }
}

/// Where masks come from before they are smoothed.
#[derive(Clone, Debug, PartialEq)]
pub enum MaskSource {
    /// Masks that a network makes.
    Network(Network),
    /// Masks that another program made: a video, or a folder of images.
    Mattes(PathBuf),
}

/// Which network, and how it sees the picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// Its name, or the path of its `.pt`; `None` for the best one that is installed.
    pub name: Option<String>,
    /// The longer side of its input, in place of its manifest's.
    pub long_side_px: Option<u32>,
    /// In place of its manifest's mean and standard deviation.
    pub normalise: Option<NormaliseStep>,
    /// Where it runs.
    pub device: Device,
}

impl Default for MaskSource {
    fn default() -> Self {
        Self::Network(Network::default())
    }
}

impl MaskSource {
    /// `None` where masks come from another program.
    pub fn network(&self) -> Option<&Network> {
        match self {
            Self::Network(network) => Some(network),
            Self::Mattes(_) => None,
        }
    }

    /// The network to change; mattes give way to the default network.
    pub fn network_mut(&mut self) -> &mut Network {
        if let Self::Mattes(_) = self {
            *self = Self::default();
        }
        match self {
            Self::Network(network) => network,
            Self::Mattes(_) => unreachable!("it has just been replaced"),
        }
    }
}

/// What the user has changed by hand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edits {
    /// Where no mask has a pixel, and no metric looks.
    pub leave_out: Region,
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
