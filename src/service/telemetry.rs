//! Metrics of the service, for Prometheus.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use prometheus::{
    Encoder as _, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder, process_collector::ProcessCollector,
};
use std::sync::Arc;

use super::{Service, database::JobState, problem::Problem};
use base::files::free_bytes;

pub struct Telemetry {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    images: IntCounterVec,
    image_seconds: HistogramVec,
    clips: IntCounterVec,
    frames: IntCounter,
    frames_per_sec: Gauge,
    jobs: IntGaugeVec,
    queue: IntGaugeVec,
    disk: IntGaugeVec,
}

/// Seconds that answers take.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

impl Telemetry {
    /// # Errors
    /// When two metrics have the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counters = |name, help, labels: &[&str]| {
            let made = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(made.clone())).map(|()| made)
        };
        let gauges = |name, help, label| {
            let made = IntGaugeVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(made.clone())).map(|()| made)
        };
        let times = |name, help, labels: &[&str]| {
            let made = HistogramVec::new(HistogramOpts::new(name, help).buckets(BUCKETS.into()), labels)?;
            registry.register(Box::new(made.clone())).map(|()| made)
        };
        let frames = IntCounter::new("steadymask_frames_total", "Frames of clips that are done")?;
        registry.register(Box::new(frames.clone()))?;
        let frames_per_sec =
            Gauge::new("steadymask_frames_per_second", "Frames of clips that are under way")?;
        registry.register(Box::new(frames_per_sec.clone()))?;
        let telemetry = Self {
            requests: counters(
                "steadymask_requests_total",
                "Answers by path and status",
                &["path", "status"],
            )?,
            seconds: times("steadymask_request_seconds", "How long answers take", &["path"])?,
            images: counters("steadymask_images_total", "Images by what came of them", &["result"])?,
            image_seconds: times(
                "steadymask_image_seconds",
                "How long an image takes, its wait included",
                &["result"],
            )?,
            clips: counters("steadymask_clips_total", "Stages of clips by what came of them", &["result"])?,
            jobs: gauges("steadymask_jobs", "Jobs on clips by their state", "state")?,
            queue: gauges("steadymask_queue", "What waits for a worker", "kind")?,
            disk: gauges("steadymask_disk_bytes", "The disk of the service", "kind")?,
            frames,
            frames_per_sec,
            registry,
        };
        // Memory, CPU time, open files.
        telemetry.registry.register(Box::new(ProcessCollector::for_self()))?;
        let cores = IntGauge::new("steadymask_cores", "Cores that the process may use")?;
        cores.set(std::thread::available_parallelism().map_or(1, |cores| cores.get() as i64));
        telemetry.registry.register(Box::new(cores))?;
        Ok(telemetry)
    }

    pub fn image_done(&self, detected: bool, took: Duration) {
        let result = if detected { "detected" } else { "undetected" };
        self.images.with_label_values(&[result]).inc();
        self.image_seconds.with_label_values(&[result]).observe(took.as_secs_f64());
    }

    pub fn image_stored(&self) {
        self.images.with_label_values(&["stored"]).inc();
    }

    pub fn image_failed(&self) {
        self.images.with_label_values(&["failed"]).inc();
    }

    pub fn clip_done(&self, frames: usize) {
        self.clips.with_label_values(&["done"]).inc();
        self.frames.inc_by(frames as u64);
    }

    pub fn clip_failed(&self) {
        self.clips.with_label_values(&["failed"]).inc();
    }

    fn render(&self, service: &Service) -> Result<Vec<u8>, Problem> {
        let jobs = service.database.jobs()?;
        let states = [
            ("queued", JobState::Queued),
            ("running", JobState::Running),
            ("done", JobState::Done),
            ("failed", JobState::Failed),
        ];
        for (name, state) in states {
            let count = jobs.iter().filter(|job| job.state == state).count();
            self.jobs.with_label_values(&[name]).set(count as i64);
        }
        self.queue.with_label_values(&["clips"]).set(service.clip_workers.waiting() as i64);
        self.queue.with_label_values(&["images"]).set(service.pool.waiting() as i64);
        self.frames_per_sec.set(service.clip_workers.frames_per_sec());
        self.disk.with_label_values(&["jobs"]).set(jobs.iter().map(|job| job.bytes as i64).sum());
        if let Some(free) = free_bytes(&service.options.data) {
            self.disk.with_label_values(&["free"]).set(free as i64);
        }
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .map_err(|error| super::problem::disk(&std::io::Error::other(error)))?;
        Ok(text)
    }
}

/// Numbers for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "telemetry", tag = "service",
    responses((status = 200, content_type = "text/plain", body = String), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn metrics(State(service): State<Arc<Service>>) -> Result<Response, Problem> {
    let text = service.telemetry.render(&service)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// Counts and times every answer, by the path's pattern: ids would make endless series.
pub async fn watch(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let timer = service.telemetry.seconds.with_label_values(&[&path]).start_timer();
    let response = next.run(request).await;
    timer.observe_duration();
    let status = response.status();
    service.telemetry.requests.with_label_values(&[path.as_str(), status.as_str()]).inc();
    response
}
