//! What a pipeline does to a clip.

use std::path::{Path, PathBuf};

use super::image::{check_side, groups_of, network_of};
use crate::{
    export::{ExportKind, ExportOptions},
    pipeline::{CancelToken, Finished, FrameRange, Model, PipelineError, Run, RunProgress},
    project::{ExportStep, Plan},
    segment::{SegmentError, library::Library, torchscript::Options},
    store::Store,
    video,
};

/// What a job may use of the machine.
#[derive(Clone, Debug)]
pub struct Machine {
    pub library: Library,
    /// Open networks that Steadymask did not make.
    pub trust_model: bool,
    /// Of one network step on the CPU; 0 takes every core.
    pub threads: usize,
    /// For everything in flight of one job.
    pub memory_bytes: usize,
    /// Where results of networks are kept, and how many bytes of them.
    pub store: PathBuf,
    pub store_limit_bytes: u64,
}

pub struct ClipJob {
    pub video: PathBuf,
    pub plan: Plan,
    pub out: PathBuf,
}

impl Machine {
    /// The network of a plan, not loaded yet.
    pub fn model(&self, plan: &Plan) -> Result<Model, SegmentError> {
        let found = network_of(plan, &self.library, self.trust_model)?;
        let options = Options { device: plan.segment.device, threads: self.threads, ..Options::default() };
        Ok(Model { manifest: found.manifest.clone(), load: Box::new(move || found.load(options)) })
    }

    pub fn store(&self) -> Store {
        Store::new(self.store.clone(), self.store_limit_bytes)
    }
}

impl ClipJob {
    /// Runs the clip through the plan. What an earlier try has left is used, and replaced.
    pub fn run(
        self,
        machine: &Machine,
        progress: &RunProgress,
        cancel: &CancelToken,
    ) -> Result<Finished, PipelineError> {
        self.prepare(machine)?.run(progress, cancel)
    }

    /// The same as a job of the engine.
    pub fn prepare(self, machine: &Machine) -> Result<Run, PipelineError> {
        let Self { video, plan, out } = self;
        check_size(&plan, &video)?;
        let found = network_of(&plan, &machine.library, machine.trust_model)?;
        let range = range_of(&plan);
        let ExportStep { kinds, names, edges, backdrop } = exports_of(&plan);
        Ok(Run {
            classes: groups_of(&plan, &found)?,
            model: machine.model(&plan)?,
            video,
            range,
            settings: plan.settings,
            every: every_of(&plan),
            auto: plan.auto,
            leave_out: Default::default(),
            exports: kinds,
            options: ExportOptions { names, edges, backdrop },
            out,
            force: true,
            memory_bytes: machine.memory_bytes,
            store: machine.store(),
        })
    }
}

fn check_size(plan: &Plan, video: &Path) -> Result<(), PipelineError> {
    if plan.decode.max_side.is_some() {
        check_side(plan, video, video::open(video)?.info().size)?;
    }
    Ok(())
}

fn range_of(plan: &Plan) -> FrameRange {
    let frame = |frame: u32| frame as usize;
    FrameRange { first: plan.decode.from.map_or(0, frame), last: plan.decode.to.map_or(usize::MAX, frame) }
}

fn every_of(plan: &Plan) -> crate::pipeline::Every {
    plan.decode.every.and_then(|every| every.to_string().parse().ok()).unwrap_or(crate::pipeline::Every::ONE)
}

/// A plan that says nothing of files gets the numbers; one that looks for boxes, those too.
fn exports_of(plan: &Plan) -> ExportStep {
    let numbers = ExportStep { kinds: vec![ExportKind::Csv, ExportKind::Json], ..ExportStep::default() };
    let mut step = plan.export.clone().unwrap_or(numbers);
    if plan.detect_box.is_some() && !step.kinds.contains(&ExportKind::Coco) {
        step.kinds.push(ExportKind::Coco);
    }
    step
}
