//! Sequences of PNG files and videos, whatever they show.

use crate::{
    ExportError, ExportFrame, ExportTarget, Exporter, Report, names::SequenceNames, staging::Staging,
};
use base::frame::FrameSize;
use video::{PngPixels, VideoFormat, VideoSink, is_whole_png, write_png};

/// Makes the bytes of a picture.
type Draw = Box<dyn Fn(&ExportFrame) -> Result<Vec<u8>, ExportError> + Send>;

/// A PNG for each frame. What an interrupted run of the same job has written is taken over.
pub struct Sequence {
    files: SequenceNames,
    size: FrameSize,
    pixels: PngPixels<'static>,
    draw: Draw,
}

impl Sequence {
    pub fn begin(
        target: &ExportTarget,
        staging: &mut Staging,
        kind: &str,
        class: Option<&str>,
        pixels: PngPixels<'static>,
        draw: impl Fn(&ExportFrame) -> Result<Vec<u8>, ExportError> + Send + 'static,
    ) -> Result<Self, ExportError> {
        let files = staging.sequence(target.names.sequence(kind, class, "png"))?;
        Ok(Self { files, size: target.info.size, pixels, draw: Box::new(draw) })
    }
}

impl Exporter for Sequence {
    fn frame(&mut self, frame: &ExportFrame) -> Result<(), ExportError> {
        let path = self.files.path(frame.index.get());
        if is_whole_png(&path) {
            return Ok(());
        }
        Ok(write_png(&path, self.size, self.pixels, &(self.draw)(frame)?)?)
    }

    fn finish(self: Box<Self>, _: &Report) -> Result<Option<String>, ExportError> {
        Ok(None)
    }
}

/// A video of what is drawn of each frame.
pub struct Video {
    sink: VideoSink,
    draw: Draw,
}

impl Video {
    /// Videos that show the clip's pictures have its sound too.
    pub fn begin(
        target: &ExportTarget,
        staging: &mut Staging,
        kind: &str,
        class: Option<&str>,
        format: VideoFormat,
        draw: impl Fn(&ExportFrame) -> Result<Vec<u8>, ExportError> + Send + 'static,
    ) -> Result<Self, ExportError> {
        let usual = if class.is_some() { "{kind}_{class}" } else { "{kind}" };
        let path = staging.file(target.names.file(usual, kind, class, format.extension()))?;
        let is_matte = matches!(format, VideoFormat::Ffv1Grey | VideoFormat::H264Grey);
        let sound = target.sound.clone().filter(|_| !is_matte);
        let mut parameters = target.stream_parameters();
        if kind == "side-by-side" {
            parameters.size = twice_as_wide(parameters.size);
        }
        let sink = VideoSink::create(&path, format, parameters, sound)?;
        Ok(Self { sink, draw: Box::new(draw) })
    }
}

impl Exporter for Video {
    fn frame(&mut self, frame: &ExportFrame) -> Result<(), ExportError> {
        Ok(self.sink.write(frame.timestamp, &(self.draw)(frame)?)?)
    }

    fn finish(self: Box<Self>, _: &Report) -> Result<Option<String>, ExportError> {
        Ok(self.sink.finish()?)
    }
}

/// For two pictures beside each other.
fn twice_as_wide(size: FrameSize) -> FrameSize {
    // A picture so wide that two don't fit is refused by the encoder, in its own words.
    FrameSize::new(2 * size.width() as u32, size.height() as u32).unwrap_or(size)
}
