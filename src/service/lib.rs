//! The engine behind an HTTP port: clips as jobs that survive a restart, images answered at
//! once, and a page that uses nothing but this API.

mod about;
mod cleanup;
mod clips;
mod database;
mod frames;
mod guard;
mod images;
mod job_folder;
mod openapi;
mod pipelines;
mod problem;
mod results;
mod server;
mod telemetry;
mod upload;
mod workers;

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::DefaultBodyLimit, http::StatusCode, middleware, routing::get};
use tokio::sync::Semaphore;
use utoipa::{
    Path as _,
    openapi::{InfoBuilder, OpenApiBuilder},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    database::{Database, DatabaseError},
    problem::Problem,
    telemetry::Telemetry,
    workers::ClipWorkers,
};
use jobs::{ImagePool, Machine};
use project::{Pipelines, PipelinesError};

/// How the service is run.
#[derive(Clone, Debug)]
pub struct Options {
    pub listen: SocketAddr,
    /// Asked for where it is set; beyond the loopback it must be.
    pub token: Option<String>,
    /// Names of this machine that a `Host` may have beside addresses and `localhost`.
    pub host_names: Vec<String>,
    /// Jobs, uploads and results.
    pub data: PathBuf,
    /// The database of pipelines and presets.
    pub pipelines: PathBuf,
    /// Clips that are worked on at once.
    pub workers: usize,
    /// Clips, and images, that may wait.
    pub most_waiting: usize,
    pub max_upload_bytes: u64,
    pub max_image_bytes: usize,
    pub max_pixels: usize,
    pub max_frames: u32,
    /// That one client may have.
    pub client_jobs: usize,
    pub client_bytes: u64,
    /// Jobs that are over are removed after this, and before that beyond `keep_bytes`.
    pub keep_secs: i64,
    pub keep_bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(
        "{0}: others than this machine could use the service; give a --token that they need, or listen at 127.0.0.1"
    )]
    Open(SocketAddr),
    #[error(
        "{address}: the service can't listen there ({cause}); choose another --listen, such as 127.0.0.1:0"
    )]
    Listen { address: SocketAddr, cause: std::io::Error },
    #[error("{}: the data of the service can't be kept there ({cause}); check its permissions, or choose another --data", .path.display())]
    Data { path: PathBuf, cause: std::io::Error },
    #[error("{}: another service works with this folder; stop it, or choose another --data", .0.display())]
    Busy(PathBuf),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Pipelines(#[from] PipelinesError),
    #[error(
        "the numbers to watch could not be set up ({0}); this is a fault of the program, please report it"
    )]
    Telemetry(#[from] prometheus::Error),
}

/// The rest of a request must go on coming within this.
const READ_PATIENCE: Duration = Duration::from_secs(15);
const MOST_UPLOADS: usize = 16;
/// A JSON body is small.
const MOST_JSON_BYTES: usize = 1 << 20;

/// Everything that the handlers share.
struct Service {
    options: Options,
    machine: Machine,
    database: Database,
    pipelines: Mutex<Pipelines>,
    clip_workers: ClipWorkers,
    pool: ImagePool,
    plan_cache: images::PlanCache,
    /// Of images that are on their way, in KiB.
    image_memory: Arc<Semaphore>,
    uploads: Semaphore,
    pictures: frames::Pictures,
    telemetry: Telemetry,
    closing: AtomicBool,
    /// Held, not read.
    _lock: fs::File,
}

impl Service {
    fn open(options: Options, machine: Machine) -> Result<Arc<Self>, ServiceError> {
        let data = |cause| ServiceError::Data { path: options.data.clone(), cause };
        for folder in ["jobs", "uploads"] {
            fs::create_dir_all(options.data.join(folder)).map_err(data)?;
        }
        let lock = fs::File::create(options.data.join(".lock")).map_err(data)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(ServiceError::Busy(options.data)),
            Err(fs::TryLockError::Error(cause)) => return Err(data(cause)),
        }
        let service = Arc::new(Self {
            database: Database::open(&options.data.join("jobs.sqlite"))?,
            pipelines: Mutex::new(Pipelines::open(&options.pipelines)?),
            clip_workers: ClipWorkers::new(options.most_waiting),
            // The other half is for clips.
            pool: ImagePool::new(machine.memory_bytes / 2, options.most_waiting, options.max_pixels),
            machine: Machine { memory_bytes: machine.memory_bytes / 2, ..machine },
            plan_cache: images::PlanCache::default(),
            image_memory: Arc::new(Semaphore::new(images::MAX_IMAGE_MEMORY_KIB)),
            uploads: Semaphore::new(MOST_UPLOADS),
            pictures: frames::Pictures::default(),
            telemetry: Telemetry::new()?,
            closing: AtomicBool::new(false),
            _lock: lock,
            options,
        });
        cleanup::open(&service);
        workers::open(&service);
        Ok(service)
    }

    fn jobs_folder(&self) -> PathBuf {
        self.options.data.join("jobs")
    }

    /// Ids are ours, so they are names of folders.
    fn job_folder(&self, id: &str) -> PathBuf {
        self.jobs_folder().join(id)
    }

    fn uploads_folder(&self) -> PathBuf {
        self.options.data.join("uploads")
    }

    fn pipelines(&self) -> MutexGuard<'_, Pipelines> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.clip_workers.shut_down();
    }
}

fn router(service: &Arc<Service>) -> Router {
    let info = InfoBuilder::new()
        .title("Steadymask")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Measures the flicker of video segmentation masks and takes it out. Errors are RFC 9457 problems."))
        .build();
    let uploads = OpenApiRouter::new().routes(routes!(upload::upload)).layer(DefaultBodyLimit::disable());
    let images = OpenApiRouter::new()
        .routes(routes!(images::process_image))
        // The form's own lines come on top.
        .layer(DefaultBodyLimit::max(service.options.max_image_bytes + (64 << 10)));
    let (router, mut openapi) = OpenApiRouter::with_openapi(OpenApiBuilder::new().info(info).build())
        .routes(routes!(about::about))
        .routes(routes!(about::models))
        .routes(routes!(about::classes))
        .routes(routes!(about::healthz))
        .routes(routes!(about::readyz))
        .routes(routes!(telemetry::metrics))
        .routes(routes!(clips::segment))
        .routes(routes!(clips::stabilize))
        .routes(routes!(clips::status))
        .routes(routes!(clips::jobs))
        .routes(routes!(clips::delete))
        .routes(routes!(results::results))
        .routes(routes!(results::archive))
        .routes(routes!(results::metrics))
        .routes(routes!(frames::frame))
        .routes(routes!(pipelines::list, pipelines::create))
        .routes(routes!(pipelines::get, pipelines::update, pipelines::delete))
        .routes(routes!(pipelines::steps, pipelines::add_step))
        .routes(routes!(pipelines::change_step, pipelines::remove_step))
        .layer(DefaultBodyLimit::max(MOST_JSON_BYTES))
        .merge(uploads)
        .merge(images)
        .split_for_parts();
    // The rest of a path is written otherwise in the two.
    let file =
        (results::__path_file::path(), results::__path_file::methods(), results::__path_file::operation());
    openapi.paths.add_path_operation(file.0, file.1, file.2);
    let openapi = Arc::new(openapi::document(&openapi));
    let document = move || {
        let openapi = openapi.clone();
        async move { ([(axum::http::header::CONTENT_TYPE, "application/json")], openapi.as_str().to_owned()) }
    };
    router
        .route("/api/openapi.json", get(document))
        .route("/api/results/{job_id}/files/{*path}", get(results::file))
        .route("/", get(about::page))
        .route("/app.css", get(about::style))
        .route("/app.js", get(about::script))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nothing_here)
        .route_layer(middleware::from_fn_with_state(service.clone(), telemetry::watch))
        .layer(middleware::from_fn_with_state(service.clone(), guard::guard))
        .with_state(service.clone())
}

async fn nothing_here() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "there is nothing at this path",
        "/api/openapi.json lists what there is",
    )
}

async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path does not know this method",
        "/api/openapi.json lists what there is",
    )
}

/// Serves until a signal asks to stop. `ready` hears of the address.
///
/// # Errors
/// When it can't begin.
pub fn serve(options: Options, machine: Machine, ready: impl FnOnce(SocketAddr)) -> Result<(), ServiceError> {
    if !options.listen.ip().is_loopback() && options.token.is_none() {
        return Err(ServiceError::Open(options.listen));
    }
    let address = options.listen;
    let failed = |cause| ServiceError::Listen { address, cause };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let service = Service::open(options, machine)?;
        ready(local);
        server::run(listener, router(&service), &service).await;
        Ok(())
    })
}
