//! Pictures: mattes as sequences and as lossless video, and the overlay.

use std::path::PathBuf;

use super::{ExportError, ExportFrame, ExportTarget, Exporter, MaskPair, Report, overlay, palette::Rgb};
use crate::{
    frame::FrameSize,
    mask::Mask,
    video::{VideoFormat, VideoSink, write_grey},
};

/// The two sides of a [`MaskPair`], and what they are called in paths.
const SIDES: [(&str, fn(&MaskPair) -> &Mask); 2] =
    [("raw", |pair| &pair.raw), ("smoothed", |pair| &pair.smoothed)];

/// `raw/person/000000.png` and `smoothed/person/000000.png`: 8-bit grey, 0 or 255. Each file
/// is whole when it is there, and what is done stays when the job is stopped.
pub struct PngSequences {
    /// For each class, in order: its raw and its smoothed folder.
    folders: Vec<[PathBuf; 2]>,
    size: FrameSize,
    /// Remembered until the first frame that is written.
    written: Vec<PathBuf>,
}

impl PngSequences {
    pub fn begin(target: &ExportTarget) -> Result<Self, ExportError> {
        let mut folders = Vec::new();
        for class in &target.classes {
            let paths = SIDES.map(|(side, _)| target.folder.join(side).join(class.path_name()));
            for path in &paths {
                std::fs::create_dir_all(path).map_err(ExportError::on(path))?;
                let occupied = std::fs::read_dir(path).map_err(ExportError::on(path))?.next().is_some();
                if occupied && !target.force {
                    return Err(ExportError::Exists { path: path.clone() });
                }
                // A shorter clip must not leave the end of a longer one behind.
                remove_pngs(path)?;
            }
            folders.push(paths);
        }
        let written = folders.iter().flatten().cloned().collect();
        Ok(Self { folders, size: target.size, written })
    }
}

fn remove_pngs(folder: &PathBuf) -> Result<(), ExportError> {
    for entry in std::fs::read_dir(folder).map_err(ExportError::on(folder))?.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "png") {
            std::fs::remove_file(&path).map_err(ExportError::on(&path))?;
        }
    }
    Ok(())
}

impl Exporter for PngSequences {
    fn frame(&mut self, frame: &ExportFrame) -> Result<(), ExportError> {
        for (pair, folders) in frame.masks.iter().zip(&self.folders) {
            for ((_, side), folder) in SIDES.iter().zip(folders) {
                let path = folder.join(format!("{:06}.png", frame.index.get()));
                write_grey(&path, self.size, &side(pair).to_bytes(u8::MAX))?;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _: &Report) -> Result<Vec<PathBuf>, ExportError> {
        Ok(self.written)
    }
}

/// `raw_person.mkv` and `smoothed_person.mkv`: FFV1, grey, 0 or 255.
pub struct MatteVideos {
    /// For each class, in order: its raw and its smoothed video.
    sinks: Vec<[VideoSink; 2]>,
    paths: Vec<PathBuf>,
}

impl MatteVideos {
    pub fn begin(target: &ExportTarget) -> Result<Self, ExportError> {
        let (mut sinks, mut paths) = (Vec::new(), Vec::new());
        for class in &target.classes {
            let mut open = |side: &str| {
                let path = target.file(&format!("{side}_{}.mkv", class.path_name()))?;
                let sink =
                    VideoSink::create(&path, VideoFormat::Ffv1Grey, target.size, target.frames_per_sec)?;
                paths.push(path);
                Ok::<_, ExportError>(sink)
            };
            sinks.push([open(SIDES[0].0)?, open(SIDES[1].0)?]);
        }
        Ok(Self { sinks, paths })
    }
}

impl Exporter for MatteVideos {
    fn frame(&mut self, frame: &ExportFrame) -> Result<(), ExportError> {
        for (pair, sinks) in frame.masks.iter().zip(&mut self.sinks) {
            for ((_, side), sink) in SIDES.iter().zip(sinks) {
                sink.write(&side(pair).to_bytes(u8::MAX))?;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _: &Report) -> Result<Vec<PathBuf>, ExportError> {
        self.sinks.into_iter().flatten().try_for_each(VideoSink::finish)?;
        Ok(self.paths)
    }
}

/// `overlay.mp4`: the video with the smoothed masks painted on it.
pub struct OverlayVideo {
    sink: VideoSink,
    path: PathBuf,
    colours: Vec<Rgb>,
}

impl OverlayVideo {
    pub fn begin(target: &ExportTarget) -> Result<Self, ExportError> {
        let path = target.file("overlay.mp4")?;
        Ok(Self {
            sink: VideoSink::create(&path, VideoFormat::H264, target.size, target.frames_per_sec)?,
            path,
            colours: target.classes.iter().map(|class| class.colour).collect(),
        })
    }
}

impl Exporter for OverlayVideo {
    fn frame(&mut self, frame: &ExportFrame) -> Result<(), ExportError> {
        let Some(picture) = &frame.picture else { return Ok(()) };
        let masks = frame.masks.iter().map(|pair| &pair.smoothed).zip(self.colours.iter().copied());
        Ok(self.sink.write(&overlay(picture, masks))?)
    }

    fn finish(self: Box<Self>, _: &Report) -> Result<Vec<PathBuf>, ExportError> {
        self.sink.finish()?;
        Ok(vec![self.path])
    }
}
