//! From probabilities to hard masks: which class a pixel belongs to, if any.

use rayon::prelude::*;

use base::mask::{Mask, SoftMask};

use super::cleanup::{fill_holes, hysteresis, remove_specks};
use super::{Settings, Switch, Threshold};

/// The hard masks of the classes of one frame, by the arg-max with threshold θ. A pixel belongs to
/// the most probable of the given classes (of equals the first), unless the background outweighs it,
/// whose probability is what the classes leave: `p_c ≥ (1 − Σp) · θ / (1 − θ)`. With one class that
/// is `p ≥ θ`; with θ = 0.5 it is the plain arg-max, background included. With `overlap`, each class
/// is thresholded as if it were alone.
///
/// # Panics
/// When the sizes differ, or with more than 255 classes.
pub fn argmax(masks: &[SoftMask], threshold: Threshold, overlap: Switch) -> Vec<Mask> {
    if masks.len() < 2 || overlap.is_on() {
        return masks.iter().map(|mask| mask.threshold(threshold.get())).collect();
    }
    let size = masks[0].size();
    assert!(masks.iter().all(|mask| mask.size() == size), "masks of one frame");
    assert!(masks.len() <= usize::from(u8::MAX), "classes are numbered in a byte");
    // In units of 1/255: p_c (1 − θ) ≥ (255 − Σp) θ, with a small tolerance for rounding.
    let theta = threshold.get();
    let mut winners = vec![0u8; size.pixels()];
    winners.par_chunks_mut(1 << 14).enumerate().for_each(|(i, winners)| {
        let start = i << 14;
        let mut best = vec![0u8; winners.len()];
        let mut sum = vec![0u16; winners.len()];
        for (class, mask) in (1..).zip(masks) {
            let values = &mask.values()[start..start + winners.len()];
            for (((winner, best), sum), &value) in winners.iter_mut().zip(&mut best).zip(&mut sum).zip(values)
            {
                *winner = if value > *best { class } else { *winner };
                *best = value.max(*best);
                *sum += u16::from(value);
            }
        }
        for ((winner, &best), &sum) in winners.iter_mut().zip(&best).zip(&sum) {
            let background = f32::from(u16::from(u8::MAX).saturating_sub(sum));
            let holds = f32::from(best) * (1.0 - theta) >= background * theta - 1e-3;
            *winner = if holds { *winner } else { 0 };
        }
    });
    let winners = SoftMask::new(size, winners);
    (1..=masks.len() as u8).map(|class| winners.equal_to(class)).collect()
}

/// The hard masks for smoothed probabilities: [`argmax`], then hysteresis, minimum area and hole
/// filling according to the settings. No pixel of `leave_out` is set, and no component grows from
/// one.
///
/// # Panics
/// As [`argmax`], and when `leave_out` has another size.
pub fn binarise(masks: &[SoftMask], settings: &Settings, leave_out: Option<&Mask>) -> Vec<Mask> {
    let exclude = |decided| exclude(decided, leave_out);
    let decided = exclude(argmax(masks, settings.threshold, settings.overlap));
    let low = settings.hysteresis.map(|low| exclude(argmax(masks, low, settings.overlap)));
    let mut hard: Vec<Mask> = decided
        .into_iter()
        .enumerate()
        .map(|(class, high)| {
            let mask = match &low {
                Some(low) => hysteresis(&high, &low[class]),
                None => high,
            };
            remove_specks(mask, settings.min_area_px)
        })
        .collect();
    for class in 0..hard.len() {
        let mut filled = fill_holes(hard[class].clone(), settings.fill_holes_px);
        if !settings.overlap.is_on() {
            // A hole may belong to another class.
            for (other, mask) in hard.iter().enumerate() {
                if other != class {
                    filled = filled.and_not(mask);
                }
            }
        }
        hard[class] = filled;
    }
    // A left-out region can look like a hole.
    exclude(hard)
}

/// The masks without the pixels of `leave_out`.
///
/// # Panics
/// When the sizes differ.
pub fn exclude(masks: Vec<Mask>, leave_out: Option<&Mask>) -> Vec<Mask> {
    match leave_out {
        None => masks,
        Some(leave_out) => masks.into_iter().map(|mask| mask.and_not(leave_out)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::FrameSize;
    use proptest::prelude::*;

    fn soft(values: &[u8]) -> SoftMask {
        SoftMask::new(FrameSize::new(values.len() as u32, 1).unwrap(), values.to_vec())
    }

    fn theta(value: f32) -> Threshold {
        Threshold::new(value).unwrap()
    }

    #[test]
    fn one_half_is_the_argmax_with_the_background() {
        //  background 155/55/35, 0, 85
        let masks = [soft(&[100, 100, 120, 10, 85]), soft(&[0, 100, 100, 245, 85])];
        let decided = argmax(&masks, theta(0.5), Switch::Off);
        assert_eq!(decided[0].to_bytes(1), [0, 1, 1, 0, 1]);
        assert_eq!(decided[1].to_bytes(1), [0, 0, 0, 1, 0]);
    }

    #[test]
    fn holes_of_another_class_stay_its_own() {
        let size = FrameSize::new(5, 5).unwrap();
        let ring = SoftMask::new(size, (0..25).map(|i| if i == 12 { 0 } else { 200 }).collect());
        let middle = SoftMask::new(size, (0..25).map(|i| if i == 12 { 200 } else { 0 }).collect());
        let settings = Settings { fill_holes_px: 9, ..Settings::default() };
        assert_eq!(binarise(std::slice::from_ref(&ring), &settings, None)[0].count(), 25);
        let hard = binarise(&[ring, middle], &settings, None);
        assert_eq!((hard[0].count(), hard[1].count()), (24, 1));
    }

    #[test]
    fn nothing_is_set_where_it_is_left_out_nor_grows_from_there() {
        let size = FrameSize::new(5, 5).unwrap();
        // Certain in the middle column, likely in the columns beside it.
        let soft = SoftMask::new(size, (0..25).map(|i| [0, 100, 250, 100, 0][i % 5]).collect());
        let settings = Settings { hysteresis: Some(theta(0.3)), fill_holes_px: 25, ..Settings::default() };
        assert_eq!(binarise(std::slice::from_ref(&soft), &settings, None)[0].count(), 15);
        let column = Mask::from_fn(size, |x, _| x == 2);
        assert!(binarise(std::slice::from_ref(&soft), &settings, Some(&column))[0].is_empty());
        let hole = Mask::from_fn(size, |x, y| x == 2 && y == 2);
        assert_eq!(binarise(&[soft], &settings, Some(&hole))[0].count(), 14);
    }

    proptest! {
        #[test]
        fn no_two_classes_share_a_pixel_and_one_class_is_a_threshold(
            a in proptest::collection::vec(any::<u8>(), 80),
            b in proptest::collection::vec(any::<u8>(), 80),
            level in 1u8..255,
        ) {
            let threshold = theta(f32::from(level) / 255.0);
            let both = argmax(&[soft(&a), soft(&b)], threshold, Switch::Off);
            prop_assert_eq!(both[0].intersection_count(&both[1]), 0);
            // A class beside one that never occurs is alone.
            let none = soft(&[0; 80]);
            let alone = argmax(&[soft(&a), none], threshold, Switch::Off);
            prop_assert_eq!(&alone[0], &soft(&a).threshold(threshold.get()));
            prop_assert_eq!(argmax(&[soft(&a), soft(&b)], threshold, Switch::On)[1].clone(), soft(&b).threshold(threshold.get()));
        }
    }
}
