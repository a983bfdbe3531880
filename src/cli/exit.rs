//! How the process ends, so that scripts can tell failures apart.

use base::files::FileError;
use export::ExportError;
use jobs::batch::BatchError;
use pipeline::PipelineError;
use plan::PlanError;
use project::{PipelinesError, PresetError, ProjectError};
use segment::{MattesError, SegmentError, install::InstallError};
use service::ServiceError;
use store::StoreError;
use video::VideoError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    Done = 0,
    Fault = 1,
    WrongUse = 2,
    Input = 3,
    Model = 4,
    Output = 5,
    /// Of a batch, some inputs failed.
    Some = 6,
    /// Of a batch, all inputs failed.
    None = 7,
    /// The same may succeed another time (`EX_TEMPFAIL` of sysexits).
    TryAgain = 75,
    /// As a shell reports an interrupted process.
    Cancelled = 130,
}

/// Wrong use that only shows after the arguments were parsed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUse(pub String);

/// What is left to say when a batch is over and inputs failed.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {total} inputs failed; the column «error» of results.csv says why")]
pub struct Failures {
    pub failed: usize,
    pub total: usize,
}

/// A failure that may pass.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TryAgain(pub PipelineError);

/// Says on standard error what went wrong, and gives the code for it.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let code = code_of(error);
    if code == ExitCode::Cancelled {
        eprintln!("steadymask: cancelled; what was computed is kept and the same command goes on from it");
    } else {
        eprintln!("steadymask: {error:#}");
    }
    code
}

fn code_of(error: &anyhow::Error) -> ExitCode {
    error.chain().find_map(code_of_cause).unwrap_or(ExitCode::Fault)
}

fn code_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<ExitCode> {
    if let Some(Failures { failed, total }) = cause.downcast_ref() {
        return Some(if failed < total { ExitCode::Some } else { ExitCode::None });
    }
    if cause.is::<TryAgain>() {
        return Some(ExitCode::TryAgain);
    }
    if let Some(error) = cause.downcast_ref::<BatchError>() {
        return Some(match error {
            BatchError::Input { .. } => ExitCode::Input,
            BatchError::Write { .. } | BatchError::Busy(_) => ExitCode::Output,
            BatchError::Plan(error) => of_plan(error),
            BatchError::Pipelines(error) => of_pipelines(error),
            BatchError::Steps(_) => ExitCode::WrongUse,
        });
    }
    if let Some(error) = cause.downcast_ref::<ServiceError>() {
        return Some(match error {
            ServiceError::Open(_) | ServiceError::Listen { .. } => ExitCode::WrongUse,
            ServiceError::Pipelines(error) => of_pipelines(error),
            ServiceError::Telemetry(_) => ExitCode::Fault,
            _ => ExitCode::Output,
        });
    }
    if let Some(error) = cause.downcast_ref::<PipelinesError>() {
        return Some(of_pipelines(error));
    }
    if let Some(error) = cause.downcast_ref::<PipelineError>() {
        return Some(match error {
            PipelineError::Video(error) => of_video(error),
            PipelineError::Plan(error) => of_plan(error),
            PipelineError::Segment(_) => ExitCode::Model,
            PipelineError::Store(_) | PipelineError::IncompleteStore { .. } => ExitCode::Output,
            PipelineError::Export(error) => of_export(error),
            PipelineError::NothingInRange { .. } | PipelineError::Settings(_) => ExitCode::WrongUse,
            PipelineError::Cancelled => ExitCode::Cancelled,
            PipelineError::Flow(_) | PipelineError::Smooth(_) | PipelineError::Internal(_) => ExitCode::Fault,
        });
    }
    if let Some(error) = cause.downcast_ref::<PlanError>() {
        return Some(of_plan(error));
    }
    if let Some(error) = cause.downcast_ref::<VideoError>() {
        return Some(of_video(error));
    }
    if let Some(error) = cause.downcast_ref::<ExportError>() {
        return Some(of_export(error));
    }
    if cause.is::<FileError>() {
        return Some(ExitCode::Output);
    }
    if cause.is::<SegmentError>() {
        return Some(ExitCode::Model);
    }
    if let Some(error) = cause.downcast_ref::<InstallError>() {
        return Some(match error {
            InstallError::Unknown(_) | InstallError::Already { .. } => ExitCode::WrongUse,
            InstallError::Write { .. } => ExitCode::Output,
            _ => ExitCode::Model,
        });
    }
    if let Some(error) = cause.downcast_ref::<ProjectError>() {
        return Some(match error {
            ProjectError::Write(_) => ExitCode::Output,
            _ => ExitCode::Input,
        });
    }
    if let Some(error) = cause.downcast_ref::<PresetError>() {
        return Some(of_presets(error));
    }
    if cause.is::<StoreError>() {
        return Some(ExitCode::Output);
    }
    cause.is::<WrongUse>().then_some(ExitCode::WrongUse)
}

fn of_plan(error: &PlanError) -> ExitCode {
    match error {
        PlanError::Segment(_) => ExitCode::Model,
        PlanError::Mattes(MattesError::Video(error)) => of_video(error),
        PlanError::Mattes(MattesError::Classes { .. })
        | PlanError::Settings(_)
        | PlanError::NoClass { .. } => ExitCode::WrongUse,
    }
}

fn of_presets(error: &PresetError) -> ExitCode {
    match error {
        PresetError::Database { .. } | PresetError::Folder { .. } => ExitCode::Output,
        PresetError::Import(_) => ExitCode::Input,
        _ => ExitCode::WrongUse,
    }
}

fn of_pipelines(error: &PipelinesError) -> ExitCode {
    match error {
        PipelinesError::Database(error) => of_presets(error),
        PipelinesError::Import(_) => ExitCode::Input,
        _ => ExitCode::WrongUse,
    }
}

fn of_video(error: &VideoError) -> ExitCode {
    if matches!(error, VideoError::Write { .. } | VideoError::NoFfmpeg) {
        ExitCode::Output
    } else {
        ExitCode::Input
    }
}

fn of_export(error: &ExportError) -> ExitCode {
    match error {
        ExportError::Video(error) => of_video(error),
        ExportError::Exists { .. } | ExportError::SameName(_) => ExitCode::WrongUse,
        ExportError::Write { .. } => ExitCode::Output,
        ExportError::NoPicture(_) | ExportError::Draw(_) => ExitCode::Fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_under_context_keeps_its_code() {
        let missing = VideoError::Missing("a.mp4".into());
        let error = anyhow::Error::new(PipelineError::from(missing)).context("clip 3 of 7");
        assert_eq!(code_of(&error), ExitCode::Input);
        assert_eq!(code_of(&WrongUse("no".into()).into()), ExitCode::WrongUse);
        assert_eq!(code_of(&anyhow::anyhow!("?")), ExitCode::Fault);
    }
}
