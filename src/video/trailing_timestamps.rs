//! The times of a file's last frames, which OpenCV does not report.
//!
//! OpenCV 4.6 loses the times of the frames that leave the decoder after the last packet went in: as
//! many as the decoder reorders, and one for each of its threads. The packets have these times, but
//! on a clock that starts elsewhere. So the known times of earlier frames are aligned with the packets
//! first.

/// The times that follow the last of `known`, in microseconds.
///
/// `known` are the times of consecutive frames in order, in microseconds after the stream's start, up
/// to the last known one. `ticks` are the packets' presentation times in any order, in ticks of
/// `tick_secs`. `start_secs` is about where the stream's clock starts; it decides where a constant
/// rate fits in several places. Empty where the known times don't fit the packets anywhere.
pub fn timestamps_after(known: &[i64], mut ticks: Vec<i64>, tick_secs: f64, start_secs: f64) -> Vec<i64> {
    ticks.sort_unstable();
    ticks.dedup();
    let micros = |ticks: i64| (ticks as f64 * tick_secs * 1e6).round() as i64;
    let Some(&last) = known.last() else { return Vec::new() };
    let fit = |end: usize| {
        // Compared backward from the packet that may be the last known frame's.
        let mut laid = known.iter().rev().zip(ticks[..=end].iter().rev());
        laid.all(|(&known, &tick)| {
            let (by_frames, by_packets) = (last - known, micros(ticks[end] - tick));
            (by_frames - by_packets).abs() <= 1
        })
    };
    let start_error = |end: usize| (micros(ticks[end]) - last - (start_secs * 1e6) as i64).abs();
    let best = (known.len() - 1..ticks.len()).filter(|&end| fit(end)).min_by_key(|&end| start_error(end));
    best.map_or(Vec::new(), |end| {
        ticks[end + 1..].iter().map(|&tick| last + micros(tick - ticks[end])).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_SECS: f64 = 1e-3;

    #[test]
    fn uneven_frames_fit_in_one_place_whatever_the_start() {
        let times = [0, 40, 100, 130, 200, 240, 300, 500, 510, 700];
        let known: Vec<i64> = times[2..7].iter().map(|time| time * 1000).collect();
        for start in [0, 5, 1400, -80] {
            let mut ticks: Vec<i64> = times.iter().map(|time| time + start).collect();
            ticks.swap(3, 4);
            assert_eq!(timestamps_after(&known, ticks, TICK_SECS, 0.0), [500_000, 510_000, 700_000]);
        }
    }

    #[test]
    fn even_frames_are_placed_by_the_start() {
        let ticks: Vec<i64> = (0..10).map(|frame| 1400 + 40 * frame).chain([5000]).collect();
        let known = [120_000, 160_000];
        let after = timestamps_after(&known, ticks, TICK_SECS, 1.39);
        assert_eq!(after[..2], [200_000, 240_000]);
        assert_eq!(after.last(), Some(&3_600_000));
        assert_eq!(after.len(), 6);
    }

    #[test]
    fn what_fits_nowhere_gives_nothing() {
        assert!(timestamps_after(&[0, 33_000], vec![0, 40, 80], TICK_SECS, 0.0).is_empty());
        assert!(timestamps_after(&[], vec![0, 40], TICK_SECS, 0.0).is_empty());
        assert!(timestamps_after(&[40_000], Vec::new(), TICK_SECS, 0.0).is_empty());
    }
}
