//! One plot as a file.

use std::{
    path::{Path, PathBuf},
    thread,
};

use crate::{
    plots::curve::Curve,
    results::Results,
    text::{Text, t},
    work::{Event, Mail},
};
use base::files::write_atomically;
use export::{Plot, PlotPoint};

/// Writes one plot behind the window; the path's ending says as what.
pub fn save(mail: Mail, curve: Curve, results: &Results, path: PathBuf) {
    let class = results.classes.get(results.class).map_or("", |class| &*class.name);
    let plot = Plot {
        title: format!("{}: {class}", t(curve.text())),
        quantity: curve.metric().name().replace('_', " "),
        points: results
            .values(curve.metric())
            .map(|(frame, [raw, smoothed])| PlotPoint { frame, raw, smoothed })
            .collect(),
    };
    thread::spawn(move || {
        let saved = write(&plot, &path).map(|()| path.clone());
        mail.send(Event::FileSaved(saved.map_err(|error| format!("{}: {error}", path.display()))));
    });
}

fn write(plot: &Plot, path: &Path) -> Result<(), String> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let bytes = match &*ending {
        "png" => plot.to_png()?,
        "svg" => plot.to_svg()?.into_bytes(),
        "csv" => csv(plot).into_bytes(),
        _ => return Err(t(Text::SavePlotHint).to_owned()),
    };
    write_atomically(path, |out| out.write_all(&bytes)).map_err(|error| error.to_string())
}

/// As `metrics.csv` has it: nothing between commas where there is no value.
fn csv(plot: &Plot) -> String {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let rows = plot
        .points
        .iter()
        .map(|point| format!("{},{},{}\n", point.frame, number(point.raw), number(point.smoothed)));
    std::iter::once("frame,raw,smoothed\n".to_owned()).chain(rows).collect()
}
