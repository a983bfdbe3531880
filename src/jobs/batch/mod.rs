//! Many files, one after another: what there is to do, what is done, and the work itself.

mod inputs;
mod ledger;
mod path_text;
mod pinned;
mod run;

use std::path::PathBuf;

pub use inputs::{Input, from_manifest, from_paths, manifest_line};
pub use ledger::{Entry, Ledger, Status, Summary};
pub use path_text::path_text;
pub use run::{Batch, Tally, run_one};

/// Why a batch can't be done. What fails for one input is in its [`Entry`].
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each says in its message what is wrong")]
pub enum BatchError {
    #[error("{}: {cause}; {remedy}", .path.display())]
    Input { path: PathBuf, cause: String, remedy: &'static str },
    #[error("{}: the results can't be written ({cause}); check the free space and the permissions of its folder", .path.display())]
    Write { path: PathBuf, cause: std::io::Error },
    #[error("{}: another batch is writing here; wait for it, or choose another --out", .0.display())]
    Busy(PathBuf),
    #[error(transparent)]
    Pipelines(#[from] project::PipelinesError),
    #[error(transparent)]
    Steps(#[from] plan::StepsError),
    #[error(transparent)]
    Plan(#[from] plan::PlanError),
}

impl BatchError {
    fn write(path: &std::path::Path) -> impl Fn(std::io::Error) -> Self + use<'_> {
        move |cause| Self::Write { path: path.to_owned(), cause }
    }
}
