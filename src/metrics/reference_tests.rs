use super::*;
use base::frame::FrameSize;
use proptest::prelude::*;

fn size() -> FrameSize {
    FrameSize::new(40, 8).unwrap()
}

fn columns(count: usize) -> Mask {
    Mask::from_fn(size(), |x, _| x < count)
}

fn any_clip(frames: std::ops::Range<usize>) -> impl Strategy<Value = Vec<[Mask; 4]>> {
    let small = FrameSize::new(5, 3).unwrap();
    let mask = proptest::collection::vec(proptest::bool::weighted(0.9), 15)
        .prop_map(move |set| Mask::from_bytes(small, &set.into_iter().map(u8::from).collect::<Vec<_>>()));
    proptest::collection::vec([mask.clone(), mask.clone(), mask.clone(), mask], frames)
}

/// VSPW's loop, pixel by pixel.
fn plain_consistency(clip: &[[Mask; 4]], window: usize) -> Option<f64> {
    let label = |t: usize, side: usize, x, y| [clip[t][side].get(x, y), clip[t][side + 1].get(x, y)];
    let mut shares = Vec::new();
    for start in 0..clip.len().saturating_sub(window) {
        let constant =
            |side, x, y| (1..window).all(|j| label(start, side, x, y) == label(start + j, side, x, y));
        let pixels: Vec<(usize, usize)> = (0..15).map(|at| (at % 5, at / 5)).collect();
        let truth: Vec<_> = pixels.into_iter().filter(|&(x, y)| constant(2, x, y)).collect();
        if !truth.is_empty() {
            let both = truth.iter().filter(|&&(x, y)| constant(0, x, y)).count();
            shares.push(both as f64 / truth.len() as f64);
        }
    }
    (!shares.is_empty()).then(|| mean(&shares))
}

proptest! {
    #[test]
    fn consistency_is_vspws_loop(clip in any_clip(0..14), window in 2usize..6) {
        let mut consistency = VideoConsistency::new(window);
        for [p0, p1, t0, t1] in &clip {
            consistency.push(&[p0, p1], &[t0, t1]);
        }
        match (consistency.finish(), plain_consistency(&clip, window)) {
            (Some(streamed), Some(plain)) => prop_assert!((streamed - plain).abs() < 1e-12),
            (streamed, plain) => prop_assert_eq!(streamed, plain),
        }
    }

    #[test]
    fn j_is_symmetric_and_bounded([a, b, ..] in any_clip(1..2).prop_map(|clip| clip[0].clone())) {
        let score = |a, b| ReferenceMeter::default().push(a, b);
        prop_assert_eq!(score(&a, &b).0, score(&b, &a).0);
        prop_assert!((0.0..=1.0).contains(&score(&a, &b).0));
        prop_assert_eq!(score(&a, &a), (1.0, 1.0));
    }
}

#[test]
fn a_clip_no_longer_than_the_window_has_no_consistency() {
    let clip = |frames| {
        let mut consistency = VideoConsistency::new(8);
        (0..frames).for_each(|_| consistency.push(&[&columns(3)], &[&columns(4)]));
        consistency.finish()
    };
    assert_eq!(clip(8), None);
    assert_eq!(clip(9), Some(1.0));
}

#[test]
fn decay_compares_the_first_quarter_with_the_last() {
    let values = [1.0, 1.0, 0.8, 0.6, 0.4, 0.2, 0.2, 0.0];
    // linspace(1, 8, 5) = 1, 2.75, 4.5, 6.25, 8 → bins 0..=2 and 5..=7
    let stats = SeriesStats::of(&values).unwrap();
    assert!((stats.decay - (2.8 / 3.0 - 0.4 / 3.0)).abs() < 1e-12);
    assert_eq!(stats.recall, 0.5);
    assert_eq!(SeriesStats::of(&[]), None);
    assert_eq!(SeriesStats::of(&[0.5]).unwrap(), SeriesStats { mean: 0.5, recall: 0.0, decay: 0.0 });
}

#[test]
fn the_davis_protocol_leaves_the_ends_out() {
    let mut meter = ReferenceMeter::default();
    for width in [1, 20, 20, 1] {
        meter.push(&columns(width), &columns(20));
    }
    assert_eq!(meter.finish(Protocol::Davis).unwrap().j.mean, 1.0);
    assert_eq!(meter.finish(Protocol::Davis).unwrap().frames, 2);
    assert!((meter.finish(Protocol::AllFrames).unwrap().j.mean - 2.1 / 4.0).abs() < 1e-12);
    let mut short = ReferenceMeter::default();
    short.push(&columns(1), &columns(1));
    assert_eq!(short.finish(Protocol::Davis), None);
    assert_eq!(ReferenceMeter::default().finish(Protocol::Davis), None);
}

#[test]
fn mean_iou_sums_before_it_divides() {
    let mut score = MeanIou::default();
    assert_eq!(score.finish(), None);
    score.push(0, &columns(10), &columns(20));
    score.push(0, &columns(30), &columns(30));
    score.push(2, &columns(5), &Mask::empty(size()));
    // class 0: 40 of 50 columns; class 1 never comes up; class 2 is only predicted
    assert_eq!(score.finish(), Some(0.4));
}
