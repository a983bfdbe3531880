//! What a pipeline does to a video or an image, step by step, and what that comes to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    export::{Backdrop, Edges, ExportKind, ExportOptions, ExportSettings, NameTemplate},
    segment::torchscript::Device,
    smooth::{Alpha, Input, Method, Settings, SettingsError, Switch, Threshold, Timing, Window},
};

/// A step and its settings. In a pipeline each stands at most once, in the order below; only
/// `segment` must be there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    Decode(DecodeStep),
    Resize(ResizeStep),
    Normalise(NormaliseStep),
    Segment(SegmentStep),
    Smooth(SmoothStep),
    CleanUp(CleanUpStep),
    DetectBox(DetectBoxStep),
    Export(ExportStep),
}

/// Which frames are looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct DecodeStep {
    /// First frame, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// Last frame, itself in the range.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// The network sees every Nth frame; those between follow the motion.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 30)]
    pub every: Option<u32>,
    /// Pictures with a longer side, in pixels, are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 32768)]
    pub max_side: Option<u32>,
}

/// How large the network sees the picture, where its size rule has a long side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ResizeStep {
    /// In pixels.
    #[schema(minimum = 32, maximum = 8192)]
    pub long_side: u32,
}

/// What is taken off each channel, and what it is divided by, in units where a picture's bytes
/// are 0 to 1; in place of the manifest's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NormaliseStep {
    #[schema(min_items = 3, max_items = 3)]
    pub mean: [f32; 3],
    #[schema(min_items = 3, max_items = 3)]
    pub std: [f32; 3],
}

/// The network and its classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SegmentStep {
    /// By name; the best that is installed if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Classes; those joined by + are one mask.
    #[schema(min_items = 1)]
    pub classes: Vec<String>,
    #[serde(default)]
    #[schema(value_type = DeviceName)]
    pub device: Device,
}

/// Where the network runs.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "only its schema is used")]
enum DeviceName {
    Auto,
    Cpu,
    Cuda,
}

/// How masks become steady; a single image has nothing to smooth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct SmoothStep {
    /// Look for the method and the strength that suit the clip.
    pub auto: bool,
    #[schema(value_type = String, pattern = "^(moving-average|median|exponential)$")]
    pub method: Method,
    #[schema(value_type = u32, minimum = 1, maximum = 31)]
    pub window: Window,
    #[schema(value_type = f32, exclusive_minimum = 0, maximum = 1)]
    pub alpha: Alpha,
    #[schema(value_type = String, pattern = "^(centred|causal)$")]
    pub timing: Timing,
    #[schema(value_type = String, pattern = "^(probabilities|masks)$")]
    pub input: Input,
    #[schema(value_type = String, pattern = "^(on|off)$")]
    pub motion: Switch,
}

impl From<Settings> for SmoothStep {
    fn from(Settings { method, window, alpha, timing, input, motion, .. }: Settings) -> Self {
        Self { auto: false, method, window, alpha, timing, input, motion }
    }
}

impl Default for SmoothStep {
    fn default() -> Self {
        Settings::default().into()
    }
}

/// What a pixel needs to be in the mask, and what is taken out of the mask and filled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct CleanUpStep {
    #[schema(value_type = f32, exclusive_minimum = 0, maximum = 1)]
    pub threshold: Threshold,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f32>, exclusive_minimum = 0, maximum = 1)]
    pub hysteresis: Option<Threshold>,
    pub min_area_px: u32,
    pub fill_holes_px: u32,
    #[schema(value_type = String, pattern = "^(on|off)$")]
    pub overlap: Switch,
}

impl From<Settings> for CleanUpStep {
    fn from(settings: Settings) -> Self {
        let Settings { threshold, hysteresis, min_area_px, fill_holes_px, overlap, .. } = settings;
        Self { threshold, hysteresis, min_area_px, fill_holes_px, overlap }
    }
}

impl Default for CleanUpStep {
    fn default() -> Self {
        Settings::default().into()
    }
}

/// The box around the largest connected part of the surest class; of videos as COCO
/// annotations, frame by frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct DetectBoxStep {
    /// The mean probability that it must have.
    #[schema(minimum = 0, maximum = 1)]
    pub min_confidence: f32,
}

/// The files to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExportStep {
    pub kinds: Vec<ExportKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub names: Option<NameTemplate>,
    pub edges: Edges,
    #[schema(value_type = [u8; 3], min_items = 3, max_items = 3)]
    pub backdrop: Backdrop,
}

impl From<ExportSettings> for ExportStep {
    fn from(ExportSettings { kinds, options }: ExportSettings) -> Self {
        let ExportOptions { names, edges, backdrop } = options;
        Self { kinds, names, edges, backdrop }
    }
}

impl Default for ExportStep {
    fn default() -> Self {
        ExportSettings::default().into()
    }
}

/// What the steps come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    pub decode: DecodeStep,
    /// The long side of the network's input.
    pub long_side: Option<u32>,
    pub normalise: Option<NormaliseStep>,
    pub segment: SegmentStep,
    pub auto: bool,
    pub settings: Settings,
    pub detect_box: Option<DetectBoxStep>,
    /// `None` where nothing was said of files.
    pub export: Option<ExportStep>,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StepsError {
    #[error("a pipeline needs the step «segment»; add {{\"step\": \"segment\", \"classes\": [\"person\"]}}")]
    NoNetwork,
    #[error(
        "the step «{after}» stands after «{before}»; each step can be there once, in this order: {ORDER}"
    )]
    Order { before: &'static str, after: &'static str },
    #[error("the step «{step}»: {cause}; {remedy}")]
    Value { step: &'static str, cause: String, remedy: &'static str },
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

const NAMES: [&str; 8] =
    ["decode", "resize", "normalise", "segment", "smooth", "clean-up", "detect-box", "export"];
const ORDER: &str = "decode, resize, normalise, segment, smooth, clean-up, detect-box, export";
const MAX_CLASSES: usize = 64;

impl Step {
    fn rank(&self) -> usize {
        match self {
            Self::Decode(_) => 0,
            Self::Resize(_) => 1,
            Self::Normalise(_) => 2,
            Self::Segment(_) => 3,
            Self::Smooth(_) => 4,
            Self::CleanUp(_) => 5,
            Self::DetectBox(_) => 6,
            Self::Export(_) => 7,
        }
    }

    pub fn name(&self) -> &'static str {
        NAMES[self.rank()]
    }

    /// Whether it is done after the other one.
    pub fn is_after(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    /// What can be wrong with it alone.
    fn check(&self) -> Result<(), StepsError> {
        let wrong = |cause: String, remedy| Err(StepsError::Value { step: self.name(), cause, remedy });
        match self {
            Self::Decode(DecodeStep { from, to: Some(to), .. }) if from.unwrap_or(0) > *to => {
                wrong(format!("from {} is after to {to}", from.unwrap_or(0)), "exchange them")
            }
            Self::Decode(DecodeStep { every: Some(every), .. }) if !(1..=30).contains(every) => {
                wrong(format!("every {every} can't be followed"), "take a number from 1 to 30")
            }
            Self::Decode(DecodeStep { max_side: Some(side), .. }) if !(1..=32768).contains(side) => {
                wrong(format!("max-side {side} is no size"), "take a number from 1 to 32768")
            }
            Self::Resize(ResizeStep { long_side }) if !(32..=8192).contains(long_side) => {
                wrong(format!("long-side {long_side} is no size"), "take a number from 32 to 8192")
            }
            Self::Normalise(NormaliseStep { mean, std })
                if !mean.iter().all(|v| v.is_finite()) || !std.iter().all(|v| v.is_normal()) =>
            {
                wrong(
                    "mean and std must be numbers, std not 0".into(),
                    "take those the network was trained with",
                )
            }
            Self::Segment(SegmentStep { classes, .. })
                if classes.is_empty()
                    || classes.len() > MAX_CLASSES
                    || classes.iter().any(|c| c.len() > 1000) =>
            {
                wrong("it needs one to 64 classes".into(), "name them as «steadymask models» lists them")
            }
            Self::DetectBox(DetectBoxStep { min_confidence }) if !(0.0..=1.0).contains(min_confidence) => {
                wrong(format!("{min_confidence} is no probability"), "take a number from 0 to 1")
            }
            _ => Ok(()),
        }
    }
}

impl Plan {
    /// # Errors
    /// When a step's settings make no sense, or stand in another order than they are done in.
    pub fn of(steps: &[Step]) -> Result<Self, StepsError> {
        for pair in steps.windows(2) {
            if pair[0].rank() >= pair[1].rank() {
                return Err(StepsError::Order { before: pair[0].name(), after: pair[1].name() });
            }
        }
        let mut plan = Self {
            decode: DecodeStep::default(),
            long_side: None,
            normalise: None,
            segment: SegmentStep { model: None, classes: Vec::new(), device: Device::Auto },
            auto: false,
            settings: Settings::default(),
            detect_box: None,
            export: None,
        };
        for step in steps {
            step.check()?;
            match step.clone() {
                Step::Decode(decode) => plan.decode = decode,
                Step::Resize(resize) => plan.long_side = Some(resize.long_side),
                Step::Normalise(normalise) => plan.normalise = Some(normalise),
                Step::Segment(segment) => plan.segment = segment,
                Step::Smooth(SmoothStep { auto, method, window, alpha, timing, input, motion }) => {
                    plan.auto = auto;
                    plan.settings =
                        Settings { method, window, alpha, timing, input, motion, ..plan.settings };
                }
                Step::CleanUp(CleanUpStep { threshold, hysteresis, min_area_px, fill_holes_px, overlap }) => {
                    plan.settings = Settings {
                        threshold,
                        hysteresis,
                        min_area_px,
                        fill_holes_px,
                        overlap,
                        ..plan.settings
                    };
                }
                Step::DetectBox(detect) => plan.detect_box = Some(detect),
                Step::Export(export) => plan.export = Some(export),
            }
        }
        if plan.segment.classes.is_empty() {
            return Err(StepsError::NoNetwork);
        }
        plan.settings.check()?;
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(json: &str) -> Vec<Step> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn steps_survive_the_round_trip_and_come_to_a_plan() {
        let all = steps(
            r#"[{"step": "decode", "from": 2, "to": 9}, {"step": "resize", "long-side": 320},
                {"step": "segment", "model": "selfie", "classes": ["person"], "device": "cpu"},
                {"step": "smooth", "method": "median", "window": 5}, {"step": "clean-up", "min-area-px": 40},
                {"step": "detect-box", "min-confidence": 0.4}, {"step": "export", "kinds": ["png", "csv"]}]"#,
        );
        assert_eq!(serde_json::from_value::<Vec<Step>>(serde_json::to_value(&all).unwrap()).unwrap(), all);
        let plan = Plan::of(&all).unwrap();
        assert_eq!((plan.decode.to, plan.long_side, plan.segment.device), (Some(9), Some(320), Device::Cpu));
        assert_eq!((plan.settings.method, plan.settings.min_area_px), (Method::Median, 40));
        assert_eq!(plan.settings.alpha, Settings::default().alpha, "what is not said is as usual");
        assert_eq!(plan.export.unwrap().kinds, [ExportKind::Png, ExportKind::Csv]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_way_out() {
        let person = r#"{"step": "segment", "classes": ["person"]}"#;
        for (json, words) in [
            ("[]".to_owned(), "needs the step «segment»"),
            (format!("[{person}, {person}]"), "can be there once"),
            (format!(r#"[{person}, {{"step": "decode"}}]"#), "«decode» stands after «segment»"),
            (format!(r#"[{{"step": "decode", "from": 3, "to": 2}}, {person}]"#), "exchange them"),
            (format!(r#"[{{"step": "decode", "every": 31}}, {person}]"#), "1 to 30"),
            (format!(r#"[{{"step": "resize", "long-side": 1}}, {person}]"#), "32 to 8192"),
            (format!(r#"[{person}, {{"step": "clean-up", "hysteresis": 0.9}}]"#), "swap them"),
            (format!(r#"[{person}, {{"step": "detect-box", "min-confidence": 2}}]"#), "from 0 to 1"),
        ] {
            let error = Plan::of(&steps(&json)).unwrap_err().to_string();
            assert!(error.contains(words), "{json}: {error}");
        }
        for wrong in [
            r#"[{"step": "fly"}]"#,
            r#"[{"step": "smooth", "windw": 3}]"#,
            r#"[{"step": "smooth", "window": 4}]"#,
        ] {
            assert!(serde_json::from_str::<Vec<Step>>(wrong).is_err(), "{wrong}");
        }
    }
}
