//! What the metrics cost. `metrics_numpy.py` times the plain NumPy recipe on the same masks.

use criterion::{Criterion, criterion_group, criterion_main};
use rayon::prelude::*;
use std::hint::black_box;
use steadymask::frame::FrameSize;
use steadymask::mask::Mask;
use steadymask::metrics::{LagMeter, Overlap, Warped, boundary_f, pop_rate, temporal_stability};

/// A ragged disc that drifts to the right.
fn disc(width: u32, height: u32, t: usize) -> Mask {
    let (w, h) = (width as f64, height as f64);
    Mask::from_fn(FrameSize::new(width, height).unwrap(), |x, y| {
        let (dx, dy) = (x as f64 - 0.3 * w - t as f64, y as f64 - 0.5 * h);
        let ragged = 0.28 * h + 6.0 * (9.0 * dy.atan2(dx) + t as f64).sin();
        dx.hypot(dy) <= ragged
    })
}

fn neighbours(c: &mut Criterion) {
    let clip: Vec<Mask> = (0..300).map(|t| disc(1280, 720, t)).collect();
    let both = |pair: &[Mask]| {
        let overlap = Overlap::of(&pair[1], &pair[0]);
        overlap.iou() + overlap.dice()
    };
    c.bench_function("IoU and Dice, 300 frames of 1280×720, one thread", |b| {
        b.iter(|| black_box(&clip).windows(2).map(both).sum::<f64>())
    });
    c.bench_function("IoU and Dice, 300 frames of 1280×720, all threads", |b| {
        b.iter(|| black_box(&clip).par_windows(2).map(both).sum::<f64>())
    });
    let valid = Mask::full(clip[0].size());
    let warped = |t: usize| Warped { mask: clip[t].clone(), valid: valid.clone() };
    let (previous, next) = (warped(0), warped(2));
    c.bench_function("pop rate, a frame of 1280×720", |b| {
        b.iter(|| pop_rate(black_box(&clip[1]), &previous, &next))
    });
    c.bench_function("lag, a frame of 1280×720", |b| {
        let mut meter = LagMeter::new(0.0);
        let mut frames = clip.iter().cycle();
        b.iter(|| frames.next().map(|mask| meter.push(mask, mask, false)))
    });
}

fn boundaries(c: &mut Criterion) {
    for (width, height) in [(854, 480), (1920, 1080)] {
        let (a, b) = (disc(width, height, 0), disc(width, height, 4));
        c.bench_function(&format!("F, a frame of {width}×{height}"), |bench| {
            bench.iter(|| boundary_f(black_box(&a), black_box(&b)))
        });
        c.bench_function(&format!("T, a frame of {width}×{height}"), |bench| {
            bench.iter(|| temporal_stability(black_box(&a), black_box(&b)))
        });
    }
}

criterion_group! {
    name = metrics;
    config = Criterion::default().sample_size(20).without_plots();
    targets = neighbours, boundaries
}
criterion_main!(metrics);
