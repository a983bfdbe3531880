//! From logits on the network's grid to probabilities on the picture's: logits are scaled
//! bilinearly, then soft-maxed at every pixel, as DeepLab's own evaluation does.
//!
//! Most pixels lie where one or two classes are possible at all. Between two grid points a
//! class whose logit is at most `m − 12` at both ends, where `m` is what some class has at
//! least, adds less than 6e-6: such classes are left out, which makes this an order of
//! magnitude cheaper than a soft-max over all classes and moves no value by a level.

use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use super::{Activation, ClassGroup, Logits, Manifest, Upsampling};
use base::{
    frame::FrameSize,
    mask::SoftMask,
    simd::{nearest, vectorised},
};

const NEGLIGIBLE_LOGIT: f32 = 12.0;

/// The probability of each group at `size`, in the order of `groups`. Members beyond the
/// network's classes count as impossible.
pub fn probabilities(
    logits: &Logits,
    manifest: &Manifest,
    groups: &[ClassGroup],
    size: FrameSize,
) -> Vec<SoftMask> {
    let grid = Grid::new(logits, manifest.upsampling, size);
    let width = size.width();
    // Rows of all groups side by side, so that one pass over the logits serves them all.
    let mut planes: Vec<Vec<u8>> = groups.iter().map(|_| vec![0; size.pixels()]).collect();
    let mut rows: Vec<Vec<&mut [u8]>> = (0..size.height()).map(|_| Vec::new()).collect();
    for plane in &mut planes {
        for (row, part) in rows.iter_mut().zip(plane.chunks_exact_mut(width)) {
            row.push(part);
        }
    }
    rows.par_iter_mut().enumerate().for_each_init(
        || (Vec::new(), SpanLogits::default()),
        |(line, span_logits), (y, outputs)| {
            grid.line(y, line);
            for span in &grid.spans {
                span_logits.load(line, grid.width, span);
                span_logits.write(manifest.activation, groups, span, outputs);
            }
        },
    );
    planes.into_iter().map(|values| SoftMask::new(size, values)).collect()
}

/// The class with the largest logit at each pixel, `height × width`; the first of equals.
pub fn class_map(logits: &Logits, upsampling: Upsampling, size: FrameSize) -> Vec<u8> {
    let grid = Grid::new(logits, upsampling, size);
    let mut classes = vec![0; size.pixels()];
    classes.par_chunks_exact_mut(size.width()).enumerate().for_each_init(Vec::new, |line, (y, row)| {
        grid.line(y, line);
        for span in &grid.spans {
            for (x, t) in span.steps() {
                let value = |class: usize| {
                    let values = &line[class * grid.width..][..grid.width];
                    values[span.left] + t * (values[span.right] - values[span.left])
                };
                let best = (1..logits.classes).fold((0, value(0)), |best, class| {
                    let value = value(class);
                    if value > best.1 { (class, value) } else { best }
                });
                row[x] = best.0 as u8;
            }
        }
    });
    classes
}

/// The share of the grid's points at which each class is the likeliest.
pub fn coverage(logits: &Logits) -> Vec<f32> {
    let points = logits.height * logits.width;
    let mut counts = vec![0u32; logits.classes];
    for point in 0..points {
        let of = |class: usize| logits.values[class * points + point];
        let best = (1..logits.classes).fold(0, |best, class| if of(class) > of(best) { class } else { best });
        counts[best] += 1;
    }
    counts.into_iter().map(|count| count as f32 / points as f32).collect()
}

/// The network's grid laid over a picture.
struct Grid<'a> {
    logits: &'a Logits,
    /// For each row of the picture: the grid row above, the one below, and the way between.
    rows: Vec<(usize, usize, f32)>,
    spans: Vec<Span>,
    width: usize,
}

/// Pixels of a row that lie between the same two grid columns.
struct Span {
    first_x: usize,
    end_x: usize,
    left: usize,
    right: usize,
    /// The way from `left` to `right` at `first_x`, and its step from pixel to pixel.
    start: f32,
    step: f32,
}

impl Span {
    fn steps(&self) -> impl Iterator<Item = (usize, f32)> {
        (self.first_x..self.end_x).map(|x| (x, self.way(x - self.first_x)))
    }

    fn blocks(&self) -> usize {
        (self.end_x - self.first_x).div_ceil(BLOCK)
    }

    /// The way from `left` to `right` at the span's pixel `i`.
    #[inline(always)]
    fn way(&self, i: usize) -> f32 {
        self.start + self.step * i as i32 as f32
    }
}

impl<'a> Grid<'a> {
    fn new(logits: &'a Logits, upsampling: Upsampling, size: FrameSize) -> Self {
        let rows = samples(size.height(), logits.height, upsampling);
        let columns = samples(size.width(), logits.width, upsampling);
        let mut spans: Vec<Span> = Vec::new();
        for (x, &(left, right, t)) in columns.iter().enumerate() {
            match spans.last_mut() {
                Some(span) if (span.left, span.right) == (left, right) => {
                    span.end_x = x + 1;
                    span.step = t - columns[x - 1].2;
                }
                _ => spans.push(Span { first_x: x, end_x: x + 1, left, right, start: t, step: 0.0 }),
            }
        }
        Self { logits, rows, spans, width: logits.width }
    }

    /// The logits of picture row `y` at each grid column, `classes × width`.
    fn line(&self, y: usize, line: &mut Vec<f32>) {
        let Logits { classes, height, width, ref values } = *self.logits;
        let (above, below, t) = self.rows[y];
        line.resize((classes + 1) * width, 0.0);
        let (line, lower) = line.split_at_mut(classes * width);
        for (class, line) in line.chunks_exact_mut(width).enumerate() {
            values[(class * height + above) * width..][..width].convert_to_f32_slice(line);
            values[(class * height + below) * width..][..width].convert_to_f32_slice(lower);
            for (upper, lower) in line.iter_mut().zip(&*lower) {
                *upper += t * (lower - *upper);
            }
        }
    }
}

/// For each of `length` pixels, the two of `points` grid points around it and the way
/// between them, in [0, 1].
fn samples(length: usize, points: usize, upsampling: Upsampling) -> Vec<(usize, usize, f32)> {
    let last = points - 1;
    let position = |pixel: usize| match upsampling {
        Upsampling::HalfPixel => (pixel as f64 + 0.5) * points as f64 / length as f64 - 0.5,
        Upsampling::AlignCorners => pixel as f64 * last as f64 / (length.max(2) - 1) as f64,
    };
    (0..length)
        .map(|pixel| {
            // Beyond the outer points nothing changes, which is a span of its own.
            let position = position(pixel);
            if position <= 0.0 {
                return (0, 0, 0.0);
            }
            let left = (position as usize).min(last);
            let right = if position >= last as f64 { left } else { left + 1 };
            (left, right, (position - left as f64).min(1.0) as f32)
        })
        .collect()
}

/// Pixels that are worked on together. Spans are a dozen pixels long, so they are padded to whole
/// blocks: one by one, what is left over would take as long as the rest.
type Block = [f32; BLOCK];
const BLOCK: usize = 8;

/// The classes that matter in one span, with their logits at its two ends.
#[derive(Default)]
struct SpanLogits {
    live: Vec<(usize, f32, f32)>,
    /// Of each live class the exponentials at the span's pixels, and their sums.
    exponentials: Vec<Block>,
    sums: Vec<Block>,
    selected: Vec<Block>,
}

impl SpanLogits {
    fn load(&mut self, line: &[f32], width: usize, span: &Span) {
        self.live.clear();
        let classes = line.len() / width - 1;
        self.live.extend((0..classes).map(|class| {
            let values = &line[class * width..][..width];
            (class, values[span.left], values[span.right])
        }));
    }

    fn write(
        &mut self,
        activation: Activation,
        groups: &[ClassGroup],
        span: &Span,
        outputs: &mut [&mut [u8]],
    ) {
        let outputs =
            groups.iter().zip(outputs).map(|(group, row)| (group, &mut row[span.first_x..span.end_x]));
        if activation == Activation::Softmax {
            self.drop_negligible();
            if let [(class, ..)] = self.live[..] {
                // Where one class is possible, it is certain.
                outputs.for_each(|(group, output)| output.fill(if group.has(class) { 255 } else { 0 }));
                return;
            }
            let blocks = span.blocks();
            self.exponentiate(span);
            for (group, output) in outputs {
                self.selected.clear();
                self.selected.resize(blocks, Block::default());
                for ((class, ..), values) in self.live.iter().zip(self.exponentials.chunks_exact(blocks)) {
                    if group.has(*class) {
                        add(&mut self.selected, values);
                    }
                }
                write_shares(output, &self.selected, &self.sums);
            }
            return;
        }
        for (group, output) in outputs {
            self.selected.clear();
            self.selected.resize(span.blocks(), Block::default());
            for &(_, left, right) in self.live.iter().filter(|(class, ..)| group.has(*class)) {
                match activation {
                    Activation::Sigmoid => add_sigmoid(&mut self.selected, span, left, right),
                    _ => add_logit(&mut self.selected, span, left, right),
                }
            }
            write_values(output, &self.selected);
        }
    }

    /// Keeps the classes that matter, shifted so that no exponential overflows.
    fn drop_negligible(&mut self) {
        // `max` and `min` would look after NaN too, which takes longer.
        let (mut floor, mut top) = (f32::MIN, f32::MIN);
        for &(_, left, right) in &self.live {
            let (low, high) = if left < right { (left, right) } else { (right, left) };
            floor = if low > floor { low } else { floor };
            top = if high > top { high } else { top };
        }
        let negligible = floor - NEGLIGIBLE_LOGIT;
        self.live.retain_mut(|(_, left, right)| {
            let matters = !(*left <= negligible && *right <= negligible);
            *left -= top;
            *right -= top;
            matters
        });
    }

    fn exponentiate(&mut self, span: &Span) {
        let blocks = span.blocks();
        self.exponentials.resize(self.live.len() * blocks, Block::default());
        self.sums.clear();
        self.sums.resize(blocks, [f32::MIN_POSITIVE; BLOCK]);
        exponentials(&mut self.exponentials, &mut self.sums, &self.live, span);
    }
}

/// What becomes of each pixel of a span: `step` gets the way there, and the pixel's value.
#[inline(always)]
fn along(span: &Span, values: &mut [Block], step: impl Fn(f32, &mut f32)) {
    for (block, values) in values.iter_mut().enumerate() {
        for (i, value) in values.iter_mut().enumerate() {
            step(span.way(block * BLOCK + i), value);
        }
    }
}

vectorised! {
    /// Of one class after the other, and their sums. Spans are short: a call for each class would
    /// take longer than what it does.
    fn exponentials(values: &mut [Block], sums: &mut [Block], live: &[(usize, f32, f32)], span: &Span) {
        for (&(_, left, right), values) in live.iter().zip(values.chunks_exact_mut(sums.len())) {
            along(span, values, |way, value| *value = exp(left + way * (right - left)));
            for (sum, value) in sums.as_flattened_mut().iter_mut().zip(values.as_flattened()) {
                *sum += value;
            }
        }
    }
}

vectorised! {
    fn add_sigmoid(sums: &mut [Block], span: &Span, left: f32, right: f32) {
        along(span, sums, |way, sum| *sum += 1.0 / (1.0 + exp(-(left + way * (right - left)))));
    }
}

vectorised! {
    fn add_logit(sums: &mut [Block], span: &Span, left: f32, right: f32) {
        along(span, sums, |way, sum| *sum += left + way * (right - left));
    }
}

vectorised! {
    fn add(sums: &mut [Block], values: &[Block]) {
        for (sum, value) in sums.as_flattened_mut().iter_mut().zip(values.as_flattened()) {
            *sum += value;
        }
    }
}

vectorised! {
    fn write_shares(output: &mut [u8], parts: &[Block], sums: &[Block]) {
        for (output, (parts, sums)) in output.chunks_mut(BLOCK).zip(parts.iter().zip(sums)) {
            let mut levels = [0; BLOCK];
            for i in 0..BLOCK {
                levels[i] = level(parts[i] / sums[i]);
            }
            write(output, levels);
        }
    }
}

vectorised! {
    fn write_values(output: &mut [u8], values: &[Block]) {
        for (output, values) in output.chunks_mut(BLOCK).zip(values) {
            let mut levels = [0; BLOCK];
            for (rounded, &value) in levels.iter_mut().zip(values) {
                *rounded = level(value);
            }
            write(output, levels);
        }
    }
}

/// As many as there is room for.
#[inline(always)]
fn write(output: &mut [u8], levels: [u8; BLOCK]) {
    match output.first_chunk_mut() {
        Some(whole) => *whole = levels,
        None => output.copy_from_slice(&levels[..output.len()]),
    }
}

/// A probability as one of 256 levels; 0 of what is not a number.
#[inline(always)]
fn level(probability: f32) -> u8 {
    nearest((probability * 255.0).clamp(0.0, 255.0)) as u8
}

/// e^x to 2e-7 relative, branch-free so that loops over it vectorise: 2^n by the exponent's
/// bits and 2^f on [−0.5, 0.5] by its Taylor series.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let scaled = (x * std::f32::consts::LOG2_E).clamp(-126.0, 126.0);
    let whole = nearest(scaled);
    let f = (scaled - whole as f32) * std::f32::consts::LN_2;
    let series =
        1.0 + f * (1.0 + f * (0.5 + f * (1.0 / 6.0 + f * (1.0 / 24.0 + f * (1.0 / 120.0 + f / 720.0)))));
    series * f32::from_bits(((whole + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    fn manifest(classes: usize, activation: Activation, upsampling: Upsampling) -> Manifest {
        Manifest {
            name: "test".into(),
            classes: (0..classes).map(|class| class.to_string()).collect(),
            input: crate::InputSize::Fixed { width: 1, height: 1 },
            mean: [0.0; 3],
            std: [1.0; 3],
            activation,
            upsampling,
            output_stride: 1,
            sha256: String::new(),
            licence: String::new(),
            source: String::new(),
            torch_version: String::new(),
        }
    }

    fn any_logits() -> impl Strategy<Value = Logits> {
        (2usize..6, 1usize..5, 1usize..5).prop_flat_map(|(classes, height, width)| {
            proptest::collection::vec(-20.0f32..20.0, classes * height * width).prop_map(move |values| {
                Logits { classes, height, width, values: values.into_iter().map(f16::from_f32).collect() }
            })
        })
    }

    /// Bilinear scaling of one value, straight from its definition.
    fn value_at(logits: &Logits, class: usize, x: f64, y: f64) -> f64 {
        let at = |y: usize, x: usize| {
            let (y, x) = (y.min(logits.height - 1), x.min(logits.width - 1));
            logits.values[(class * logits.height + y) * logits.width + x].to_f64()
        };
        let (x0, y0) = (x as usize, y as usize);
        let (tx, ty) = (x - x0 as f64, y - y0 as f64);
        let row = |y| at(y, x0) * (1.0 - tx) + at(y, x0 + 1) * tx;
        row(y0) * (1.0 - ty) + row(y0 + 1) * ty
    }

    proptest! {
        #[test]
        fn probabilities_are_the_soft_max_of_scaled_logits(
            logits in any_logits(), width in 1u32..40, height in 1u32..20, corners: bool,
        ) {
            let upsampling = if corners { Upsampling::AlignCorners } else { Upsampling::HalfPixel };
            let manifest = manifest(logits.classes, Activation::Softmax, upsampling);
            let size = FrameSize::new(width, height).unwrap();
            let groups = [ClassGroup::parse("1", &manifest).unwrap(), ClassGroup::parse("0+1", &manifest).unwrap()];
            let masks = probabilities(&logits, &manifest, &groups, size);
            let classes = class_map(&logits, upsampling, size);
            let place = |pixel: usize, length: usize, points: usize| {
                let place = if corners {
                    pixel as f64 * (points - 1) as f64 / (length.max(2) - 1) as f64
                } else {
                    (pixel as f64 + 0.5) * points as f64 / length as f64 - 0.5
                };
                place.clamp(0.0, (points - 1) as f64)
            };
            for y in 0..size.height() {
                for x in 0..size.width() {
                    let (gx, gy) = (place(x, size.width(), logits.width), place(y, size.height(), logits.height));
                    let values: Vec<f64> =
                        (0..logits.classes).map(|class| value_at(&logits, class, gx, gy)).collect();
                    let top = values.iter().copied().fold(f64::MIN, f64::max);
                    let sum: f64 = values.iter().map(|value| (value - top).exp()).sum();
                    let p = |class: usize| (values[class] - top).exp() / sum;
                    let pixel = y * size.width() + x;
                    for (mask, expected) in masks.iter().zip([p(1), p(0) + p(1)]) {
                        let got = f64::from(mask.values()[pixel]);
                        prop_assert!((got - expected * 255.0).abs() < 0.52, "{got} for {}", expected * 255.0);
                    }
                    prop_assert!(values[usize::from(classes[pixel])] > top - 1e-4);
                }
            }
        }
    }

    #[test]
    fn a_sigmoid_network_needs_no_background() {
        let logits =
            Logits { classes: 1, height: 1, width: 2, values: [-2.0, 2.0].map(f16::from_f32).to_vec() };
        let manifest = manifest(1, Activation::Sigmoid, Upsampling::AlignCorners);
        let group = ClassGroup::parse("0", &manifest).unwrap();
        let masks = probabilities(&logits, &manifest, &[group], FrameSize::new(3, 1).unwrap());
        assert_eq!(masks[0].values(), [30, 128, 225]);
    }

    #[test]
    fn coverage_counts_the_likeliest_class() {
        let values = [1.0, 0.0, 0.0, 1.0, 0.0, 2.0, 3.0, 4.0].map(f16::from_f32).to_vec();
        assert_eq!(coverage(&Logits { classes: 2, height: 2, width: 2, values }), [0.25, 0.75]);
    }
}
