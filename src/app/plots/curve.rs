//! What can be plotted, and how one plot is saved.

use std::{
    path::{Path, PathBuf},
    thread,
};

use serde::{Deserialize, Serialize};

use super::super::{
    results::{FLICKER, Results},
    text::{Text, t},
    work::{Event, Mail},
};
use crate::{
    export::{Plot, PlotPoint, write_atomically},
    metrics::Metric,
};

/// What can be plotted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curve {
    Flicker,
    Instability,
    Iou,
    Dice,
    #[serde(alias = "flip-rate")]
    PopRate,
    Area,
}

impl Curve {
    pub const ALL: [Self; 6] =
        [Self::Flicker, Self::Instability, Self::Iou, Self::Dice, Self::PopRate, Self::Area];

    pub const fn metric(self) -> Metric {
        match self {
            Self::Flicker => FLICKER,
            Self::Instability => Metric::Instability,
            Self::Iou => Metric::Iou,
            Self::Dice => Metric::Dice,
            Self::PopRate => Metric::PopRate,
            Self::Area => Metric::Area,
        }
    }

    pub const fn text(self) -> Text {
        match self {
            Self::Flicker => Text::WarpedInstability,
            Self::Instability => Text::Instability,
            Self::Iou => Text::Iou,
            Self::Dice => Text::Dice,
            Self::PopRate => Text::PopRate,
            Self::Area => Text::Area,
        }
    }
}

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
