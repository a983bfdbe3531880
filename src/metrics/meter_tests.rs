use super::*;
use crate::lag::Lag;
use base::frame::FrameSize;

fn size() -> FrameSize {
    FrameSize::new(200, 60).unwrap()
}

fn bar(from: usize, to: usize) -> Mask {
    Mask::from_fn(size(), |x, _| (from..to).contains(&x))
}

/// The neighbours where nothing moves.
fn still(now: &Mask, previous: &Mask) -> WarpedPair {
    let warped = |mask: &Mask| Warped { mask: mask.clone(), valid: Mask::full(size()) };
    WarpedPair { previous: warped(previous), onto_previous: warped(now) }
}

/// Rows and summary of a clip of (raw, smoothed) masks without motion, with cuts at `cuts`.
fn measure(clip: &[(Mask, Mask)], cuts: &[usize], truth: Option<&Mask>) -> (Vec<FrameMetrics>, ClassSummary) {
    let settings = MeterSettings { temporal_stability: true, ..MeterSettings::default() };
    let mut meter = ClassMeter::new("person", settings);
    let mut rows = Vec::new();
    for (t, (raw, smoothed)) in clip.iter().enumerate() {
        let before = t.checked_sub(1).map(|before| &clip[before]);
        rows.extend(meter.push(MeterFrame {
            frame: FrameIndex::new(t),
            timestamp: Timestamp::from_secs(t as f64 / 10.0),
            cut: cuts.contains(&t),
            raw,
            smoothed,
            warped: before.map(|before| WarpedNeighbours {
                raw: still(raw, &before.0),
                smoothed: still(smoothed, &before.1),
            }),
            truth,
        }));
    }
    let (last, summary) = meter.finish();
    rows.extend(last);
    (rows, summary)
}

#[test]
fn a_row_comes_for_every_frame_and_knows_both_neighbours() {
    // Raw loses half of its mask for a frame; smoothed keeps it.
    let whole = || (bar(20, 60), bar(20, 60));
    let clip = [whole(), whole(), (bar(20, 40), bar(20, 60)), whole(), whole()];
    let (rows, summary) = measure(&clip, &[], None);
    assert_eq!(rows.iter().map(|row| row.frame.get()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);

    assert_eq!((rows[0].raw[Metric::Iou], rows[0].raw[Metric::PopRate]), (None, None));
    let pop = &rows[2];
    assert_eq!(pop.raw[Metric::Iou], Some(0.5));
    assert_eq!(pop.raw[Metric::Instability], Some(0.5));
    assert_eq!(pop.raw[Metric::WarpedInstability], Some(0.5));
    assert_eq!(pop.raw[Metric::FlipRate], Some(0.5));
    assert_eq!(pop.raw[Metric::PopRate], Some(0.5));
    assert_eq!(pop.smoothed[Metric::PopRate], Some(0.0));
    assert_eq!((pop.valid_share, pop.agreement), (Some(1.0), Some(0.5)));
    assert_eq!(rows[1].raw[Metric::PopRate], Some(0.0), "its neighbours disagree");
    assert!(rows[1].raw[Metric::T].unwrap() > 0.0 && rows[0].raw[Metric::T] == Some(0.0));
    assert_eq!((rows[4].raw[Metric::PopRate], rows[4].raw[Metric::T]), (None, None));
    assert_eq!(summary.improvement_percent, Some(100.0));
    assert_eq!(summary.frames, 5);
}

#[test]
fn nothing_is_compared_across_a_cut() {
    let clip = [bar(0, 50), bar(0, 50), bar(90, 99), bar(90, 99)].map(|mask| (mask.clone(), mask));
    let (rows, summary) = measure(&clip, &[2], None);
    let compared = |row: &FrameMetrics| {
        let neighbours = [Metric::Iou, Metric::Dice, Metric::WarpedIou, Metric::FlipRate];
        neighbours.map(|metric| row.raw[metric].is_some())
    };
    assert_eq!(compared(&rows[2]), [false; 4]);
    assert_eq!(rows[2].valid_share, None);
    assert_eq!(compared(&rows[1]), [true; 4]);
    assert_eq!((rows[1].raw[Metric::T], rows[1].raw[Metric::PopRate]), (None, None));
    assert_eq!((rows[2].cut, summary.cuts), (true, 1));
    assert_eq!(summary.metrics[Metric::Iou].raw.as_ref().unwrap().mean, 1.0);
}

#[test]
fn empty_rows_are_counted_and_left_out() {
    let none = || Mask::empty(size());
    let clip = [(none(), none()), (none(), none()), (bar(0, 9), none()), (none(), none())];
    let (rows, summary) = measure(&clip, &[], None);
    assert_eq!(rows.iter().map(|row| row.raw.empty).collect::<Vec<_>>(), [true, true, false, false]);
    assert_eq!(rows[1].raw[Metric::Iou], Some(1.0), "two empty masks agree");
    assert_eq!((summary.empty_raw, summary.empty_smoothed), (2, 4));
    let instability = &summary.metrics[Metric::Instability];
    assert_eq!(instability.raw.as_ref().map(|raw| (raw.count, raw.mean)), Some((2, 1.0)));
    assert_eq!(instability.smoothed, None);
    assert_eq!(summary.agreement.as_ref().map(|agreement| (agreement.count, agreement.mean)), Some((1, 0.0)));
}

#[test]
fn lag_and_ground_truth_reach_the_summary() {
    let clip: Vec<_> = (0..30usize)
        .map(|t| (bar(4 * t, 4 * t + 40), bar(4 * t.saturating_sub(2), 4 * t.saturating_sub(2) + 40)))
        .collect();
    let (rows, summary) = measure(&clip, &[], Some(&bar(0, 40)));
    assert_eq!(summary.lag, Some(Lag { frames: 2.0, beyond: false }));
    assert_eq!(rows[0].raw[Metric::J], Some(1.0));
    let scores = summary.reference_raw.unwrap();
    let js: Vec<f64> = rows.iter().filter_map(|row| row.raw[Metric::J]).collect();
    assert!((scores.j.mean - js.iter().sum::<f64>() / 30.0).abs() < 1e-12);
    assert!(scores.vc_8.is_some() && summary.reference_smoothed.unwrap().j.mean > scores.j.mean);
}

#[test]
fn a_clip_without_frames_has_a_summary() {
    let (last, summary) = ClassMeter::new("cat", MeterSettings::default()).finish();
    assert_eq!(last, None);
    assert_eq!((summary.frames, summary.lag, summary.class.as_str()), (0, None, "cat"));
}
