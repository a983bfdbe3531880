//! Short messages that come and go; errors stay until they are dismissed.

use std::time::{Duration, Instant};

const SHOWN: Duration = Duration::from_secs(6);
const MAX: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    pub text: String,
    pub is_error: bool,
    pub since: Instant,
}

#[derive(Debug, Default)]
pub struct Toasts(Vec<Toast>);

impl Toasts {
    pub fn info(&mut self, text: impl Into<String>) {
        self.push(text.into(), false);
    }

    /// The engine's errors name the file, the cause and the way out.
    pub fn error(&mut self, text: impl Into<String>) {
        self.push(text.into(), true);
    }

    fn push(&mut self, text: String, is_error: bool) {
        self.0.retain(|toast| toast.text != text);
        if self.0.len() == MAX {
            self.0.remove(0);
        }
        self.0.push(Toast { text, is_error, since: Instant::now() });
    }

    pub fn iter(&self) -> impl Iterator<Item = &Toast> {
        self.0.iter()
    }

    pub fn dismiss(&mut self, text: &str) {
        self.0.retain(|toast| toast.text != text);
    }

    /// Lets messages that were read go. How long until the next one goes.
    pub fn expire(&mut self) -> Option<Duration> {
        self.0.retain(|toast| toast.is_error || toast.since.elapsed() < SHOWN);
        let plain = self.0.iter().filter(|toast| !toast.is_error);
        plain.map(|toast| SHOWN.saturating_sub(toast.since.elapsed())).min()
    }
}
