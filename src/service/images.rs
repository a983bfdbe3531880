//! `POST /api/process-image`: one image through a pipeline, answered at once.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{State, multipart::Field},
    http::StatusCode,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::{sleep, timeout},
};
use utoipa::ToSchema;

use super::{
    READ_PATIENCE, Service,
    database::AnswerRecord,
    problem::{Form, Problem},
    upload::shown_name,
};
use base::bounded::Full;
use jobs::{Detection, ImagePlan, ImageRequest, ImageResult};
use pipeline::PipelineError;
use plan::Plan;
use video::ImageBytes;

#[derive(ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct ImageForm {
    pipeline_id: i64,
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    image_file: Vec<u8>,
}

/// What was found in an image.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImageAnswer {
    /// The same image through the same pipeline has the same.
    id: i64,
    pipeline_id: i64,
    status: ImageStatus,
    filename: String,
    data: ImageData,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ImageStatus {
    Detected,
    Undetected,
}

/// A box, or an empty list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum ImageData {
    Found(Detection),
    Nothing(Vec<i64>),
}

impl From<AnswerRecord> for ImageAnswer {
    fn from(answer: AnswerRecord) -> Self {
        let AnswerRecord { id, pipeline_id, file_name, detection } = answer;
        let (status, data) = match detection {
            Some(detection) => (ImageStatus::Detected, ImageData::Found(detection)),
            None => (ImageStatus::Undetected, ImageData::Nothing(Vec::new())),
        };
        Self { id, pipeline_id, status, filename: file_name, data }
    }
}

/// What a form holds of an image.
#[derive(Default)]
struct Parts {
    pipeline_id: Option<i64>,
    image: Option<(String, CountedBytes)>,
}

/// Bytes in memory, counted among those that all clients may have there at once.
struct CountedBytes {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// How long a refusal takes.
const FULL_PAUSE: Duration = Duration::from_millis(200);
/// What all images that are on their way may take.
pub const MAX_IMAGE_MEMORY_KIB: usize = 96 << 10;

/// Resolved plans, keyed by their steps: a changed pipeline is a new entry.
#[derive(Default)]
pub struct PlanCache(Mutex<HashMap<String, Arc<ImagePlan>>>);

const MOST_PLANS: usize = 64;

impl Service {
    /// The plan with its network, which is looked for once.
    ///
    /// # Errors
    /// When it can't be done here.
    pub fn resolved(&self, plan: Plan) -> Result<Arc<ImagePlan>, Problem> {
        let key = serde_json::to_string(&plan).unwrap_or_default();
        let mut plans = self.plan_cache.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(&key) {
            return Ok(plan.clone());
        }
        // A path of this machine is no client's business, even where nothing is there.
        let Some(network) = plan.source.network() else {
            return Err(Problem::wrong("masks of this machine are no client's business", "name a model"));
        };
        if network.name.as_deref().is_some_and(|name| name.contains('/') || name.ends_with(".pt")) {
            return Err(Problem::wrong("a model is named by its name", "take one of /api/models"));
        }
        // The network's file is read for its hash.
        let resolved = tokio::task::block_in_place(|| self.machine.resolve(plan));
        let plan = Arc::new(ImagePlan::new(resolved?));
        if plans.len() >= MOST_PLANS {
            plans.clear();
        }
        plans.insert(key, plan.clone());
        Ok(plan)
    }
}

/// Look for something in an image. The same image through the same pipeline gets the stored
/// answer.
#[utoipa::path(post, path = "/api/process-image", tag = "images",
    request_body(content = inline(ImageForm), content_type = "multipart/form-data"),
    responses((status = 200, body = ImageAnswer), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn process_image(
    State(service): State<Arc<Service>>,
    Form(mut form): Form,
) -> Result<Json<ImageAnswer>, Problem> {
    let started = Instant::now();
    if service.pool.is_full() {
        // Before the image is read: what is refused must cost next to nothing. Whoever asks again
        // at once gains nothing by it.
        sleep(FULL_PAUSE).await;
        return Err(Full.into());
    }
    let mut read = Parts::default();
    while let Some(field) = timeout(READ_PATIENCE, form.next_field()).await.map_err(|_| Problem::slow())?? {
        match field.name() {
            Some("pipeline_id") => {
                let text = service.read_field(field, 32).await?;
                let id = std::str::from_utf8(&text.bytes).ok().and_then(|text| text.trim().parse().ok());
                read.pipeline_id = Some(id.ok_or_else(|| {
                    Problem::wrong("the field «pipeline_id» is no number", "give one of /api/pipelines")
                })?);
            }
            Some("image_file") => {
                let name = shown_name(field.file_name());
                read.image = Some((name, service.read_field(field, service.options.max_image_bytes).await?));
            }
            _ => {}
        }
    }
    let (Some(pipeline_id), Some((file_name, image))) = (read.pipeline_id, read.image) else {
        return Err(Problem::wrong("the form needs the fields «pipeline_id» and «image_file»", "send both"));
    };
    let pipeline = service.pipelines().get(pipeline_id)?;
    let mut plan = pipeline.ok_or_else(|| Problem::not_found("pipeline with this id"))?.plan()?;
    // Files are for clips; an image is answered with its box, asked for or not.
    plan.export = None;
    plan.detect_box.get_or_insert_default();
    let plan = service.resolved(plan)?;
    let key = Sha256::new()
        .chain_update(plan.key())
        .chain_update(pipeline_id.to_le_bytes())
        .chain_update(&image.bytes)
        .finalize();
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(answer) = service.database.answer(&key)? {
        service.telemetry.image_stored();
        return Ok(Json(answer.into()));
    }
    let looked = service.look(plan, &file_name, image).await?;
    let detection = looked.detection.as_ref();
    let answer = service.database.add_answer(&key, pipeline_id, &file_name, detection)?;
    service.telemetry.image_done(detection.is_some(), started.elapsed());
    Ok(Json(answer.into()))
}

impl Service {
    async fn read_field(&self, mut field: Field<'_>, most_bytes: usize) -> Result<CountedBytes, Problem> {
        let busy = || Problem::busy("too many images are on their way", 1);
        let mut room = self.image_memory.clone().try_acquire_many_owned(0).map_err(|_| busy())?;
        let mut bytes = Vec::new();
        while let Some(chunk) = timeout(READ_PATIENCE, field.chunk()).await.map_err(|_| Problem::slow())?? {
            if bytes.len() + chunk.len() > most_bytes {
                return Err(Problem::too_large(format!("this field has more than {most_bytes} bytes")));
            }
            let more_kib = chunk.len().div_ceil(1 << 10) as u32;
            room.merge(self.image_memory.clone().try_acquire_many_owned(more_kib).map_err(|_| busy())?);
            bytes.extend_from_slice(&chunk);
        }
        Ok(CountedBytes { bytes, _room: room })
    }

    async fn look(
        &self,
        plan: Arc<ImagePlan>,
        file_name: &str,
        image: CountedBytes,
    ) -> Result<ImageResult, Problem> {
        let (sender, answer) = oneshot::channel();
        self.pool.try_submit(ImageRequest {
            plan,
            image: ImageBytes::Memory(PathBuf::from(file_name), image.bytes),
            out: None,
            // Whoever asked may have gone.
            reply: Box::new(move |looked| drop(sender.send(looked))),
        })?;
        let looked = answer.await.unwrap_or(Err(PipelineError::Cancelled));
        looked.map_err(|error| {
            self.telemetry.image_failed();
            match error {
                PipelineError::Cancelled => Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the service is shutting down",
                    "ask again in a moment",
                ),
                error => error.into(),
            }
        })
    }
}
