use super::*;
use base::frame::FrameSize;
use proptest::prelude::*;

fn masks<const N: usize>() -> impl Strategy<Value = [Mask; N]> {
    (1u32..140, 1u32..6).prop_flat_map(|(width, height)| {
        let size = FrameSize::new(width, height).unwrap();
        proptest::collection::vec(proptest::collection::vec(0u8..2, size.pixels()), N).prop_map(move |all| {
            let masks: Vec<Mask> = all.iter().map(|bytes| Mask::from_bytes(size, bytes)).collect();
            masks.try_into().unwrap()
        })
    })
}

/// Pixels where `is` holds for the masks' values.
fn count<const N: usize>(masks: [&Mask; N], is: impl Fn([bool; N]) -> bool) -> f64 {
    let size = masks[0].size();
    let pixels = (0..size.pixels()).map(|at| (at % size.width(), at / size.width()));
    pixels.filter(|&(x, y)| is(masks.map(|mask| mask.get(x, y)))).count() as f64
}

fn ratio(part: f64, whole: f64, otherwise: f64) -> f64 {
    if whole == 0.0 { otherwise } else { part / whole }
}

proptest! {
    #[test]
    fn iou_and_dice_are_the_counts([a, b] in masks()) {
        let both = count([&a, &b], |[a, b]| a && b);
        let any = count([&a, &b], |[a, b]| a || b);
        prop_assert_eq!(iou(&a, &b), ratio(both, any, 1.0));
        prop_assert_eq!(dice(&a, &b), ratio(2.0 * both, count([&a], |[a]| a) + count([&b], |[b]| b), 1.0));
    }

    #[test]
    fn iou_and_dice_keep_their_laws([a, b] in masks()) {
        let (iou_ab, dice_ab) = (iou(&a, &b), dice(&a, &b));
        prop_assert!((0.0..=1.0).contains(&iou_ab) && (0.0..=1.0).contains(&dice_ab));
        prop_assert_eq!(iou_ab, iou(&b, &a));
        prop_assert_eq!(dice_ab, dice(&b, &a));
        prop_assert!((dice_ab - 2.0 * iou_ab / (1.0 + iou_ab)).abs() < 1e-12);
        prop_assert_eq!(instability(&a, &b), 1.0 - iou_ab);
        prop_assert_eq!((iou(&a, &a), dice(&a, &a)), (1.0, 1.0));
    }

    #[test]
    fn warped_values_look_at_valid_pixels_only([now, mask, valid] in masks()) {
        let warped = Warped { mask, valid };
        if warped.valid_share() < MIN_VALID_SHARE {
            prop_assert_eq!((warped_iou(&now, &warped), flip_rate(&now, &warped)), (None, None));
        } else {
            let all = [&now, &warped.mask, &warped.valid];
            let both = count(all, |[a, b, valid]| valid && a && b);
            let any = count(all, |[a, b, valid]| valid && (a || b));
            let differ = count(all, |[a, b, valid]| valid && a != b);
            prop_assert_eq!(warped_iou(&now, &warped), Some(ratio(both, any, 1.0)));
            prop_assert_eq!(flip_rate(&now, &warped), Some(ratio(differ, any, 0.0)));
        }
    }

    #[test]
    fn pops_are_a_b_a([now, before, after, valid_before, valid_after] in masks()) {
        let valid = valid_before.and(&valid_after);
        let previous = Warped { mask: before, valid: valid_before };
        let next = Warped { mask: after, valid: valid_after };
        let pop = pop_rate(&now, &previous, &next);
        if (valid.count() as f64) < 0.1 * valid.size().pixels() as f64 {
            prop_assert_eq!(pop, None);
        } else {
            let all = [&now, &previous.mask, &next.mask, &valid];
            let pops = count(all, |[now, a, b, valid]| valid && a == b && now != a);
            let union = count(all, |[now, a, b, valid]| valid && (now || a || b));
            prop_assert_eq!(pop, Some(ratio(pops, union, 0.0)));
            prop_assert_eq!(pop, pop_rate(&now, &next, &previous));
        }
    }

    #[test]
    fn area_jitter_is_the_textbook_formula(areas in proptest::collection::vec(0u64..10_000, 3..40)) {
        let mut jitter = AreaJitter::default();
        areas.iter().for_each(|&area| jitter.push(area, false));
        let second: Vec<f64> =
            areas.windows(3).map(|a| a[2] as f64 - 2.0 * a[1] as f64 + a[0] as f64).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let centre = mean(&second);
        let variance = mean(&second.iter().map(|d| (d - centre).powi(2)).collect::<Vec<_>>());
        let area = mean(&areas.iter().map(|&area| area as f64).collect::<Vec<_>>());
        if area == 0.0 {
            prop_assert_eq!(jitter.finish(), None);
        } else {
            prop_assert!((jitter.finish().unwrap() - variance.sqrt() / area).abs() < 1e-9);
        }
    }
}

fn size() -> FrameSize {
    FrameSize::new(100, 20).unwrap()
}

#[test]
fn empty_masks_agree() {
    let empty = Mask::empty(size());
    assert_eq!((iou(&empty, &empty), dice(&empty, &empty)), (1.0, 1.0));
    let warped = Warped { mask: empty.clone(), valid: Mask::full(size()) };
    assert_eq!(warped_iou(&empty, &warped), Some(1.0));
    assert_eq!(flip_rate(&empty, &warped), Some(0.0));
    assert_eq!(pop_rate(&empty, &warped, &warped), Some(0.0));
}

#[test]
fn a_mask_that_vanishes_for_a_frame_counts_one() {
    let warped = Warped { mask: Mask::from_fn(size(), |x, _| x < 9), valid: Mask::full(size()) };
    let gone = Mask::empty(size());
    assert_eq!(flip_rate(&gone, &warped), Some(1.0));
    assert_eq!(pop_rate(&gone, &warped, &warped), Some(1.0));
}

#[test]
fn a_tenth_of_the_pixels_is_enough() {
    let warped =
        |columns| Warped { mask: Mask::full(size()), valid: Mask::from_fn(size(), |x, _| x < columns) };
    assert_eq!(warped_iou(&Mask::full(size()), &warped(10)), Some(1.0));
    assert_eq!(warped_iou(&Mask::full(size()), &warped(9)), None);
}

#[test]
fn steady_growth_has_no_jitter_and_a_cut_is_no_jump() {
    let jitter = |areas: &[(u64, bool)]| {
        let mut jitter = AreaJitter::default();
        areas.iter().for_each(|&(area, cut)| jitter.push(area, cut));
        jitter.finish()
    };
    assert_eq!(jitter(&[(10, false), (20, false), (30, false), (40, false)]), Some(0.0));
    let cut = [(10, true), (20, false), (30, false), (900, true), (800, false), (700, false)];
    assert_eq!(jitter(&cut), Some(0.0));
    assert_eq!(jitter(&[(10, false), (20, false)]), None);
    assert_eq!(jitter(&[(0, false); 5]), None);
}
