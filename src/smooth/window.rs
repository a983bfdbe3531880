//! Filters that look at a window of neighbouring frames: what they share.
//!
//! Near the ends of a scene the window is what there is: frames past an end are left out and
//! the others count as before. Shrinking the window on both sides alike would keep the plain
//! filters free of lag there too, but leave the first and last frame of every scene raw; with
//! motion compensation neighbours are moved into place, so one side is as good as both.

use std::borrow::Cow;
use std::collections::VecDeque;

use rayon::prelude::*;

use crate::flow::{Flow, Upscale, rows_per_band};

use super::scenes::{Filter, masks_of};
use super::weighting::{self, Neighbour};
use super::{Masks, SmoothFrame, Timing, Window};

/// What a window's samples of one pixel become.
pub(super) trait Kernel: Send + Sync {
    /// Every sample counts alike. `rows` are of one length, the same as `out`'s.
    fn alike(&self, rows: &[&[u8]], out: &mut [u8]);

    /// `own` counts [`weighting::FULL`], each neighbour's sample its weight.
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
    frames: VecDeque<SmoothFrame>,
    /// The frame that is smoothed next; its place in `frames`.
    centre: usize,
    upscale: Option<Upscale>,
}

impl<K: Kernel> Windowed<K> {
    pub fn new(kernel: K, window: Window, timing: Timing) -> Self {
        let (before, after) = match timing {
            Timing::Centred => (window.radius(), window.radius()),
            Timing::Causal => (window.frames() - 1, 0),
        };
        Self { kernel, before, after, frames: VecDeque::new(), centre: 0, upscale: None }
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
        filter.frames = scene.drain(first..).collect();
        filter.centre = centre - first;
        filter.step()
    }

    /// Smooths the frame in the centre, moves on, and forgets what is out of reach.
    fn step(&mut self) -> Masks {
        let end = (self.centre + self.after + 1).min(self.frames.len());
        self.frames.make_contiguous();
        let (window, _) = self.frames.as_slices();
        let window = &window[..end];
        let moves = window.iter().skip(1).all(|frame| frame.flow.is_some());
        let smoothed = match window.get(1).and_then(|frame| frame.flow.as_ref()) {
            Some(flow) if moves => {
                let (grid, size) = (flow.size(), window[0].masks[0].size());
                let upscale = match self.upscale.take() {
                    Some(upscale) if upscale.is_for(grid, size) => upscale,
                    _ => Upscale::new(grid, size),
                };
                moved(&self.kernel, window, self.centre, self.upscale.insert(upscale))
            }
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
        self.frames.push_back(frame);
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
fn plain(kernel: &impl Kernel, window: &[SmoothFrame]) -> Masks {
    let size = window[0].masks[0].size();
    let band_px = rows_per_band(size) * size.width();
    let smooth = |class: usize| {
        let mut out = vec![0; size.pixels()];
        out.par_chunks_mut(band_px).enumerate().for_each(|(i, out)| {
            let band = i * band_px..i * band_px + out.len();
            let rows: Vec<&[u8]> =
                window.iter().map(|frame| &frame.masks[class].values()[band.clone()]).collect();
            kernel.alike(&rows, out);
        });
        out
    };
    masks_of(size, (0..window[0].masks.len()).map(smooth).collect())
}

/// Neighbours moved along the flow onto the frame in the centre.
fn moved(kernel: &impl Kernel, window: &[SmoothFrame], centre: usize, upscale: &Upscale) -> Masks {
    let own = &window[centre];
    let (size, classes) = (own.masks[0].size(), own.masks.len());
    let neighbours = neighbours(window, centre);
    let mut planes = vec![vec![0; size.pixels()]; classes];
    let rows = rows_per_band(size);
    bands(&mut planes, rows * size.width()).into_par_iter().enumerate().for_each(|(i, mut band)| {
        let mut samplers: Vec<_> =
            neighbours.iter().map(|n| upscale.sampler(n.flow.field(), &n.weights).band()).collect();
        let samples = || Samples { values: vec![0; size.width()], weights: vec![0; size.width()] };
        let mut samples: Vec<Vec<Samples>> =
            (0..classes).map(|_| neighbours.iter().map(|_| samples()).collect()).collect();
        for row in 0..band[0].len() / size.width() {
            let y = i * rows + row;
            for (n, (neighbour, sampler)) in neighbours.iter().zip(&mut samplers).enumerate() {
                let places = sampler.row(y);
                for (mask, samples) in window[neighbour.frame].masks.iter().zip(&mut samples) {
                    places.sample(mask.values(), &mut samples[n].values);
                    samples[n].weights.copy_from_slice(places.weights());
                }
            }
            let at = row * size.width()..(row + 1) * size.width();
            for ((mask, samples), out) in own.masks.iter().zip(&samples).zip(&mut band) {
                let own = &mask.values()[y * size.width()..][..size.width()];
                kernel.weighted(own, samples, &mut out[at.clone()]);
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

/// A neighbour in the window, and how it is seen from the centre.
struct Moved<'a> {
    frame: usize,
    flow: Cow<'a, Flow>,
    weights: Vec<u8>,
}

/// Chains the flow from the centre outwards, both ways.
fn neighbours(window: &[SmoothFrame], centre: usize) -> Vec<Moved<'_>> {
    let flow_into = |frame: usize| window[frame].flow.as_ref();
    let (mut earlier, later) = rayon::join(
        || chain((0..centre).rev().map_while(|s| Some((s, flow_into(s + 1)?.backward())))),
        || chain((centre + 1..window.len()).map_while(|s| Some((s, flow_into(s)?.forward())))),
    );
    earlier.extend(later);
    earlier
}

/// From flows between neighbours, going outwards, to flows from the centre to each.
fn chain<'a>(steps: impl Iterator<Item = (usize, &'a Flow)>) -> Vec<Moved<'a>> {
    let mut chained: Vec<Moved<'a>> = Vec::new();
    for (frame, step) in steps {
        let flow = match chained.last() {
            None => Cow::Borrowed(step),
            Some(nearer) => Cow::Owned(nearer.flow.then(step)),
        };
        let weights = weighting::weights(&Neighbour { flow: &flow });
        chained.push(Moved { frame, flow, weights });
    }
    chained
}
