//! `report.html`: what was done, how steady it became, and where it was worst, in one page
//! that needs nothing beside it.

use std::{collections::VecDeque, fmt::Write as _, fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{codecs::jpeg::JpegEncoder, imageops::FilterType};
use serde_json::Value;

use super::{
    data::{PLOTTED, PlottedMetric},
    overlay,
};
use crate::{
    ExportClass, ExportError, ExportFrame, ExportTarget, Exporter, PlotPoint, Report, draw::Side,
    staging::Staging,
};
use base::frame::FrameIndex;
use metrics::{ClassSummary, Distribution, FrameMetrics, Metric};
use smooth::Method;

/// How many are shown for each class.
const WORST_FRAMES: usize = 4;
/// Frames nearer to each other than this are one event, of which the worst is shown.
const EVENT_FRAMES: usize = 6;
const PICTURE_SIDE_PX: u32 = 560;
/// By how many frames rows come later than their frames, at most.
const ROW_DELAY: usize = 3;

pub struct HtmlReport {
    path: PathBuf,
    title: String,
    classes: Vec<ClassReport>,
    recent: VecDeque<ExportFrame>,
}

struct ClassReport {
    class: ExportClass,
    points: [Vec<PlotPoint>; PLOTTED.len()],
    /// Of the raw mask of the row before.
    previous_area_px: f64,
    /// The worst first.
    worst: Vec<WorstFrame>,
}

/// The raw instability and, to rank equally unstable frames, the larger area in px of the two masks: a
/// mask that appears for one frame has an instability of 1, however small it is.
type Badness = (f64, f64);

struct WorstFrame {
    frame: FrameIndex,
    secs: f64,
    badness: Badness,
    smoothed: Option<f64>,
    /// Raw and smoothed, as JPEG.
    pictures: [Vec<u8>; 2],
}

impl HtmlReport {
    pub fn begin(target: &ExportTarget, staging: &mut Staging) -> Result<Self, ExportError> {
        let class = |class: &ExportClass| ClassReport {
            class: class.clone(),
            points: Default::default(),
            previous_area_px: 0.0,
            worst: Vec::new(),
        };
        Ok(Self {
            path: staging.file(target.names.file("{kind}", "report", None, "html"))?,
            title: target.info.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            classes: target.classes.iter().map(class).collect(),
            recent: VecDeque::new(),
        })
    }
}

impl Exporter for HtmlReport {
    fn frame(&mut self, frame: &ExportFrame) -> Result<(), ExportError> {
        self.recent.push_back(ExportFrame { soft: None, ..frame.clone() });
        if self.recent.len() > ROW_DELAY {
            self.recent.pop_front();
        }
        Ok(())
    }

    fn row(&mut self, row: &FrameMetrics) -> Result<(), ExportError> {
        let Some(at) = self.classes.iter().position(|class| *class.class.name == *row.class) else {
            return Ok(());
        };
        let class = &mut self.classes[at];
        for (points, PlottedMetric { metric, .. }) in class.points.iter_mut().zip(PLOTTED) {
            points.push(PlotPoint::of(row, metric));
        }
        let area_px = row.raw[Metric::Area].unwrap_or(0.0);
        let larger_px = area_px.max(std::mem::replace(&mut class.previous_area_px, area_px));
        let Some(raw) = row.raw[Metric::Instability] else { return Ok(()) };
        let badness = (raw, larger_px);
        if !class.makes_room(row.frame, badness) {
            return Ok(());
        }
        let Some(frame) = self.recent.iter().find(|frame| frame.index == row.frame) else { return Ok(()) };
        let worst = WorstFrame {
            frame: row.frame,
            secs: row.timestamp.secs(),
            badness,
            smoothed: row.smoothed[Metric::Instability],
            pictures: [picture(frame, at, class, Side::Raw)?, picture(frame, at, class, Side::Smoothed)?],
        };
        let place = class.worst.partition_point(|other| other.badness >= badness);
        class.worst.insert(place, worst);
        class.worst.truncate(WORST_FRAMES);
        Ok(())
    }

    fn finish(self: Box<Self>, report: &Report) -> Result<Option<String>, ExportError> {
        let page =
            self.page(report).map_err(|cause| ExportError::Write { path: self.path.clone(), cause })?;
        fs::write(&self.path, page).map_err(ExportError::on(&self.path))?;
        Ok(None)
    }
}

impl ClassReport {
    /// Whether a frame is among the worst. A better one of the same event goes.
    fn makes_room(&mut self, frame: FrameIndex, badness: Badness) -> bool {
        let is_near = |other: &WorstFrame| other.frame.get().abs_diff(frame.get()) < EVENT_FRAMES;
        if self.worst.iter().any(|other| is_near(other) && other.badness >= badness) {
            return false;
        }
        self.worst.retain(|other| !is_near(other));
        self.worst.len() < WORST_FRAMES || self.worst.last().is_some_and(|last| last.badness < badness)
    }
}

fn picture(frame: &ExportFrame, at: usize, class: &ClassReport, side: Side) -> Result<Vec<u8>, ExportError> {
    let picture = frame.picture()?;
    let painted = overlay(picture, [(side.of(&frame.masks[at]), class.class.colour)]);
    let size = picture.size();
    let shown = size.fit_long_side(PICTURE_SIDE_PX);
    let image =
        image::RgbImage::from_raw(size.width() as u32, size.height() as u32, painted).unwrap_or_default();
    let small =
        image::imageops::resize(&image, shown.width() as u32, shown.height() as u32, FilterType::Triangle);
    let mut jpeg = Vec::new();
    // Encoding into memory fails only for sizes that a frame can't have.
    let _ = JpegEncoder::new_with_quality(&mut jpeg, 85).encode_image(&small);
    Ok(jpeg)
}

impl HtmlReport {
    fn page(&self, report: &Report) -> Result<String, String> {
        let mut page = String::new();
        let title = escaped(&self.title);
        let _ = write!(
            page,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <title>{title} – Steadymask</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n\
             <p>{} frames, network {}, {}</p>\n",
            report.frames,
            escaped(&report.model),
            escaped(&report.program)
        );
        if let Some(loss) = &report.loss {
            let _ = writeln!(page, "<p class=\"loss\">{}</p>", escaped(loss));
        }
        page += "<h2>Summary</h2>\n";
        report.summaries.iter().for_each(|summary| page += &headline(summary));
        page += &summary_table(&report.summaries);
        page += "<h2>Settings</h2>\n";
        if let Some(why) = &report.tuned {
            let _ = writeln!(page, "<p>Chosen by itself: {}.</p>", escaped(why));
        }
        page += &settings_table(report)?;
        for class in &self.classes {
            let name = escaped(&class.class.name);
            let _ = writeln!(page, "<h2>{name}</h2>");
            page += &worst_frames(&class.worst);
            for (points, plotted) in class.points.iter().zip(PLOTTED) {
                let plot = plotted.plot(&class.class.name, points.clone());
                let _ = writeln!(page, "<figure>{}</figure>", plot.to_svg()?);
            }
        }
        page += "</body></html>\n";
        Ok(page)
    }
}

/// The improvement is never shown without the lag.
fn headline(summary: &ClassSummary) -> String {
    let mean = |side: &Option<Distribution>| side.as_ref().map(|side| side.mean);
    let instability = &summary.metrics[Metric::Instability];
    let (Some(raw), Some(smoothed), Some(less)) =
        (mean(&instability.raw), mean(&instability.smoothed), summary.improvement_percent)
    else {
        return format!("<p><b>{}</b>: nothing that could be unstable.</p>\n", escaped(&summary.class));
    };
    let lag = summary.lag.map_or_else(|| "unknown".to_owned(), |lag| format!("{lag} frames"));
    format!(
        "<p><b>{}</b>: instability {raw:.4} → {smoothed:.4}, <b>{less:.0} % less</b>; lag {lag}.</p>\n",
        escaped(&summary.class)
    )
}

/// By the names of the options; without those that don't matter to the method.
fn settings_table(report: &Report) -> Result<String, String> {
    let settings = serde_json::to_value(report.settings).map_err(|error| error.to_string())?;
    let other = if report.settings.method == Method::Exponential { "window" } else { "alpha" };
    let mut table = String::from("<table>\n");
    for (name, value) in settings.as_object().into_iter().flatten() {
        let value = match value {
            _ if name == other => continue,
            Value::Null => continue,
            Value::String(text) => text.clone(),
            // Settings are single-precision numbers.
            Value::Number(number) => {
                number.as_f64().map_or_else(String::new, |value| (value as f32).to_string())
            }
            value => value.to_string(),
        };
        let _ = writeln!(table, "<tr><th>{}</th><td>{}</td></tr>", escaped(name), escaped(&value));
    }
    let polygons = report.leave_out.polygons().len();
    if polygons > 0 {
        let _ = writeln!(table, "<tr><th>left out</th><td>{polygons} polygons</td></tr>");
    }
    Ok(table + "</table>\n")
}

fn summary_table(summaries: &[ClassSummary]) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
    let mean = |side: &Option<Distribution>| number(side.as_ref().map(|side| side.mean));
    let mut table =
        String::from("<table>\n<tr><th>class</th><th>metric, mean</th><th>raw</th><th>smoothed</th></tr>\n");
    for summary in summaries {
        let class = escaped(&summary.class);
        for metric in Metric::ALL {
            let sides = &summary.metrics[metric];
            if sides.raw.is_some() || sides.smoothed.is_some() {
                let _ = writeln!(
                    table,
                    "<tr><td>{class}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    title(metric),
                    mean(&sides.raw),
                    mean(&sides.smoothed)
                );
            }
        }
        let lag = summary.lag.map_or_else(|| "–".to_owned(), |lag| lag.to_string());
        let _ = writeln!(
            table,
            "<tr><td>{class}</td><td>agreement of smoothed with raw</td><td></td><td>{}</td></tr>\n\
             <tr><td>{class}</td><td>lag, frames</td><td></td><td>{lag}</td></tr>",
            mean(&summary.agreement)
        );
    }
    table + "</table>\n"
}

fn title(metric: Metric) -> String {
    match metric {
        Metric::Iou => "IoU with the frame before".into(),
        Metric::Dice => "Dice with the frame before".into(),
        Metric::WarpedIou => "warped IoU".into(),
        Metric::Area => "area, pixels".into(),
        metric => metric.name().replace('_', " "),
    }
}

fn worst_frames(worst: &[WorstFrame]) -> String {
    let mut html = String::new();
    if !worst.is_empty() {
        html += "<h3>Worst frames</h3>\n";
    }
    for frame in worst {
        let WorstFrame { frame, secs, badness: (raw, _), smoothed, pictures } = frame;
        let smoothed = smoothed.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
        let _ = write!(
            html,
            "<figure><figcaption>frame {frame}, {secs:.3} s: instability {raw:.3} raw, {smoothed} smoothed\
             </figcaption>\n<div class=\"pair\">"
        );
        for (side, jpeg) in Side::BOTH.into_iter().zip(pictures) {
            let name = side.name();
            let _ = write!(
                html,
                "<div><img alt=\"frame {frame}, {name}\" src=\"data:image/jpeg;base64,{}\"><br>{name}</div>",
                STANDARD.encode(jpeg)
            );
        }
        html += "</div></figure>\n";
    }
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;color:#222;background:#fff}\
table{border-collapse:collapse;margin:1em 0}th,td{padding:.2em .9em;border-bottom:1px solid #ddd;text-align:left}\
figure{margin:1.2em 0}figcaption{margin-bottom:.3em}.pair{display:flex;gap:8px;flex-wrap:wrap}\
.pair div{flex:1 1 280px;max-width:560px;color:#666}.pair img{width:100%}figure svg{max-width:100%;height:auto}.loss{color:#a33}";
