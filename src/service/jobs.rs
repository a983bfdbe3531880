//! The steps of a clip's job: segment, stabilise, and how far it is.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Service,
    database::{Job, JobState, Stage, VideoFacts},
    desk,
    guard::Client,
    problem::{Body, Path, Problem},
};
use crate::{
    export::ExportKind,
    project::{
        CleanUpStep, DecodeStep, ExportStep, NormaliseStep, Plan, Preset, Presets, ResizeStep, SegmentStep,
        SmoothStep, Step,
    },
    store::Store,
};

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct JobStatus {
    pub job_id: String,
    /// As the client calls it.
    pub file_name: String,
    /// The step that was asked for last.
    pub stage: Stage,
    pub state: JobState,
    /// Of this stage.
    pub percent: f64,
    pub frames_done: usize,
    pub frames_total: Option<usize>,
    pub frames_per_sec: Option<f64>,
    pub left_secs: Option<f64>,
    /// Jobs that come first, while this one waits.
    pub jobs_before: Option<usize>,
    /// Why it failed, and what to do about it.
    pub error: Option<String>,
    pub video: VideoFacts,
    pub classes: Vec<String>,
    /// On the disk.
    pub bytes: u64,
}

/// Which clip, with which network.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentRequest {
    pub job_id: String,
    /// Take the steps of this pipeline; nothing else is then looked at.
    pub pipeline_id: Option<i64>,
    /// The best that is installed if not given.
    pub model: Option<String>,
    /// Classes; those joined by + are one mask.
    #[serde(default)]
    pub classes: Vec<String>,
    #[serde(default)]
    pub decode: DecodeStep,
    pub resize: Option<ResizeStep>,
    pub normalise: Option<NormaliseStep>,
}

/// How steady the masks shall be, and which files to write.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StabilizeRequest {
    pub job_id: String,
    /// Take the smoothing, the clean-up and the export of this pipeline; nothing else is then
    /// looked at.
    pub pipeline_id: Option<i64>,
    /// Take the smoothing and the clean-up of this preset, and what it says of the export.
    pub preset: Option<String>,
    /// Other classes than those that were segmented with.
    pub classes: Option<Vec<String>>,
    #[serde(default)]
    pub smooth: SmoothStep,
    #[serde(default)]
    pub clean_up: CleanUpStep,
    /// Files beside mattes as PNG, metrics as CSV and JSON, which are always written.
    #[serde(default)]
    pub export: Vec<ExportKind>,
}

impl Service {
    pub fn status(&self, job: &Job) -> JobStatus {
        let snapshots = self.desk.snapshots(&job.id).filter(|_| !job.state.is_over());
        if job.state == JobState::Running
            && snapshots.is_none()
            && let Ok(Some(ended)) = self.database.job(&job.id)
            && ended.state.is_over()
        {
            // It has ended since it was looked up.
            return self.status(&ended);
        }
        let of_stage =
            snapshots.map(|[network, masks]| if job.stage == Stage::Stabilize { masks } else { network });
        let total = of_stage.as_ref().and_then(|pass| pass.total).or(job.video.frames);
        let done = match (&of_stage, job.state) {
            (Some(pass), _) => pass.done,
            (None, JobState::Done) => total.unwrap_or(0),
            (None, _) => 0,
        };
        let percent = match (job.state, total) {
            (JobState::Done, _) => 100.0,
            (_, Some(total)) if total > 0 => 100.0 * done.min(total) as f64 / total as f64,
            _ => 0.0,
        };
        let classes = job.steps.iter().find_map(|step| match step {
            Step::Segment(segment) => Some(segment.classes.clone()),
            _ => None,
        });
        JobStatus {
            job_id: job.id.clone(),
            file_name: job.file_name.clone(),
            stage: job.stage,
            state: job.state,
            percent,
            frames_done: done,
            frames_total: total,
            frames_per_sec: of_stage.as_ref().and_then(|pass| pass.frames_per_sec),
            left_secs: of_stage.as_ref().and_then(|pass| pass.left).map(|left| left.as_secs_f64()),
            jobs_before: self.desk.place(&job.id).filter(|_| job.state == JobState::Queued),
            error: job.error.clone(),
            video: job.video.clone(),
            classes: classes.unwrap_or_default(),
            bytes: job.bytes,
        }
    }

    /// The client's own job; those of others are as if they were not there.
    pub fn job_of(&self, Client(client): &Client, id: &str) -> Result<Job, Problem> {
        let job = self.database.job(id)?;
        job.filter(|job| job.client == *client).ok_or_else(|| Problem::not_found("job with this id"))
    }

    /// Puts a stage in line, unless it is what the job has come to already.
    fn begin(
        &self,
        job: &Job,
        stage: Stage,
        steps: Vec<Step>,
    ) -> Result<(StatusCode, Json<JobStatus>), Problem> {
        let plan = Plan::of(&steps)?;
        // What can't be done is said now, and not when its turn has come.
        self.resolved(plan)?;
        let is_done = job.state == JobState::Done
            && match (job.stage, stage) {
                // Its masks are there, and what came of them stays.
                (Stage::Stabilize, Stage::Segment) => job
                    .steps
                    .iter()
                    .filter(|step| is_before(step))
                    .eq(steps.iter().filter(|step| is_before(step))),
                _ => job.stage == stage && job.steps == steps,
            };
        if is_done {
            return Ok((StatusCode::OK, Json(self.status(job))));
        }
        if !self.database.begin_stage(&job.id, stage, &steps)? {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "this job is waiting or running",
                "wait until it is done, or delete it",
            ));
        }
        if let Err(full) = self.desk.try_add(&job.id) {
            self.database.restore_stage(job)?;
            return Err(full.into());
        }
        let job = self.database.job(&job.id)?.ok_or_else(|| Problem::not_found("job with this id"))?;
        Ok((StatusCode::ACCEPTED, Json(self.status(&job))))
    }

    fn pipeline_steps(&self, id: i64) -> Result<Vec<Step>, Problem> {
        let pipeline = self.pipelines().get(id)?;
        Ok(pipeline.ok_or_else(|| Problem::not_found("pipeline with this id"))?.steps)
    }
}

/// Run the network over the clip. What it finds is kept, so that every later «stabilize» is quick.
#[utoipa::path(post, path = "/api/segment", tag = "clips", request_body = SegmentRequest,
    responses((status = 202, body = JobStatus), (status = 200, body = JobStatus, description = "it is done already"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn segment(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    Body(asked): Body<SegmentRequest>,
) -> Result<(StatusCode, Json<JobStatus>), Problem> {
    let job = service.job_of(&client, &asked.job_id)?;
    let steps = match asked.pipeline_id {
        Some(id) => service.pipeline_steps(id)?,
        None => {
            let segment =
                SegmentStep { model: asked.model, classes: asked.classes, device: Default::default() };
            let mut steps = vec![Step::Decode(asked.decode)];
            steps.extend(asked.resize.map(Step::Resize));
            steps.extend(asked.normalise.map(Step::Normalise));
            steps.push(Step::Segment(segment));
            steps
        }
    };
    service.begin(&job, Stage::Segment, steps)
}

/// Whether the network's results depend on the step.
fn is_before(step: &Step) -> bool {
    matches!(step, Step::Decode(_) | Step::Resize(_) | Step::Normalise(_) | Step::Segment(_))
}

/// Smooth, measure and write the files. Again with other settings, it needs no network.
#[utoipa::path(post, path = "/api/stabilize", tag = "clips", request_body = StabilizeRequest,
    responses((status = 202, body = JobStatus), (status = 200, body = JobStatus, description = "it is done already"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn stabilize(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    Body(asked): Body<StabilizeRequest>,
) -> Result<(StatusCode, Json<JobStatus>), Problem> {
    let job = service.job_of(&client, &asked.job_id)?;
    if job.steps.is_empty() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "this clip is not segmented yet",
            "ask for /api/segment first",
        ));
    }
    let mut steps: Vec<Step> = job.steps.iter().filter(|step| is_before(step)).cloned().collect();
    for step in &mut steps {
        if let (Step::Segment(segment), Some(classes)) = (step, &asked.classes) {
            segment.classes.clone_from(classes);
        }
    }
    let kinds = |kinds| ExportStep { kinds, ..ExportStep::default() };
    match (asked.pipeline_id, asked.preset) {
        (Some(id), _) => {
            steps.extend(service.pipeline_steps(id)?.into_iter().filter(|step| !is_before(step)));
        }
        (None, Some(name)) => {
            let Preset { smoothing, export, .. } = Presets::find(&service.options.pipelines, &name)?;
            steps.push(Step::Smooth(smoothing.into()));
            steps.push(Step::CleanUp(smoothing.into()));
            steps.push(Step::Export(export.map_or_else(|| kinds(asked.export), ExportStep::from)));
        }
        (None, None) => {
            steps.push(Step::Smooth(asked.smooth));
            steps.push(Step::CleanUp(asked.clean_up));
            steps.push(Step::Export(kinds(asked.export)));
        }
    }
    service.begin(&job, Stage::Stabilize, steps)
}

/// How often a follower hears of a job.
const TICK: Duration = Duration::from_millis(250);

/// How far a job is; with `Accept: text/event-stream`, again and again until it is over.
#[utoipa::path(get, path = "/api/status/{job_id}", tag = "clips", params(("job_id" = String, Path)),
    responses((status = 200, content((JobStatus = "application/json"), (String = "text/event-stream"))),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn status(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    Path(job_id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let job = service.job_of(&client, &job_id)?;
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accepts.contains("text/event-stream") {
        return Ok(Json(service.status(&job)).into_response());
    }
    // The state is what is still to be told: `None` when the last word is said.
    let events = stream::unfold(Some(None), move |told: Option<Option<JobStatus>>| {
        let (service, client, job_id) = (service.clone(), client.clone(), job_id.clone());
        async move {
            let told = told?;
            loop {
                if told.is_some() {
                    tokio::time::sleep(TICK).await;
                }
                let job = service.job_of(&client, &job_id).ok()?;
                let status = service.status(&job);
                if told.as_ref() != Some(&status) {
                    let event = Event::default().event("status").json_data(&status).ok()?;
                    let next = (!job.state.is_over()).then_some(Some(status));
                    return Some((Ok::<_, Infallible>(event), next));
                }
            }
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// Your jobs, the longest untouched first.
#[utoipa::path(get, path = "/api/jobs", tag = "clips",
    responses((status = 200, body = [JobStatus]), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn jobs(
    State(service): State<Arc<Service>>,
    Extension(Client(client)): Extension<Client>,
) -> Result<Json<Vec<JobStatus>>, Problem> {
    let jobs = service.database.jobs()?;
    Ok(Json(jobs.iter().filter(|job| job.client == client).map(|job| service.status(job)).collect()))
}

/// Stop a job and free its disk.
#[utoipa::path(delete, path = "/api/job/{job_id}", operation_id = "delete_job", tag = "clips", params(("job_id" = String, Path)),
    responses((status = 204, description = "it is gone"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn delete(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    Path(job_id): Path<String>,
) -> Result<StatusCode, Problem> {
    let job = service.job_of(&client, &job_id)?;
    let _ = tokio::task::spawn_blocking(move || service.forget(&job)).await;
    Ok(StatusCode::NO_CONTENT)
}

impl Service {
    /// Removes a job with all that it holds. Of one that runs, its worker removes the rest.
    pub fn forget(&self, job: &Job) {
        if let Err(error) = self.database.delete_job(&job.id) {
            tracing::error!("{error}");
            return;
        }
        if !self.desk.cancel(&job.id) {
            desk::remove(&self.job_folder(&job.id));
        }
        self.pictures.close(&job.id);
        let jobs = self.database.jobs().unwrap_or_default();
        if !jobs.iter().any(|other| other.fingerprint == job.fingerprint) {
            Store::new(self.machine.store.clone(), u64::MAX).forget(&job.fingerprint);
        }
    }
}
