//! What is known about the frames of a file: when each is shown, and how to recognise it.

use std::collections::VecDeque;

use base::frame::Timestamp;

/// A time that goes back by more nominal intervals than this means that the clock was restarted.
const RESTART_INTERVALS: i64 = 25;

/// The least interval between two timestamps; a time that is not later than the one before is moved.
const MIN_INTERVAL_MICROS: i64 = 1000;

/// How many known times are passed on to find those that follow.
const KNOWN_FRAMES: usize = 64;

/// How often missing times are looked up; usually once, at the end.
const MAX_LOOKUPS: usize = 4;

/// A row for each frame that has been decoded so far.
pub struct Timeline {
    interval_micros: i64,
    /// Strictly increasing.
    timestamps: Vec<Timestamp>,
    /// CRC-32 of the RGB picture; `None` while the frame has only been passed over.
    checksums: Vec<Option<u32>>,
    /// The times that the decoder gave, with their frames. A frame whose time is missing, or
    /// not after the ones before, has none.
    keys: Vec<(i64, usize)>,
    /// Whether each time belongs to one frame.
    is_unambiguous: bool,
    /// Added to the decoder's times after its clock was restarted, as in joined streams.
    offset_micros: i64,
    /// Times of the next frames, from the packets.
    following: VecDeque<i64>,
    lookups: usize,
}

impl Timeline {
    pub fn new(frames_per_sec: f64) -> Self {
        Self {
            interval_micros: (1e6 / frames_per_sec).round().max(1.0) as i64,
            timestamps: Vec::new(),
            checksums: Vec::new(),
            keys: Vec::new(),
            is_unambiguous: true,
            offset_micros: 0,
            following: VecDeque::new(),
            lookups: 0,
        }
    }

    /// How many frames have a row.
    pub fn len(&self) -> usize {
        self.timestamps.len()
    }

    pub fn timestamp(&self, index: usize) -> Timestamp {
        self.timestamps[index]
    }

    pub fn last(&self) -> Option<Timestamp> {
        self.timestamps.last().copied()
    }

    pub fn checksum(&self, index: usize) -> Option<u32> {
        self.checksums[index]
    }

    pub fn set_checksum(&mut self, index: usize, checksum: u32) {
        self.checksums[index] = Some(checksum);
    }

    /// Adds a frame, with the time in microseconds that the decoder gives it. Where it gives
    /// none, `following` is asked for the times after those of the frames before.
    pub fn append(&mut self, micros: Option<i64>, following: impl FnOnce(&[i64]) -> Vec<i64>) {
        let timestamp = match (self.last(), micros) {
            // Before the start is the decoding time that OpenCV gives a first frame. So it is
            // no key either.
            (None, micros) => micros.unwrap_or(0).max(0),
            (Some(previous), Some(micros)) => {
                self.add_key(micros);
                self.following.clear();
                self.next_timestamp(previous.micros(), micros)
            }
            (Some(previous), None) => match self.following_micros(following) {
                Some(micros) => self.next_timestamp(previous.micros(), micros),
                None => previous.micros() + self.interval_micros,
            },
        };
        self.timestamps.push(Timestamp::from_micros(timestamp));
        self.checksums.push(None);
    }

    /// The mean time between the frames so far.
    pub fn mean_interval_micros(&self) -> i64 {
        match self.last() {
            Some(last) if self.len() > 1 => (last.micros() / (self.len() as i64 - 1)).max(1),
            _ => self.interval_micros,
        }
    }

    /// Which frame has this time of the decoder's; `Err` with the first later one where none
    /// has.
    pub fn find(&self, micros: i64) -> Result<usize, usize> {
        match self.keys.binary_search_by_key(&micros, |&(key, _)| key) {
            Ok(place) => Ok(self.keys[place].1),
            Err(place) => Err(self.keys.get(place).map_or(self.len(), |&(_, frame)| frame)),
        }
    }

    /// The last frame up to `index` that can be recognised by its time, and that time.
    pub fn seek_point(&self, index: usize) -> Option<(usize, i64)> {
        let place = self.keys.partition_point(|&(_, frame)| frame <= index);
        let (micros, frame) = *self.keys[..place].last()?;
        self.is_unambiguous.then_some((frame, micros))
    }

    fn add_key(&mut self, micros: i64) {
        match self.keys.last() {
            Some(&(last, _)) if micros <= last => self.is_unambiguous = false,
            _ => self.keys.push((micros, self.timestamps.len())),
        }
    }

    /// The timestamp for a time on the decoder's clock.
    fn next_timestamp(&mut self, previous: i64, micros: i64) -> i64 {
        if micros + self.offset_micros < previous - RESTART_INTERVALS * self.interval_micros {
            self.offset_micros = previous + self.interval_micros - micros;
        }
        (micros + self.offset_micros).max(previous + MIN_INTERVAL_MICROS)
    }

    fn following_micros(&mut self, following: impl FnOnce(&[i64]) -> Vec<i64>) -> Option<i64> {
        if self.following.is_empty() && self.lookups < MAX_LOOKUPS {
            self.lookups += 1;
            self.following = following(&self.last_known()).into();
        }
        self.following.pop_front()
    }

    /// The times of the last frames, as long as none lacks its own.
    fn last_known(&self) -> Vec<i64> {
        if self.len() == 1 {
            return vec![self.timestamps[0].micros()];
        }
        let frames = (0..self.len()).rev();
        let run = self.keys.iter().rev().zip(frames).take_while(|&(&(_, frame), expected)| frame == expected);
        let mut known: Vec<i64> = run.take(KNOWN_FRAMES).map(|(&(micros, _), _)| micros).collect();
        known.reverse();
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(times: &[Option<i64>], following: &[i64]) -> Timeline {
        let mut timeline = Timeline::new(25.0);
        for &time in times {
            timeline.append(time, |_| following.to_vec());
        }
        timeline
    }

    fn millis(timeline: &Timeline) -> Vec<i64> {
        timeline.timestamps.iter().map(|timestamp| timestamp.micros() / 1000).collect()
    }

    #[test]
    fn times_are_taken_as_they_are() {
        let timeline = timeline(&[Some(-80_000), Some(40_000), Some(200_000)], &[]);
        assert_eq!(millis(&timeline), [0, 40, 200]);
        assert_eq!(timeline.find(40_000), Ok(1));
        assert_eq!(timeline.find(100_000), Err(2));
        assert_eq!(timeline.find(300_000), Err(3));
        assert_eq!(timeline.seek_point(0), None);
        assert_eq!(timeline.seek_point(2), Some((2, 200_000)));
    }

    #[test]
    fn missing_times_come_from_the_packets_or_are_nominal() {
        let times = [None, Some(40_000), Some(90_000), None, None, None];
        let timeline = timeline(&times, &[130_000, 133_000]);
        assert_eq!(millis(&timeline)[..5], [0, 40, 90, 130, 133]);
        assert_eq!(timeline.seek_point(4), Some((2, 90_000)));
        let nominal = super::tests::timeline(&[None, None, None], &[]);
        assert_eq!(millis(&nominal), [0, 40, 80]);
    }

    #[test]
    fn the_packets_are_asked_with_the_frames_before() {
        let mut timeline = timeline(&[None, Some(40_000), Some(90_000)], &[]);
        let mut asked = Vec::new();
        timeline.append(None, |known| {
            asked = known.to_vec();
            Vec::new()
        });
        assert_eq!(asked, [40_000, 90_000]);
    }

    #[test]
    fn a_clock_that_starts_again_goes_on_and_tells_no_frames_apart() {
        let times = [None, Some(40_000), Some(2_000_000), Some(1_000), Some(41_000), Some(41_000)];
        let timeline = timeline(&times, &[]);
        assert_eq!(millis(&timeline), [0, 40, 2000, 2040, 2080, 2081]);
        assert_eq!(timeline.seek_point(3), None);
    }
}
