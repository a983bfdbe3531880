//! A queue between threads, bounded in items and in bytes: a 4K picture takes 25 MB, a 480p one
//! 1.2 MB. A producer waits for room or is told that the queue is full. A [`channel`] is such a
//! queue with one end for each side; dropping either end closes it.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// The queue has no room for the item, or is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// First in, first out, for any number of producers and consumers.
pub struct BoundedQueue<T> {
    contents: Mutex<Contents<T>>,
    changed: Condvar,
    max_items: usize,
    max_bytes: usize,
}

struct Contents<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    is_open: bool,
}

impl<T> Contents<T> {
    fn pop(&mut self) -> Option<T> {
        let (item, bytes) = self.items.pop_front()?;
        self.bytes -= bytes;
        Some(item)
    }
}

impl<T> BoundedQueue<T> {
    /// An open, empty queue for at most `max_items` items and `max_bytes` bytes. A single item may be
    /// larger than that.
    pub fn new(max_items: usize, max_bytes: usize) -> Self {
        let contents = Contents { items: VecDeque::new(), bytes: 0, is_open: true };
        Self { contents: Mutex::new(contents), changed: Condvar::new(), max_items, max_bytes }
    }

    fn contents(&self) -> MutexGuard<'_, Contents<T>> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while `is_waiting` holds.
    fn wait_while(&self, is_waiting: impl Fn(&Contents<T>) -> bool) -> MutexGuard<'_, Contents<T>> {
        let contents = self.changed.wait_while(self.contents(), |contents| is_waiting(contents));
        contents.unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self, contents: &Contents<T>, bytes: usize) -> bool {
        let fits = contents.items.len() < self.max_items && contents.bytes + bytes <= self.max_bytes;
        contents.items.is_empty() || fits
    }

    fn add(&self, mut contents: MutexGuard<'_, Contents<T>>, item: T, bytes: usize) {
        contents.bytes += bytes;
        contents.items.push_back((item, bytes));
        self.changed.notify_all();
    }

    /// Waits for room for an item of this many bytes.
    ///
    /// # Errors
    /// Returns the item when the queue is closed.
    pub fn push(&self, item: T, bytes: usize) -> Result<(), T> {
        let contents = self.wait_while(|contents| contents.is_open && !self.has_room(contents, bytes));
        if !contents.is_open {
            return Err(item);
        }
        self.add(contents, item, bytes);
        Ok(())
    }

    /// Adds an item of this many bytes without waiting.
    ///
    /// # Errors
    /// When there is no room, or the queue is closed.
    pub fn try_push(&self, item: T, bytes: usize) -> Result<(), Full> {
        let contents = self.contents();
        if !contents.is_open || !self.has_room(&contents, bytes) {
            return Err(Full);
        }
        self.add(contents, item, bytes);
        Ok(())
    }

    /// Waits for the next item; `None` once the queue is closed and empty.
    pub fn pop(&self) -> Option<T> {
        self.pop_run(1, |_, _| false).pop()
    }

    /// The next item, if there is one; does not wait.
    pub fn try_pop(&self) -> Option<T> {
        let item = self.contents().pop();
        self.changed.notify_all();
        item
    }

    /// Waits for the next item and takes it together with those that follow and go with it, up to
    /// `most` in all. Empty once the queue is closed and empty.
    pub fn pop_run(&self, most: usize, goes_with: impl Fn(&T, &T) -> bool) -> Vec<T> {
        let mut contents = self.wait_while(|contents| contents.is_open && contents.items.is_empty());
        let mut taken: Vec<T> = Vec::new();
        while taken.len() < most {
            let next = contents.items.front();
            if !next.is_some_and(|(next, _)| taken.first().is_none_or(|first| goes_with(first, next))) {
                break;
            }
            taken.extend(contents.pop());
        }
        self.changed.notify_all();
        taken
    }

    /// Whether an item of one byte would be refused now.
    pub fn is_full(&self) -> bool {
        !self.has_room(&self.contents(), 1)
    }

    /// How many items are waiting.
    pub fn len(&self) -> usize {
        self.contents().items.len()
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items are ahead of the first one that matches.
    pub fn position(&self, is_meant: impl Fn(&T) -> bool) -> Option<usize> {
        self.contents().items.iter().position(|(item, _)| is_meant(item))
    }

    /// Drops the items that match.
    pub fn remove(&self, is_meant: impl Fn(&T) -> bool) {
        let mut contents = self.contents();
        let Contents { items, bytes, .. } = &mut *contents;
        items.retain(|(item, item_bytes)| {
            let stays = !is_meant(item);
            *bytes -= if stays { 0 } else { *item_bytes };
            stays
        });
        self.changed.notify_all();
    }

    /// Refuses further items; those that are waiting can still be taken.
    pub fn close(&self) {
        self.contents().is_open = false;
        self.changed.notify_all();
    }
}

/// Limit on a channel's items, for items so small that the limit on bytes allows many: this many
/// even out differences between frames, and more would only wait.
const CHANNEL_ITEMS: usize = 16;

/// A channel that holds at most `max_bytes`. A single item may be larger than that.
pub fn channel<T>(max_bytes: usize) -> (Sender<T>, Receiver<T>) {
    let queue = Arc::new(BoundedQueue::new(CHANNEL_ITEMS, max_bytes));
    (Sender(queue.clone()), Receiver(queue))
}

/// The sending end of a [`channel`]. Dropping it ends the stream.
pub struct Sender<T>(Arc<BoundedQueue<T>>);

/// The receiving end of a [`channel`], an iterator over its items. Dropping it makes sending fail.
pub struct Receiver<T>(Arc<BoundedQueue<T>>);

impl<T> Sender<T> {
    /// Waits for room for an item of this many bytes.
    ///
    /// # Errors
    /// Returns the item when the receiver is gone.
    pub fn send(&self, item: T, bytes: usize) -> Result<(), T> {
        self.0.push(item, bytes)
    }
}

impl<T> Receiver<T> {
    /// The next item, if there is one; does not wait.
    pub fn try_recv(&self) -> Option<T> {
        self.0.try_pop()
    }

    /// Waits for the next item; `None` once the sender is gone and everything has been taken.
    pub fn recv(&self) -> Option<T> {
        self.0.pop()
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
        // Freed now; the sender may live on for long.
        self.0.remove(|_| true);
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
    fn it_is_bounded_in_items_and_in_bytes_and_keeps_the_order() {
        let queue = BoundedQueue::new(3, 100);
        queue.try_push(1, 500).unwrap();
        assert_eq!(queue.try_push(2, 1), Err(Full), "the large one alone fills it");
        assert_eq!(queue.pop_run(9, |_, _| true), [1]);
        for item in [2, 3, 4] {
            queue.try_push(item, 10).unwrap();
        }
        assert_eq!(queue.try_push(5, 10), Err(Full));
        queue.remove(|item| *item == 3);
        queue.try_push(3, 70).unwrap();
        queue.remove(|item| *item == 4);
        assert_eq!(queue.try_push(4, 21), Err(Full));
        queue.try_push(4, 20).unwrap();
        assert_eq!(queue.pop_run(2, |_, _| true), [2, 3]);
        assert_eq!(queue.pop_run(2, |_, _| true), [4]);
    }

    #[test]
    fn only_what_goes_together_is_taken_together() {
        let queue = BoundedQueue::new(9, 9);
        for item in [1, 3, 2, 5] {
            queue.push(item, 1).unwrap();
        }
        queue.close();
        assert_eq!(queue.push(7, 1), Err(7));
        let odd = |a: &i32, b: &i32| a % 2 == b % 2;
        assert_eq!(queue.pop_run(9, odd), [1, 3]);
        assert_eq!(queue.pop_run(9, odd), [2]);
        assert_eq!(queue.pop_run(9, odd), [5]);
        assert!(queue.pop_run(9, odd).is_empty());
    }

    #[test]
    fn whoever_waits_for_room_goes_on_when_there_is_some() {
        let queue = BoundedQueue::new(1, 9);
        thread::scope(|scope| {
            scope.spawn(|| {
                (0..50).for_each(|item| queue.push(item, 1).unwrap());
                queue.close();
            });
            let mut taken = Vec::new();
            loop {
                let some = queue.pop_run(1, |_, _| false);
                if some.is_empty() {
                    break;
                }
                taken.extend(some);
            }
            assert_eq!(taken, (0..50).collect::<Vec<_>>());
        });
    }

    #[test]
    fn everything_arrives_in_order_and_never_more_than_the_limit_waits() {
        let (sender, receiver) = channel(100);
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
        let (sender, receiver) = channel(10);
        sender.send("large", 1000).unwrap();
        drop(sender);
        assert_eq!(receiver.recv(), Some("large"));
        assert_eq!(receiver.recv(), None);
    }

    #[test]
    fn a_waiting_sender_is_let_go_when_the_receiver_leaves() {
        let (sender, receiver) = channel(1);
        sender.send(0, 1).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(move || sender.send(1, 1));
            thread::sleep(Duration::from_millis(20));
            drop(receiver);
            assert_eq!(waiting.join().unwrap(), Err(1));
        });
    }
}
