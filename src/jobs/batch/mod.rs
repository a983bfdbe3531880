//! Many files, one after another: what there is to do, what is done, and the work itself.

mod inputs;
mod ledger;
mod line;
mod plans;
mod run;

use std::path::PathBuf;

pub use inputs::{Input, from_manifest, from_paths, manifest_line};
pub use ledger::{Entry, Ledger, Status, Summary};
pub use line::path_text;
pub use run::{Batch, Tally, one};

#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    #[error("{}: {cause}; {remedy}", .path.display())]
    Input { path: PathBuf, cause: String, remedy: &'static str },
    #[error("{}: the results can't be written ({cause}); check the free space and the permissions of its folder", .path.display())]
    Write { path: PathBuf, cause: std::io::Error },
    #[error("{}: another batch is writing here; wait for it, or choose another --out", .0.display())]
    Busy(PathBuf),
    #[error(transparent)]
    Pipelines(#[from] crate::project::PipelinesError),
    #[error(transparent)]
    Steps(#[from] crate::project::StepsError),
    #[error(transparent)]
    Segment(#[from] crate::segment::SegmentError),
}

impl BatchError {
    fn write(path: &std::path::Path) -> impl Fn(std::io::Error) -> Self + use<'_> {
        move |cause| Self::Write { path: path.to_owned(), cause }
    }
}
