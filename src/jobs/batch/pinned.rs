//! What a batch does with its inputs.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::BatchError;
use crate::{ImagePlan, Machine};
use base::files::write_atomically;
use project::{Pipeline, Pipelines};

/// The pipelines of a batch, as they were when it first met them.
pub struct PinnedPipelines {
    path: PathBuf,
    kept: Vec<Pipeline>,
    made: HashMap<String, Arc<ImagePlan>>,
    /// What the user should know, in plain words.
    pub notes: Vec<String>,
}

impl PinnedPipelines {
    /// The pipelines that the batch with this folder has used so far.
    ///
    /// # Errors
    /// When the file is there and can't be read.
    pub fn open(out: &Path) -> Result<Self, BatchError> {
        let path = out.join("pipelines.json");
        let kept = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| BatchError::Input {
                path: path.clone(),
                cause: format!("the pipelines of this batch can't be read ({error})"),
                remedy: "choose another --out, or delete it to take the pipelines as they are now",
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(BatchError::write(&path)(error)),
        };
        Ok(Self { path, kept, made: HashMap::new(), notes: Vec::new() })
    }

    /// The plan of the pipeline of this name, resolved once.
    ///
    /// # Errors
    /// When there is no such pipeline, its plan can't be carried out here, or it can't be kept.
    pub fn plan(&mut self, name: &str, machine: &Machine) -> Result<Arc<ImagePlan>, BatchError> {
        if let Some(plan) = self.made.get(name) {
            return Ok(plan.clone());
        }
        let now = Pipelines::open(&Pipelines::default_path()).and_then(|pipelines| pipelines.find(name));
        let kept = self.kept.iter().find(|kept| kept.name.eq_ignore_ascii_case(name.trim())).cloned();
        let pipeline = match (kept, now) {
            (Some(kept), now) => {
                if now.is_ok_and(|now| now.steps != kept.steps) {
                    self.notes.push(format!(
                        "the pipeline «{name}» has changed since this batch began; it goes on as it began, and another --out takes the new one"
                    ));
                }
                kept
            }
            (None, now) => {
                let now = now?;
                self.keep(now.clone())?;
                now
            }
        };
        let plan = Arc::new(ImagePlan::new(machine.resolve(pipeline.plan()?)?));
        self.made.insert(name.to_owned(), plan.clone());
        Ok(plan)
    }

    fn keep(&mut self, pipeline: Pipeline) -> Result<(), BatchError> {
        self.kept.push(pipeline);
        write_atomically(&self.path, |file| {
            serde_json::to_writer_pretty(file, &self.kept).map_err(Into::into)
        })
        .map_err(|error| BatchError::write(&self.path)(std::io::Error::other(error.to_string())))
    }
}
