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
    database::{JobRecord, JobState, Stage, VideoFacts},
    guard::Client,
    job_folder,
    problem::{Body, Path, Problem},
};
use export::{ExportKind, ExportOptions, ExportSettings};
use plan::{
    CleanUpStep, DecodeStep, Edits, NormaliseStep, Plan, ResizeStep, SegmentStep, SmoothStep, Step,
    settings_of,
};
use project::{Preset, Presets};
use segment::Device;
use smooth::Settings;
use store::Store;

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
    pub fn status(&self, job: &JobRecord) -> JobStatus {
        let snapshots = self.clip_workers.snapshots(&job.id).filter(|_| !job.state.is_over());
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
        let classes = job.plan.as_ref().map(|plan| plan.classes.clone());
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
            jobs_before: self.clip_workers.place(&job.id).filter(|_| job.state == JobState::Queued),
            error: job.error.clone(),
            video: job.video.clone(),
            classes: classes.unwrap_or_default(),
            bytes: job.bytes,
        }
    }

    /// The client's own job; those of others are as if they were not there.
    pub fn job_of(&self, Client(client): &Client, id: &str) -> Result<JobRecord, Problem> {
        let job = self.database.job(id)?;
        job.filter(|job| job.client == *client).ok_or_else(|| Problem::not_found("job with this id"))
    }

    /// Queues a stage, unless it is what the job has come to already.
    fn begin(
        &self,
        job: &JobRecord,
        stage: Stage,
        plan: Plan,
    ) -> Result<(StatusCode, Json<JobStatus>), Problem> {
        // What can't be done is said now, and not when its turn has come.
        self.resolved(plan.clone())?;
        let is_done = job.state == JobState::Done
            && match (job.stage, stage) {
                // Its masks are there, and what came of them stays.
                (Stage::Stabilize, Stage::Segment) => {
                    job.plan.as_ref().is_some_and(|known| has_same_masks(known, &plan))
                }
                _ => job.stage == stage && job.plan.as_ref() == Some(&plan),
            };
        if is_done {
            return Ok((StatusCode::OK, Json(self.status(job))));
        }
        if !self.database.begin_stage(&job.id, stage, &plan)? {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "this job is waiting or running",
                "wait until it is done, or delete it",
            ));
        }
        if let Err(full) = self.clip_workers.try_add(&job.id) {
            self.database.restore_stage(job)?;
            return Err(full.into());
        }
        let job = self.database.job(&job.id)?.ok_or_else(|| Problem::not_found("job with this id"))?;
        Ok((StatusCode::ACCEPTED, Json(self.status(&job))))
    }

    fn pipeline_plan(&self, id: i64) -> Result<Plan, Problem> {
        let pipeline = self.pipelines().get(id)?;
        Ok(pipeline.ok_or_else(|| Problem::not_found("pipeline with this id"))?.plan()?)
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
    let SegmentRequest { job_id: _, pipeline_id, model, classes, decode, resize, normalise } = asked;
    let plan = match pipeline_id {
        Some(id) => service.pipeline_plan(id)?,
        None => {
            let segment = SegmentStep { model, masks: None, classes, device: Device::default() };
            let mut steps = vec![Step::Decode(decode)];
            steps.extend(resize.map(Step::Resize));
            steps.extend(normalise.map(Step::Normalise));
            steps.push(Step::Segment(segment));
            Plan::from_steps(&steps)?
        }
    };
    service.begin(&job, Stage::Segment, plan)
}

/// Whether both have the same masks before they are smoothed.
fn has_same_masks(a: &Plan, b: &Plan) -> bool {
    let masks = |plan: &Plan| {
        let Plan { source, classes, every, range, max_side_px, .. } = plan.clone();
        (source, classes, every, range, max_side_px)
    };
    masks(a) == masks(b)
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
    let Some(segmented) = job.plan.clone() else {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "this clip is not segmented yet",
            "ask for /api/segment first",
        ));
    };
    let StabilizeRequest { job_id: _, pipeline_id, preset, classes, smooth, clean_up, export } = asked;
    // What was segmented stays; all that comes after it is asked for anew.
    let Plan { source, classes: known, every, range, max_side_px, .. } = segmented;
    let segmented = Plan {
        source,
        classes: classes.unwrap_or(known),
        every,
        range,
        max_side_px,
        settings: Settings::default(),
        auto: false,
        edits: Edits::default(),
        detect_box: None,
        export: None,
    };
    let kinds = |kinds| Some(ExportSettings { kinds, options: ExportOptions::default() });
    let plan = match (pipeline_id, preset) {
        (Some(id), _) => {
            let Plan { settings, auto, edits, detect_box, export, .. } = service.pipeline_plan(id)?;
            Plan { settings, auto, edits, detect_box, export, ..segmented }
        }
        (None, Some(name)) => {
            let Preset { smoothing, export: of_preset, .. } =
                Presets::find(&service.options.pipelines, &name)?;
            Plan { settings: smoothing, export: of_preset.or_else(|| kinds(export)), ..segmented }
        }
        (None, None) => {
            let (settings, auto) = settings_of(smooth, clean_up)?;
            Plan { settings, auto, export: kinds(export), ..segmented }
        }
    };
    service.begin(&job, Stage::Stabilize, plan)
}

/// What somebody who follows a job has been told.
enum Follower {
    New,
    Told(Box<JobStatus>),
    /// The last word on the job.
    Finished,
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
    let events = stream::unfold(Follower::New, move |follower| {
        let (service, client, job_id) = (service.clone(), client.clone(), job_id.clone());
        async move {
            loop {
                let last = match &follower {
                    Follower::New => None,
                    Follower::Told(status) => {
                        tokio::time::sleep(TICK).await;
                        Some(&**status)
                    }
                    Follower::Finished => return None,
                };
                let job = service.job_of(&client, &job_id).ok()?;
                let status = service.status(&job);
                if last != Some(&status) {
                    let event = Event::default().event("status").json_data(&status).ok()?;
                    let is_over = job.state.is_over();
                    let next = if is_over { Follower::Finished } else { Follower::Told(Box::new(status)) };
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
    pub fn forget(&self, job: &JobRecord) {
        if let Err(error) = self.database.delete_job(&job.id) {
            tracing::error!("{error}");
            return;
        }
        if !self.clip_workers.cancel(&job.id) {
            job_folder::remove(&self.job_folder(&job.id));
        }
        self.pictures.close(&job.id);
        let jobs = self.database.jobs().unwrap_or_default();
        if !jobs.iter().any(|other| other.fingerprint == job.fingerprint) {
            Store::new(self.machine.store.clone(), u64::MAX).forget(&job.fingerprint);
        }
    }
}
