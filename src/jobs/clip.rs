//! A plan carried out on one clip after another, by a batch, the queue or the service.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use base::frame::FrameSize;
use pipeline::{CancelToken, PipelineError, Resources, Run, RunProgress, RunResult};
use plan::{Plan, PlanError, Resolved};
use segment::Library;
use store::Store;
use video::{Clip, VideoError};

/// What a job may use of the machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Where networks are looked for.
    pub library: Library,
    /// Open networks that Steadymask did not make.
    pub trust_model: bool,
    /// Of one network step on the CPU; 0 takes every core.
    pub threads: usize,
    /// For everything in flight of one job.
    pub memory_bytes: usize,
    /// Where results of networks are kept, and how many bytes of them.
    pub store: PathBuf,
    /// Beyond this the clips not used for longest make room.
    pub store_limit_bytes: u64,
}

/// A clip, and what to do with it. Used by batches, the queue and the service.
pub struct ClipJob {
    /// The file, or the folder of images.
    pub video: PathBuf,
    /// What is done with it.
    pub plan: Arc<Resolved>,
    /// Folder for the files.
    pub out: PathBuf,
    /// Replace files that are there.
    pub replace: bool,
}

impl Machine {
    /// # Errors
    /// As [`Plan::resolve`].
    pub fn resolve(&self, plan: Plan) -> Result<Resolved, PlanError> {
        plan.resolve(&self.library, self.trust_model)
    }

    /// The same for the passes of one clip.
    pub fn resources(&self) -> Resources {
        Resources {
            threads: self.threads,
            memory_bytes: self.memory_bytes,
            store: Store::new(self.store.clone(), self.store_limit_bytes),
        }
    }
}

impl ClipJob {
    /// Runs the clip through the plan. What an earlier try has left unfinished is used.
    ///
    /// # Errors
    /// When the clip can't be read, its pictures are larger than the plan takes, or a pass fails.
    pub fn run(
        self,
        machine: &Machine,
        progress: &RunProgress,
        cancel: &CancelToken,
    ) -> Result<RunResult, PipelineError> {
        self.prepare(machine)?.run(progress, cancel)
    }

    /// The same as a job of the engine.
    ///
    /// # Errors
    /// When the clip can't be read, or its pictures are larger than the plan takes.
    pub fn prepare(self, machine: &Machine) -> Result<Run, PipelineError> {
        let Self { video, plan, out, replace } = self;
        let clip = Clip::open(&video)?;
        check_side(plan.plan(), &video, clip.info().size)?;
        let resources = machine.resources();
        Ok(Run { clip: Arc::new(clip), plan, stored_only: false, out, replace, resources })
    }
}

/// # Errors
/// When a side is longer than the plan takes.
pub(super) fn check_side(plan: &Plan, name: &Path, size: FrameSize) -> Result<(), VideoError> {
    match plan.max_side_px {
        Some(most) if size.width().max(size.height()) > most as usize => Err(VideoError::Unreadable {
            path: name.to_owned(),
            cause: format!("its picture is {size}, and the plan takes {most} pixels a side"),
            remedy: "scale it down, or raise max-side".into(),
        }),
        _ => Ok(()),
    }
}
