//! The median over the window: the middle sample, or the mean of the two in the middle when
//! the number of samples is even (a half rounded up, so that a tied vote counts as set).
//!
//! Sorting is done by a network of comparisons that is the same for every pixel, so whole
//! blocks of pixels go through it at once. (Batcher: Sorting networks and their
//! applications, 1968.)

use crate::simd::vectorised;

use super::Input;
use super::moving_average::MovingAverage;
use super::window::{Kernel, Samples};

/// The most samples there are; one more than the largest window, as networks like it.
const MOST: usize = 32;
/// Pixels that go through the network together.
const BLOCK: usize = 64;

type Block = [u8; BLOCK];

/// The samples of a block of pixels, each where a cache line begins: across two lines the network
/// takes twice as long.
#[repr(align(64))]
struct Lanes([Block; MOST]);

impl Lanes {
    fn empty() -> Self {
        Self([[0; BLOCK]; MOST])
    }
}

pub(super) struct Median {
    /// For n samples, at index n.
    networks: Vec<Network>,
    input: Input,
}

impl Median {
    /// For windows of up to so many frames.
    pub fn new(frames: usize, input: Input) -> Self {
        Self { networks: (0..=frames).map(Network::for_middle_of).collect(), input }
    }
}

impl Kernel for Median {
    fn alike(&self, rows: &[&[u8]], out: &mut [u8]) {
        if self.input == Input::Masks {
            // The median of votes is the majority, and the mean knows it: nothing to sort.
            MovingAverage.alike(rows, out);
            return majority(out);
        }
        let count = rows.len();
        let Lanes(lanes) = &mut Lanes::empty();
        for (start, out) in (0..).step_by(BLOCK).zip(out.chunks_mut(BLOCK)) {
            for (lane, row) in lanes.iter_mut().zip(rows) {
                lane[..out.len()].copy_from_slice(&row[start..start + out.len()]);
            }
            sort(&self.networks[count], lanes);
            let (low, high) = (&lanes[(count - 1) / 2], &lanes[count / 2]);
            for ((out, &low), &high) in out.iter_mut().zip(low).zip(high) {
                *out = mean(low, high);
            }
        }
    }

    /// A sample either takes part or is left out: it takes part from half the full weight on.
    fn weighted(&self, own: &[u8], neighbours: &[Samples], out: &mut [u8]) {
        let count = neighbours.len() + 1;
        let Lanes(lanes) = &mut Lanes::empty();
        for (start, out) in (0..).step_by(BLOCK).zip(out.chunks_mut(BLOCK)) {
            let mut next = [0; BLOCK];
            take_part(lanes, &mut next, own, neighbours, start..start + out.len());
            sort(&self.networks[count], lanes);
            middles(lanes, count, &next, out);
        }
    }
}

vectorised! {
    /// Samples that are left out become the least and the greatest value in turn, so they pair
    /// off and the middle of the rest stays in the middle. `next` ends with what would be next.
    fn take_part(
        lanes: &mut [Block; MOST],
        next: &mut Block,
        own: &[u8],
        neighbours: &[Samples],
        block: std::ops::Range<usize>,
    ) {
        let pixels = block.len();
        lanes[0][..pixels].copy_from_slice(&own[block.clone()]);
        let (mut values, mut weights) = ([0; BLOCK], [0; BLOCK]);
        for (lane, samples) in lanes[1..].iter_mut().zip(neighbours) {
            values[..pixels].copy_from_slice(&samples.values[block.clone()]);
            weights[..pixels].copy_from_slice(&samples.weights[block.clone()]);
            for i in 0..BLOCK {
                let is_in: u8 = if weights[i] >= 128 { u8::MAX } else { 0 };
                lane[i] = (values[i] & is_in) | (next[i] & !is_in);
                next[i] ^= !is_in;
            }
        }
    }
}

vectorised! {
    /// An odd one out was a least value, which moved the middle up by half a place.
    fn middles(lanes: &[Block; MOST], count: usize, next: &Block, out: &mut [u8]) {
        let middle = &lanes[count / 2];
        // Of an odd number the one in the middle, or with that above it; of an even number the
        // two in the middle, or the upper one.
        let other = if count % 2 == 1 { &lanes[(count / 2 + 1) % MOST] } else { &lanes[(count - 1) / 2] };
        let mut means = [0; BLOCK];
        for i in 0..BLOCK {
            let is_even_out = next[i] == 0;
            let takes_other = is_even_out == count.is_multiple_of(2);
            means[i] = mean(middle[i], if takes_other { other[i] } else { middle[i] });
        }
        out.copy_from_slice(&means[..out.len()]);
    }
}

vectorised! {
    /// A tie, and nothing else, has a mean of 128.
    fn majority(means: &mut [u8]) {
        for mean in means {
            *mean = if *mean == 128 { 128 } else if *mean > 128 { u8::MAX } else { 0 };
        }
    }
}

#[inline(always)]
fn mean(a: u8, b: u8) -> u8 {
    (u16::from(a) + u16::from(b)).div_ceil(2) as u8
}

/// Comparisons that bring the middle of n samples, and its neighbours, into their places.
#[derive(Debug)]
struct Network {
    comparisons: Vec<(u8, u8)>,
}

impl Network {
    fn for_middle_of(count: usize) -> Self {
        let mut comparisons = batcher(count);
        // A comparison matters only if one of its results is looked at later.
        let mut wanted: Vec<bool> = (0..count).map(|lane| lane.abs_diff(count / 2) <= 1).collect();
        comparisons.reverse();
        comparisons.retain(|&(low, high)| {
            let (low, high) = (usize::from(low), usize::from(high));
            let matters = wanted[low] || wanted[high];
            wanted[low] |= matters;
            wanted[high] |= matters;
            matters
        });
        comparisons.reverse();
        Self { comparisons }
    }
}

vectorised! {
    fn sort(network: &Network, lanes: &mut [Block; MOST]) {
        for &(low, high) in &network.comparisons {
            let (low, high) = (usize::from(low) % MOST, usize::from(high) % MOST);
            let (a, b) = (lanes[low], lanes[high]);
            for i in 0..BLOCK {
                lanes[low][i] = a[i].min(b[i]);
                lanes[high][i] = a[i].max(b[i]);
            }
        }
    }
}

/// Batcher's merge exchange (Knuth, The Art of Computer Programming 3, algorithm 5.2.2M):
/// comparisons that sort any number of samples.
fn batcher(count: usize) -> Vec<(u8, u8)> {
    let mut comparisons = Vec::new();
    let top = count.next_power_of_two() / 2;
    let mut p = top;
    while p > 0 {
        let (mut q, mut r, mut d) = (top, 0, p);
        loop {
            let pairs = (0..count.saturating_sub(d)).filter(|i| i & p == r);
            comparisons.extend(pairs.map(|i| (i as u8, (i + d) as u8)));
            if q == p {
                break;
            }
            d = q - p;
            q /= 2;
            r = p;
        }
        p /= 2;
    }
    comparisons
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn median(mut values: Vec<u8>) -> u8 {
        values.sort_unstable();
        mean(values[(values.len() - 1) / 2], values[values.len() / 2])
    }

    /// By the 0-1 principle a network that sorts all bits sorts all values.
    #[test]
    fn networks_sort_every_row_of_bits() {
        for count in 0..=12usize {
            for bits in 0..1u32 << count {
                let mut row: Vec<u32> = (0..count).map(|i| bits >> i & 1).collect();
                for (low, high) in batcher(count) {
                    let (low, high) = (usize::from(low), usize::from(high));
                    (row[low], row[high]) = (row[low].min(row[high]), row[low].max(row[high]));
                }
                assert!(row.is_sorted(), "{count} samples {bits:b}");
            }
        }
    }

    proptest! {
        #[test]
        fn of_hard_masks_too(votes in proptest::collection::vec(any::<bool>(), 1..=31)) {
            let samples: Vec<u8> = votes.iter().map(|&vote| if vote { 255 } else { 0 }).collect();
            let rows: Vec<&[u8]> = samples.chunks(1).collect();
            let mut out = [0];
            Median::new(31, Input::Masks).alike(&rows, &mut out);
            prop_assert_eq!(out[0], median(samples.clone()));
        }

        #[test]
        fn the_middle_is_found(samples in proptest::collection::vec(any::<u8>(), 1..=31)) {
            let rows: Vec<[u8; 1]> = samples.iter().map(|&sample| [sample]).collect();
            let rows: Vec<&[u8]> = rows.iter().map(|row| &row[..]).collect();
            let mut out = [0];
            Median::new(31, Input::Probabilities).alike(&rows, &mut out);
            prop_assert_eq!(out[0], median(samples));
        }

        #[test]
        fn left_out_samples_do_not_count(
            own in any::<u8>(),
            others in proptest::collection::vec((any::<u8>(), any::<bool>()), 0..=30),
        ) {
            let neighbours: Vec<Samples> = others
                .iter()
                .map(|&(value, is_in)| Samples { values: vec![value], weights: vec![if is_in { 255 } else { 0 }] })
                .collect();
            let mut out = [0];
            Median::new(31, Input::Probabilities).weighted(&[own], &neighbours, &mut out);
            let counted = others.iter().filter(|other| other.1).map(|other| other.0);
            prop_assert_eq!(out[0], median(counted.chain([own]).collect()));
        }
    }
}
