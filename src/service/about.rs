//! What the service is and can do, whether it is well, and its page.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Service, problem::Problem};
use export::ExportKind;
use segment::{Manifest, catalogue};
use smooth::{Method, Settings};

#[derive(Serialize, ToSchema)]
pub struct About {
    name: &'static str,
    version: &'static str,
    /// Where everything else is described.
    openapi: &'static str,
    #[schema(value_type = Vec<String>)]
    methods: &'static [Method],
    /// What is taken where nothing else is said.
    #[schema(value_type = Object)]
    settings: Settings,
    exports: Vec<ExportInfo>,
    limits: Limits,
}

#[derive(Serialize, ToSchema)]
struct ExportInfo {
    name: ExportKind,
    summary: &'static str,
    files: &'static str,
}

/// What a client may send and hold.
#[derive(Clone, Serialize, ToSchema)]
struct Limits {
    upload_bytes: u64,
    image_bytes: usize,
    pixels: usize,
    frames: u32,
    jobs: usize,
    disk_bytes: u64,
}

/// What this is, and what it can do.
#[utoipa::path(get, path = "/api", tag = "service", responses((status = 200, body = About), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn about(State(service): State<Arc<Service>>) -> Json<About> {
    let options = &service.options;
    let exports = ExportKind::ALL.into_iter().map(|kind| {
        let info = kind.info();
        ExportInfo { name: kind, summary: info.summary, files: info.files }
    });
    Json(About {
        name: "Steadymask",
        version: env!("CARGO_PKG_VERSION"),
        openapi: "/api/openapi.json",
        methods: Method::ALL,
        settings: Settings::default(),
        exports: exports.collect(),
        limits: Limits {
            upload_bytes: options.max_upload_bytes,
            image_bytes: options.max_image_bytes,
            pixels: options.max_pixels,
            frames: options.max_frames,
            jobs: options.client_jobs,
            disk_bytes: options.client_bytes,
        },
    })
}

#[derive(Serialize, ToSchema)]
pub struct ModelInfo {
    name: String,
    title: Option<String>,
    classes: Vec<String>,
    licence: String,
    /// What is used where no model is named.
    is_default: bool,
}

impl Service {
    /// The networks that are here and are trusted, the best first.
    fn models(&self) -> Vec<ModelInfo> {
        let library = &self.machine.library;
        let best = library.best();
        let known = |name: &str| catalogue::entries().iter().position(|entry| entry.name == name);
        let mut names = library.names();
        names.sort_by_key(|name| known(name).unwrap_or(usize::MAX));
        let info = |name: String| {
            let manifest = Manifest::beside(&library.path_of(&name)?).ok()?;
            let title = known(&name).map(|at| catalogue::entries()[at].title.clone());
            let is_default = best == Some(&name);
            Some(ModelInfo { name, title, classes: manifest.classes, licence: manifest.licence, is_default })
        };
        names.into_iter().filter_map(info).collect()
    }
}

/// The networks that are installed.
#[utoipa::path(get, path = "/api/models", tag = "service", responses((status = 200, body = [ModelInfo]), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn models(State(service): State<Arc<Service>>) -> Json<Vec<ModelInfo>> {
    Json(service.models())
}

/// What each network can find.
#[derive(Serialize, ToSchema)]
pub struct ModelClasses {
    model: String,
    /// Without the background.
    classes: Vec<String>,
}

/// The classes of every network.
#[utoipa::path(get, path = "/api/classes", tag = "service", responses((status = 200, body = [ModelClasses]), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn classes(State(service): State<Arc<Service>>) -> Json<Vec<ModelClasses>> {
    let of = |model: ModelInfo| {
        let classes = model.classes.into_iter().filter(|class| class != "background").collect();
        ModelClasses { model: model.name, classes }
    };
    Json(service.models().into_iter().map(of).collect())
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = 200, content_type = "text/plain", body = String), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether it can do its work: there is a network, the database answers, and it does not shut
/// down.
#[utoipa::path(get, path = "/readyz", tag = "service", responses((status = 200, content_type = "text/plain", body = String), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn readyz(State(service): State<Arc<Service>>) -> Result<&'static str, Problem> {
    let unready = |why: &str, remedy: &str| Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why, remedy));
    if service.is_closing() {
        return unready("the service is shutting down", "ask again in a moment");
    }
    if service.machine.library.best().is_none() {
        return unready("no network is installed", "run «steadymask models setup»");
    }
    service.database.usage("")?;
    Ok("ok\n")
}

const PAGE: &str = include_str!("../../assets/web/index.html");
const STYLE: &str = include_str!("../../assets/web/app.css");
const SCRIPT: &str = include_str!("../../assets/web/app.js");

fn asset(kind: &'static str, text: &'static str) -> Response {
    (
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ],
        text,
    )
        .into_response()
}

pub async fn page() -> Response {
    asset("text/html; charset=utf-8", PAGE)
}

pub async fn style() -> Response {
    asset("text/css; charset=utf-8", STYLE)
}

pub async fn script() -> Response {
    asset("text/javascript; charset=utf-8", SCRIPT)
}
