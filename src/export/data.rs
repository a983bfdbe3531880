//! Numbers: metrics as CSV and JSON, and their plots.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};

use super::{ExportError, ExportTarget, Exporter, Plot, PlotPoint, Report, staging::Staging};
use crate::metrics::{FrameMetrics, Metric};

/// `metrics.csv`: a line for each frame and class.
pub struct MetricsCsv {
    path: PathBuf,
    file: BufWriter<File>,
}

impl MetricsCsv {
    pub fn begin(staging: &mut Staging) -> Result<Self, ExportError> {
        let path = staging.file("metrics.csv")?;
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

    fn finish(mut self: Box<Self>, _: &Report) -> Result<(), ExportError> {
        self.file.flush().map_err(ExportError::on(&self.path))
    }
}

/// `metrics.json`: settings and summary.
pub struct MetricsJson {
    path: PathBuf,
}

impl MetricsJson {
    pub fn begin(staging: &mut Staging) -> Result<Self, ExportError> {
        Ok(Self { path: staging.file("metrics.json")? })
    }
}

impl Exporter for MetricsJson {
    fn finish(self: Box<Self>, report: &Report) -> Result<(), ExportError> {
        let text = serde_json::to_string_pretty(report).map_err(std::io::Error::from);
        let written = text.and_then(|text| std::fs::write(&self.path, text + "\n"));
        written.map_err(ExportError::on(&self.path))
    }
}

/// `plots/iou_person.png` and `.svg`, and so on: each metric of each class over the frames.
pub struct Plots {
    classes: Vec<ClassPlots>,
}

struct ClassPlots {
    name: String,
    /// Curves in the order of [`PLOTTED`], each with where its PNG and its SVG go.
    curves: Vec<(Vec<PlotPoint>, PathBuf, PathBuf)>,
}

const PLOTTED: [(Metric, &str, &str); 3] = [
    (Metric::Iou, "IoU with the frame before", "IoU"),
    (Metric::Dice, "Dice with the frame before", "Dice"),
    (Metric::Instability, "Instability", "1 − IoU"),
];

impl Plots {
    pub fn begin(target: &ExportTarget, staging: &mut Staging) -> Result<Self, ExportError> {
        let mut classes = Vec::new();
        for class in &target.classes {
            let mut curves = Vec::new();
            for (metric, ..) in PLOTTED {
                let name = format!("plots/{}_{}", metric.name(), class.path_name());
                curves.push((
                    Vec::new(),
                    staging.file(format!("{name}.png"))?,
                    staging.file(format!("{name}.svg"))?,
                ));
            }
            classes.push(ClassPlots { name: class.name.clone(), curves });
        }
        Ok(Self { classes })
    }
}

impl Exporter for Plots {
    fn row(&mut self, row: &FrameMetrics) -> Result<(), ExportError> {
        if let Some(class) = self.classes.iter_mut().find(|class| *class.name == *row.class) {
            for ((points, ..), (metric, ..)) in class.curves.iter_mut().zip(PLOTTED) {
                let frame = row.frame.get();
                points.push(PlotPoint { frame, raw: row.raw[metric], smoothed: row.smoothed[metric] });
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, _: &Report) -> Result<(), ExportError> {
        for ClassPlots { name, curves } in self.classes {
            for ((points, png, svg), (_, title, quantity)) in curves.into_iter().zip(PLOTTED) {
                let plot = Plot { title: format!("{title}: {name}"), quantity: quantity.into(), points };
                let failed = |cause| ExportError::Write { path: png.clone(), cause };
                std::fs::write(&svg, plot.to_svg().map_err(failed)?).map_err(ExportError::on(&svg))?;
                std::fs::write(&png, plot.to_png().map_err(failed)?).map_err(ExportError::on(&png))?;
            }
        }
        Ok(())
    }
}
