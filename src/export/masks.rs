//! Pictures: mattes as sequences and as lossless video, and the overlay.

use std::path::PathBuf;

use super::{
    ExportError, ExportFrame, ExportTarget, Exporter, MaskPair, Report, overlay, palette::Rgb,
    staging::Staging,
};
use crate::{
    frame::FrameSize,
    mask::Mask,
    video::{VideoFormat, VideoSink, write_grey},
};

/// The two sides of a [`MaskPair`], and what they are called in paths.
type Side = (&'static str, fn(&MaskPair) -> &Mask);
const SIDES: [Side; 2] = [("raw", |pair| &pair.raw), ("smoothed", |pair| &pair.smoothed)];

/// `raw/person/000000.png` and `smoothed/person/000000.png`: 8-bit grey, 0 or 255.
pub struct PngSequences {
    /// For each class, in order: its raw and its smoothed folder.
    folders: Vec<[PathBuf; 2]>,
    size: FrameSize,
}

impl PngSequences {
    pub fn begin(target: &ExportTarget, staging: &mut Staging) -> Result<Self, ExportError> {
        let mut folders = Vec::new();
        for class in &target.classes {
            let mut folder = |(side, _)| staging.sequence(format!("{side}/{}", class.path_name()));
            folders.push([folder(SIDES[0])?, folder(SIDES[1])?]);
        }
        Ok(Self { folders, size: target.size })
    }
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

    fn finish(self: Box<Self>, _: &Report) -> Result<(), ExportError> {
        Ok(())
    }
}

/// `raw_person.mkv` and `smoothed_person.mkv`: FFV1, grey, 0 or 255.
pub struct MatteVideos {
    /// For each class, in order: its raw and its smoothed video.
    sinks: Vec<[VideoSink; 2]>,
}

impl MatteVideos {
    pub fn begin(target: &ExportTarget, staging: &mut Staging) -> Result<Self, ExportError> {
        let mut sinks = Vec::new();
        for class in &target.classes {
            let mut open = |(side, _)| -> Result<VideoSink, ExportError> {
                let path = staging.file(format!("{side}_{}.mkv", class.path_name()))?;
                Ok(VideoSink::create(&path, VideoFormat::Ffv1Grey, target.size, target.frames_per_sec)?)
            };
            sinks.push([open(SIDES[0])?, open(SIDES[1])?]);
        }
        Ok(Self { sinks })
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

    fn finish(self: Box<Self>, _: &Report) -> Result<(), ExportError> {
        Ok(self.sinks.into_iter().flatten().try_for_each(VideoSink::finish)?)
    }
}

/// `overlay.mp4`: the video with the smoothed masks painted on it.
pub struct OverlayVideo {
    sink: VideoSink,
    colours: Vec<Rgb>,
}

impl OverlayVideo {
    pub fn begin(target: &ExportTarget, staging: &mut Staging) -> Result<Self, ExportError> {
        let path = staging.file("overlay.mp4")?;
        Ok(Self {
            sink: VideoSink::create(&path, VideoFormat::H264, target.size, target.frames_per_sec)?,
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

    fn finish(self: Box<Self>, _: &Report) -> Result<(), ExportError> {
        Ok(self.sink.finish()?)
    }
}
