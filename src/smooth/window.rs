//! The common part of the filters over a window of neighbouring frames.
//!
//! Near the ends of a scene the window is cut off there, and the other frames count as before.
//! Shrinking it on both sides would keep filters without motion free of lag there too, but would
//! leave the first and last frame of every scene unsmoothed; with motion compensation, neighbours
//! are warped into place, so one side is as good as both.

use std::collections::VecDeque;
use std::ops::Range;

use rayon::prelude::*;

use base::frame::FrameSize;
use base::mask::Masks;
use flow::{Flow, FlowChain, Upscale, UpscaledRows, displacement_bounds, rows_per_band};

use super::filter::Filter;
use super::planes::{bands, masks_of};
use super::{SmoothFrame, Timing, Window};

/// Combines a window's samples of each pixel.
pub(super) trait Kernel: Send + Sync {
    /// All samples have the same weight. `rows` and `out` have the same length.
    fn uniform(&self, rows: &[&[u8]], out: &mut [u8]);

    /// `own` has [`FULL_WEIGHT`](flow::FULL_WEIGHT), each neighbour's sample its own weight.
    fn weighted(&self, own: &[u8], neighbours: &[Samples], out: &mut [u8]);
}

/// A row of a neighbour, warped into place, and the weight of each sample.
pub(super) struct Samples {
    pub values: Vec<u8>,
    pub weights: Vec<u8>,
}

pub(super) struct Windowed<K> {
    kernel: K,
    before: usize,
    after: usize,
    frames: VecDeque<WindowFrame>,
    /// The frame that is smoothed next: its index in `frames`.
    centre: usize,
}

impl<K: Kernel> Windowed<K> {
    pub fn new(kernel: K, window: Window, timing: Timing) -> Self {
        let (before, after) = match timing {
            Timing::Centred => (window.radius(), window.radius()),
            Timing::Causal => (window.frames() - 1, 0),
        };
        Self { kernel, before, after, frames: VecDeque::new(), centre: 0 }
    }

    /// Smooths only the frame at index `centre` of a scene.
    pub fn one(
        kernel: K,
        window: Window,
        timing: Timing,
        mut scene: Vec<SmoothFrame>,
        centre: usize,
    ) -> Masks {
        let mut filter = Self::new(kernel, window, timing);
        let first = centre.saturating_sub(filter.before);
        filter.frames = scene.drain(first..).map(WindowFrame::new).collect();
        filter.centre = centre - first;
        filter.smooth_next()
    }

    /// Smooths the frame in the centre, moves on to the next, and drops a frame that is out of reach.
    fn smooth_next(&mut self) -> Masks {
        let end = (self.centre + self.after + 1).min(self.frames.len());
        self.frames.make_contiguous();
        let (window, _) = self.frames.as_slices();
        let window = &window[..end];
        let moves = window.iter().skip(1).all(|window| window.frame.flow.is_some());
        let smoothed = match window.get(1).and_then(|next| next.frame.flow.as_ref()) {
            Some(flow) if moves => smooth_along_flow(&self.kernel, window, self.centre, flow.size()),
            _ => smooth_still(&self.kernel, window),
        };
        if self.centre == self.before {
            self.frames.pop_front();
        } else {
            self.centre += 1;
        }
        smoothed
    }
}

impl<K: Kernel> Filter for Windowed<K> {
    fn push(&mut self, frame: SmoothFrame) -> Vec<Masks> {
        self.frames.push_back(WindowFrame::new(frame));
        if self.frames.len() > self.centre + self.after { vec![self.smooth_next()] } else { Vec::new() }
    }

    fn finish(&mut self) -> Vec<Masks> {
        let mut rest = Vec::new();
        while self.centre < self.frames.len() {
            rest.push(self.smooth_next());
        }
        self.frames.clear();
        self.centre = 0;
        rest
    }
}

/// Smooths the frame in the centre without motion.
fn smooth_still(kernel: &impl Kernel, window: &[WindowFrame]) -> Masks {
    let size = window[0].frame.masks[0].size();
    let band_px = rows_per_band(size) * size.width();
    let smooth = |class: usize| {
        let mut out = vec![0; size.pixels()];
        out.par_chunks_mut(band_px).enumerate().for_each(|(i, out)| {
            let band = i * band_px..i * band_px + out.len();
            let rows: Vec<&[u8]> =
                window.iter().map(|one| &one.frame.masks[class].values()[band.clone()]).collect();
            kernel.uniform(&rows, out);
        });
        out
    };
    masks_of(size, (0..window[0].frame.masks.len()).map(smooth).collect())
}

/// Smooths the frame in the centre with its neighbours warped onto it. `grid` is the flow's.
fn smooth_along_flow(kernel: &impl Kernel, window: &[WindowFrame], centre: usize, grid: FrameSize) -> Masks {
    let WindowFrame { frame: own, nonzero_columns } = &window[centre];
    let (size, classes) = (own.masks[0].size(), own.masks.len());
    let width = size.width();
    let upscale = Upscale::new(grid, size);
    let paths = flow_paths(window, centre);
    let neighbours: usize = paths.iter().map(|path| path.frames.len()).sum();
    let mut planes: Vec<_> = (0..classes).map(|_| vec![0; size.pixels()]).collect();
    let rows = rows_per_band(size);
    bands(&mut planes, rows * width).into_par_iter().enumerate().for_each(|(i, mut band)| {
        // Where all samples are 0, so is the result.
        let columns_seen = |y: usize| {
            paths.iter().map(|path| path.columns_seen(y, &upscale)).fold(nonzero_columns[y].clone(), hull)
        };
        let seen: Vec<Range<usize>> = (i * rows..).take(band[0].len() / width).map(columns_seen).collect();
        let columns = seen.iter().cloned().fold(NO_COLUMNS, hull);
        if columns.is_empty() {
            return;
        }
        let mut chains = paths.each_ref().map(|path| path.chain_within(&columns, &upscale));
        let mut grid = upscale.sampling_grid(columns.clone());
        let samples = || Samples { values: vec![0; columns.len()], weights: vec![0; columns.len()] };
        let mut samples: Vec<Vec<Samples>> =
            (0..classes).map(|_| (0..neighbours).map(|_| samples()).collect()).collect();
        for (row, _) in seen.iter().enumerate().filter(|(_, seen)| !seen.is_empty()) {
            let y = i * rows + row;
            let mut n = 0;
            for (chain, neighbours) in &mut chains {
                upscale.grid_rows(y).into_iter().for_each(|y| chain.compute_row(y));
                for (nth, (masks, upscaled)) in neighbours.iter_mut().enumerate() {
                    upscaled.fill(y, |y| chain.row(nth, y), &mut grid);
                    for (mask, samples) in masks.iter().zip(&mut samples) {
                        grid.sample(mask.values(), &mut samples[n].values);
                        samples[n].weights.copy_from_slice(grid.weights());
                    }
                    n += 1;
                }
            }
            let part = |y: usize| y * width + columns.start..y * width + columns.end;
            for ((mask, samples), out) in own.masks.iter().zip(&samples).zip(&mut band) {
                kernel.weighted(&mask.values()[part(y)], samples, &mut out[part(row)]);
            }
        }
    });
    masks_of(size, planes)
}

/// A frame in the window.
struct WindowFrame {
    frame: SmoothFrame,
    /// For each row, the columns outside of which every class is 0.
    nonzero_columns: Vec<Range<usize>>,
}

const NO_COLUMNS: Range<usize> = 0..0;

/// The smallest range that contains both.
fn hull(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b,
        (_, true) => a,
        _ => a.start.min(b.start)..a.end.max(b.end),
    }
}

impl WindowFrame {
    fn new(frame: SmoothFrame) -> Self {
        let size = frame.masks[0].size();
        let row = |y: usize| {
            let rows = frame
                .masks
                .iter()
                .map(|mask| nonzero_columns(&mask.values()[y * size.width()..][..size.width()]));
            rows.fold(NO_COLUMNS, hull)
        };
        let nonzero_columns = (0..size.height()).map(row).collect();
        Self { frame, nonzero_columns }
    }
}

/// A range of columns outside of which a row is 0; not always the smallest.
fn nonzero_columns(row: &[u8]) -> Range<usize> {
    const TOGETHER: usize = 64;
    let is_filled = |part: &[u8]| part.iter().fold(0, |all, value| all | value) != 0;
    let mut parts = row.chunks(TOGETHER);
    let Some(first) = parts.position(is_filled) else { return NO_COLUMNS };
    let last = parts.rposition(is_filled).map_or(first, |after| first + 1 + after);
    first * TOGETHER..((last + 1) * TOGETHER).min(row.len())
}

/// A path through time from the frame in the centre: neighbours and the flow from each frame to the
/// next.
struct FlowPath<'a> {
    frames: Vec<&'a WindowFrame>,
    steps: Vec<&'a Flow>,
}

impl FlowPath<'_> {
    /// The columns of row `y` of the frame in the centre whose samples may be other than 0.
    fn columns_seen(&self, y: usize, upscale: &Upscale) -> Range<usize> {
        let [low, next] = upscale.grid_rows(y);
        let seen = self.frames.iter().zip(displacement_bounds(&self.steps, low..=next)).map(
            |(frame, (rows, aside))| {
                let there =
                    frame.nonzero_columns[upscale.mask_rows(&rows)].iter().cloned().fold(NO_COLUMNS, hull);
                if there.is_empty() { NO_COLUMNS } else { upscale.columns_leading_to(&there, aside) }
            },
        );
        seen.fold(NO_COLUMNS, hull)
    }

    /// The composed flows in some columns, and for each neighbour its masks and its flow's rows at
    /// their size.
    fn chain_within<'s>(
        &'s self,
        columns: &Range<usize>,
        upscale: &'s Upscale,
    ) -> (FlowChain<'s>, Vec<(&'s Masks, UpscaledRows<'s>)>) {
        let frames =
            self.frames.iter().map(|&neighbour| (&neighbour.frame.masks, upscale.rows(columns.clone())));
        (FlowChain::new(&self.steps, upscale.grid_columns(columns)), frames.collect())
    }
}

/// To the earlier frames and to the later ones, as far as there is flow.
fn flow_paths(window: &[WindowFrame], centre: usize) -> [FlowPath<'_>; 2] {
    let flow_into = |frame: usize| window[frame].frame.flow.as_ref();
    let earlier = (0..centre).rev().map_while(|s| Some((&window[s], flow_into(s + 1)?.backward())));
    let later = (centre + 1..window.len()).map_while(|s| Some((&window[s], flow_into(s)?.forward())));
    [earlier.unzip(), later.unzip()].map(|(frames, steps)| FlowPath { frames, steps })
}

#[cfg(test)]
mod tests {
    use super::super::moving_average::MovingAverage;
    use super::*;
    use base::mask::{Mask, SoftMask};
    use flow::{FlowField, FlowPair, warp_soft};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn any_frames() -> impl Strategy<Value = Vec<SmoothFrame>> {
        let size = FrameSize::new(70, 24).unwrap();
        let field =
            (-600i16..600, -200i16..200, proptest::collection::vec((-9i16..9, -20i16..20), size.pixels()))
                .prop_map(move |(dx, dy, rest)| {
                    let steps = rest.into_iter().map(|(x, y)| [dx + x, dy + y]).collect();
                    Flow::new(
                        FlowField::from_steps(size, steps),
                        Mask::from_fn(size, |x, y| (3 * x + y) % 11 != 0),
                    )
                });
        // A subject of some rows and columns, and nothing around it.
        let subject = (0usize..24, 0usize..8, 0usize..70, 0usize..70, any::<u8>());
        let frame = (subject, field.clone(), field).prop_map(move |(subject, there, back)| {
            let (top, rows, left, columns, seed) = subject;
            let value = |i: usize| {
                let is_subject = (top..top + rows).contains(&(i / size.width()))
                    && (left..left + columns).contains(&(i % size.width()));
                if is_subject { (i as u8).wrapping_mul(97).wrapping_add(seed) } else { 0 }
            };
            let mask = SoftMask::new(size, (0..size.pixels()).map(value).collect());
            let pair = FlowPair::from_flows(there, back);
            SmoothFrame { masks: vec![mask].into(), flow: Some(Arc::new(pair)) }
        });
        proptest::collection::vec(frame, 5)
    }

    proptest! {
        /// A second class that is nowhere 0 has every pixel looked at.
        #[test]
        fn what_is_left_out_is_0_anyway(frames in any_frames(), width in 20u32..160, height in 10u32..80) {
            let size = FrameSize::new(width, height).unwrap();
            let with = |is_full: bool| {
                let frames = frames.iter().map(|frame| {
                    let from = frame.masks[0].size();
                    let value = |i: usize| {
                        let (x, y) = (i % size.width(), i / size.width());
                        let at = y * from.height() / size.height() * from.width() + x * from.width() / size.width();
                        frame.masks[0].values()[at]
                    };
                    let mut masks = vec![SoftMask::new(size, (0..size.pixels()).map(value).collect())];
                    masks.extend(is_full.then(|| SoftMask::filled(size, 255)));
                    SmoothFrame { masks: masks.into(), flow: frame.flow.clone() }
                });
                Windowed::one(MovingAverage, "5".parse().unwrap(), Timing::Centred, frames.collect(), 2)
            };
            prop_assert_eq!(&with(false)[0], &with(true)[0]);
        }

        /// From the definition: chains of whole flows, whole warped masks, and their mean.
        #[test]
        fn a_mean_is_that_of_all_neighbours_in_place(frames in any_frames()) {
            let centre = 2;
            let window = "5".parse().unwrap();
            let smoothed = Windowed::one(MovingAverage, window, Timing::Centred, frames.clone(), centre);
            let flow = |t: usize| frames[t].flow.as_ref().unwrap();
            let to_next = flow(3).forward().clone();
            let to_last = flow(2).backward().clone();
            let flows = [
                (0, to_last.then(flow(1).backward())),
                (1, to_last),
                (4, to_next.then(flow(4).forward())),
                (3, to_next),
            ];
            let warped: Vec<_> = flows.iter().map(|(t, flow)| warp_soft(&frames[*t].masks[0], flow)).collect();
            let own = frames[centre].masks[0].values();
            let width = own.len() / 24;
            for (i, &value) in own.iter().enumerate() {
                let valid = warped.iter().filter(|(_, valid)| valid.get(i % width, i / width));
                let values: Vec<u32> = valid.map(|(mask, _)| mask.values()[i].into()).chain([value.into()]).collect();
                let mean = values.iter().sum::<u32>() as f32 / values.len() as f32;
                prop_assert_eq!(smoothed[0].values()[i], (mean + 0.5) as u8, "{:?} at {}", values, i);
            }
        }
    }
}
