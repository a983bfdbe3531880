//! Laws that every smoother keeps, at the public border.

use std::sync::Arc;

use proptest::prelude::*;
use steadymask::flow::{Flow, FlowField, FlowPair};
use steadymask::frame::FrameSize;
use steadymask::mask::{Mask, Masks, SoftMask};
use steadymask::smooth::{
    Alpha, Input, Method, Settings, SmoothError, SmoothFrame, Switch, Threshold, Timing, Window, binarise,
};

const MEMORY_BYTES: usize = 64 << 20;

fn size() -> FrameSize {
    FrameSize::new(21, 9).unwrap()
}

/// A clip of one class: for each frame its mask and the flow from the frame before.
type Clip = Vec<(SoftMask, Option<Arc<FlowPair>>)>;

fn smooth(settings: Settings, clip: &Clip) -> Vec<SoftMask> {
    smooth_classes(
        settings,
        clip.iter().map(|(mask, flow)| (vec![mask.clone()].into(), flow.clone())).collect(),
    )
    .iter()
    .map(|masks| masks[0].clone())
    .collect()
}

fn smooth_classes(settings: Settings, clip: Vec<(Masks, Option<Arc<FlowPair>>)>) -> Vec<Masks> {
    let mut smoother = settings.smoother(MEMORY_BYTES).unwrap();
    let mut smoothed: Vec<Masks> = clip
        .into_iter()
        .flat_map(|(masks, flow)| smoother.push(SmoothFrame { masks, flow }).unwrap())
        .collect();
    smoothed.extend(smoother.finish());
    smoothed
}

fn reversed(clip: &Clip) -> Clip {
    let masks = clip.iter().rev().map(|(mask, _)| mask.clone());
    let flows = clip.iter().rev().map(|(_, flow)| flow.as_ref().map(|flow| Arc::new(flow.reversed())));
    masks.zip(std::iter::once(None).chain(flows)).collect()
}

fn settings() -> impl Strategy<Value = Settings> {
    let choices = (0..3usize, 0..2usize, 0..2usize, any::<bool>());
    (choices, 0u32..5, 1u32..=10).prop_map(|((method, timing, input, motion), radius, tenths)| Settings {
        method: Method::ALL[method],
        timing: Timing::ALL[timing],
        input: Input::ALL[input],
        motion: motion.into(),
        window: Window::new(2 * radius + 1).unwrap(),
        alpha: Alpha::new(tenths as f32 / 10.0).unwrap(),
        ..Settings::default()
    })
}

fn any_mask() -> impl Strategy<Value = SoftMask> {
    proptest::collection::vec(any::<u8>(), size().pixels()).prop_map(|values| SoftMask::new(size(), values))
}

/// Rough flow, failing here and there, and now and then a cut.
fn any_flow() -> impl Strategy<Value = Arc<FlowPair>> {
    let grid = FrameSize::new(7, 3).unwrap();
    let steps = proptest::collection::vec((-1.5f32..1.5, -1.5f32..1.5), 2 * grid.pixels());
    (steps, -2f32..2.0, 0..8).prop_map(move |(steps, pan, dice)| {
        let field = |from: usize, sign: f32| {
            FlowField::from_fn(grid, |x, y| {
                let (dx, dy) = steps[from + y * 7 + x];
                [sign * pan + 0.3 * dx, 0.3 * dy]
            })
        };
        Arc::new(FlowPair::new(field(0, 1.0), field(grid.pixels(), -1.0), dice == 0))
    })
}

fn any_clip(frames: std::ops::Range<usize>) -> impl Strategy<Value = Clip> {
    proptest::collection::vec((any_mask(), any_flow()), frames).prop_map(|frames| {
        let flow = |(i, (mask, flow))| (mask, (i > 0).then_some(flow));
        frames.into_iter().enumerate().map(flow).collect()
    })
}

fn farthest(a: &[SoftMask], b: &[SoftMask]) -> u8 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).flat_map(|(a, b)| a.values().iter().zip(b.values()));
    differences.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

/// The two runs of the centred exponential filter are rounded apart from each other, so
/// its laws hold within a level; all others hold exactly.
fn tolerance(settings: &Settings) -> u8 {
    (settings.method == Method::Exponential && settings.timing == Timing::Centred).into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn count_order_and_size_are_kept(settings in settings(), clip in any_clip(1..14)) {
        let smoothed = smooth(settings, &clip);
        prop_assert_eq!(smoothed.len(), clip.len());
        prop_assert!(smoothed.iter().all(|mask| mask.size() == size()));
        // In order: a clip that grows brighter frame by frame still does. (Not with motion,
        // where a pixel may see only later frames now and only earlier ones in the next.)
        let settings = Settings { motion: Switch::Off, ..settings };
        let growing: Clip = (0..clip.len()).map(|i| (SoftMask::filled(size(), 130 + 4 * i as u8), clip[i].1.clone())).collect();
        let levels: Vec<u8> = smooth(settings, &growing).iter().map(|mask| mask.values()[0]).collect();
        prop_assert!(levels.is_sorted(), "{levels:?}");
    }

    #[test]
    fn constant_in_is_constant_out(settings in settings(), clip in any_clip(1..14), level in any::<u8>()) {
        let constant: Clip = clip.into_iter().map(|(_, flow)| (SoftMask::filled(size(), level), flow)).collect();
        let expected = match settings.input {
            Input::Probabilities => level,
            Input::Masks if level >= 128 => 255,
            Input::Masks => 0,
        };
        for mask in smooth(settings, &constant) {
            prop_assert_eq!(mask, SoftMask::filled(size(), expected));
        }
    }

    #[test]
    fn nothing_leaves_the_range_of_its_inputs(settings in settings(), clip in any_clip(2..10), low in 0u8..100, span in 0u8..100) {
        let settings = Settings { input: Input::Probabilities, ..settings };
        let narrow = |mask: SoftMask| {
            let values = mask.into_values().into_iter().map(|v| low + (u16::from(v) * u16::from(span) / 255) as u8);
            SoftMask::new(size(), values.collect())
        };
        let clip: Clip = clip.into_iter().map(|(mask, flow)| (narrow(mask), flow)).collect();
        let hair = tolerance(&settings);
        for mask in smooth(settings, &clip) {
            prop_assert!(mask.values().iter().all(|v| (low.saturating_sub(hair)..=low + span + hair).contains(v)));
        }
    }

    #[test]
    fn centred_filters_do_not_know_which_way_time_runs(settings in settings(), clip in any_clip(1..14)) {
        let settings = Settings { timing: Timing::Centred, ..settings };
        let mut backwards = smooth(settings, &reversed(&clip));
        backwards.reverse();
        prop_assert!(farthest(&smooth(settings, &clip), &backwards) <= tolerance(&settings));
    }

    #[test]
    fn a_shift_in_time_shifts_the_result(settings in settings(), clip in any_clip(8..14), lead in any_clip(1..4)) {
        // A lead that ends in a cut shifts the clip and changes nothing else.
        let cut = Arc::new(FlowPair::still(FrameSize::new(7, 3).unwrap()).with_cut(true));
        let mut shifted = lead.clone();
        shifted.extend(clip.iter().cloned());
        shifted[lead.len()].1 = Some(cut);
        prop_assert_eq!(&smooth(settings, &shifted)[lead.len()..], &smooth(settings, &clip)[..]);
        // Without a cut it shifts all that the window does not reach.
        if settings.method != Method::Exponential {
            shifted[lead.len()].1 = Some(Arc::new(FlowPair::still(FrameSize::new(7, 3).unwrap())));
            let reach = settings.window.frames().min(clip.len());
            prop_assert_eq!(
                &smooth(settings, &shifted)[lead.len() + reach..],
                &smooth(settings, &clip)[reach..]
            );
        }
    }

    #[test]
    fn a_cut_keeps_its_two_sides_apart(settings in settings(), before in any_clip(1..9), after in any_clip(1..9)) {
        let mut both = before.clone();
        both.extend(after.iter().cloned());
        both[before.len()].1 = Some(Arc::new(FlowPair::still(FrameSize::new(7, 3).unwrap()).with_cut(true)));
        let mut apart = smooth(settings, &before);
        apart.extend(smooth(settings, &after));
        prop_assert_eq!(smooth(settings, &both), apart);
    }

    #[test]
    fn a_window_of_one_and_an_alpha_of_one_change_nothing(settings in settings(), clip in any_clip(1..8)) {
        let identity = Settings {
            window: Window::new(1).unwrap(),
            alpha: Alpha::new(1.0).unwrap(),
            input: Input::Probabilities,
            ..settings
        };
        let masks: Vec<SoftMask> = clip.iter().map(|(mask, _)| mask.clone()).collect();
        prop_assert_eq!(smooth(identity, &clip), masks);
    }

    #[test]
    fn without_motion_and_along_no_motion_are_the_same(settings in settings(), clip in any_clip(1..12)) {
        let still = |cut: bool| Arc::new(FlowPair::still(FrameSize::new(7, 3).unwrap()).with_cut(cut));
        let clip: Clip =
            clip.into_iter().map(|(mask, flow)| (mask, flow.map(|flow| still(flow.is_cut())))).collect();
        let with = smooth(Settings { motion: Switch::On, ..settings }, &clip);
        let without = smooth(Settings { motion: Switch::Off, ..settings }, &clip);
        prop_assert!(farthest(&with, &without) <= tolerance(&settings));
    }

    #[test]
    fn on_hard_masks_median_is_majority_is_mean(settings in settings(), clip in any_clip(1..14)) {
        let hard = |method| {
            let settings = Settings { method, input: Input::Masks, motion: Switch::Off, ..settings };
            smooth(settings, &clip).iter().map(|mask| mask.threshold(0.5)).collect::<Vec<_>>()
        };
        let mean = hard(Method::MovingAverage);
        prop_assert_eq!(&hard(Method::Median), &mean);
        // The majority vote, counted out; the window is what the scene has of it.
        let (radius, frames) = (settings.window.radius(), settings.window.frames());
        let scene: Vec<usize> = clip.iter().scan(0, |scene, (_, flow)| {
            *scene += usize::from(flow.as_ref().is_some_and(|flow| flow.is_cut()));
            Some(*scene)
        }).collect();
        for (t, mean) in mean.iter().enumerate() {
            let window = match settings.timing {
                Timing::Centred => t.saturating_sub(radius)..clip.len().min(t + radius + 1),
                Timing::Causal => (t + 1).saturating_sub(frames)..t + 1,
            };
            let votes: Vec<Mask> =
                window.filter(|&s| scene[s] == scene[t]).map(|s| clip[s].0.threshold(0.5)).collect();
            let majority = Mask::from_fn(size(), |x, y| 2 * votes.iter().filter(|v| v.get(x, y)).count() >= votes.len());
            prop_assert_eq!(mean, &majority);
        }
    }

    #[test]
    fn classes_do_not_touch_each_other(settings in settings(), a in any_clip(1..8), b in any_clip(8..9)) {
        let settings = Settings { overlap: Switch::On, ..settings };
        let b: Clip = a.iter().zip(b).map(|((_, flow), (mask, _))| (mask, flow.clone())).collect();
        let both = a.iter().zip(&b).map(|((a, flow), (b, _))| (vec![a.clone(), b.clone()].into(), flow.clone()));
        let (alone_a, alone_b) = (smooth(settings, &a), smooth(settings, &b));
        for ((both, a), b) in smooth_classes(settings, both.collect()).iter().zip(alone_a).zip(alone_b) {
            prop_assert_eq!(both.as_ref(), &[a, b][..]);
        }
    }

    #[test]
    fn hard_masks_of_classes_never_overlap(settings in settings(), clip in any_clip(2..6), other in any_clip(6..7), low in 1u32..50) {
        let threshold = |percent: u32| Threshold::new(percent as f32 / 100.0).unwrap();
        let settings = Settings { hysteresis: Some(threshold(low)), fill_holes_px: 6, min_area_px: 2, ..settings };
        let classes = clip.iter().zip(&other).map(|((a, flow), (b, _))| (vec![a.clone(), b.clone()].into(), flow.clone()));
        for masks in smooth_classes(settings, classes.collect()) {
            let hard = binarise(&masks, &settings, None);
            prop_assert_eq!(hard[0].intersection_count(&hard[1]), 0);
        }
    }
}

/// A clip by each frame's pixels, without motion.
fn clip_of(frames: usize, value: impl Fn(usize, usize) -> u8) -> Clip {
    let mask = |t| SoftMask::new(size(), (0..size().pixels()).map(|i| value(t, i)).collect());
    (0..frames).map(|t| (mask(t), None)).collect()
}

/// The plain recursion in f64.
#[test]
fn the_causal_exponential_filter_is_the_textbook_one() {
    let (alpha, frames) = (0.3f32, 40usize);
    let value = |t: usize, i: usize| (t * 97 + i * 31 + t * t * i) as u8;
    let clip = clip_of(frames, value);
    let settings = Settings {
        method: Method::Exponential,
        alpha: Alpha::new(alpha).unwrap(),
        timing: Timing::Causal,
        motion: Switch::Off,
        ..Settings::default()
    };
    let smoothed = smooth(settings, &clip);
    for i in 0..size().pixels() {
        let mut state = f64::from(value(0, i));
        for (t, mask) in smoothed.iter().enumerate() {
            state += f64::from(alpha) * (f64::from(value(t, i)) - state);
            assert!((f64::from(mask.values()[i]) - state).abs() < 0.55, "frame {t}");
        }
    }
}

/// The kernel `(1 − α)^|k|` summed out, for a clip many times longer than the lookahead.
#[test]
fn the_centred_exponential_filter_has_the_symmetric_kernel() {
    let value = |t: usize, i: usize| (t * 57 + i * 11 + t * t * (i + 1)) as u8;
    for alpha in [0.25f32, 0.5, 0.9] {
        let frames = 150;
        let clip = clip_of(frames, value);
        let settings = Settings {
            method: Method::Exponential,
            alpha: Alpha::new(alpha).unwrap(),
            motion: Switch::Off,
            ..Settings::default()
        };
        for (t, mask) in smooth(settings, &clip).iter().enumerate() {
            for i in (0..size().pixels()).step_by(13) {
                let kernel = |s: usize| (1.0 - f64::from(alpha)).powi(s.abs_diff(t) as i32);
                let sum: f64 = (0..frames).map(|s| kernel(s) * f64::from(value(s, i))).sum();
                let exact = sum / (0..frames).map(kernel).sum::<f64>();
                // Half a level of rounding, and what the truncated lookahead may cost.
                assert!((f64::from(mask.values()[i]) - exact).abs() < 1.1, "alpha {alpha}, frame {t}");
            }
        }
    }
}

/// A disc that moves by whole pixels, on a picture of 96×32.
fn disc(frame: usize) -> SoftMask {
    let size = FrameSize::new(160, 48).unwrap();
    let mask = Mask::from_fn(size, |x, y| {
        let (dx, dy) = (x as f64 - 30.0 - 3.0 * frame as f64, y as f64 - 24.0);
        dx * dx + dy * dy < 15.0 * 15.0
    });
    SoftMask::new(size, mask.to_bytes(255))
}

/// Where a mask is, in pixels along x.
fn centroid(mask: &Mask) -> f64 {
    let (width, height) = (mask.size().width(), mask.size().height());
    let set = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).filter(|&(x, y)| mask.get(x, y));
    set.map(|(x, _)| x as f64).sum::<f64>() / mask.count() as f64
}

fn moving(motion: bool) -> Clip {
    let grid = FrameSize::new(80, 24).unwrap();
    let shift = |dx: f32| FlowField::from_fn(grid, move |_, _| [dx, 0.0]);
    let pair = Arc::new(FlowPair::new(shift(1.5), shift(-1.5), false));
    (0..30).map(|t| (disc(t), (motion && t > 0).then(|| pair.clone()))).collect()
}

#[test]
fn a_moving_disc_lags_by_half_a_causal_window_and_not_at_all_when_centred() {
    for (method, radius) in [(Method::MovingAverage, 1), (Method::MovingAverage, 2), (Method::Median, 2)] {
        for timing in [Timing::Causal, Timing::Centred] {
            let settings = Settings {
                method,
                timing,
                window: Window::new(2 * radius + 1).unwrap(),
                motion: Switch::Off,
                ..Settings::default()
            };
            for (t, mask) in smooth(settings, &moving(false)).iter().enumerate().take(22).skip(6) {
                let behind = (centroid(&disc(t).at_least(128)) - centroid(&mask.threshold(0.5))) / 3.0;
                let expected = if timing == Timing::Causal { f64::from(radius) } else { 0.0 };
                assert!((behind - expected).abs() < 0.05, "{method} {timing}: {behind} frames behind");
            }
        }
    }
}

#[test]
fn motion_compensation_stays_with_the_motion() {
    for &method in Method::ALL {
        for &timing in Timing::ALL {
            let settings = Settings { method, timing, motion: Switch::On, ..Settings::default() };
            for (t, mask) in smooth(settings, &moving(true)).iter().enumerate().take(22) {
                let (found, expected) = (mask.threshold(0.5), disc(t).at_least(128));
                assert_eq!(found, expected, "{method} {timing}, frame {t}");
            }
        }
    }
}

#[test]
fn where_flow_fails_the_raw_probability_stays() {
    let grid = FrameSize::new(7, 3).unwrap();
    let lost = Flow::new(FlowField::zero(grid), Mask::empty(grid));
    assert_eq!(lost.valid_share(), 0.0);
    // Forward and backward flow that contradict each other everywhere.
    let away = FlowField::from_fn(grid, |_, _| [2.0, 1.0]);
    let pair = Arc::new(FlowPair::new(away.clone(), away, false));
    assert_eq!(pair.forward().valid_share(), 0.0);
    let clip: Clip = (0..9)
        .map(|t| (SoftMask::filled(size(), (t * 83 % 256) as u8), (t > 0).then(|| pair.clone())))
        .collect();
    for &method in Method::ALL {
        for &timing in Timing::ALL {
            let smoothed = smooth(Settings { method, timing, ..Settings::default() }, &clip);
            let raw: Vec<SoftMask> = clip.iter().map(|(mask, _)| mask.clone()).collect();
            assert_eq!(smoothed, raw, "{method} {timing}");
        }
    }
}

#[test]
fn a_flicker_of_one_frame_is_taken_out() {
    let clip: Clip =
        (0..15).map(|t| (SoftMask::filled(size(), if t == 7 { 0 } else { 255 }), None)).collect();
    for &method in Method::ALL {
        let settings = Settings { method, motion: Switch::Off, ..Settings::default() };
        for mask in smooth(settings, &clip) {
            assert_eq!(mask.threshold(0.5), Mask::full(size()), "{method}");
        }
    }
}

#[test]
fn wrong_use_is_an_error_that_names_the_frame() {
    let mut smoother = Settings::default().smoother(MEMORY_BYTES).unwrap();
    let frame = |masks: Vec<SoftMask>| SmoothFrame { masks: masks.into(), flow: None };
    let mask = SoftMask::filled(size(), 9);
    smoother.push(frame(vec![mask.clone()])).unwrap();
    let error = smoother.push(frame(vec![mask.clone()])).unwrap_err();
    assert!(matches!(error, SmoothError::NoFlow { frame: 1 }), "{error}");
    let error = smoother.push(frame(vec![mask.clone(), mask])).unwrap_err();
    assert!(matches!(error, SmoothError::Classes { expected: 1, found: 2, .. }), "{error}");
    let other = SoftMask::filled(FrameSize::new(4, 4).unwrap(), 9);
    assert!(matches!(smoother.push(frame(vec![other])).unwrap_err(), SmoothError::Size { .. }));
    assert_eq!(smoother.finish().len(), 1);
}
