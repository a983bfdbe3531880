//! Data files: metrics as CSV and JSON, their plots, and the legend of a class map.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{ExportError, ExportTarget, Exporter, Plot, PlotPoint, Report, staging::Staging};
use metrics::{FrameMetrics, Metric};

/// `metrics.csv`: a line for each frame and class.
pub struct MetricsCsv {
    path: PathBuf,
    file: BufWriter<File>,
}

impl MetricsCsv {
    pub fn begin(target: &ExportTarget, staging: &mut Staging) -> Result<Self, ExportError> {
        let path = staging.file(target.names.file("{kind}", "metrics", None, "csv"))?;
        let file = File::create(&path).map_err(ExportError::on(&path))?;
        let mut csv = Self { path, file: BufWriter::new(file) };
        csv.line(&FrameMetrics::csv_header())?;
        Ok(csv)
    }

    fn line(&mut self, line: &str) -> Result<(), ExportError> {
        writeln!(self.file, "{line}").map_err(ExportError::on(&self.path))
    }
}

impl Exporter for MetricsCsv {
    fn row(&mut self, row: &FrameMetrics) -> Result<(), ExportError> {
        self.line(&row.csv_line())
    }

    fn finish(mut self: Box<Self>, _: &Report) -> Result<Option<String>, ExportError> {
        self.file.flush().map_err(ExportError::on(&self.path))?;
        Ok(None)
    }
}

/// `metrics.json`: settings and summary.
pub struct MetricsJson {
    path: PathBuf,
}

impl MetricsJson {
    pub fn begin(target: &ExportTarget, staging: &mut Staging) -> Result<Self, ExportError> {
        Ok(Self { path: staging.file(target.names.file("{kind}", "metrics", None, "json"))? })
    }
}

impl Exporter for MetricsJson {
    fn finish(self: Box<Self>, report: &Report) -> Result<Option<String>, ExportError> {
        write_json(&self.path, report)
    }
}

/// `plots/iou_person.png` and `.svg`, and so on: each metric of each class over the frames.
pub struct Plots {
    classes: Vec<ClassPlots>,
}

struct ClassPlots {
    name: String,
    /// In the order of [`PLOTTED`].
    curves: Vec<Curve>,
}

struct Curve {
    points: Vec<PlotPoint>,
    png: PathBuf,
    svg: PathBuf,
}

/// A metric that is plotted over the frames.
pub struct PlottedMetric {
    pub metric: Metric,
    pub title: &'static str,
    /// The vertical axis.
    pub quantity: &'static str,
}

impl PlottedMetric {
    /// The plot of one class.
    pub fn plot(&self, class: &str, points: Vec<PlotPoint>) -> Plot {
        Plot { title: format!("{}: {class}", self.title), quantity: self.quantity.into(), points }
    }
}

pub const PLOTTED: [PlottedMetric; 3] = [
    PlottedMetric { metric: Metric::Iou, title: "IoU with the frame before", quantity: "IoU" },
    PlottedMetric { metric: Metric::Dice, title: "Dice with the frame before", quantity: "Dice" },
    PlottedMetric { metric: Metric::Instability, title: "Instability", quantity: "1 − IoU" },
];

impl Plots {
    pub fn begin(target: &ExportTarget, staging: &mut Staging) -> Result<Self, ExportError> {
        let mut classes = Vec::new();
        for class in &target.classes {
            let mut curves = Vec::new();
            for PlottedMetric { metric, .. } in PLOTTED {
                let mut file = |extension| {
                    let usual = "plots/{kind}_{class}";
                    staging.file(target.names.file(usual, metric.name(), Some(&class.name), extension))
                };
                curves.push(Curve { points: Vec::new(), png: file("png")?, svg: file("svg")? });
            }
            classes.push(ClassPlots { name: class.name.clone(), curves });
        }
        Ok(Self { classes })
    }
}

impl Exporter for Plots {
    fn row(&mut self, row: &FrameMetrics) -> Result<(), ExportError> {
        if let Some(class) = self.classes.iter_mut().find(|class| *class.name == *row.class) {
            for (curve, PlottedMetric { metric, .. }) in class.curves.iter_mut().zip(PLOTTED) {
                curve.points.push(PlotPoint::of(row, metric));
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _: &Report) -> Result<Option<String>, ExportError> {
        for ClassPlots { name, curves } in self.classes {
            for (Curve { points, png, svg }, plotted) in curves.into_iter().zip(PLOTTED) {
                let plot = plotted.plot(&name, points);
                let failed = |cause| ExportError::Write { path: png.clone(), cause };
                std::fs::write(&svg, plot.to_svg().map_err(failed)?).map_err(ExportError::on(&svg))?;
                std::fs::write(&png, plot.to_png().map_err(failed)?).map_err(ExportError::on(&png))?;
            }
        }
        Ok(None)
    }
}

/// `classmap.json`: the class of each value in a class map.
pub struct ClassLegend {
    path: PathBuf,
    names: serde_json::Map<String, serde_json::Value>,
}

impl ClassLegend {
    pub fn begin(target: &ExportTarget, staging: &mut Staging) -> Result<Self, ExportError> {
        let mut names = serde_json::Map::from_iter([("0".to_owned(), "background".into())]);
        names.extend(target.classes.iter().map(|class| (class.index.to_string(), class.name.clone().into())));
        Ok(Self { path: staging.file(target.names.file("{kind}", "classmap", None, "json"))?, names })
    }
}

impl Exporter for ClassLegend {
    fn finish(self: Box<Self>, _: &Report) -> Result<Option<String>, ExportError> {
        write_json(&self.path, &self.names)
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<Option<String>, ExportError> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from);
    let written = text.and_then(|text| std::fs::write(path, text + "\n"));
    written.map_err(ExportError::on(path))?;
    Ok(None)
}
