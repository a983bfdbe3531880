//! A line that many put into and many take from, bounded in items and in bytes. Whoever can't
//! wait is told that it is full.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// The line is full; nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

pub struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    most_items: usize,
    most_bytes: usize,
}

struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    is_open: bool,
}

impl<T> Queue<T> {
    pub fn new(most_items: usize, most_bytes: usize) -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, is_open: true };
        Self { state: Mutex::new(state), changed: Condvar::new(), most_items, most_bytes }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One item always finds room, however large.
    fn has_room(&self, state: &State<T>, bytes: usize) -> bool {
        let fits = state.items.len() < self.most_items && state.bytes + bytes <= self.most_bytes;
        state.items.is_empty() || fits
    }

    fn add(&self, mut state: MutexGuard<'_, State<T>>, item: T, bytes: usize) {
        state.bytes += bytes;
        state.items.push_back((item, bytes));
        self.changed.notify_all();
    }

    /// Waits for room. Where the line is closed the item is dropped.
    pub fn push(&self, item: T, bytes: usize) {
        let mut state = self.state();
        while state.is_open && !self.has_room(&state, bytes) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_open {
            self.add(state, item, bytes);
        }
    }

    pub fn try_push(&self, item: T, bytes: usize) -> Result<(), Full> {
        let state = self.state();
        if !state.is_open || !self.has_room(&state, bytes) {
            return Err(Full);
        }
        self.add(state, item, bytes);
        Ok(())
    }

    /// Waits for an item, and takes up to `most` of those at the front that go with it. None
    /// once the line is closed and empty.
    pub fn take(&self, most: usize, goes_with: impl Fn(&T, &T) -> bool) -> Vec<T> {
        let mut state = self.state();
        while state.is_open && state.items.is_empty() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let mut taken: Vec<T> = Vec::new();
        while taken.len() < most {
            let next = state.items.front();
            if !next.is_some_and(|(next, _)| taken.first().is_none_or(|first| goes_with(first, next))) {
                break;
            }
            let Some((item, bytes)) = state.items.pop_front() else { break };
            state.bytes -= bytes;
            taken.push(item);
        }
        self.changed.notify_all();
        taken
    }

    pub fn is_full(&self) -> bool {
        !self.has_room(&self.state(), 1)
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.state().items.len()
    }

    /// How many stand before the first that is meant.
    pub fn position(&self, is_meant: impl Fn(&T) -> bool) -> Option<usize> {
        self.state().items.iter().position(|(item, _)| is_meant(item))
    }

    /// Takes out of line what is meant.
    pub fn remove(&self, is_meant: impl Fn(&T) -> bool) {
        let mut state = self.state();
        let State { items, bytes, .. } = &mut *state;
        items.retain(|(item, item_bytes)| {
            let stays = !is_meant(item);
            *bytes -= if stays { 0 } else { *item_bytes };
            stays
        });
        self.changed.notify_all();
    }

    /// What is in line is still taken; nothing more comes in.
    pub fn close(&self) {
        self.state().is_open = false;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_in_items_and_in_bytes_and_keeps_the_order() {
        let queue = Queue::new(3, 100);
        queue.try_push(1, 500).unwrap();
        assert_eq!(queue.try_push(2, 1), Err(Full), "the large one alone fills it");
        assert_eq!(queue.take(9, |_, _| true), [1]);
        for item in [2, 3, 4] {
            queue.try_push(item, 10).unwrap();
        }
        assert_eq!(queue.try_push(5, 10), Err(Full));
        queue.remove(|item| *item == 3);
        queue.try_push(3, 70).unwrap();
        queue.remove(|item| *item == 4);
        assert_eq!(queue.try_push(4, 21), Err(Full));
        queue.try_push(4, 20).unwrap();
        assert_eq!(queue.take(2, |_, _| true), [2, 3]);
        assert_eq!(queue.take(2, |_, _| true), [4]);
    }

    #[test]
    fn only_what_goes_together_is_taken_together() {
        let queue = Queue::new(9, 9);
        for item in [1, 3, 2, 5] {
            queue.push(item, 1);
        }
        queue.close();
        queue.push(7, 1);
        let odd = |a: &i32, b: &i32| a % 2 == b % 2;
        assert_eq!(queue.take(9, odd), [1, 3]);
        assert_eq!(queue.take(9, odd), [2]);
        assert_eq!(queue.take(9, odd), [5]);
        assert!(queue.take(9, odd).is_empty());
    }

    #[test]
    fn whoever_waits_for_room_goes_on_when_there_is_some() {
        let queue = Queue::new(1, 9);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..50).for_each(|item| queue.push(item, 1));
                queue.close();
            });
            let mut taken = Vec::new();
            loop {
                let some = queue.take(1, |_, _| false);
                if some.is_empty() {
                    break;
                }
                taken.extend(some);
            }
            assert_eq!(taken, (0..50).collect::<Vec<_>>());
        });
    }
}
