//! Undo and redo.

use std::time::{Duration, Instant};

/// Changes of one thing within this time are one step: a slider moves through many values.
const ONE_STEP: Duration = Duration::from_millis(900);
const MAX_STEPS: usize = 200;

#[derive(Debug)]
pub struct History<T> {
    past: Vec<T>,
    future: Vec<T>,
    last: Option<(&'static str, Instant)>,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { past: Vec::new(), future: Vec::new(), last: None }
    }
}

impl<T: Clone + PartialEq> History<T> {
    /// Notes that `what` is about to change `now`.
    pub fn note(&mut self, what: &'static str, now: &T) {
        let at = Instant::now();
        let same = self.last.is_some_and(|(last, since)| last == what && at - since < ONE_STEP);
        if !same {
            self.past.push(now.clone());
            if self.past.len() > MAX_STEPS {
                self.past.remove(0);
            }
        }
        self.future.clear();
        self.last = Some((what, at));
    }

    /// The value before the last change, given the present one.
    pub fn undo(&mut self, now: &T) -> Option<T> {
        let before = self.past.pop()?;
        self.future.push(now.clone());
        self.last = None;
        Some(before)
    }

    pub fn redo(&mut self, now: &T) -> Option<T> {
        let after = self.future.pop()?;
        self.past.push(now.clone());
        self.last = None;
        Some(after)
    }

    pub fn can_undo(&self) -> bool {
        !self.past.is_empty()
    }

    pub fn can_redo(&self) -> bool {
        !self.future.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slider_is_one_step_and_a_new_change_ends_redo() {
        let mut history = History::default();
        for now in 0..5 {
            history.note("window", &now);
        }
        history.note("alpha", &5);
        assert_eq!(history.undo(&6), Some(5));
        assert_eq!(history.undo(&5), Some(0));
        assert_eq!(history.undo(&0), None);
        assert_eq!(history.redo(&0), Some(5));
        assert!(history.can_redo());
        history.note("window", &5);
        assert!(!history.can_redo());
    }
}
