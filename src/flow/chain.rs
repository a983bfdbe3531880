//! Composing the flows between neighbours into flows to more distant frames.
//!
//! Rows are composed one at a time, for all frames on the way, right before they are sampled. Whole
//! fields would have to be written and read again for each pair of frames in a window.

use std::ops::{Range, RangeInclusive};

use rayon::prelude::*;

use base::mask::Mask;
use base::simd::vectorised;

use super::Flow;
use super::field::{
    BLOCK, FRACTION_BITS, FlowField, ONE, RUN, VALID, inside, load, packed, store, straight_runs, unpacked,
};
use super::pair::DisplacementBounds;

/// Composes the flows r→s, s→t, … into flows from r to each of s, t, …. Each next flow is looked up
/// at the pixel nearest to where the ones before lead; interpolating would mix a moving object with
/// its background. A composed vector is valid where all vectors on the way are.
pub struct FlowChain<'a> {
    steps: &'a [&'a Flow],
    /// The columns of the grid that are computed.
    columns: Range<usize>,
    /// The composed flow after each step but the first, which needs no composing: two rows, row y at
    /// `y % 2`.
    links: Vec<[Vec<[i16; 2]>; 2]>,
    rows: [Option<usize>; 2],
}

impl<'a> FlowChain<'a> {
    /// For these columns of the first flow's grid.
    ///
    /// # Panics
    /// When the sizes of the flows differ.
    pub fn new(steps: &'a [&'a Flow], columns: Range<usize>) -> Self {
        let row = steps.first().map_or_else(Vec::new, |first| {
            assert!(steps.iter().all(|step| step.size() == first.size()), "flows of one video");
            vec![[0; 2]; first.size().width()]
        });
        let links = (1..steps.len()).map(|_| [row.clone(), row.clone()]).collect();
        Self { steps, columns, links, rows: [None; 2] }
    }

    /// Computes row `y` of all composed flows. It is kept until row `y + 2` is computed.
    pub fn compute_row(&mut self, y: usize) {
        let slot = y % 2;
        if self.rows[slot].replace(y) == Some(y) {
            return;
        }
        for i in 0..self.links.len() {
            let (before, after) = self.links.split_at_mut(i);
            let from = before.last().map_or_else(|| self.steps[0].field().row(y), |link| &link[slot]);
            let columns = self.columns.clone();
            let (to, from) = (&mut after[0][slot][columns.clone()], &from[columns.clone()]);
            compose_row(to, [columns.start, y], from, self.steps[i + 1].field());
        }
    }

    /// Row `y`, which must have been computed, of the flow to the `nth` frame on the way, in the
    /// format of [`FlowField::row`]. Outside the columns its values mean nothing.
    pub fn row(&self, nth: usize, y: usize) -> &[[i16; 2]] {
        debug_assert_eq!(self.rows[y % 2], Some(y), "the row of a chain");
        match nth.checked_sub(1) {
            None => self.steps[0].field().row(y),
            Some(link) => &self.links[link][y % 2],
        }
    }
}

/// Bounds on where the vectors in some rows of the first frame's grid lead in each following frame:
/// the range of rows, and the least and greatest displacement in x, in steps of 1/32 grid pixel.
pub fn displacement_bounds(
    steps: &[&Flow],
    rows: RangeInclusive<usize>,
) -> impl Iterator<Item = (RangeInclusive<usize>, [i32; 2])> {
    let mut place = [*rows.start() as i32 * ONE, *rows.end() as i32 * ONE];
    let mut aside = [0; 2];
    steps.iter().map(move |step| {
        let row = |place: i32| (place >> FRACTION_BITS).clamp(0, step.size().height() as i32 - 1) as usize;
        let [first, last] = place.map(|place| row(place + ONE / 2));
        let DisplacementBounds { dx, dy } = step.bounds(first..=last);
        place = [place[0] + dy[0], place[1] + dy[1]];
        aside = [aside[0] + dx[0], aside[1] + dx[1]];
        (row(place[0])..=row(place[1] + ONE - 1), aside)
    })
}

impl Flow {
    /// Composes this flow from r to s with `next` from s to t into the flow from r to t, as a
    /// [`FlowChain`] does.
    ///
    /// # Panics
    /// When the two sizes differ.
    pub fn then(&self, next: &Self) -> Self {
        let size = self.size();
        assert_eq!(size, next.size(), "flows of one video");
        let mut vectors = vec![[0; 2]; size.pixels()];
        let rows = vectors.par_chunks_mut(size.width()).enumerate().with_min_len(32);
        rows.for_each(|(y, row)| compose_row(row, [0, y], self.field().row(y), next.field()));
        let valid: Vec<u8> = vectors.iter().map(|&[dx, _]| dx as u8 & VALID as u8).collect();
        Self::new(FlowField::from_steps(size, vectors), Mask::from_bytes(size, &valid))
    }
}

vectorised! {
    /// Composes a row of a flow, or a part of it that begins at pixel `at` (x, y), with `next`.
    fn compose_row(to: &mut [[i16; 2]], at: [usize; 2], from: &[[i16; 2]], next: &FlowField) {
        let [first_x, y] = at.map(|at| at as i32);
        let (width, height) = (next.size().width() as i32, next.size().height() as i32);
        let all = next.vectors();
        assert_eq!(all.len(), next.size().pixels());
        let nearest = |place: i32, side: i32| ((place + ONE / 2) >> FRACTION_BITS).max(0).min(side - 1);
        let (mut here, mut there) = ([[0i16; 2]; BLOCK], [[0i16; 2]; BLOCK]);
        let (mut pixels, mut flags) = ([0u32; BLOCK], [0u32; BLOCK]);
        for (block, (to, from)) in to.chunks_mut(BLOCK).zip(from.chunks(BLOCK)).enumerate() {
            load(&mut here, from);
            for i in 0..BLOCK {
                let vector = packed(here[i]);
                let [dx, dy] = unpacked(vector);
                let (x, y) = ((first_x + (block * BLOCK + i) as i32) * ONE + dx, y * ONE + dy);
                pixels[i] = (nearest(y, height) * width + nearest(x, width)) as u32;
                flags[i] = vector & VALID & inside(x, width) & inside(y, height);
            }
            for (run, is_straight) in straight_runs(&pixels).into_iter().enumerate() {
                let run = run * RUN..(run + 1) * RUN;
                let first = pixels[run.start] as usize;
                match all.get(first..first + RUN) {
                    Some(side_by_side) if is_straight => there[run].copy_from_slice(side_by_side),
                    _ => for i in run {
                        // SAFETY: `nearest` clamps to the grid, and the number of its vectors was
                        // checked above. Checking each index costs a third of the loop.
                        there[i] = unsafe { *all.get_unchecked(pixels[i] as usize) };
                    },
                }
            }
            // Invalid pixels get a vector too: the flow is interpolated later, and a zero there
            // would distort its valid neighbours.
            for i in 0..BLOCK {
                let even = |vector: [i16; 2]| -> [i16; 2] { bytemuck::cast(packed(vector) & !VALID) };
                let ([ax, ay], [bx, by]) = (even(here[i]), even(there[i]));
                let sum = packed([ax.saturating_add(bx), ay.saturating_add(by)]);
                here[i] = bytemuck::cast((sum & !VALID) | (flags[i] & packed(there[i])));
            }
            store(to, &here);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::FrameSize;
    use proptest::prelude::*;

    /// The whole of the flow to the last frame.
    fn whole(steps: &[&Flow]) -> Flow {
        let (size, last) = (steps[0].size(), steps.len() - 1);
        // In two parts.
        let middle = size.width() / 3;
        let mut parts = [0..middle, middle..size.width()]
            .map(|columns| (FlowChain::new(steps, columns.clone()), columns));
        let mut vectors = Vec::new();
        for y in 0..size.height() {
            for (chain, columns) in &mut parts {
                chain.compute_row(y);
                vectors.extend_from_slice(&chain.row(last, y)[columns.clone()]);
            }
        }
        let valid = Mask::from_fn(size, |x, y| vectors[y * size.width() + x][0] & 1 == 1);
        Flow::new(FlowField::from_steps(size, vectors), valid)
    }

    /// One flow after another, from the definition.
    fn by_definition(first: &Flow, next: &Flow) -> Flow {
        let size = first.size();
        let side = |place: f32, side: usize| ((place + 0.5).floor().clamp(0.0, side as f32 - 1.0)) as usize;
        let leads = |x: usize, y: usize| {
            let [dx, dy] = first.field().vector(x, y);
            [x as f32 + dx, y as f32 + dy]
        };
        let nearest = |[x, y]: [f32; 2]| (side(x, size.width()), side(y, size.height()));
        let field = FlowField::from_fn(size, |x, y| {
            let ([dx, dy], (nx, ny)) = (first.field().vector(x, y), nearest(leads(x, y)));
            let [ex, ey] = next.field().vector(nx, ny);
            [dx + ex, dy + ey]
        });
        let valid = Mask::from_fn(size, |x, y| {
            let [to_x, to_y] = leads(x, y);
            let (nx, ny) = nearest([to_x, to_y]);
            let inside = |place: f32, side: usize| -0.5 <= place && place <= side as f32 - 0.5;
            first.valid().get(x, y)
                && inside(to_x, size.width())
                && inside(to_y, size.height())
                && next.valid().get(nx, ny)
        });
        Flow::new(field, valid)
    }

    fn any_flows() -> impl Strategy<Value = Vec<Flow>> {
        (1u32..140, 1u32..6).prop_flat_map(|(width, height)| {
            let size = FrameSize::new(width, height).unwrap();
            let step = prop_oneof![4 => -90i16..90, 1 => any::<i16>()];
            let pixel = ([step.clone(), step], proptest::bool::weighted(0.9));
            let flow = proptest::collection::vec(pixel, size.pixels()).prop_map(move |pixels| {
                let (steps, valid): (Vec<[i16; 2]>, Vec<bool>) = pixels.into_iter().unzip();
                let valid = Mask::from_fn(size, |x, y| valid[y * size.width() + x]);
                Flow::new(FlowField::from_steps(size, steps), valid)
            });
            proptest::collection::vec(flow, 1..4)
        })
    }

    proptest! {
        #[test]
        fn a_chain_is_one_flow_after_the_other(flows in any_flows()) {
            let expected = flows[1..].iter().fold(flows[0].clone(), |far, next| by_definition(&far, next));
            prop_assert_eq!(&whole(&flows.iter().collect::<Vec<_>>()), &expected);
            let then = flows[1..].iter().fold(flows[0].clone(), |far, next| far.then(next));
            prop_assert_eq!(then, expected);
        }
    }

    #[test]
    fn chains_add_up_and_forget_what_failed_on_the_way() {
        let size = FrameSize::new(40, 30).unwrap();
        let shift = |dx: f32, dy: f32| FlowField::from_fn(size, move |_, _| [dx, dy]);
        let first = Flow::new(shift(3.0, 0.0), Mask::full(size));
        let hole = Mask::from_fn(size, |x, y| (x, y) != (13, 5));
        let second = Flow::new(shift(2.5, 1.0), hole);
        let chain = whole(&[&first, &second]);
        assert_eq!(chain.field().vector(10, 6), [5.5, 1.0]);
        assert!(chain.valid().get(10, 6));
        assert!(!chain.valid().get(10, 5));
        assert!(!chain.valid().get(38, 6));
    }
}
