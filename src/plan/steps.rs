//! A plan as steps: what pipelines, queue files and the service's jobs hold.
//!
//! [`Plan::from_steps`] and [`Plan::steps`] are inverses. They name every field, so the compiler finds one
//! that was forgotten.

use std::path::PathBuf;

use base::{
    frame::{Every, FrameRange},
    region::Region,
};
use export::{Backdrop, Edges, ExportKind, ExportOptions, ExportSettings, NameTemplate};
use segment::Device;
use serde::{Deserialize, Serialize};
use smooth::{Alpha, Input, Method, Settings, SettingsError, Switch, Threshold, Timing, Window};
use utoipa::ToSchema;

use crate::{Edits, MaskSource, Network, Plan};

/// A step and its settings. In a pipeline each stands at most once, in the order below; only
/// `segment` must be there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "step", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is named after what it holds")]
pub enum Step {
    Decode(DecodeStep),
    Resize(ResizeStep),
    Normalise(NormaliseStep),
    Segment(SegmentStep),
    LeaveOut(LeaveOutStep),
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
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 30)]
    pub every: Option<Every>,
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
    /// Taken off red, green and blue.
    #[schema(min_items = 3, max_items = 3)]
    pub mean: [f32; 3],
    /// Red, green and blue are divided by it.
    #[schema(min_items = 3, max_items = 3)]
    pub std: [f32; 3],
}

/// Where masks come from, and of which classes they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SegmentStep {
    /// The network by name; the best that is installed if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Masks that another program made, in place of a network: a video, or a folder of images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub masks: Option<PathBuf>,
    /// Classes; those joined by + are one mask.
    #[schema(min_items = 1)]
    pub classes: Vec<String>,
    /// Where the network runs.
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

/// Where no mask has a pixel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct LeaveOutStep {
    /// Polygons, each a list of three or more corners in pixels of the picture.
    #[schema(value_type = Vec<Vec<[f32; 2]>>)]
    pub polygons: Region,
}

/// How masks become steady; a single image has nothing to smooth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct SmoothStep {
    /// Look for the method and the strength that suit the clip.
    pub auto: bool,
    /// The filter.
    #[schema(value_type = String, pattern = "^(moving-average|median|exponential)$")]
    pub method: Method,
    /// Frames that a moving average or a median looks at.
    #[schema(value_type = u32, minimum = 1, maximum = 31)]
    pub window: Window,
    /// Weight of a frame's own mask in the exponential filter.
    #[schema(value_type = f32, exclusive_minimum = 0, maximum = 1)]
    pub alpha: Alpha,
    /// Whether frames after this one count too.
    #[schema(value_type = String, pattern = "^(centred|causal)$")]
    pub timing: Timing,
    /// What is smoothed.
    #[schema(value_type = String, pattern = "^(probabilities|masks)$")]
    pub input: Input,
    /// Whether neighbours are moved along the optical flow before they are used.
    #[schema(value_type = String, pattern = "^(on|off)$")]
    pub motion: Switch,
}

impl Default for SmoothStep {
    fn default() -> Self {
        let (smooth, _) = smoothing_steps(Settings::default(), false);
        smooth
    }
}

/// What a pixel needs to be in the mask, and what is taken out of the mask and filled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct CleanUpStep {
    /// The probability from which a pixel is set.
    #[schema(value_type = f32, exclusive_minimum = 0, maximum = 1)]
    pub threshold: Threshold,
    /// The lower probability from which a pixel is set where it is connected to one above the threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f32>, exclusive_minimum = 0, maximum = 1)]
    pub hysteresis: Option<Threshold>,
    /// Smaller parts are removed; 0 keeps all.
    pub min_area_px: u32,
    /// Holes up to this size are filled; 0 fills none.
    pub fill_holes_px: u32,
    /// Whether a pixel may belong to several classes.
    #[schema(value_type = String, pattern = "^(on|off)$")]
    pub overlap: Switch,
}

impl Default for CleanUpStep {
    fn default() -> Self {
        let (_, clean_up) = smoothing_steps(Settings::default(), false);
        clean_up
    }
}

/// The two steps that hold these settings.
pub fn smoothing_steps(settings: Settings, auto: bool) -> (SmoothStep, CleanUpStep) {
    let Settings {
        method,
        window,
        alpha,
        timing,
        input,
        motion,
        threshold,
        hysteresis,
        min_area_px,
        fill_holes_px,
        overlap,
    } = settings;
    (
        SmoothStep { auto, method, window, alpha, timing, input, motion },
        CleanUpStep { threshold, hysteresis, min_area_px, fill_holes_px, overlap },
    )
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

/// The settings that the two steps hold, and whether a search for better ones begins with them.
///
/// # Errors
/// When two of them contradict each other.
pub fn settings_of(smooth: SmoothStep, clean_up: CleanUpStep) -> Result<(Settings, bool), SettingsError> {
    let settings = Settings {
        method: smooth.method,
        window: smooth.window,
        alpha: smooth.alpha,
        timing: smooth.timing,
        input: smooth.input,
        motion: smooth.motion,
        threshold: clean_up.threshold,
        hysteresis: clean_up.hysteresis,
        min_area_px: clean_up.min_area_px,
        fill_holes_px: clean_up.fill_holes_px,
        overlap: clean_up.overlap,
    };
    settings.check()?;
    Ok((settings, smooth.auto))
}

/// The files to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExportStep {
    /// Kinds of files.
    pub kinds: Vec<ExportKind>,
    /// Paths of the files below the folder of the results, without their endings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub names: Option<NameTemplate>,
    /// How smoothed mattes and cut-outs end.
    pub edges: Edges,
    /// Red, green and blue behind the classes in backdrop.
    #[schema(value_type = [u8; 3], min_items = 3, max_items = 3)]
    pub backdrop: Backdrop,
}

impl From<ExportSettings> for ExportStep {
    fn from(ExportSettings { kinds, options }: ExportSettings) -> Self {
        let ExportOptions { names, edges, backdrop } = options;
        Self { kinds, names, edges, backdrop }
    }
}

impl From<ExportStep> for ExportSettings {
    fn from(ExportStep { kinds, names, edges, backdrop }: ExportStep) -> Self {
        Self { kinds, options: ExportOptions { names, edges, backdrop } }
    }
}

impl Default for ExportStep {
    fn default() -> Self {
        ExportSettings::default().into()
    }
}

/// Why a list of steps is no plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "each says in its message what is wrong")]
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

const NAMES: [&str; 9] =
    ["decode", "resize", "normalise", "segment", "leave-out", "smooth", "clean-up", "detect-box", "export"];
const ORDER: &str = "decode, resize, normalise, segment, leave-out, smooth, clean-up, detect-box, export";
const MAX_CLASSES: usize = 64;

impl Step {
    fn rank(&self) -> usize {
        match self {
            Self::Decode(_) => 0,
            Self::Resize(_) => 1,
            Self::Normalise(_) => 2,
            Self::Segment(_) => 3,
            Self::LeaveOut(_) => 4,
            Self::Smooth(_) => 5,
            Self::CleanUp(_) => 6,
            Self::DetectBox(_) => 7,
            Self::Export(_) => 8,
        }
    }

    /// As it stands in JSON.
    pub fn name(&self) -> &'static str {
        NAMES[self.rank()]
    }

    /// Whether it is done after the other one.
    pub fn is_after(&self, other: &Self) -> bool {
        self.rank() > other.rank()
    }

    /// Checks the values of this step alone.
    fn check(&self) -> Result<(), StepsError> {
        let wrong = |cause: String, remedy| Err(StepsError::Value { step: self.name(), cause, remedy });
        match self {
            Self::Decode(DecodeStep { from, to: Some(to), .. }) if from.unwrap_or(0) > *to => {
                wrong(format!("from {} is after to {to}", from.unwrap_or(0)), "exchange them")
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
    pub fn from_steps(steps: &[Step]) -> Result<Self, StepsError> {
        for pair in steps.windows(2) {
            if pair[0].rank() >= pair[1].rank() {
                return Err(StepsError::Order { before: pair[0].name(), after: pair[1].name() });
            }
        }
        let (mut decode, mut resize, mut normalise) = (DecodeStep::default(), None, None);
        let (mut segment, mut leave_out) = (None, LeaveOutStep::default());
        let (mut smooth, mut clean_up) = (SmoothStep::default(), CleanUpStep::default());
        let (mut detect_box, mut export) = (None, None);
        for step in steps {
            step.check()?;
            match step.clone() {
                Step::Decode(step) => decode = step,
                Step::Resize(step) => resize = Some(step),
                Step::Normalise(step) => normalise = Some(step),
                Step::Segment(step) => segment = Some(step),
                Step::LeaveOut(step) => leave_out = step,
                Step::Smooth(step) => smooth = step,
                Step::CleanUp(step) => clean_up = step,
                Step::DetectBox(step) => detect_box = Some(step),
                Step::Export(step) => export = Some(step),
            }
        }
        let DecodeStep { from, to, every, max_side } = decode;
        let SegmentStep { model, masks, classes, device } = segment.ok_or(StepsError::NoNetwork)?;
        let LeaveOutStep { polygons } = leave_out;
        let (settings, auto) = settings_of(smooth, clean_up)?;
        let long_side_px = resize.map(|ResizeStep { long_side }| long_side);
        let source = match masks {
            Some(_) if model.is_some() || long_side_px.is_some() || normalise.is_some() => {
                return Err(StepsError::Value {
                    step: "segment",
                    cause: "masks stand beside a network or its input".into(),
                    remedy: "leave out either masks, or model, resize and normalise",
                });
            }
            Some(path) => MaskSource::Mattes(path),
            None => MaskSource::Network(Network { name: model, long_side_px, normalise, device }),
        };
        Ok(Self {
            source,
            classes,
            every: every.unwrap_or_default(),
            range: FrameRange {
                first: from.map_or(0, |frame| frame as usize),
                last: to.map_or(usize::MAX, |frame| frame as usize),
            },
            max_side_px: max_side,
            settings,
            auto,
            edits: Edits { leave_out: polygons },
            detect_box,
            export: export.map(ExportSettings::from),
        })
    }

    /// The steps of this plan. Defaults are left out, except those of smoothing, which a later version may
    /// change.
    pub fn steps(&self) -> Vec<Step> {
        let Self { source, classes, every, range, max_side_px, settings, auto, edits, detect_box, export } =
            self.clone();
        let frame = |frame: usize| u32::try_from(frame).ok();
        let decode = DecodeStep {
            from: frame(range.first).filter(|&first| first > 0),
            to: frame(range.last),
            every: Some(every).filter(|every| !every.is_one()),
            max_side: max_side_px,
        };
        let Edits { leave_out } = edits;
        let (smooth, clean_up) = smoothing_steps(settings, auto);
        let mut steps = Vec::new();
        steps.extend((decode != DecodeStep::default()).then_some(Step::Decode(decode)));
        match source {
            MaskSource::Network(Network { name: model, long_side_px, normalise, device }) => {
                steps.extend(long_side_px.map(|long_side| Step::Resize(ResizeStep { long_side })));
                steps.extend(normalise.map(Step::Normalise));
                steps.push(Step::Segment(SegmentStep { model, masks: None, classes, device }));
            }
            MaskSource::Mattes(path) => {
                let device = Device::default();
                steps.push(Step::Segment(SegmentStep { model: None, masks: Some(path), classes, device }));
            }
        }
        steps.extend((!leave_out.is_empty()).then_some(Step::LeaveOut(LeaveOutStep { polygons: leave_out })));
        steps.push(Step::Smooth(smooth));
        steps.push(Step::CleanUp(clean_up));
        steps.extend(detect_box.map(Step::DetectBox));
        steps.extend(export.map(|export| Step::Export(export.into())));
        steps
    }
}

impl TryFrom<Vec<Step>> for Plan {
    type Error = StepsError;

    fn try_from(steps: Vec<Step>) -> Result<Self, StepsError> {
        Self::from_steps(&steps)
    }
}

impl From<Plan> for Vec<Step> {
    fn from(plan: Plan) -> Self {
        plan.steps()
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
        let plan = Plan::from_steps(&all).unwrap();
        let MaskSource::Network(network) = &plan.source else { panic!("{plan:?}") };
        assert_eq!((network.long_side_px, network.device), (Some(320), Device::Cpu));
        assert_eq!(plan.range, FrameRange { first: 2, last: 9 });
        assert_eq!((plan.settings.method, plan.settings.min_area_px), (Method::Median, 40));
        assert_eq!(plan.settings.alpha, Settings::default().alpha, "what is not said is as usual");
        assert_eq!(plan.export.clone().unwrap().kinds, [ExportKind::Png, ExportKind::Csv]);
        assert_eq!(Plan::from_steps(&plan.steps()), Ok(plan));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_way_out() {
        let person = r#"{"step": "segment", "classes": ["person"]}"#;
        for (json, words) in [
            ("[]".to_owned(), "needs the step «segment»"),
            (format!("[{person}, {person}]"), "can be there once"),
            (format!(r#"[{person}, {{"step": "decode"}}]"#), "«decode» stands after «segment»"),
            (format!(r#"[{{"step": "decode", "from": 3, "to": 2}}, {person}]"#), "exchange them"),
            (format!(r#"[{{"step": "resize", "long-side": 1}}, {person}]"#), "32 to 8192"),
            (format!(r#"[{person}, {{"step": "clean-up", "hysteresis": 0.9}}]"#), "swap them"),
            (format!(r#"[{person}, {{"step": "detect-box", "min-confidence": 2}}]"#), "from 0 to 1"),
        ] {
            let error = Plan::from_steps(&steps(&json)).unwrap_err().to_string();
            assert!(error.contains(words), "{json}: {error}");
        }
        for wrong in [
            r#"[{"step": "fly"}]"#,
            r#"[{"step": "decode", "every": 31}]"#,
            r#"[{"step": "smooth", "windw": 3}]"#,
            r#"[{"step": "smooth", "window": 4}]"#,
        ] {
            assert!(serde_json::from_str::<Vec<Step>>(wrong).is_err(), "{wrong}");
        }
    }
}
