//! Filters that look at a window of neighbouring frames: what they share.
//!
//! Near the ends of a scene the window is what there is: frames past an end are left out and
//! the others count as before. Shrinking the window on both sides alike would keep the plain
//! filters free of lag there too, but leave the first and last frame of every scene raw; with
//! motion compensation neighbours are moved into place, so one side is as good as both.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use rayon::prelude::*;

use crate::flow::{Band, Chain, Flow, Upscale, rows_per_band};
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
    let Held { frame: own, .. } = &window[centre];
    let (size, classes) = (own.masks[0].size(), own.masks.len());
    let width = size.width();
    let upscale = Upscale::new(grid, size);
    let mut planes = vec![vec![0; size.pixels()]; classes];
    let rows = rows_per_band(size);
    bands(&mut planes, rows * width).into_par_iter().enumerate().for_each(|(i, mut band)| {
        let mut ways = ways(window, centre, &upscale);
        let mut places = upscale.places();
        let neighbours: usize = ways.iter().map(|way| way.neighbours.len()).sum();
        let samples = || Samples { values: vec![0; width], weights: vec![0; width] };
        let mut samples: Vec<Vec<Samples>> =
            (0..classes).map(|_| (0..neighbours).map(|_| samples()).collect()).collect();
        for row in 0..band[0].len() / width {
            let y = i * rows + row;
            // Where all samples are 0, so is what becomes of them.
            if window[centre].is_empty(y..=y) && ways.iter().all(|way| way.is_empty(y, &upscale)) {
                continue;
            }
            let mut n = 0;
            for Way { chain, neighbours } in &mut ways {
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
            let at = row * width..(row + 1) * width;
            for ((mask, samples), out) in own.masks.iter().zip(&samples).zip(&mut band) {
                kernel.weighted(&mask.values()[y * width..][..width], samples, &mut out[at.clone()]);
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
    /// How many of the rows above each row are not all 0, in any class.
    filled_above: Vec<u32>,
}

impl Held {
    fn new(frame: SmoothFrame) -> Self {
        let size = frame.masks[0].size();
        let is_filled = |y: usize| {
            let row = y * size.width()..(y + 1) * size.width();
            frame
                .masks
                .iter()
                .any(|mask| mask.values()[row.clone()].iter().fold(0, |all, value| all | value) != 0)
        };
        let mut filled = 0;
        let rows = (0..size.height()).map(|y| {
            filled += u32::from(is_filled(y));
            filled
        });
        let filled_above = std::iter::once(0).chain(rows).collect();
        Self { frame, filled_above }
    }

    /// Whether all these rows are 0.
    fn is_empty(&self, rows: RangeInclusive<usize>) -> bool {
        self.filled_above[*rows.start()] == self.filled_above[rows.end() + 1]
    }
}

/// A way through time from the frame in the centre.
struct Way<'a> {
    chain: Chain<'a>,
    /// The frames on the way, and how the flow to each lies on them.
    neighbours: Vec<(&'a Held, Band<'a>)>,
}

impl Way<'_> {
    /// Whether all that row `y` of the frame in the centre may become is 0.
    fn is_empty(&self, y: usize, upscale: &Upscale) -> bool {
        let [low, next] = upscale.grid_rows(y);
        let mut rows = self.neighbours.iter().zip(self.chain.rows_from(low..=next));
        rows.all(|((held, _), rows)| held.is_empty(upscale.mask_rows(&rows)))
    }
}

/// To the frames before the centre and to those after it, as far as there is flow.
fn ways<'a>(window: &'a [Held], centre: usize, upscale: &'a Upscale) -> [Way<'a>; 2] {
    let flow_into = |frame: usize| window[frame].frame.flow.as_ref();
    let earlier = (0..centre).rev().map_while(|s| Some((s, flow_into(s + 1)?.backward())));
    let later = (centre + 1..window.len()).map_while(|s| Some((s, flow_into(s)?.forward())));
    [earlier.unzip(), later.unzip()].map(|(frames, steps): (Vec<usize>, Vec<&Flow>)| Way {
        chain: Chain::new(steps),
        neighbours: frames.into_iter().map(|frame| (&window[frame], upscale.band())).collect(),
    })
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
            (-40i16..40, -200i16..200, proptest::collection::vec((-9i16..9, -20i16..20), size.pixels()))
                .prop_map(move |(dx, dy, rest)| {
                    let steps = rest.into_iter().map(|(x, y)| [dx + x, dy + y]).collect();
                    Flow::new(
                        FlowField::from_steps(size, steps),
                        Mask::from_fn(size, |x, y| (3 * x + y) % 11 != 0),
                    )
                });
        // A subject of some rows, and nothing above and below it.
        let subject = (0usize..24, 0usize..8, any::<u8>());
        let frame = (subject, field.clone(), field).prop_map(move |((top, rows, seed), there, back)| {
            let value = |i: usize| {
                let is_subject = (top..top + rows).contains(&(i / size.width()));
                if is_subject { (i as u8).wrapping_mul(97).wrapping_add(seed) } else { 0 }
            };
            let mask = SoftMask::new(size, (0..size.pixels()).map(value).collect());
            let pair = FlowPair::from_flows(there, back);
            SmoothFrame { masks: vec![mask].into(), flow: Some(Arc::new(pair)) }
        });
        proptest::collection::vec(frame, 5)
    }

    proptest! {
        /// A second class that is nowhere 0 has every row looked at.
        #[test]
        fn rows_that_are_left_out_are_0_anyway(frames in any_frames(), width in 20u32..160, height in 10u32..80) {
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
