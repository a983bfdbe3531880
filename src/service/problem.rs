//! Errors as they leave the service: RFC 9457, with the way out.

use axum::{
    Json,
    extract::{
        FromRequest, FromRequestParts, Multipart, Request,
        multipart::MultipartError,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::{READ_PATIENCE, database::DatabaseError};
use base::bounded::Full;
use pipeline::PipelineError;
use plan::{PlanError, StepsError};
use project::{PipelinesError, PresetError};
use segment::SegmentError;
use smooth::SettingsError;
use video::VideoError;

/// What went wrong, why, and what to do about it (`application/problem+json`, RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// What went wrong, and why.
    detail: String,
    /// What can be done about it.
    remedy: String,
    #[serde(skip)]
    retry_after_secs: Option<u32>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            remedy: remedy.into(),
            retry_after_secs: None,
        }
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("there is no {what}"),
            "check its id; it may have been deleted, or cleaned up by age",
        )
    }

    pub fn wrong(detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail, remedy)
    }

    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            detail,
            "send less, or ask whoever runs the service for more",
        )
    }

    pub fn busy(detail: impl Into<String>, after_secs: u32) -> Self {
        let problem =
            Self::new(StatusCode::TOO_MANY_REQUESTS, detail, "try again after the time in Retry-After");
        Self { retry_after_secs: Some(after_secs), ..problem }
    }

    pub fn slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "the rest of the request did not come in time",
            "send it without pauses",
        )
    }

    /// Of an error text of ours, «cause; way out».
    fn of_text(status: StatusCode, text: &str) -> Self {
        let (detail, remedy) = text.rsplit_once("; ").unwrap_or((text, "nothing can be done from outside"));
        Self::new(status, detail, remedy)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            tracing::error!(status = self.status, "{}", self.detail);
        }
        let retry_after = self.retry_after_secs;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(secs) = retry_after {
            headers.insert(header::RETRY_AFTER, secs.into());
        }
        response
    }
}

impl From<VideoError> for Problem {
    fn from(error: VideoError) -> Self {
        PipelineError::from(error).into()
    }
}

impl From<PlanError> for Problem {
    fn from(error: PlanError) -> Self {
        PipelineError::from(error).into()
    }
}

impl From<PipelineError> for Problem {
    fn from(error: PipelineError) -> Self {
        let status = match &error {
            PipelineError::Video(VideoError::System { .. } | VideoError::Write { .. }) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            PipelineError::Video(_) => StatusCode::UNPROCESSABLE_ENTITY,
            PipelineError::Segment(SegmentError::Inference { .. }) => StatusCode::INTERNAL_SERVER_ERROR,
            PipelineError::Plan(_)
            | PipelineError::Segment(_)
            | PipelineError::Settings(_)
            | PipelineError::NothingInRange { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            PipelineError::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::of_text(status, &error.to_string())
    }
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        PipelineError::from(error).into()
    }
}

impl From<StepsError> for Problem {
    fn from(error: StepsError) -> Self {
        Self::of_text(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string())
    }
}

impl From<PipelinesError> for Problem {
    fn from(error: PipelinesError) -> Self {
        let status = match error {
            PipelinesError::Missing { .. } => StatusCode::NOT_FOUND,
            PipelinesError::Exists(_) => StatusCode::CONFLICT,
            PipelinesError::Database(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::of_text(status, &error.to_string())
    }
}

impl From<PresetError> for Problem {
    fn from(error: PresetError) -> Self {
        let status = match error {
            PresetError::Missing { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::of_text(status, &error.to_string())
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        Self::of_text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
    }
}

impl From<Full> for Problem {
    fn from(_: Full) -> Self {
        Self::busy("the queue is full", 1)
    }
}

impl From<MultipartError> for Problem {
    fn from(error: MultipartError) -> Self {
        let status = match error.status() {
            status if status.is_client_error() => status,
            // The client went away, or sent less than it said.
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(
            status,
            format!("the form can't be read ({})", error.body_text()),
            "send multipart/form-data",
        )
    }
}

/// A failure of the service's own disk.
pub fn disk(error: &std::io::Error) -> Problem {
    let status = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            StatusCode::INSUFFICIENT_STORAGE
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Problem::new(status, format!("the service's disk failed ({error})"), "free some space, or try again")
}

/// A JSON body, within a time and a size, whose rejections are problems.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = tokio::time::timeout(READ_PATIENCE, Json::<T>::from_request(request, state)).await;
        let Json(value) = read.map_err(|_| Problem::slow())?.map_err(|error: JsonRejection| {
            let status = match error.status() {
                status if status.is_client_error() => status,
                _ => StatusCode::BAD_REQUEST,
            };
            Problem::new(status, error.body_text(), "send a JSON body as /api/openapi.json says")
        })?;
        Ok(Self(value))
    }
}

/// A form in parts, whose rejection is a problem.
pub struct Form(pub Multipart);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let form = Multipart::from_request(request, state).await;
        form.map(Self).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, error.body_text(), "send multipart/form-data")
        })
    }
}

/// Parts of the path.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        let axum::extract::Path(value) = path.map_err(|error: PathRejection| {
            Problem::new(StatusCode::NOT_FOUND, error.body_text(), "use a path of /api/openapi.json")
        })?;
        Ok(Self(value))
    }
}

/// What stands behind the question mark.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        let axum::extract::Query(value) = query.map_err(|error: QueryRejection| {
            Problem::wrong(error.body_text(), "use the parameters of /api/openapi.json")
        })?;
        Ok(Self(value))
    }
}
