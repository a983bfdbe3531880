//! The metrics: pure functions of masks, and meters that apply them to a stream of frames.
//!
//! No IO, and no optical flow: warped masks are inputs ([`Warped`]). [`ClassMeter`] takes one
//! class of a clip frame by frame and returns a [`FrameMetrics`] row for each and a
//! [`ClassSummary`] at the end; it only keeps a window of masks and a row of numbers per frame.
//! A value that is absent is `None`, never 0 or 1.

#![warn(missing_docs)]

mod boundary;
mod lag;
mod meter;
mod neighbour;
mod reference;
mod row;
mod summary;
mod temporal;

pub use boundary::{boundary_f, boundary_map, dilate_disk, tolerance_px};
pub use lag::{Lag, LagMeter};
pub use meter::{ClassMeter, MeterFrame, MeterSettings, WarpedNeighbours, WarpedPair};
pub use neighbour::{
    AreaJitter, MIN_VALID_SHARE, Overlap, Warped, dice, flip_rate, instability, iou, pop_rate, warped_iou,
};
pub use reference::{
    MeanIou, Protocol, ReferenceMeter, ReferenceScores, SeriesStats, VC_WINDOWS, VideoConsistency,
};
pub use row::{FrameMetrics, Metric, SideMetrics};
pub use summary::{
    ClassSummary, Distribution, MetricSummary, MetricTable, SummaryBuilder, WORST_FRAMES, WorstFrame,
};
pub use temporal::temporal_stability;
