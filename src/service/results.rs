//! What came of a clip: its files and its numbers.

use std::{
    fs,
    io::{self, Write},
    path::{Component, Path as FilePath, PathBuf},
    sync::Arc,
};

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use tokio_util::io::ReaderStream;
use utoipa::ToSchema;

use super::{
    Service,
    database::{JobRecord, JobState, Stage},
    guard::Client,
    job_folder::RESULTS,
    problem::{Path, Problem, disk},
};

/// The files of a clip, as they can be fetched.
#[derive(Serialize, ToSchema)]
pub struct Results {
    pub job_id: String,
    pub files: Vec<ResultFile>,
    /// All of them in one ZIP.
    pub archive: String,
}

/// A file, or a folder of numbered files.
#[derive(Serialize, ToSchema)]
pub struct ResultFile {
    pub name: String,
    pub bytes: u64,
    /// How many files a folder has.
    pub files: Option<usize>,
    /// Where a file can be had; those of a folder are `{href}000000.png` and so on.
    pub href: String,
}

/// What of a clip has been written. Those of other settings are not the answer while these are
/// being worked on.
fn results_of(service: &Service, client: &Client, job_id: &str) -> Result<(JobRecord, PathBuf), Problem> {
    let job = service.job_of(client, job_id)?;
    let folder = latest_results(service, &job)?;
    if job.state == JobState::Done { Ok((job, folder)) } else { Err(no_results()) }
}

/// What there is to look at, be it of the settings before.
pub fn latest_results(service: &Service, job: &JobRecord) -> Result<PathBuf, Problem> {
    let folder = service.job_folder(&job.id).join(RESULTS);
    if job.stage == Stage::Stabilize && folder.is_dir() { Ok(folder) } else { Err(no_results()) }
}

fn no_results() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "this clip has no results yet",
        "ask for /api/stabilize, and wait until its status is done",
    )
}

/// The files of a clip.
#[utoipa::path(get, path = "/api/results/{job_id}", tag = "results", params(("job_id" = String, Path)),
    responses((status = 200, body = Results), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn results(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    Path(job_id): Path<String>,
) -> Result<Json<Results>, Problem> {
    let (job, folder) = results_of(&service, &client, &job_id)?;
    let href = format!("/api/results/{}/files/", job.id);
    let mut files = Vec::new();
    list(&folder, "", &href, &mut files).map_err(|error| disk(&error))?;
    files.sort_by(|a: &ResultFile, b| a.name.cmp(&b.name));
    Ok(Json(Results { archive: format!("/api/results/{}/archive.zip", job.id), job_id: job.id, files }))
}

/// Hidden files are unfinished.
pub fn visible(folder: &FilePath) -> io::Result<Vec<(String, fs::DirEntry)>> {
    let named = fs::read_dir(folder)?
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry));
    Ok(named.filter(|(name, _)| !name.starts_with('.')).collect())
}

fn list(folder: &FilePath, prefix: &str, href: &str, files: &mut Vec<ResultFile>) -> io::Result<()> {
    let (mut count, mut count_bytes) = (0, 0);
    for (name, entry) in visible(folder)? {
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            list(&entry.path(), &format!("{prefix}{name}/"), href, files)?;
        } else if name.bytes().next().is_some_and(|first| first.is_ascii_digit()) {
            (count, count_bytes) = (count + 1, count_bytes + metadata.len());
        } else {
            let name = format!("{prefix}{name}");
            files.push(ResultFile {
                href: format!("{href}{name}"),
                name,
                bytes: metadata.len(),
                files: None,
            });
        }
    }
    if count > 0 {
        let (name, href) = (prefix.to_owned(), format!("{href}{prefix}"));
        files.push(ResultFile { name, bytes: count_bytes, files: Some(count), href });
    }
    Ok(())
}

/// One file of the results.
#[utoipa::path(get, path = "/api/results/{job_id}/files/{path}", tag = "results",
    params(("job_id" = String, Path), ("path" = String, Path, description = "as in the list of results")),
    responses((status = 200, content((Vec<u8> = "application/octet-stream"), (Vec<u8> = "image/png"), (String = "image/svg+xml"),
        (String = "text/csv"), (Value = "application/json"), (String = "text/html"),
        (String = "text/plain"), (Vec<u8> = "video/mp4"), (Vec<u8> = "video/webm"),
        (Vec<u8> = "video/x-matroska"), (Vec<u8> = "video/quicktime"))),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn file(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    Path((job_id, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (_, folder) = results_of(&service, &client, &job_id)?;
    let missing = || Problem::not_found("file of this name in the results");
    let is_plain = |part: Component| matches!(part, Component::Normal(name) if !name.as_encoded_bytes().starts_with(b"."));
    if path.contains('\0') || !FilePath::new(&path).components().all(is_plain) {
        return Err(missing());
    }
    let path = folder.join(&path);
    let file = tokio::fs::File::open(&path).await.map_err(|_| missing())?;
    let metadata = file.metadata().await.map_err(|error| disk(&error))?;
    if !metadata.is_file() {
        return Err(missing());
    }
    let kind = match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "csv" => "text/csv; charset=utf-8",
        "json" => "application/json",
        "html" => "text/html; charset=utf-8",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mkv" => "video/x-matroska",
        "mov" => "video/quicktime",
        "txt" | "yaml" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_LENGTH, metadata.len().into()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}

/// All files in one ZIP, made while it is sent.
#[utoipa::path(get, path = "/api/results/{job_id}/archive.zip", tag = "results", params(("job_id" = String, Path)),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn archive(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    Path(job_id): Path<String>,
) -> Result<Response, Problem> {
    let (_, folder) = results_of(&service, &client, &job_id)?;
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    std::thread::spawn(move || {
        let mut zip = zip::ZipWriter::new_stream(io::BufWriter::with_capacity(64 << 10, Pipe(sender)));
        let sent = pack(&mut zip, &folder, "").and_then(|()| zip.finish()?.into_inner().flush());
        if let Err(error) = sent {
            tracing::info!("an archive was not sent to its end: {error}");
        }
    });
    let chunks = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/zip")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"steadymask.zip\"")),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

fn pack(
    zip: &mut zip::ZipWriter<zip::write::StreamWriter<impl Write>>,
    folder: &FilePath,
    prefix: &str,
) -> io::Result<()> {
    // Masks and videos are compressed already.
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .large_file(true);
    let mut entries = visible(folder)?;
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (name, entry) in entries {
        if entry.file_type()?.is_dir() {
            pack(zip, &entry.path(), &format!("{prefix}{name}/"))?;
        } else {
            zip.start_file(format!("{prefix}{name}"), options)?;
            io::copy(&mut fs::File::open(entry.path())?, zip)?;
        }
    }
    Ok(())
}

/// Gives what is written to whoever downloads, and waits where that is slow.
struct Pipe(tokio::sync::mpsc::Sender<io::Result<Vec<u8>>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.blocking_send(Ok(bytes.to_vec())).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Settings and summary, and the rows of every frame and class.
#[derive(Serialize, ToSchema)]
pub struct Metrics {
    pub job_id: String,
    #[schema(value_type = Object)]
    pub report: Value,
    /// By the columns of `metrics.csv`.
    #[schema(value_type = Vec<Object>)]
    pub rows: Vec<Value>,
}

/// The numbers of a clip.
#[utoipa::path(get, path = "/api/metrics/{job_id}", tag = "results", params(("job_id" = String, Path)),
    responses((status = 200, body = Metrics), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn metrics(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    Path(job_id): Path<String>,
) -> Result<Json<Metrics>, Problem> {
    let (job, folder) = results_of(&service, &client, &job_id)?;
    let read = move || -> io::Result<Metrics> {
        let mut report: Value = serde_json::from_slice(&fs::read(folder.join("metrics.json"))?)?;
        // A client knows its file by its own name.
        report["video"] = job.file_name.into();
        let mut csv = csv::Reader::from_path(folder.join("metrics.csv"))?;
        let columns = csv.headers()?.clone();
        let cell = |text: &str| match text.parse::<f64>() {
            _ if text.is_empty() => Value::Null,
            Ok(number) => number.into(),
            Err(_) => text.into(),
        };
        let row = |record: csv::StringRecord| {
            columns
                .iter()
                .zip(&record)
                .map(|(name, text)| (name.to_owned(), cell(text)))
                .collect::<serde_json::Map<_, _>>()
        };
        let rows =
            csv.records().map(|record| Ok(Value::Object(row(record?)))).collect::<Result<_, csv::Error>>()?;
        Ok(Metrics { job_id: job.id, report, rows })
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(metrics) => Ok(Json(metrics.map_err(|error| disk(&error))?)),
        Err(_) => Err(disk(&io::ErrorKind::Other.into())),
    }
}
