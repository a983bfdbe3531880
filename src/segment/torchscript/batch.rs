//! How many frames go through a GPU at once: two batches are under way, one that computes and
//! one that is prepared or read back; where memory runs out, the batches become smaller.

use crate::Logits;
use base::frame::Frame;

/// Frames of a first batch on a GPU. A picture of 520×520 takes DeepLabv3 about half a GiB.
pub(super) const FIRST_ON_GPU: usize = 8;

/// Why a batch failed, and the results before it.
#[derive(Debug)]
pub(super) struct BatchFailure {
    pub done: Vec<Logits>,
    pub cause: String,
}

impl BatchFailure {
    /// Whether not even one frame fits into memory.
    pub fn is_out_of_memory(&self) -> bool {
        is_out_of_memory(&self.cause)
    }
}

/// By the message, since torch's error type is lost in tch.
fn is_out_of_memory(cause: &str) -> bool {
    cause.to_lowercase().contains("out of memory")
}

/// Runs all frames in batches of at most `largest`, which is halved when memory runs out.
///
/// `begin` puts a batch to work and may return before it is done; `end` waits for its result.
pub(super) fn in_batches<B>(
    frames: &[&Frame],
    largest: &mut usize,
    begin: impl Fn(&[&Frame]) -> Result<B, String>,
    end: impl Fn(B) -> Result<Vec<Logits>, String>,
) -> Result<Vec<Logits>, BatchFailure> {
    let mut done: Vec<Logits> = Vec::with_capacity(frames.len());
    let mut working: Option<(B, usize)> = None;
    while done.len() < frames.len() {
        let next = done.len() + working.as_ref().map_or(0, |(_, count)| *count);
        let batch = &frames[next..frames.len().min(next + *largest)];
        let begun = if batch.is_empty() { Ok(None) } else { begin(batch).map(Some) };
        let ended = working.take().map_or(Ok(Vec::new()), |(batch, _)| end(batch));
        let cause = match (ended, begun) {
            (Ok(logits), begun) => {
                done.extend(logits);
                match begun {
                    Ok(begun) => {
                        working = begun.map(|begun| (begun, batch.len()));
                        continue;
                    }
                    Err(cause) => cause,
                }
            }
            // What was begun behind it is dropped, and done again in its turn.
            (Err(cause), _) => cause,
        };
        if *largest == 1 || !is_out_of_memory(&cause) {
            return Err(BatchFailure { done, cause });
        }
        *largest /= 2;
        tracing::info!("the GPU's memory is full: {largest} frames at a time from here on");
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use half::f16;

    use super::*;
    use base::frame::{FrameIndex, FrameSize};

    fn frames(count: usize) -> Vec<Frame> {
        let size = FrameSize::new(2, 2).unwrap();
        (0..count).map(|i| Frame::new(FrameIndex::new(i), Default::default(), size, vec![0; 12])).collect()
    }

    /// A GPU with room for `room` frames, in all that is under way: what it was asked for, and
    /// which frames came out.
    fn run(count: usize, largest: &mut usize, room: usize) -> (Vec<usize>, Result<Vec<usize>, BatchFailure>) {
        let frames = frames(count);
        let asked = RefCell::new(Vec::new());
        let begin = |batch: &[&Frame]| {
            asked.borrow_mut().push(batch.len());
            match batch.len() {
                count if count > room => Err("CUDA out of memory. Tried to allocate 2.00 GiB".into()),
                _ => Ok(batch.iter().map(|frame| frame.index().get()).collect::<Vec<_>>()),
            }
        };
        let logits = |i| Logits { classes: 1, height: 1, width: 1, values: vec![f16::from_f32(i as f32)] };
        let end = |batch: Vec<usize>| Ok(batch.into_iter().map(logits).collect());
        let done = in_batches(&frames.iter().collect::<Vec<_>>(), largest, begin, end);
        let index = |logits: Logits| logits.values[0].to_f32() as usize;
        (asked.into_inner(), done.map(|all| all.into_iter().map(index).collect()))
    }

    #[test]
    fn every_frame_comes_out_once_and_in_order() {
        for (count, largest) in [(0, 8), (1, 8), (8, 8), (9, 8), (23, 4), (5, 1)] {
            let (asked, done) = run(count, &mut { largest }, 8);
            assert_eq!(done.unwrap(), (0..count).collect::<Vec<_>>());
            assert!(asked.iter().all(|&batch| batch <= largest));
        }
    }

    #[test]
    fn batches_become_smaller_where_memory_runs_out_and_stay_so() {
        let mut largest = 8;
        let (asked, done) = run(10, &mut largest, 3);
        assert_eq!(done.unwrap(), (0..10).collect::<Vec<_>>());
        assert_eq!((asked, largest), (vec![8, 4, 2, 2, 2, 2, 2], 2));
    }

    #[test]
    fn a_frame_that_does_not_fit_alone_is_said_with_what_was_done() {
        let failure = run(3, &mut 4, 0).1.unwrap_err();
        assert!(failure.is_out_of_memory() && failure.done.is_empty());
    }

    #[test]
    fn what_fails_while_it_computes_is_done_again_in_smaller_batches() {
        let frames = frames(6);
        let begin = |batch: &[&Frame]| Ok(batch.len());
        let end = |count: usize| match count {
            4.. => Err("CUDA out of memory".into()),
            _ => Ok(vec![Logits { classes: 1, height: 1, width: 1, values: vec![f16::ZERO] }; count]),
        };
        let mut largest = 4;
        let done = in_batches(&frames.iter().collect::<Vec<_>>(), &mut largest, begin, end).unwrap();
        assert_eq!((done.len(), largest), (6, 2));
    }

    #[test]
    fn another_error_is_no_reason_for_smaller_batches() {
        let frames = frames(2);
        let begin = |_: &[&Frame]| Err::<(), _>("a kernel is missing".to_owned());
        let failure = in_batches(&frames.iter().collect::<Vec<_>>(), &mut 8, begin, |()| Ok(Vec::new()));
        assert!(!failure.unwrap_err().is_out_of_memory());
    }
}
