//! Pipelines and their steps.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    Service,
    problem::{Body, Path, Problem},
};
use plan::{Plan, Step};
use project::Pipeline;

/// A name and what is done, step by step.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPipeline {
    #[schema(min_length = 1, max_length = 60)]
    name: String,
    #[schema(min_items = 1, max_items = 9)]
    steps: Vec<Step>,
}

impl Service {
    fn pipeline(&self, id: i64) -> Result<Pipeline, Problem> {
        self.pipelines().get(id)?.ok_or_else(|| Problem::not_found("pipeline with this id"))
    }

    /// Changes the steps of a pipeline, all of them or none.
    fn edit(
        &self,
        id: i64,
        edit: impl FnOnce(&mut Vec<Step>) -> Result<(), Problem>,
    ) -> Result<Json<Pipeline>, Problem> {
        let pipelines = self.pipelines();
        let missing = || Problem::not_found("pipeline with this id");
        let mut pipeline = pipelines.get(id)?.ok_or_else(missing)?;
        edit(&mut pipeline.steps)?;
        self.resolved(Plan::from_steps(&pipeline.steps)?)?;
        Ok(Json(pipelines.update(id, &pipeline.name, &pipeline.steps)?.ok_or_else(missing)?))
    }
}

/// All pipelines.
#[utoipa::path(get, operation_id = "list_pipelines", path = "/api/pipelines", tag = "pipelines",
    responses((status = 200, body = [Pipeline]), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list(State(service): State<Arc<Service>>) -> Result<Json<Vec<Pipeline>>, Problem> {
    Ok(Json(service.pipelines().all()?))
}

/// Make a pipeline. Its network must be installed here, and have its classes.
#[utoipa::path(post, operation_id = "create_pipeline", path = "/api/pipelines", tag = "pipelines", request_body = NewPipeline,
    responses((status = 201, body = Pipeline), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(service): State<Arc<Service>>,
    Body(new): Body<NewPipeline>,
) -> Result<(StatusCode, Json<Pipeline>), Problem> {
    service.resolved(Plan::from_steps(&new.steps)?)?;
    let pipelines = service.pipelines();
    if pipelines.all()?.len() >= MOST_PIPELINES {
        return Err(Problem::busy(
            format!("there are {MOST_PIPELINES} pipelines, which is the most here; delete some"),
            60,
        ));
    }
    Ok((StatusCode::CREATED, Json(pipelines.create(&new.name, &new.steps)?)))
}

const MOST_PIPELINES: usize = 1000;

/// One pipeline.
#[utoipa::path(get, operation_id = "get_pipeline", path = "/api/pipelines/{id}", tag = "pipelines", params(("id" = i64, Path)),
    responses((status = 200, body = Pipeline), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(service): State<Arc<Service>>,
    Path(id): Path<i64>,
) -> Result<Json<Pipeline>, Problem> {
    Ok(Json(service.pipeline(id)?))
}

/// Change a pipeline. Jobs that have begun keep the steps that they began with.
#[utoipa::path(put, operation_id = "update_pipeline", path = "/api/pipelines/{id}", tag = "pipelines", params(("id" = i64, Path)), request_body = NewPipeline,
    responses((status = 200, body = Pipeline), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn update(
    State(service): State<Arc<Service>>,
    Path(id): Path<i64>,
    Body(new): Body<NewPipeline>,
) -> Result<Json<Pipeline>, Problem> {
    service.pipeline(id)?;
    service.resolved(Plan::from_steps(&new.steps)?)?;
    let updated = service.pipelines().update(id, &new.name, &new.steps)?;
    Ok(Json(updated.ok_or_else(|| Problem::not_found("pipeline with this id"))?))
}

/// Delete a pipeline. Jobs that have begun go on.
#[utoipa::path(delete, operation_id = "delete_pipeline", path = "/api/pipelines/{id}", tag = "pipelines", params(("id" = i64, Path)),
    responses((status = 204, description = "it is gone"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn delete(State(service): State<Arc<Service>>, Path(id): Path<i64>) -> Result<StatusCode, Problem> {
    if service.pipelines().delete(id)? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("pipeline with this id"))
    }
}

/// The steps of a pipeline, in order.
#[utoipa::path(get, operation_id = "list_steps", path = "/api/pipelines/{id}/steps", tag = "pipelines", params(("id" = i64, Path)),
    responses((status = 200, body = [Step]), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn steps(
    State(service): State<Arc<Service>>,
    Path(id): Path<i64>,
) -> Result<Json<Vec<Step>>, Problem> {
    Ok(Json(service.pipeline(id)?.steps))
}

/// Put a step in, where it belongs in the order.
#[utoipa::path(post, path = "/api/pipelines/{id}/steps", tag = "pipelines", params(("id" = i64, Path)), request_body = Step,
    responses((status = 200, body = Pipeline), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn add_step(
    State(service): State<Arc<Service>>,
    Path(id): Path<i64>,
    Body(step): Body<Step>,
) -> Result<Json<Pipeline>, Problem> {
    service.edit(id, |steps| {
        let at = steps.iter().position(|other| other.is_after(&step)).unwrap_or(steps.len());
        steps.insert(at, step);
        Ok(())
    })
}

/// Change a step; they are counted from 0.
#[utoipa::path(put, path = "/api/pipelines/{id}/steps/{at}", tag = "pipelines", params(("id" = i64, Path), ("at" = u32, Path)), request_body = Step,
    responses((status = 200, body = Pipeline), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn change_step(
    State(service): State<Arc<Service>>,
    Path((id, at)): Path<(i64, u32)>,
    Body(step): Body<Step>,
) -> Result<Json<Pipeline>, Problem> {
    service.edit(id, |steps| {
        *steps.get_mut(at as usize).ok_or_else(|| Problem::not_found("step of this number"))? = step;
        Ok(())
    })
}

/// Take a step out.
#[utoipa::path(delete, path = "/api/pipelines/{id}/steps/{at}", tag = "pipelines", params(("id" = i64, Path), ("at" = u32, Path)),
    responses((status = 200, body = Pipeline), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn remove_step(
    State(service): State<Arc<Service>>,
    Path((id, at)): Path<(i64, u32)>,
) -> Result<Json<Pipeline>, Problem> {
    service.edit(id, |steps| {
        if at as usize >= steps.len() {
            return Err(Problem::not_found("step of this number"));
        }
        steps.remove(at as usize);
        Ok(())
    })
}
