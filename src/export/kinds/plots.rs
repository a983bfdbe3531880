//! Curves over the frames of a clip, raw against smoothed, as PNG and SVG.

use std::sync::Once;

use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
use plotters::{
    coord::Shift,
    prelude::*,
    style::{FontStyle, register_font},
};

use crate::palette;
use metrics::{FrameMetrics, Metric};

/// One plot: a number for each frame, before and after smoothing.
#[derive(Clone, Debug, Default)]
pub struct Plot {
    /// Above the curves.
    pub title: String,
    /// Of the vertical axis, with its unit.
    pub quantity: String,
    /// In the order of frames.
    pub points: Vec<PlotPoint>,
}

/// The values of one frame.
#[derive(Clone, Copy, Debug)]
pub struct PlotPoint {
    /// The frame's number.
    pub frame: usize,
    /// `None` where the metric has no value: a gap in the curve.
    pub raw: Option<f64>,
    /// As `raw`.
    pub smoothed: Option<f64>,
}

impl PlotPoint {
    /// A metric's values in a row.
    pub fn of(row: &FrameMetrics, metric: Metric) -> Self {
        Self { frame: row.frame.get(), raw: row.raw[metric], smoothed: row.smoothed[metric] }
    }
}

const SIZE_PX: (u32, u32) = (1200, 480);
const FONT: &str = "sans-serif";

impl Plot {
    /// An 8-bit RGB picture, encoded.
    pub fn to_png(&self) -> Result<Vec<u8>, String> {
        let (width, height) = SIZE_PX;
        let mut rgb = vec![0; 3 * width as usize * height as usize];
        self.draw(&BitMapBackend::with_buffer(&mut rgb, SIZE_PX).into_drawing_area())?;
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(&rgb, width, height, ExtendedColorType::Rgb8)
            .map_err(|error| error.to_string())?;
        Ok(png)
    }

    /// The plot as SVG text.
    ///
    /// # Errors
    /// When it can't be drawn; the text says why.
    pub fn to_svg(&self) -> Result<String, String> {
        let mut svg = String::new();
        self.draw(&SVGBackend::with_string(&mut svg, SIZE_PX).into_drawing_area())?;
        Ok(svg)
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> Result<(), String> {
        static FONT_IS_THERE: Once = Once::new();
        // plotters looks fonts up by name; ours comes along, so that none need be installed.
        FONT_IS_THERE.call_once(|| {
            let _ = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
        });
        self.try_draw(area).map_err(|error| error.to_string())
    }

    fn try_draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
    ) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        area.fill(&WHITE)?;
        let first = self.points.first().map_or(0, |point| point.frame);
        let last = self.points.last().map_or(1, |point| point.frame).max(first + 1);
        let values = || self.points.iter().flat_map(|point| [point.raw, point.smoothed]).flatten();
        let top = values().fold(0.0, f64::max);
        let lowest = values().fold(f64::MAX, f64::min);
        // Of masks that are nearly the same, the little that differs.
        let bottom = if (0.5..1.0).contains(&lowest) { (lowest * 10.0).floor() / 10.0 } else { 0.0 };
        let top = if top <= 0.0 { 1.0 } else { (top * 1.05).min(if top <= 1.0 { 1.0 } else { f64::MAX }) };
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, (FONT, 26))
            .margin(14)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(first as f64..last as f64, bottom..top)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_desc("frame")
            .y_desc(&self.quantity)
            .x_label_formatter(&|frame| format!("{frame:.0}"))
            .y_label_formatter(&|value| format!("{value:.2}"))
            .label_style((FONT, 17))
            .axis_desc_style((FONT, 19))
            .draw()?;
        // Raw is thin, smoothed is thick and below it: colour alone carries no meaning.
        for (name, [r, g, b], width, right, value) in [
            (
                "smoothed",
                palette::SMOOTHED,
                3,
                150,
                (|point| point.smoothed) as fn(&PlotPoint) -> Option<f64>,
            ),
            ("raw", palette::RAW, 1, 240, |point| point.raw),
        ] {
            let style = RGBColor(r, g, b).stroke_width(width);
            for run in self.runs(value) {
                chart.draw_series(LineSeries::new(run, style))?;
            }
            // Beside the caption, where no curve is.
            let (x, y) = (SIZE_PX.0 as i32 - right, 26);
            area.draw(&PathElement::new([(x, y), (x + 26, y)], style))?;
            area.draw(&Text::new(name, (x + 34, y - 9), (FONT, 18)))?;
        }
        area.present()
    }

    /// The stretches of frames that have a value.
    fn runs(&self, value: impl Fn(&PlotPoint) -> Option<f64>) -> Vec<Vec<(f64, f64)>> {
        self.points
            .split(|point| value(point).is_none())
            .filter(|run| !run.is_empty())
            .map(|run| run.iter().filter_map(|point| Some((point.frame as f64, value(point)?))).collect())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> Plot {
        let points = (0..50).map(|frame| PlotPoint {
            frame,
            raw: (frame > 0).then_some(0.3 + 0.2 * (frame as f64).sin()),
            smoothed: (frame > 0 && frame != 20).then_some(0.1),
        });
        Plot { title: "Instability, person".into(), quantity: "1 − IoU".into(), points: points.collect() }
    }

    #[test]
    fn a_gap_parts_the_curve() {
        assert_eq!(plot().runs(|point| point.raw).len(), 1);
        assert_eq!(plot().runs(|point| point.smoothed).len(), 2);
    }

    #[test]
    fn both_formats_hold_the_curves_and_their_names() {
        let svg = plot().to_svg().unwrap();
        for part in ["Instability, person", "raw", "smoothed", "frame"] {
            assert!(svg.contains(part), "{part}");
        }
        let picture = image::load_from_memory(&plot().to_png().unwrap()).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), SIZE_PX);
        assert!(picture.pixels().any(|pixel| pixel.0 == palette::SMOOTHED));
    }

    #[test]
    fn a_clip_without_any_value_still_has_a_plot() {
        Plot::default().to_svg().unwrap();
    }
}
