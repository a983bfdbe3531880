//! `POST /api/upload`: a clip comes in, straight to the disk.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Json,
    extract::{State, multipart::Field},
    http::StatusCode,
};
use sha2::{Digest as _, Sha256};
use tokio::{io::AsyncWriteExt as _, time::timeout};
use utoipa::ToSchema;

use super::{
    READ_PATIENCE, Service,
    clips::JobStatus,
    database::{JobRecord, JobState, Stage, VideoFacts, now_secs},
    guard::Client,
    job_folder,
    problem::{Form, Problem, disk},
};
use base::files::free_bytes;
use video::{self, VideoError};

/// A video file.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct UploadForm {
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    video: Vec<u8>,
}

/// Kept free for everybody else.
const RESERVE_BYTES: u64 = 256 << 20;
/// What comes in more slowly keeps a place that somebody else could use.
const LEAST_BYTES_PER_SEC: u64 = 16 << 10;
/// Enough to tell formats apart.
const HEAD_BYTES: usize = 400;

/// Take a clip in. The same clip again gives the job that is there already.
#[utoipa::path(post, path = "/api/upload", tag = "clips",
    request_body(content = inline(UploadForm), content_type = "multipart/form-data"),
    responses((status = 201, body = JobStatus), (status = 200, body = JobStatus, description = "it is there already"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn upload(
    State(service): State<Arc<Service>>,
    Extension(Client(client)): Extension<Client>,
    Form(mut form): Form,
) -> Result<(StatusCode, Json<JobStatus>), Problem> {
    let _place = service.uploads.try_acquire().map_err(|_| Problem::busy("too many uploads at once", 5))?;
    let (held_jobs, held_bytes) = service.database.usage(&client)?;
    let room_bytes =
        service.options.client_bytes.saturating_sub(held_bytes).min(service.options.max_upload_bytes);
    let field = loop {
        let next = timeout(READ_PATIENCE, form.next_field()).await.map_err(|_| Problem::slow())??;
        match next {
            Some(field) if field.name() == Some("video") => break field,
            Some(_) => {}
            None => {
                return Err(Problem::wrong(
                    "the form has no field «video»",
                    "send the file in a field of this name",
                ));
            }
        }
    };
    let file_name = shown_name(field.file_name());
    let received = ReceivedFile::of(field, &service, room_bytes).await?;
    if let Some(job) = service.database.same_upload(&client, &received.sha256)? {
        return Ok((StatusCode::OK, Json(service.status(&job))));
    }
    if held_jobs >= service.options.client_jobs {
        return Err(Problem::busy(
            format!("you hold {held_jobs} jobs, which is the most here; delete some"),
            60,
        ));
    }
    let service_there = service.clone();
    let job = tokio::task::spawn_blocking(move || received.keep(&service_there, client, file_name))
        .await
        .map_err(|_| Problem::wrong("the clip can't be read", "give another file"))??;
    Ok((StatusCode::CREATED, Json(service.status(&job))))
}

/// A file that has come in whole, and has no name yet.
struct ReceivedFile {
    file: tempfile::NamedTempFile,
    bytes: u64,
    sha256: String,
    extension: &'static str,
}

impl ReceivedFile {
    async fn of(mut field: Field<'_>, service: &Service, most_bytes: u64) -> Result<Self, Problem> {
        let file = tempfile::NamedTempFile::new_in(service.uploads_folder()).map_err(|error| disk(&error))?;
        let mut out = tokio::fs::File::from_std(file.reopen().map_err(|error| disk(&error))?);
        let (mut hash, mut bytes, mut head) = (Sha256::new(), 0, Vec::new());
        let begun = Instant::now();
        loop {
            let chunk = timeout(READ_PATIENCE, field.chunk()).await.map_err(|_| Problem::slow())??;
            let Some(chunk) = chunk else { break };
            bytes += chunk.len() as u64;
            if begun.elapsed() > READ_PATIENCE + Duration::from_secs(bytes / LEAST_BYTES_PER_SEC) {
                return Err(Problem::slow());
            }
            if bytes > most_bytes {
                return Err(Problem::too_large(format!(
                    "the clip is larger than the {most_bytes} bytes that you may send"
                )));
            }
            if head.len() < HEAD_BYTES {
                head.extend_from_slice(&chunk[..chunk.len().min(HEAD_BYTES)]);
                // Known before the rest is taken.
                if head.len() >= HEAD_BYTES {
                    format_of(&head)?;
                }
            }
            if free_bytes(file.path()).is_some_and(|free| free < RESERVE_BYTES) {
                return Err(disk(&std::io::ErrorKind::StorageFull.into()));
            }
            hash.update(&chunk);
            out.write_all(&chunk).await.map_err(|error| disk(&error))?;
        }
        out.sync_all().await.map_err(|error| disk(&error))?;
        let extension = format_of(&head)?;
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { file, bytes, sha256, extension })
    }

    /// Looks into the file, gives it a place, and makes a job of it.
    fn keep(self, service: &Service, client: String, file_name: String) -> Result<JobRecord, Problem> {
        let id = random_id().map_err(|error| disk(&error))?;
        let folder = service.job_folder(&id);
        std::fs::create_dir_all(&folder).map_err(|error| disk(&error))?;
        let path = folder.join("source").with_extension(self.extension);
        let keep = || -> Result<JobRecord, Problem> {
            self.file.persist(&path).map_err(|error| disk(&error.error))?;
            let video = look_into(&path, &file_name, service)?;
            let fingerprint = video::fingerprint(&path)?;
            let job = JobRecord {
                id,
                client,
                file_name,
                sha256: self.sha256,
                fingerprint,
                video,
                stage: Stage::Upload,
                state: JobState::Done,
                plan: None,
                error: None,
                updated_secs: now_secs(),
                bytes: self.bytes,
            };
            service.database.add_job(&job)?;
            Ok(job)
        };
        keep().inspect_err(|_| job_folder::remove(&folder))
    }
}

/// What the clip claims to be; its first frame must decode.
fn look_into(path: &Path, file_name: &str, service: &Service) -> Result<VideoFacts, Problem> {
    let name = |error: VideoError| {
        let text = error.to_string().replace(&*path.to_string_lossy(), file_name);
        match error {
            VideoError::System { .. } | VideoError::Write { .. } => Problem::from(error),
            _ => Problem::wrong(text, "give a file that plays elsewhere"),
        }
    };
    let mut source = video::open(path).map_err(name)?;
    let info = source.info().clone();
    let facts = VideoFacts {
        width: info.size.width(),
        height: info.size.height(),
        frames_per_sec: info.frames_per_sec,
        frames: info.claimed_frames,
    };
    if info.size.pixels() > service.options.max_pixels {
        return Err(Problem::too_large(format!(
            "its picture is {}, more than {} pixels",
            info.size, service.options.max_pixels
        )));
    }
    if facts.frames.is_some_and(|frames| frames > service.options.max_frames as usize) {
        return Err(Problem::too_large(format!("it has more than {} frames", service.options.max_frames)));
    }
    match source.next_frame().map_err(name)? {
        Some(_) => Ok(facts),
        None => Err(Problem::wrong("the clip has no picture", "give a video")),
    }
}

/// By the file's first bytes, the ending for its format. Playlists and other texts that could
/// name further files are refused, whatever they are called.
fn format_of(head: &[u8]) -> Result<&'static str, Problem> {
    let at = |place: usize, bytes: &[u8]| head.get(place..).is_some_and(|rest| rest.starts_with(bytes));
    let is_box = |kind: &&[u8]| at(4, kind);
    let boxes: [&[u8]; 6] = [b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"];
    let formats = [
        ("mp4", boxes.iter().any(is_box)),
        ("mkv", at(0, &[0x1a, 0x45, 0xdf, 0xa3])),
        ("avi", at(0, b"RIFF") && at(8, b"AVI ")),
        ("ts", at(0, &[0x47]) && at(188, &[0x47])),
        ("m2ts", at(4, &[0x47]) && at(196, &[0x47])),
        ("mpg", at(0, &[0, 0, 1, 0xba]) || at(0, &[0, 0, 1, 0xb3])),
        ("flv", at(0, b"FLV\x01")),
        ("ogv", at(0, b"OggS")),
        ("wmv", at(0, &[0x30, 0x26, 0xb2, 0x75])),
        ("y4m", at(0, b"YUV4MPEG2 ")),
    ];
    let found = formats.into_iter().find_map(|(extension, is_it)| is_it.then_some(extension));
    found.ok_or_else(|| {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "this is no video of a kind that is known here",
            "give MP4, MOV, Matroska, WebM, AVI, MPEG, FLV, Ogg, WMV or Y4M",
        )
    })
}

/// A client's name for its file, as it may be shown: no path, one line, not too long.
pub fn shown_name(name: Option<&str>) -> String {
    let name = name.unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
    if name.is_empty() { "unnamed".into() } else { name }
}

/// 128 bits that nobody can guess, in hexadecimal.
fn random_id() -> std::io::Result<String> {
    use std::io::Read as _;
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_first_bytes_and_playlists_are_none() {
        assert_eq!(format_of(b"\0\0\0\x20ftypisom").unwrap(), "mp4");
        assert_eq!(format_of(&[0x1a, 0x45, 0xdf, 0xa3, 0]).unwrap(), "mkv");
        for text in [
            "",
            "#EXTM3U\n/etc/passwd",
            "ffconcat version 1.0\nfile x",
            "<?xml version",
            "RIFF....WAVE",
            "\u{89}PNG",
        ] {
            assert!(format_of(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_clients_name_is_never_a_path() {
        assert_eq!(shown_name(Some("../../etc/passwd")), "passwd");
        assert_eq!(shown_name(Some("C:\\a\\clip\n.mp4")), "clip.mp4");
        assert_eq!(shown_name(Some("..")), "..");
        assert_eq!(shown_name(None), "unnamed");
    }
}
