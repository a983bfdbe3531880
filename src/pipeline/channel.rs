//! A channel between two stages that is bounded in bytes: a 4K picture is 25 MB, a 480p one
//! 1.2 MB. Where those would let it hold more, it is bounded in items too: that many smooth
//! out what varies from frame to frame, and more would only wait. A full channel holds its
//! sender back.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

const MOST_ITEMS: usize = 16;

/// A channel that holds at most `limit_bytes`, or one item if that item alone is larger.
pub fn bounded<T>(limit_bytes: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State { items: VecDeque::new(), bytes: 0, open: true }),
        changed: Condvar::new(),
        limit_bytes,
    });
    (Sender(shared.clone()), Receiver(shared))
}

/// Dropping it ends the stream.
pub struct Sender<T>(Arc<Shared<T>>);

/// Dropping it makes the sender stop.
pub struct Receiver<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    limit_bytes: usize,
}

struct State<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    open: bool,
}

impl<T> State<T> {
    fn has_room(&self, bytes: usize, limit_bytes: usize) -> bool {
        let fits = self.items.len() < MOST_ITEMS && self.bytes + bytes <= limit_bytes;
        self.items.is_empty() || fits
    }
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.state().open = false;
        self.changed.notify_all();
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Sender<T> {
    /// Waits for room. Gives the item back when nobody will receive it any more.
    pub fn send(&self, item: T, bytes: usize) -> Result<(), T> {
        let mut state = self.0.state();
        while state.open && !state.has_room(bytes, self.0.limit_bytes) {
            state = self.0.wait(state);
        }
        if !state.open {
            return Err(item);
        }
        state.items.push_back((item, bytes));
        state.bytes += bytes;
        self.0.changed.notify_all();
        Ok(())
    }
}

impl<T> Receiver<T> {
    /// An item that is there already.
    pub fn try_recv(&self) -> Option<T> {
        self.take(self.0.state())
    }

    /// Waits for an item; `None` once the sender is gone and everything was taken.
    pub fn recv(&self) -> Option<T> {
        let mut state = self.0.state();
        while state.open && state.items.is_empty() {
            state = self.0.wait(state);
        }
        self.take(state)
    }

    fn take(&self, mut state: MutexGuard<State<T>>) -> Option<T> {
        let (item, bytes) = state.items.pop_front()?;
        state.bytes -= bytes;
        self.0.changed.notify_all();
        Some(item)
    }
}

impl<T> Iterator for Receiver<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.recv()
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.close();
        // Not left to the sender, which may live long.
        self.0.state().items.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        thread,
        time::Duration,
    };

    #[test]
    fn everything_arrives_in_order_and_never_more_than_the_limit_waits() {
        let (sender, receiver) = bounded(100);
        let sent = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                let sender = sender;
                for item in 0..50 {
                    sender.send(item, 30).unwrap();
                    sent.store(item + 1, Ordering::SeqCst);
                }
            });
            thread::sleep(Duration::from_millis(50));
            assert_eq!(sent.load(Ordering::SeqCst), 3);
            assert_eq!(receiver.collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
        });
    }

    #[test]
    fn one_item_may_be_larger_than_the_limit() {
        let (sender, receiver) = bounded(10);
        sender.send("large", 1000).unwrap();
        drop(sender);
        assert_eq!(receiver.recv(), Some("large"));
        assert_eq!(receiver.recv(), None);
    }

    #[test]
    fn a_waiting_sender_is_let_go_when_the_receiver_leaves() {
        let (sender, receiver) = bounded(1);
        sender.send(0, 1).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(move || sender.send(1, 1));
            thread::sleep(Duration::from_millis(20));
            drop(receiver);
            assert_eq!(waiting.join().unwrap(), Err(1));
        });
    }
}
