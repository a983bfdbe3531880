//! One row of numbers for each frame and class: what `metrics.csv` and `metrics.json` hold.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

use base::frame::{FrameIndex, Timestamp};

/// A number that raw and smoothed masks each have at each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// IoU with the previous frame's mask.
    Iou,
    /// Dice coefficient with the previous frame's mask.
    Dice,
    /// 1 − IoU with the previous frame's mask.
    Instability,
    /// IoU with the previous frame's mask warped along the flow.
    WarpedIou,
    /// 1 − warped IoU.
    WarpedInstability,
    /// [`flip_rate`](crate::flip_rate).
    FlipRate,
    /// [`pop_rate`](crate::pop_rate).
    PopRate,
    /// Set pixels; what area jitter is made of.
    Area,
    /// DAVIS 2016's temporal stability, of this frame and the next.
    T,
    /// DAVIS's region similarity to the ground truth.
    J,
    /// DAVIS's contour accuracy against the ground truth.
    F,
}

impl Metric {
    /// All metrics, in the order of columns.
    pub const ALL: [Self; 11] = [
        Self::Iou,
        Self::Dice,
        Self::Instability,
        Self::WarpedIou,
        Self::WarpedInstability,
        Self::FlipRate,
        Self::PopRate,
        Self::Area,
        Self::T,
        Self::J,
        Self::F,
    ];

    /// In snake case, as in file columns.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Iou => "iou",
            Self::Dice => "dice",
            Self::Instability => "instability",
            Self::WarpedIou => "warped_iou",
            Self::WarpedInstability => "warped_instability",
            Self::FlipRate => "flip_rate",
            Self::PopRate => "pop_rate",
            Self::Area => "area",
            Self::T => "t",
            Self::J => "j",
            Self::F => "f",
        }
    }

    /// Whether a large value is the bad end. An area has no bad end; a large one is shown first.
    pub const fn higher_is_worse(self) -> bool {
        !matches!(self, Self::Iou | Self::Dice | Self::WarpedIou | Self::J | Self::F)
    }

    /// Whether it compares a mask with its neighbour in time, so that two empty masks say nothing.
    pub const fn compares_neighbours(self) -> bool {
        !matches!(self, Self::Area | Self::J | Self::F)
    }
}

/// One side, raw or smoothed, of a row: `side[Metric::Iou]`. `None` is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SideMetrics {
    /// This mask and the one before it are both empty (at a start or a cut: this mask is).
    pub empty: bool,
    values: [Option<f64>; Metric::ALL.len()],
}

impl Index<Metric> for SideMetrics {
    type Output = Option<f64>;

    fn index(&self, metric: Metric) -> &Option<f64> {
        &self.values[metric as usize]
    }
}

impl IndexMut<Metric> for SideMetrics {
    fn index_mut(&mut self, metric: Metric) -> &mut Option<f64> {
        &mut self.values[metric as usize]
    }
}

/// The row of one class at one frame. Serialises flat, in the order of the CSV's columns,
/// with `null` for what is absent.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameMetrics {
    /// Its place in decode order.
    pub frame: FrameIndex,
    /// When it is shown.
    pub timestamp: Timestamp,
    /// The class's name.
    pub class: Arc<str>,
    /// A scene starts here: there is no neighbour before. Not a column.
    pub cut: bool,
    /// Before smoothing.
    pub raw: SideMetrics,
    /// After smoothing.
    pub smoothed: SideMetrics,
    /// The share of pixels whose flow to the frame before is valid.
    pub valid_share: Option<f64>,
    /// IoU of raw and smoothed.
    pub agreement: Option<f64>,
}

impl FrameMetrics {
    /// The names of the columns, in order.
    pub fn columns() -> Vec<String> {
        let first = ["frame", "timestamp_secs", "class", "empty_raw", "empty_smoothed"].map(String::from);
        let sides =
            Metric::ALL.map(|metric| ["raw", "smoothed"].map(|side| format!("{}_{side}", metric.name())));
        let last = ["valid_share", "agreement"].map(String::from);
        first.into_iter().chain(sides.into_iter().flatten()).chain(last).collect()
    }

    /// The first line of a CSV file, without its line end.
    pub fn csv_header() -> String {
        Self::columns().join(",")
    }

    /// This row's line of a CSV file, without its line end. An absent value is an empty cell.
    pub fn csv_line(&self) -> String {
        let values = self.values().map(|value| value.map_or_else(String::new, |value| value.to_string()));
        let first = [
            self.frame.to_string(),
            self.timestamp.secs().to_string(),
            csv_text(&self.class),
            self.raw.empty.to_string(),
            self.smoothed.empty.to_string(),
        ];
        first.into_iter().chain(values).collect::<Vec<_>>().join(",")
    }

    /// The numbers, in the order of the columns.
    fn values(&self) -> impl Iterator<Item = Option<f64>> {
        let sides = Metric::ALL.into_iter().flat_map(|metric| [self.raw[metric], self.smoothed[metric]]);
        sides.chain([self.valid_share, self.agreement])
    }
}

impl Serialize for FrameMetrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = Self::columns();
        let (first, numbers) = columns.split_at(5);
        let mut map = serializer.serialize_map(Some(columns.len()))?;
        map.serialize_entry(&first[0], &self.frame)?;
        map.serialize_entry(&first[1], &self.timestamp.secs())?;
        map.serialize_entry(&first[2], &*self.class)?;
        map.serialize_entry(&first[3], &self.raw.empty)?;
        map.serialize_entry(&first[4], &self.smoothed.empty)?;
        for (name, value) in numbers.iter().zip(self.values()) {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Quoted where a comma, a quote or a line end would break the line.
fn csv_text(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> FrameMetrics {
        let mut raw = SideMetrics::default();
        raw[Metric::Iou] = Some(0.25);
        raw[Metric::Area] = Some(12.0);
        FrameMetrics {
            frame: FrameIndex::new(7),
            timestamp: Timestamp::from_micros(280_000),
            class: "person".into(),
            cut: false,
            raw,
            smoothed: SideMetrics { empty: true, ..SideMetrics::default() },
            valid_share: None,
            agreement: Some(1.0),
        }
    }

    #[test]
    fn columns_come_in_the_documented_order() {
        let header = FrameMetrics::csv_header();
        let start = "frame,timestamp_secs,class,empty_raw,empty_smoothed,iou_raw,iou_smoothed,dice_raw,";
        assert!(header.starts_with(start), "{header}");
        for (place, metric) in Metric::ALL.into_iter().enumerate() {
            assert_eq!(metric as usize, place, "a side's values are indexed by the metric");
        }
    }

    #[test]
    fn an_absent_value_is_an_empty_cell() {
        let line = row().csv_line();
        assert!(line.starts_with("7,0.28,person,false,true,0.25,,"), "{line}");
        assert!(line.ends_with(",,1"), "{line}");
        assert_eq!(line.split(',').count(), FrameMetrics::columns().len());
    }

    #[test]
    fn an_absent_value_is_null_in_json() {
        let json = serde_json::to_value(row()).unwrap();
        assert_eq!(json["iou_raw"], 0.25);
        assert!(json["iou_smoothed"].is_null() && json.get("iou_smoothed").is_some());
        let names: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(names, FrameMetrics::columns().iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_class_with_a_comma_is_one_cell() {
        assert_eq!(csv_text("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }
}
