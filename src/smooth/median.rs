//! The median over the window: the middle sample, or the mean of the two middle ones when their
//! number is even (halves rounded up, so that a tied vote counts as set).
//!
//! Samples are sorted by a sorting network, whose comparisons are the same for every pixel, so whole
//! blocks of pixels go through it at once (Batcher: Sorting networks and their applications, 1968).

use base::simd::vectorised;

use super::Input;
use super::moving_average::MovingAverage;
use super::window::{Kernel, Samples};

/// At least as many as the largest window has frames; a power of two.
const MAX_SAMPLES: usize = 32;
/// Pixels that go through the network at once.
const BLOCK: usize = 64;

type Block = [u8; BLOCK];

/// The samples of a block of pixels, each aligned to a cache line: across two lines the network takes
/// twice as long.
#[repr(align(64))]
struct Lanes([Block; MAX_SAMPLES]);

impl Lanes {
    fn empty() -> Self {
        Self([[0; BLOCK]; MAX_SAMPLES])
    }
}

pub(super) struct Median {
    /// The network for n samples is at index n.
    networks: Vec<SortingNetwork>,
    input: Input,
}

impl Median {
    /// For windows of up to `frames` frames.
    pub fn new(frames: usize, input: Input) -> Self {
        Self { networks: (0..=frames).map(SortingNetwork::for_middle_of).collect(), input }
    }
}

impl Kernel for Median {
    fn uniform(&self, rows: &[&[u8]], out: &mut [u8]) {
        if self.input == Input::Masks {
            // The median of hard masks is the majority, which the mean tells without sorting.
            MovingAverage.uniform(rows, out);
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

    /// A sample counts in full from half the full weight on, and not at all below.
    fn weighted(&self, own: &[u8], neighbours: &[Samples], out: &mut [u8]) {
        let count = neighbours.len() + 1;
        let Lanes(lanes) = &mut Lanes::empty();
        for (start, out) in (0..).step_by(BLOCK).zip(out.chunks_mut(BLOCK)) {
            let mut next = [0; BLOCK];
            load_valid_samples(lanes, &mut next, own, neighbours, start..start + out.len());
            sort(&self.networks[count], lanes);
            medians(lanes, count, &next, out);
        }
    }
}

vectorised! {
    /// Samples that don't count become the least and the greatest value in turn, so they cancel and
    /// the median of the rest stays in the middle. `next` ends as the value that would come next.
    fn load_valid_samples(
        lanes: &mut [Block; MAX_SAMPLES],
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
    /// With an odd number of replaced samples, one more is a least value than a greatest, which moves
    /// the middle up by half a place.
    fn medians(lanes: &[Block; MAX_SAMPLES], count: usize, next: &Block, out: &mut [u8]) {
        let middle = &lanes[count / 2];
        // Of an odd number the one in the middle, or with that above it; of an even number the
        // two in the middle, or the upper one.
        let other = if count % 2 == 1 { &lanes[(count / 2 + 1) % MAX_SAMPLES] } else { &lanes[(count - 1) / 2] };
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
    /// 255 or 0 by the majority of a pixel's votes. Only a tie has a mean of 128.
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

/// Comparisons that sort n samples as far as the middle one and its neighbours are concerned.
#[derive(Debug)]
struct SortingNetwork {
    comparisons: Vec<(u8, u8)>,
}

impl SortingNetwork {
    fn for_middle_of(count: usize) -> Self {
        let mut comparisons = merge_exchange(count);
        // A comparison matters only if one of its results is used later.
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
    fn sort(network: &SortingNetwork, lanes: &mut [Block; MAX_SAMPLES]) {
        for &(low, high) in &network.comparisons {
            let (low, high) = (usize::from(low) % MAX_SAMPLES, usize::from(high) % MAX_SAMPLES);
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
fn merge_exchange(count: usize) -> Vec<(u8, u8)> {
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
                for (low, high) in merge_exchange(count) {
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
            Median::new(31, Input::Masks).uniform(&rows, &mut out);
            prop_assert_eq!(out[0], median(samples.clone()));
        }

        #[test]
        fn the_middle_is_found(samples in proptest::collection::vec(any::<u8>(), 1..=31)) {
            let rows: Vec<[u8; 1]> = samples.iter().map(|&sample| [sample]).collect();
            let rows: Vec<&[u8]> = rows.iter().map(|row| &row[..]).collect();
            let mut out = [0];
            Median::new(31, Input::Probabilities).uniform(&rows, &mut out);
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
