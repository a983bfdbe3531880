//! Where the picture is in time.

use std::time::Instant;

use base::frame::FrameRange;

#[derive(Debug, Default)]
pub struct Player {
    pub frame: usize,
    pub playing: Option<Playing>,
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
}

/// What a user can do with the part of the clip that is worked on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    In,
    Out,
    Clear,
}

impl Mark {
    /// Each is a step of undo of its own.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Clear => "whole clip",
        }
    }

    /// The range after marking `frame`; what it would turn round ends at an end of the clip.
    pub fn applied(self, range: FrameRange, frame: usize) -> FrameRange {
        match self {
            Self::In if frame > range.last => FrameRange { first: frame, last: usize::MAX },
            Self::In => FrameRange { first: frame, ..range },
            Self::Out if frame < range.first => FrameRange { first: 0, last: frame },
            Self::Out => FrameRange { last: frame, ..range },
            Self::Clear => FrameRange::ALL,
        }
    }
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stay_in_order_and_the_playhead_in_the_clip() {
        let mut player = Player::default();
        for wish in [Move::Step(-3), Move::Go(9), Move::Step(99)] {
            player.run(wish, 20);
        }
        assert_eq!(player.frame, 19);
        let range = Mark::Out.applied(Mark::In.applied(FrameRange::ALL, 9), 19);
        assert_eq!(range, FrameRange { first: 9, last: 19 });
        assert_eq!(Mark::Out.applied(range, 4), FrameRange { first: 0, last: 4 });
        assert_eq!(Mark::In.applied(range, 30), FrameRange { first: 30, last: usize::MAX });
        player.run(Move::Go(19), 20);
        player.run(Move::PlayPause, 20);
        assert_eq!((player.frame, player.playing.map(|playing| playing.speed)), (0, Some(1.0)));
    }
}
