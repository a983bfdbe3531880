//! Filters that look at a window of neighbouring frames: what they share.
//!
//! Near the ends of a scene the window is what there is: frames past an end are left out and
//! the others count as before. Shrinking the window on both sides alike would keep the plain
//! filters free of lag there too, but leave the first and last frame of every scene raw; with
//! motion compensation neighbours are moved into place, so one side is as good as both.

use std::collections::VecDeque;
use std::ops::Range;

use rayon::prelude::*;

use crate::flow::{Band, Chain, Flow, Upscale, reaches, rows_per_band};
use crate::frame::FrameSize;

use super::scenes::{Filter, masks_of};
use super::{Masks, SmoothFrame, Timing, Window};

/// What a window's samples of one pixel become.
pub(super) trait Kernel: Send + Sync {
    /// Every sample counts alike. `rows` are of one length, the same as `out`'s.
    fn alike(&self, rows: &[&[u8]], out: &mut [u8]);

    /// `own` counts [`FULL`](crate::flow::FULL), each neighbour's sample its weight.
    fn weighted(&self, own: &[u8], neighbours: &[Samples], out: &mut [u8]);
}

/// A row of a neighbour, moved into place, and how much each sample counts.
pub(super) struct Samples {
    pub values: Vec<u8>,
    pub weights: Vec<u8>,
}

pub(super) struct Windowed<K> {
    kernel: K,
    before: usize,
    after: usize,
    frames: VecDeque<Held>,
    /// The frame that is smoothed next; its place in `frames`.
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

    /// The smoothed frame at `centre` of a scene's frames, and nothing else.
    pub fn one(
        kernel: K,
        window: Window,
        timing: Timing,
        mut scene: Vec<SmoothFrame>,
        centre: usize,
    ) -> Masks {
        let mut filter = Self::new(kernel, window, timing);
        let first = centre.saturating_sub(filter.before);
        filter.frames = scene.drain(first..).map(Held::new).collect();
        filter.centre = centre - first;
        filter.step()
    }

    /// Smooths the frame in the centre, moves on, and forgets what is out of reach.
    fn step(&mut self) -> Masks {
        let end = (self.centre + self.after + 1).min(self.frames.len());
        self.frames.make_contiguous();
        let (window, _) = self.frames.as_slices();
        let window = &window[..end];
        let moves = window.iter().skip(1).all(|held| held.frame.flow.is_some());
        let smoothed = match window.get(1).and_then(|held| held.frame.flow.as_ref()) {
            Some(flow) if moves => moved(&self.kernel, window, self.centre, flow.size()),
            _ => plain(&self.kernel, window),
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
        self.frames.push_back(Held::new(frame));
        if self.frames.len() > self.centre + self.after { vec![self.step()] } else { Vec::new() }
    }

    fn finish(&mut self) -> Vec<Masks> {
        let mut rest = Vec::new();
        while self.centre < self.frames.len() {
            rest.push(self.step());
        }
        self.frames.clear();
        self.centre = 0;
        rest
    }
}

/// Neighbours where they are.
fn plain(kernel: &impl Kernel, window: &[Held]) -> Masks {
    let size = window[0].frame.masks[0].size();
    let band_px = rows_per_band(size) * size.width();
    let smooth = |class: usize| {
        let mut out = vec![0; size.pixels()];
        out.par_chunks_mut(band_px).enumerate().for_each(|(i, out)| {
            let band = i * band_px..i * band_px + out.len();
            let rows: Vec<&[u8]> =
                window.iter().map(|held| &held.frame.masks[class].values()[band.clone()]).collect();
            kernel.alike(&rows, out);
        });
        out
    };
    masks_of(size, (0..window[0].frame.masks.len()).map(smooth).collect())
}

/// Neighbours moved along the flow, which is on `grid`, onto the frame in the centre.
fn moved(kernel: &impl Kernel, window: &[Held], centre: usize, grid: FrameSize) -> Masks {
    let Held { frame: own, filled } = &window[centre];
    let (size, classes) = (own.masks[0].size(), own.masks.len());
    let width = size.width();
    let upscale = Upscale::new(grid, size);
    let ways = ways(window, centre);
    let neighbours: usize = ways.iter().map(|way| way.frames.len()).sum();
    let mut planes: Vec<_> = (0..classes).map(|_| vec![0; size.pixels()]).collect();
    let rows = rows_per_band(size);
    bands(&mut planes, rows * width).into_par_iter().enumerate().for_each(|(i, mut band)| {
        // Where all samples are 0, so is what becomes of them.
        let sees = |y: usize| ways.iter().map(|way| way.sees(y, &upscale)).fold(filled[y].clone(), both);
        let seen: Vec<Range<usize>> = (i * rows..).take(band[0].len() / width).map(sees).collect();
        let columns = seen.iter().cloned().fold(NOTHING, both);
        if columns.is_empty() {
            return;
        }
        let mut ways = ways.each_ref().map(|way| way.within(&columns, &upscale));
        let mut places = upscale.places(columns.clone());
        let samples = || Samples { values: vec![0; columns.len()], weights: vec![0; columns.len()] };
        let mut samples: Vec<Vec<Samples>> =
            (0..classes).map(|_| (0..neighbours).map(|_| samples()).collect()).collect();
        for (row, _) in seen.iter().enumerate().filter(|(_, seen)| !seen.is_empty()) {
            let y = i * rows + row;
            let mut n = 0;
            for (chain, neighbours) in &mut ways {
                upscale.grid_rows(y).into_iter().for_each(|y| chain.reach(y));
                for (nth, (held, grid)) in neighbours.iter_mut().enumerate() {
                    grid.row(y, |y| chain.row(nth, y), &mut places);
                    for (mask, samples) in held.frame.masks.iter().zip(&mut samples) {
                        places.sample(mask.values(), &mut samples[n].values);
                        samples[n].weights.copy_from_slice(places.weights());
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

/// The same rows of every plane together, band after band.
pub(super) fn bands<T>(planes: &mut [Vec<T>], band_px: usize) -> Vec<Vec<&mut [T]>> {
    let mut planes: Vec<_> = planes.iter_mut().map(|plane| plane.chunks_mut(band_px)).collect();
    std::iter::from_fn(|| planes.iter_mut().map(Iterator::next).collect()).collect()
}

/// A frame in the window.
struct Held {
    frame: SmoothFrame,
    /// Of each row, the columns outside of which all is 0, in every class.
    filled: Vec<Range<usize>>,
}

/// As columns.
const NOTHING: Range<usize> = 0..0;

/// The columns of both and those between.
fn both(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b,
        (_, true) => a,
        _ => a.start.min(b.start)..a.end.max(b.end),
    }
}

impl Held {
    fn new(frame: SmoothFrame) -> Self {
        let size = frame.masks[0].size();
        let row = |y: usize| {
            let rows =
                frame.masks.iter().map(|mask| filled(&mask.values()[y * size.width()..][..size.width()]));
            rows.fold(NOTHING, both)
        };
        let filled = (0..size.height()).map(row).collect();
        Self { frame, filled }
    }
}

/// The columns outside of which a row is 0, or some more.
fn filled(row: &[u8]) -> Range<usize> {
    const TOGETHER: usize = 64;
    let is_filled = |part: &[u8]| part.iter().fold(0, |all, value| all | value) != 0;
    let mut parts = row.chunks(TOGETHER);
    let Some(first) = parts.position(is_filled) else { return NOTHING };
    let last = parts.rposition(is_filled).map_or(first, |after| first + 1 + after);
    first * TOGETHER..((last + 1) * TOGETHER).min(row.len())
}

/// A way through time from the frame in the centre: the flow from each frame to the next.
struct Way<'a> {
    frames: Vec<&'a Held>,
    steps: Vec<&'a Flow>,
}

impl Way<'_> {
    /// The columns of row `y` of the frame in the centre that may sample something else than 0.
    fn sees(&self, y: usize, upscale: &Upscale) -> Range<usize> {
        let [low, next] = upscale.grid_rows(y);
        let seen = self.frames.iter().zip(reaches(&self.steps, low..=next)).map(|(held, (rows, aside))| {
            let there = held.filled[upscale.mask_rows(&rows)].iter().cloned().fold(NOTHING, both);
            if there.is_empty() { NOTHING } else { upscale.columns_before(&there, aside) }
        });
        seen.fold(NOTHING, both)
    }

    /// The chain of flows in some columns, and the frames on the way with how the flow to each lies
    /// on them.
    fn within<'s>(
        &'s self,
        columns: &Range<usize>,
        upscale: &'s Upscale,
    ) -> (Chain<'s>, Vec<(&'s Held, Band<'s>)>) {
        let frames = self.frames.iter().map(|&held| (held, upscale.band(columns.clone())));
        (Chain::new(&self.steps, upscale.grid_columns(columns)), frames.collect())
    }
}

/// To the frames before the centre and to those after it, as far as there is flow.
fn ways(window: &[Held], centre: usize) -> [Way<'_>; 2] {
    let flow_into = |frame: usize| window[frame].frame.flow.as_ref();
    let earlier = (0..centre).rev().map_while(|s| Some((&window[s], flow_into(s + 1)?.backward())));
    let later = (centre + 1..window.len()).map_while(|s| Some((&window[s], flow_into(s)?.forward())));
    [earlier.unzip(), later.unzip()].map(|(frames, steps)| Way { frames, steps })
}

#[cfg(test)]
mod tests {
    use super::super::moving_average::MovingAverage;
    use super::*;
    use crate::flow::{FlowField, FlowPair, warp_soft};
    use crate::mask::{Mask, SoftMask};
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
                let held = warped.iter().filter(|(_, valid)| valid.get(i % width, i / width));
                let values: Vec<u32> = held.map(|(mask, _)| mask.values()[i].into()).chain([value.into()]).collect();
                let mean = values.iter().sum::<u32>() as f32 / values.len() as f32;
                prop_assert_eq!(smoothed[0].values()[i], (mean + 0.5) as u8, "{:?} at {}", values, i);
            }
        }
    }
}
