//! `GET /api/frames/…`: one frame of a clip, as its picture or as what came of it.

use std::{
    fs,
    io::{self, Cursor},
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Extension,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use image::{
    ExtendedColorType, ImageEncoder as _,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    Service,
    database::JobRecord,
    guard::Client,
    job_folder::source_in,
    problem::{Path, Problem, Query, disk},
    results::{latest_results, visible},
};
use base::{
    frame::{Frame, FrameIndex},
    mask::Mask,
};
use export::{overlay, palette};
use video::{self, VideoSource};

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FrameKind {
    Picture,
    Raw,
    Smoothed,
    /// The picture with the smoothed mask painted on it.
    Overlay,
    /// The picture with what smoothing has added and removed.
    Difference,
}

#[derive(Deserialize, IntoParams)]
pub struct FrameQuery {
    /// The first if not given.
    class: Option<String>,
}

/// One frame: the picture as JPEG, everything else as PNG.
#[utoipa::path(get, path = "/api/frames/{job_id}/{kind}/{frame}", tag = "results",
    params(("job_id" = String, Path), ("kind" = inline(FrameKind), Path), ("frame" = u32, Path), FrameQuery),
    responses((status = 200, content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"))),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn frame(
    State(service): State<Arc<Service>>,
    Extension(client): Extension<Client>,
    Path((job_id, kind, index)): Path<(String, FrameKind, u32)>,
    Query(query): Query<FrameQuery>,
) -> Result<Response, Problem> {
    let job = service.job_of(&client, &job_id)?;
    let drawn =
        tokio::task::spawn_blocking(move || draw(&service, &job, kind, index, query.class.as_deref()));
    let (kind, bytes) = drawn.await.map_err(|_| Problem::not_found("frame of this number"))??;
    Ok((
        [
            (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
            (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        ],
        bytes,
    )
        .into_response())
}

fn draw(
    service: &Service,
    job: &JobRecord,
    kind: FrameKind,
    index: u32,
    class: Option<&str>,
) -> Result<(&'static str, Vec<u8>), Problem> {
    if kind == FrameKind::Picture {
        let frame = service.pictures.frame(service, job, index)?;
        let mut jpeg = Vec::new();
        let (width, height) = (frame.size().width() as u32, frame.size().height() as u32);
        let encoded = JpegEncoder::new_with_quality(&mut jpeg, 88).encode(
            frame.rgb(),
            width,
            height,
            ExtendedColorType::Rgb8,
        );
        encoded.map_err(|error| disk(&io::Error::other(error)))?;
        return Ok(("image/jpeg", jpeg));
    }
    let folder = latest_results(service, job)?;
    let path = |side: &str| mask_path(&folder, side, class, index);
    let png = match kind {
        FrameKind::Raw => fs::read(path("raw")?).map_err(|_| Problem::not_found("frame of this number"))?,
        FrameKind::Smoothed => {
            fs::read(path("smoothed")?).map_err(|_| Problem::not_found("frame of this number"))?
        }
        _ => {
            let frame = service.pictures.frame(service, job, index)?;
            let smoothed = read_mask(&path("smoothed")?, &frame)?;
            let rgb = if kind == FrameKind::Overlay {
                overlay(&frame, [(&smoothed, palette::SMOOTHED)])
            } else {
                let raw = read_mask(&path("raw")?, &frame)?;
                let (added, removed) = (smoothed.and_not(&raw), raw.and_not(&smoothed));
                overlay(&frame, [(&added, palette::ADDED), (&removed, palette::REMOVED)])
            };
            let mut png = Cursor::new(Vec::new());
            let (width, height) = (frame.size().width() as u32, frame.size().height() as u32);
            let encoded = PngEncoder::new(&mut png).write_image(&rgb, width, height, ExtendedColorType::Rgb8);
            encoded.map_err(|error| disk(&io::Error::other(error)))?;
            png.into_inner()
        }
    };
    Ok(("image/png", png))
}

/// The class is looked for among the folders that are there, so it never becomes a path.
fn mask_path(folder: &FilePath, side: &str, class: Option<&str>, index: u32) -> Result<PathBuf, Problem> {
    let missing = || Problem::not_found("class of this name in the results");
    let folder = folder.join(side);
    let mut classes = visible(&folder).map_err(|_| missing())?;
    classes.sort_by(|(a, _), (b, _)| a.cmp(b));
    let found = classes.into_iter().find(|(name, _)| class.is_none_or(|class| class == name));
    Ok(found.ok_or_else(missing)?.1.path().join(format!("{index:06}.png")))
}

fn read_mask(path: &FilePath, frame: &Frame) -> Result<Mask, Problem> {
    let grey = image::open(path).map_err(|_| Problem::not_found("frame of this number"))?.into_luma8();
    let fits =
        (grey.width() as usize, grey.height() as usize) == (frame.size().width(), frame.size().height());
    if !fits {
        return Err(Problem::not_found("frame of this number"));
    }
    let bytes: Vec<u8> = grey.into_raw().into_iter().map(|value| value / 128).collect();
    Ok(Mask::from_bytes(frame.size(), &bytes))
}

/// A few clips that are kept open: whoever looks at a frame looks at the next one too.
#[derive(Default)]
pub struct Pictures(Mutex<Vec<OpenClip>>);

struct OpenClip {
    job_id: String,
    source: Box<dyn VideoSource>,
    next: usize,
    last: Option<Arc<Frame>>,
}

const MOST_OPEN: usize = 4;
/// Decoding on is quicker than seeking up to here.
const NEAR: usize = 8;

impl Pictures {
    fn frame(&self, service: &Service, job: &JobRecord, index: u32) -> Result<Arc<Frame>, Problem> {
        let index = index as usize;
        let all = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = {
            let mut open = all();
            open.iter().position(|open| open.job_id == job.id).map(|at| open.remove(at))
        };
        let mut open = match taken {
            Some(open) => open,
            None => {
                let path = source_in(&service.job_folder(&job.id))
                    .ok_or_else(|| Problem::not_found("clip of this job"))?;
                OpenClip { job_id: job.id.clone(), source: video::open(&path)?, next: 0, last: None }
            }
        };
        if let Some(frame) = open.last.clone().filter(|frame| frame.index().get() == index) {
            self.put_back(service, open);
            return Ok(frame);
        }
        if index < open.next || index > open.next + NEAR {
            open.source.seek(FrameIndex::new(index))?;
            open.next = index;
        }
        loop {
            let Some(frame) = open.source.next_frame()? else {
                return Err(Problem::not_found("frame of this number"));
            };
            open.next = frame.index().get() + 1;
            if frame.index().get() == index {
                let frame = Arc::new(frame);
                open.last = Some(frame.clone());
                self.put_back(service, open);
                return Ok(frame);
            }
        }
    }

    fn put_back(&self, service: &Service, open: OpenClip) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A job that was deleted meanwhile keeps no file open.
        if matches!(service.database.job(&open.job_id), Ok(Some(_))) {
            if all.len() >= MOST_OPEN {
                all.remove(0);
            }
            all.push(open);
        }
    }

    pub fn close(&self, job_id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|open| open.job_id != job_id);
    }
}
