//! Numbers: metrics as CSV and JSON, and their plots.

use std::{
    io::{BufWriter, Write},
    path::PathBuf,
};

use tempfile::NamedTempFile;

use super::{ExportError, ExportTarget, Exporter, Plot, PlotPoint, Report, persist, write_atomically};
use crate::metrics::{FrameMetrics, Metric};

/// `metrics.csv`: a line for each frame and class.
pub struct MetricsCsv {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl MetricsCsv {
    pub fn begin(target: &ExportTarget) -> Result<Self, ExportError> {
        let path = target.file("metrics.csv")?;
        let file = NamedTempFile::new_in(&target.folder).map_err(ExportError::on(&path))?;
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

    fn finish(self: Box<Self>, _: &Report) -> Result<Vec<PathBuf>, ExportError> {
        let file = self.file.into_inner().map_err(|error| ExportError::on(&self.path)(error.into_error()))?;
        persist(file, &self.path)?;
        Ok(vec![self.path])
    }
}

/// `metrics.json`: settings and summary.
pub struct MetricsJson {
    path: PathBuf,
}

impl MetricsJson {
    pub fn begin(target: &ExportTarget) -> Result<Self, ExportError> {
        Ok(Self { path: target.file("metrics.json")? })
    }
}

impl Exporter for MetricsJson {
    fn finish(self: Box<Self>, report: &Report) -> Result<Vec<PathBuf>, ExportError> {
        write_atomically(&self.path, |file| {
            serde_json::to_writer_pretty(&mut *file, report)?;
            writeln!(file)
        })?;
        Ok(vec![self.path])
    }
}

/// `plots/iou_person.png` and `.svg`, and so on: each metric of each class over the frames.
pub struct Plots {
    folder: PathBuf,
    /// The curves of each class, in the order of [`PLOTTED`].
    classes: Vec<(String, [Vec<PlotPoint>; PLOTTED.len()])>,
    force: bool,
}

const PLOTTED: [(Metric, &str, &str); 3] = [
    (Metric::Iou, "IoU with the frame before", "IoU"),
    (Metric::Dice, "Dice with the frame before", "Dice"),
    (Metric::Instability, "Instability", "1 − IoU"),
];

impl Plots {
    pub fn begin(target: &ExportTarget) -> Result<Self, ExportError> {
        let folder = target.folder.join("plots");
        if !target.force && folder.exists() {
            return Err(ExportError::Exists { path: folder });
        }
        std::fs::create_dir_all(&folder).map_err(ExportError::on(&folder))?;
        let classes = target.classes.iter().map(|class| (class.name.clone(), Default::default())).collect();
        Ok(Self { folder, classes, force: target.force })
    }
}

impl Exporter for Plots {
    fn row(&mut self, row: &FrameMetrics) -> Result<(), ExportError> {
        let curves = self.classes.iter_mut().find(|(name, _)| **name == *row.class);
        for (points, (metric, ..)) in curves.into_iter().flat_map(|(_, curves)| curves).zip(PLOTTED) {
            let frame = row.frame.get();
            points.push(PlotPoint { frame, raw: row.raw[metric], smoothed: row.smoothed[metric] });
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, _: &Report) -> Result<Vec<PathBuf>, ExportError> {
        let mut written = Vec::new();
        for (class, curves) in std::mem::take(&mut self.classes) {
            for (points, (metric, title, quantity)) in curves.into_iter().zip(PLOTTED) {
                let plot = Plot { title: format!("{title}: {class}"), quantity: quantity.into(), points };
                let name = format!("{}_{}", metric.name(), class.replace(['/', '\\', '\0'], "_"));
                let svg = self.folder.join(&name).with_extension("svg");
                let png = self.folder.join(&name).with_extension("png");
                let failed = |cause| ExportError::Write { path: self.folder.join(&name), cause };
                let text = plot.to_svg().map_err(failed)?;
                let picture = plot.to_png().map_err(failed)?;
                write_atomically(&svg, |file| file.write_all(text.as_bytes()))?;
                write_atomically(&png, |file| file.write_all(&picture))?;
                written.extend([png, svg]);
            }
        }
        Ok(written)
    }
}

impl Drop for Plots {
    fn drop(&mut self) {
        // Only if it is empty: what an earlier run left is not ours to take.
        if !self.force {
            let _ = std::fs::remove_dir(&self.folder);
        }
    }
}
