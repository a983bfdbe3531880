//! What a pipeline does to one image.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::{
    export::{ExportClass, ExportFrame, ExportTarget, Exports, MaskPair, Names, Report, bounds, score},
    frame::{Frame, FrameSize},
    mask::SoftMask,
    metrics::{ClassMeter, MeterFrame, MeterSettings},
    pipeline::{PipelineError, export_classes},
    project::{DetectBoxStep, ExportStep, Plan},
    segment::{
        ClassGroup, Logits, SegmentError, Segmenter,
        library::{Found, Library},
        probabilities,
        torchscript::{Device, Options},
    },
    smooth::{decide, harden, largest_part},
    video::{ImageSource, VideoError, VideoSource as _},
};

/// A plan with its network found and its classes known.
pub struct ImagePlan {
    plan: Plan,
    network: Found,
    network_bytes: usize,
    groups: Vec<ClassGroup>,
    classes: Vec<ExportClass>,
    key: String,
}

/// Where something is in an image, in pixels from its upper left corner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Detection {
    pub top_left_x: u32,
    pub top_left_y: u32,
    pub width: u32,
    pub height: u32,
    /// The mean probability inside its outline.
    pub confidence: f64,
    /// As in class maps: Pascal VOC's number where the class has one.
    pub class_id: u8,
}

/// What was found in an image.
#[derive(Clone, Debug)]
pub struct Looked {
    pub size: FrameSize,
    pub detection: Option<Detection>,
    /// What was written.
    pub files: Vec<PathBuf>,
}

/// The network that a plan means, as the plan wants to have it.
pub(super) fn network_of(plan: &Plan, library: &Library, trust: bool) -> Result<Found, SegmentError> {
    let mut found = library.find_or_best(plan.segment.model.as_deref(), trust)?;
    if let Some(long_side) = plan.long_side {
        found = found.resized(long_side)?;
    }
    if let Some(normalise) = &plan.normalise {
        found = found.normalised(normalise.mean, normalise.std);
    }
    Ok(found)
}

pub(super) fn groups_of(plan: &Plan, network: &Found) -> Result<Vec<ClassGroup>, SegmentError> {
    let mut groups: Vec<ClassGroup> = Vec::new();
    for name in &plan.segment.classes {
        let group = ClassGroup::parse(name, &network.manifest)?;
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    Ok(groups)
}

impl ImagePlan {
    /// # Errors
    /// When the network is not installed or not trusted, or lacks a class.
    pub fn new(plan: Plan, library: &Library, trust: bool) -> Result<Self, SegmentError> {
        let network = network_of(&plan, library, trust)?;
        let groups = groups_of(&plan, &network)?;
        let classes = export_classes(&groups, &network.manifest);
        let network_bytes = std::fs::metadata(&network.pt).map_or(0, |metadata| metadata.len()) as usize;
        let said = serde_json::to_string(&plan).unwrap_or_default();
        let all = format!(
            "{} {} {:?} {said}",
            env!("CARGO_PKG_VERSION"),
            network.manifest.sha256,
            network.manifest.input
        );
        let key = Sha256::digest(all).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { plan, network, network_bytes, groups, classes, key })
    }

    /// Differs where the answer would.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn network_key(&self) -> &str {
        &self.network.manifest.sha256
    }

    pub(super) fn network_bytes(&self) -> usize {
        self.network_bytes
    }

    pub(super) fn device(&self) -> Device {
        self.plan.segment.device
    }

    pub(super) fn load(&self, options: Options) -> Result<Box<dyn Segmenter>, SegmentError> {
        self.network.clone().load(options)
    }

    /// # Errors
    /// When the picture is larger than the plan takes.
    pub(super) fn check(&self, name: &Path, size: FrameSize) -> Result<(), VideoError> {
        check_side(&self.plan, name, size)
    }

    /// From what the network said of a picture to what is asked for. Files go to the folder
    /// `out`, where the plan has any.
    pub(super) fn finish(
        &self,
        frame: Frame,
        logits: &Logits,
        (name, out): (&Path, Option<&Path>),
    ) -> Result<Looked, PipelineError> {
        let size = frame.size();
        let settings = &self.plan.settings;
        let soft = probabilities(logits, &self.network.manifest, &self.groups, size);
        let masks = harden(&soft, settings, None);
        let detection = match &self.plan.detect_box {
            Some(step) => self.detect(step, &masks, &soft),
            None => None,
        };
        let files = match (&self.plan.export, out) {
            (Some(step), Some(out)) => {
                let raw = decide(&soft, settings.threshold, settings.overlap);
                let masks = raw.into_iter().zip(masks);
                let masks = masks.map(|(raw, smoothed)| MaskPair { raw, smoothed }).collect();
                self.write(step, frame, masks, soft, (name, out))?
            }
            _ => Vec::new(),
        };
        Ok(Looked { size, detection, files })
    }

    /// The surest of the classes, each by its largest part.
    fn detect(
        &self,
        step: &DetectBoxStep,
        masks: &[crate::mask::Mask],
        soft: &[SoftMask],
    ) -> Option<Detection> {
        let boxes = masks.iter().zip(soft).zip(&self.classes).filter_map(|((mask, soft), class)| {
            let part = largest_part(mask);
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
        step: &ExportStep,
        frame: Frame,
        masks: Vec<MaskPair>,
        soft: Vec<SoftMask>,
        (name, out): (&Path, &Path),
    ) -> Result<Vec<PathBuf>, PipelineError> {
        let options = crate::export::ExportOptions {
            names: step.names.clone(),
            edges: step.edges,
            backdrop: step.backdrop,
        };
        let target = ExportTarget {
            folder: out.to_owned(),
            key: self.key.clone(),
            classes: self.classes.clone(),
            info: ImageSource::open_image(name)?.info().clone(),
            sound: None,
            frames: Some(1),
            names: Names::new(name, options.names.clone()),
            options,
            threshold: self.plan.settings.threshold.get(),
            label: "cleaned up".into(),
            force: true,
        };
        let mut exports = Exports::begin(&step.kinds, &target)?;
        let mut summaries = Vec::new();
        let mut rows = Vec::new();
        for (group, pair) in self.groups.iter().zip(&masks) {
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
        let soft = Some(soft.into());
        exports.frame(&ExportFrame { index, timestamp, picture: Some(frame.into()), masks, soft })?;
        rows.iter().try_for_each(|row| exports.row(row))?;
        exports.finish(&Report {
            program: format!("steadymask {}", env!("CARGO_PKG_VERSION")),
            video: name.to_owned(),
            frames: 1,
            model: self.network.manifest.name.clone(),
            settings: self.plan.settings,
            tuned: None,
            leave_out: Default::default(),
            summaries,
            loss: None,
        })?;
        Ok(exports.publish()?)
    }
}

/// # Errors
/// When a side is longer than the plan takes.
pub(super) fn check_side(plan: &Plan, name: &Path, size: FrameSize) -> Result<(), VideoError> {
    match plan.decode.max_side {
        Some(most) if size.width().max(size.height()) > most as usize => Err(VideoError::Unreadable {
            path: name.to_owned(),
            cause: format!("its picture is {size}, and the pipeline takes {most} pixels a side"),
            remedy: "scale it down, or raise max-side".into(),
        }),
        _ => Ok(()),
    }
}
