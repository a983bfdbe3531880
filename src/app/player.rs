//! Where the picture is in time.

use std::time::Instant;

#[derive(Debug, Default)]
pub struct Player {
    pub frame: usize,
    pub playing: Option<Playing>,
    /// In and out point, both of them in.
    pub first: Option<usize>,
    pub last: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
pub struct Playing {
    /// 1 forwards, −1 backwards.
    pub speed: f64,
    /// The frame and the moment that it began from.
    pub from: usize,
    pub since: Instant,
}

/// What a user can do with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Move {
    Go(usize),
    Step(i64),
    Play(f64),
    PlayPause,
    Pause,
    MarkIn,
    MarkOut,
    ClearMarks,
}

impl Player {
    /// In a clip of `frames` frames.
    pub fn run(&mut self, wish: Move, frames: usize) {
        match wish {
            Move::Go(frame) => {
                self.playing = None;
                self.frame = frame.min(frames.saturating_sub(1));
            }
            Move::Step(by) => {
                let to = self.frame as i64 + by;
                self.run(Move::Go(to.max(0) as usize), frames);
            }
            Move::Play(speed) => {
                self.playing = Some(Playing { speed, from: self.frame, since: Instant::now() });
            }
            Move::PlayPause if self.playing.is_some() => self.playing = None,
            Move::PlayPause => {
                // At the end there is nothing left to play: begin again.
                if self.frame + 1 >= frames {
                    self.frame = 0;
                }
                self.run(Move::Play(1.0), frames);
            }
            Move::Pause => self.playing = None,
            Move::MarkIn => {
                self.first = Some(self.frame);
                self.last = self.last.filter(|&last| last >= self.frame);
            }
            Move::MarkOut => {
                self.last = Some(self.frame);
                self.first = self.first.filter(|&first| first <= self.frame);
            }
            Move::ClearMarks => (self.first, self.last) = (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stay_in_order_and_the_playhead_in_the_clip() {
        let mut player = Player::default();
        for wish in [Move::Step(-3), Move::Go(9), Move::MarkIn, Move::Step(99), Move::MarkOut] {
            player.run(wish, 20);
        }
        assert_eq!((player.frame, player.first, player.last), (19, Some(9), Some(19)));
        player.run(Move::Go(4), 20);
        player.run(Move::MarkOut, 20);
        assert_eq!((player.first, player.last), (None, Some(4)));
        player.run(Move::Go(19), 20);
        player.run(Move::PlayPause, 20);
        assert_eq!((player.frame, player.playing.map(|playing| playing.speed)), (0, Some(1.0)));
    }
}
