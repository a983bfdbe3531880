//! What a pipeline does to one image.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use base::{
    frame::{Frame, FrameSize},
    mask::{Mask, MaskPair, Masks},
};
use export::{ExportClass, ExportFrame, ExportSettings, ExportTarget, Exports, Names, Report, bounds, score};
use metrics::{ClassMeter, MeterFrame, MeterSettings};
use pipeline::PipelineError;
use plan::{
    DecodeStep, DetectBoxStep, ExportStep, LeaveOutStep, NormaliseStep, Plan, ResizeStep, Resolved,
    SegmentStep, Step,
};
use segment::{Device, Logits, SegmentError, Segmenter};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use smooth::{Settings, argmax, binarise, exclude, largest_component};
use utoipa::ToSchema;
use video::{ImageSource, VideoError, VideoSource as _};

use crate::clip::check_side;

/// A resolved plan for images, with a key that names its results.
pub struct ImagePlan {
    resolved: Arc<Resolved>,
    network_bytes: usize,
    classes: Vec<ExportClass>,
    key: String,
}

/// Where something is in an image, in pixels from its upper left corner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Detection {
    /// From the left edge of the picture.
    pub top_left_x: u32,
    /// From its upper edge.
    pub top_left_y: u32,
    /// Of the box.
    pub width: u32,
    /// Of the box.
    pub height: u32,
    /// The mean probability inside its outline.
    pub confidence: f64,
    /// As in class maps: Pascal VOC's number where the class has one.
    pub class_id: u8,
}

/// What was found in an image.
#[derive(Clone, Debug)]
pub struct ImageResult {
    /// Of the picture.
    pub size: FrameSize,
    /// `None` where no box was asked for, or none is sure enough.
    pub detection: Option<Detection>,
    /// What was written.
    pub files: Vec<PathBuf>,
}

/// A plan as version 0.1.0 wrote it down: ledgers and stored answers hold hashes of just this, and
/// must not change while what is done does not.
#[derive(Default, Serialize)]
struct KeyContent {
    decode: DecodeStep,
    long_side: Option<u32>,
    normalise: Option<NormaliseStep>,
    segment: Option<SegmentStep>,
    auto: bool,
    settings: Settings,
    detect_box: Option<DetectBoxStep>,
    export: Option<ExportStep>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leave_out: Option<LeaveOutStep>,
}

impl KeyContent {
    fn of(plan: &Plan) -> Self {
        let mut content = Self { auto: plan.auto, settings: plan.settings, ..Self::default() };
        for step in plan.steps() {
            match step {
                Step::Decode(step) => content.decode = step,
                Step::Resize(ResizeStep { long_side }) => content.long_side = Some(long_side),
                Step::Normalise(step) => content.normalise = Some(step),
                Step::Segment(step) => content.segment = Some(step),
                Step::LeaveOut(step) => content.leave_out = Some(step),
                // Both are in the settings.
                Step::Smooth(_) | Step::CleanUp(_) => {}
                Step::DetectBox(step) => content.detect_box = Some(step),
                Step::Export(step) => content.export = Some(step),
            }
        }
        content
    }
}

impl ImagePlan {
    /// A plan whose network has been found.
    pub fn new(resolved: Resolved) -> Self {
        let manifest = resolved.manifest();
        let content = serde_json::to_string(&KeyContent::of(resolved.plan())).unwrap_or_default();
        let all = format!("{} {} {:?} {content}", env!("CARGO_PKG_VERSION"), manifest.sha256, manifest.input);
        let key = Sha256::digest(all).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let (classes, network_bytes) = (resolved.export_classes(), resolved.network_bytes());
        Self { resolved: Arc::new(resolved), network_bytes, classes, key }
    }

    /// Differs where the answer would.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The plan as it was made.
    pub fn plan(&self) -> &Plan {
        self.resolved.plan()
    }

    /// The same plan, for clips.
    pub fn resolved(&self) -> &Arc<Resolved> {
        &self.resolved
    }

    pub(super) fn network_key(&self) -> &str {
        &self.resolved.manifest().sha256
    }

    pub(super) fn network_bytes(&self) -> usize {
        self.network_bytes
    }

    pub(super) fn device(&self) -> Device {
        self.resolved.device()
    }

    pub(super) fn load(&self, threads: usize) -> Result<Box<dyn Segmenter>, SegmentError> {
        self.resolved.load(threads)
    }

    /// # Errors
    /// When the picture is larger than the plan takes.
    pub(super) fn check(&self, name: &Path, size: FrameSize) -> Result<(), VideoError> {
        check_side(self.plan(), name, size)
    }

    /// From the network's output for a picture to what is asked for. Files go to the folder
    /// `out`, where the plan has any.
    pub(super) fn finish(
        &self,
        frame: Frame,
        logits: &Logits,
        (name, out): (&Path, Option<&Path>),
    ) -> Result<ImageResult, PipelineError> {
        let size = frame.size();
        let plan = self.plan();
        let settings = &plan.settings;
        let leave_out = plan.edits.leave_out.mask(size);
        let soft = self.resolved.soft_masks(logits, size);
        let masks = binarise(&soft, settings, leave_out.as_ref());
        let detection = match &plan.detect_box {
            Some(step) => self.detect(step, &masks, &soft),
            None => None,
        };
        let files = match (&plan.export, out) {
            (Some(export), Some(out)) => {
                let raw = argmax(&soft, settings.threshold, settings.overlap);
                let raw = exclude(raw, leave_out.as_ref());
                let masks = raw.into_iter().zip(masks);
                let masks = masks.map(|(raw, smoothed)| MaskPair { raw, smoothed }).collect();
                self.write(export, frame, masks, soft, (name, out))?
            }
            _ => Vec::new(),
        };
        Ok(ImageResult { size, detection, files })
    }

    /// The surest of the classes, each by its largest part.
    fn detect(&self, step: &DetectBoxStep, masks: &[Mask], soft: &Masks) -> Option<Detection> {
        let boxes = masks.iter().zip(soft.iter()).zip(&self.classes).filter_map(|((mask, soft), class)| {
            let part = largest_component(mask);
            let [left, top, width, height] = bounds(&part)?.map(|side| side as u32);
            let confidence = score(&part, Some(soft));
            let (top_left_x, top_left_y, class_id) = (left, top, class.index);
            Some(Detection { top_left_x, top_left_y, width, height, confidence, class_id })
        });
        boxes
            .filter(|found| found.confidence >= f64::from(step.min_confidence))
            .max_by(|a, b| a.confidence.total_cmp(&b.confidence))
    }

    /// The files of a clip with one frame.
    fn write(
        &self,
        export: &ExportSettings,
        frame: Frame,
        masks: Vec<MaskPair>,
        soft: Masks,
        (name, out): (&Path, &Path),
    ) -> Result<Vec<PathBuf>, PipelineError> {
        let ExportSettings { kinds, options } = export.clone();
        let plan = self.plan();
        let target = ExportTarget {
            folder: out.to_owned(),
            key: self.key.clone(),
            classes: self.classes.clone(),
            info: ImageSource::open_image(name)?.info().clone(),
            sound: None,
            frames: Some(1),
            names: Names::new(name, options.names.clone()),
            options,
            threshold: plan.settings.threshold.get(),
            label: "cleaned up".into(),
            force: true,
        };
        let mut exports = Exports::begin(&kinds, &target)?;
        let mut summaries = Vec::new();
        let mut rows = Vec::new();
        for (group, pair) in self.resolved.classes().iter().zip(&masks) {
            let mut meter = ClassMeter::new(group.name(), MeterSettings::default());
            let (index, timestamp) = (frame.index(), frame.timestamp());
            let (raw, smoothed) = (&pair.raw, &pair.smoothed);
            meter.push(MeterFrame {
                frame: index,
                timestamp,
                cut: true,
                raw,
                smoothed,
                warped: None,
                truth: None,
            });
            let (row, summary) = meter.finish();
            rows.extend(row);
            summaries.push(summary);
        }
        let (index, timestamp) = (frame.index(), frame.timestamp());
        let soft = Some(soft);
        exports.frame(&ExportFrame { index, timestamp, picture: Some(frame.into()), masks, soft })?;
        rows.iter().try_for_each(|row| exports.row(row))?;
        exports.finish(&Report {
            program: format!("steadymask {}", env!("CARGO_PKG_VERSION")),
            video: name.to_owned(),
            frames: 1,
            model: self.resolved.manifest().name.clone(),
            settings: plan.settings,
            tuned: None,
            leave_out: plan.edits.leave_out.clone(),
            summaries,
            loss: None,
        })?;
        Ok(exports.publish()?)
    }
}
