//! The table of what can be exported. The command line's help, the window's dialog and the
//! page of formats all come from it.

mod coco;
mod data;
mod overlay;
mod pictures;
mod plots;
mod report;
mod yolo;

use clap::{ValueEnum, builder::PossibleValue};
use serde::{Deserialize, Serialize};

use crate::{ExportError, ExportTarget, Exporter, draw, draw::Side, palette, staging::Staging};
use video::{PngPixels, VideoFormat};

pub use overlay::overlay;
pub use plots::{Plot, PlotPoint};

use coco::Coco;
use pictures::{Sequence, Video};
use report::HtmlReport;
use yolo::Yolo;

// No doc comment: it would be a part of the HTTP API's description.
#[expect(missing_docs, reason = "the table below describes each kind")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExportKind {
    Png,
    Png16,
    Ffv1,
    H264,
    Classmap,
    Prores,
    Vp9,
    Ffv1Alpha,
    PngAlpha,
    Overlay,
    Backdrop,
    Blur,
    SideBySide,
    Csv,
    Json,
    Coco,
    Yolo,
    Plots,
    Report,
}

/// Kinds that serve one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KindGroup {
    /// Masks as grey pictures.
    Matte,
    /// Cut-outs with an alpha channel.
    Transparency,
    /// Pictures that show the masks or use them.
    Picture,
    /// Numbers, annotations and reports.
    Data,
}

impl KindGroup {
    /// In the order of the table.
    pub const ALL: [Self; 4] = [Self::Matte, Self::Transparency, Self::Picture, Self::Data];
}

/// What there is to know of a kind before it is made.
#[derive(Clone, Copy, Debug)]
pub struct KindInfo {
    /// The kind.
    pub kind: ExportKind,
    /// On the command line, in projects and presets.
    pub name: &'static str,
    /// What it is for.
    pub group: KindGroup,
    /// Where its files lie, without `--names`.
    pub files: &'static str,
    /// One line for lists and help.
    pub summary: &'static str,
    /// It shows the video's own pictures.
    pub needs_picture: bool,
    /// On the disk, for each pixel of each frame, of each class where it has files for each:
    /// about the least that real clips take.
    bytes_per_pixel: f64,
    is_per_class: bool,
}

const fn row(
    kind: ExportKind,
    name: &'static str,
    group: KindGroup,
    files: &'static str,
    summary: &'static str,
    bytes_per_pixel: f64,
) -> KindInfo {
    let needs_picture =
        matches!(group, KindGroup::Transparency | KindGroup::Picture) || matches!(kind, ExportKind::Report);
    let is_per_class =
        matches!(group, KindGroup::Matte | KindGroup::Transparency) && !matches!(kind, ExportKind::Classmap);
    KindInfo { kind, name, group, files, summary, needs_picture, bytes_per_pixel, is_per_class }
}

#[rustfmt::skip]
const TABLE: [KindInfo; 19] = {
    use ExportKind::*;
    use KindGroup::*;
    [
        row(Png, "png", Matte, "raw/CLASS/000000.png, smoothed/CLASS/…", "Mattes as PNG sequences, 8-bit grey, raw and smoothed", 0.004),
        row(Png16, "png16", Matte, "smoothed16/CLASS/000000.png", "Smoothed mattes as PNG sequences, 16-bit grey", 0.004),
        row(Ffv1, "ffv1", Matte, "raw_CLASS.mkv, smoothed_CLASS.mkv", "Mattes as lossless video (FFV1), raw and smoothed", 0.004),
        row(H264, "h264", Matte, "smoothed_CLASS.mp4", "Smoothed mattes as H.264 video, visually lossless", 0.002),
        row(Classmap, "classmap", Matte, "classmap/000000.png, classmap.json", "Classes as indexed PNG, palette of Pascal VOC and DAVIS", 0.002),
        row(Prores, "prores", Transparency, "cutout_CLASS.mov", "Cut-out as ProRes 4444 with alpha", 0.3),
        row(Vp9, "vp9", Transparency, "cutout_CLASS.webm", "Cut-out as VP9 with alpha, small", 0.01),
        row(Ffv1Alpha, "ffv1-alpha", Transparency, "cutout_CLASS.mkv", "Cut-out as lossless video with alpha (FFV1)", 0.8),
        row(PngAlpha, "png-alpha", Transparency, "cutout/CLASS/000000.png", "Cut-out as RGBA PNG sequence, straight alpha", 0.9),
        row(Overlay, "overlay", Picture, "overlay.mp4", "The video with the smoothed masks painted on it", 0.01),
        row(Backdrop, "backdrop", Picture, "backdrop.mp4", "The classes over one colour, green if not chosen", 0.004),
        row(Blur, "blur", Picture, "blur.mp4", "The classes over the blurred background", 0.004),
        row(SideBySide, "side-by-side", Picture, "side-by-side.mp4", "Raw beside smoothed, labelled", 0.02),
        row(Csv, "csv", Data, "metrics.csv", "Metrics of every frame", 0.0),
        row(Json, "json", Data, "metrics.json", "Settings and summary", 0.0),
        row(Coco, "coco", Data, "coco.json", "Masks as COCO run lengths, with boxes, areas and scores", 0.001),
        row(Yolo, "yolo", Data, "yolo/000000.txt, yolo.yaml", "Masks as polygons for YOLO segmentation", 0.0005),
        row(Plots, "plots", Data, "plots/METRIC_CLASS.png and .svg", "IoU, Dice and instability, raw against smoothed", 0.0),
        row(Report, "report", Data, "report.html", "One page: settings, summary, plots, worst frames", 0.0),
    ]
};

impl ExportKind {
    /// In the order of the table.
    pub const ALL: [Self; TABLE.len()] = {
        let mut all = [Self::Png; TABLE.len()];
        let mut at = 0;
        while at < TABLE.len() {
            all[at] = TABLE[at].kind;
            at += 1;
        }
        all
    };

    /// What is made when nothing else is asked for.
    pub const DEFAULT: [Self; 6] = [Self::Png, Self::Ffv1, Self::Overlay, Self::Csv, Self::Json, Self::Plots];

    /// Its row of the table.
    pub fn info(self) -> &'static KindInfo {
        &TABLE[self as usize]
    }

    /// Whether it shows the video's own pictures.
    pub fn needs_picture(self) -> bool {
        self.info().needs_picture
    }

    /// Whether it uses smoothed probabilities: for soft edges, or for scores.
    pub(super) fn needs_soft(self, soft_edges: bool) -> bool {
        let has_edges = self.info().group != KindGroup::Data
            && !matches!(self, Self::Classmap | Self::Overlay | Self::SideBySide);
        self == Self::Coco || soft_edges && has_edges
    }

    /// About how much it will take on the disk, at least.
    pub fn least_bytes(self, pixels: usize, frames: usize, classes: usize) -> u64 {
        let info = self.info();
        let files = if info.is_per_class { classes } else { 1 };
        (info.bytes_per_pixel * pixels as f64 * frames as f64 * files as f64) as u64
    }

    /// Begins the files of this kind.
    pub(super) fn begin(
        self,
        target: &ExportTarget,
        staging: &mut Staging,
    ) -> Result<Vec<Box<dyn Exporter>>, ExportError> {
        let mut exporters: Vec<Box<dyn Exporter>> = Vec::new();
        let options = target.draw_options();
        let colours: Vec<palette::Rgb> = target.classes.iter().map(|class| class.colour).collect();
        let all = target.classes.iter().enumerate();
        match self {
            Self::Png => {
                for ((at, class), side) in all.flat_map(|class| Side::BOTH.map(|side| (class, side))) {
                    let draw = move |frame: &crate::ExportFrame| match side {
                        Side::Raw => Ok(frame.masks[at].raw.to_bytes(u8::MAX)),
                        Side::Smoothed => Ok(draw::matte(frame, at, options)),
                    };
                    let sequence = Sequence::begin(
                        target,
                        staging,
                        side.name(),
                        Some(&class.name),
                        PngPixels::Grey,
                        draw,
                    )?;
                    exporters.push(Box::new(sequence));
                }
            }
            Self::Png16 => {
                for (at, class) in all {
                    let draw = move |frame: &crate::ExportFrame| Ok(draw::matte16(frame, at, options));
                    let sequence = Sequence::begin(
                        target,
                        staging,
                        "smoothed16",
                        Some(&class.name),
                        PngPixels::Grey16,
                        draw,
                    )?;
                    exporters.push(Box::new(sequence));
                }
            }
            Self::Ffv1 => {
                for ((at, class), side) in all.flat_map(|class| Side::BOTH.map(|side| (class, side))) {
                    let draw = move |frame: &crate::ExportFrame| match side {
                        Side::Raw => Ok(frame.masks[at].raw.to_bytes(u8::MAX)),
                        Side::Smoothed => Ok(draw::matte(frame, at, options)),
                    };
                    exporters.push(Box::new(Video::begin(
                        target,
                        staging,
                        side.name(),
                        Some(&class.name),
                        VideoFormat::Ffv1Grey,
                        draw,
                    )?));
                }
            }
            Self::H264 => {
                for (at, class) in all {
                    let draw = move |frame: &crate::ExportFrame| Ok(draw::matte(frame, at, options));
                    exporters.push(Box::new(Video::begin(
                        target,
                        staging,
                        "smoothed",
                        Some(&class.name),
                        VideoFormat::H264Grey,
                        draw,
                    )?));
                }
            }
            Self::Classmap => {
                let indices: Vec<u8> = target.classes.iter().map(|class| class.index).collect();
                let draw = move |frame: &crate::ExportFrame| Ok(draw::class_map(frame, &indices));
                let pixels = PngPixels::Indexed(palette::voc());
                exporters.push(Box::new(Sequence::begin(target, staging, "classmap", None, pixels, draw)?));
                exporters.push(Box::new(data::ClassLegend::begin(target, staging)?));
            }
            Self::PngAlpha => {
                for (at, class) in all {
                    let draw = move |frame: &crate::ExportFrame| {
                        Ok(draw::cutout(frame, frame.picture()?, at, options))
                    };
                    let sequence =
                        Sequence::begin(target, staging, "cutout", Some(&class.name), PngPixels::Rgba, draw)?;
                    exporters.push(Box::new(sequence));
                }
            }
            Self::Prores | Self::Vp9 | Self::Ffv1Alpha => {
                let format = match self {
                    Self::Prores => VideoFormat::ProRes4444,
                    Self::Vp9 => VideoFormat::Vp9Alpha,
                    _ => VideoFormat::Ffv1Alpha,
                };
                for (at, class) in all {
                    let draw = move |frame: &crate::ExportFrame| {
                        Ok(draw::cutout(frame, frame.picture()?, at, options))
                    };
                    exporters.push(Box::new(Video::begin(
                        target,
                        staging,
                        "cutout",
                        Some(&class.name),
                        format,
                        draw,
                    )?));
                }
            }
            Self::Overlay => {
                let draw = move |frame: &crate::ExportFrame| {
                    let masks = frame.masks.iter().map(|pair| &pair.smoothed).zip(colours.iter().copied());
                    Ok(overlay(frame.picture()?, masks))
                };
                exporters.push(Box::new(Video::begin(
                    target,
                    staging,
                    "overlay",
                    None,
                    VideoFormat::H264,
                    draw,
                )?));
            }
            Self::Backdrop => {
                let colour = target.options.backdrop.0;
                let draw = move |frame: &crate::ExportFrame| {
                    Ok(draw::over_colour(frame, frame.picture()?, colour, options))
                };
                exporters.push(Box::new(Video::begin(
                    target,
                    staging,
                    "backdrop",
                    None,
                    VideoFormat::H264,
                    draw,
                )?));
            }
            Self::Blur => {
                let draw =
                    move |frame: &crate::ExportFrame| Ok(draw::over_blur(frame, frame.picture()?, options)?);
                exporters.push(Box::new(Video::begin(
                    target,
                    staging,
                    "blur",
                    None,
                    VideoFormat::H264,
                    draw,
                )?));
            }
            Self::SideBySide => {
                let labels = ["raw".to_owned(), target.label.clone()];
                let draw = move |frame: &crate::ExportFrame| {
                    Ok(draw::side_by_side(frame, frame.picture()?, &colours, &labels)?)
                };
                exporters.push(Box::new(Video::begin(
                    target,
                    staging,
                    "side-by-side",
                    None,
                    VideoFormat::H264,
                    draw,
                )?));
            }
            Self::Csv => exporters.push(Box::new(data::MetricsCsv::begin(target, staging)?)),
            Self::Json => exporters.push(Box::new(data::MetricsJson::begin(target, staging)?)),
            Self::Coco => exporters.push(Box::new(Coco::begin(target, staging)?)),
            Self::Yolo => exporters.push(Box::new(Yolo::begin(target, staging)?)),
            Self::Plots => exporters.push(Box::new(data::Plots::begin(target, staging)?)),
            Self::Report => exporters.push(Box::new(HtmlReport::begin(target, staging)?)),
        }
        Ok(exporters)
    }
}

impl ValueEnum for ExportKind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let info = self.info();
        Some(PossibleValue::new(info.name).help(info.summary))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_kinds_and_says_their_names() {
        for (at, kind) in ExportKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(kind.info().kind, kind);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.info().name);
        }
    }

    /// The page of formats in the README has a row for each kind, made of this table.
    #[test]
    fn the_readme_has_the_table() {
        let readme = include_str!("../../../README.md");
        for info in TABLE {
            let row = format!("| `{}` | {} | {} |", info.name, info.summary, info.files);
            assert!(readme.contains(&row), "README.md lacks the row\n{row}");
        }
    }
}
