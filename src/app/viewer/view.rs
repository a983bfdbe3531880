//! How the picture is looked at: the mode, and one zoom for all sides.

use eframe::egui::{Pos2, Rect, Vec2, pos2};

use crate::text::Text;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Side,
    Wipe,
    Overlay,
    Difference,
    Matte,
    Heat,
    /// Two settings, A and B.
    Compare,
}

impl Mode {
    pub const ALL: [Self; 7] =
        [Self::Side, Self::Wipe, Self::Overlay, Self::Difference, Self::Matte, Self::Heat, Self::Compare];

    pub const fn text(self) -> Text {
        match self {
            Self::Side => Text::ViewSide,
            Self::Wipe => Text::ViewWipe,
            Self::Overlay => Text::ViewOverlay,
            Self::Difference => Text::ViewDifference,
            Self::Matte => Text::ViewMatte,
            Self::Heat => Text::ViewHeat,
            Self::Compare => Text::ViewCompare,
        }
    }

    /// As project files have it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Side => "side-by-side",
            Self::Wipe => "wipe",
            Self::Overlay => "overlay",
            Self::Difference => "difference",
            Self::Matte => "matte",
            Self::Heat => "probability",
            Self::Compare => "a-b",
        }
    }

    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }

    /// Raw on the left, smoothed on the right (or A and B), each a picture of its own.
    pub const fn is_split(self) -> bool {
        matches!(self, Self::Side | Self::Matte | Self::Heat | Self::Compare)
    }
}

#[derive(Debug)]
pub struct View {
    pub mode: Mode,
    /// Screen points to a picture pixel; `None` fits the picture.
    pub zoom: Option<f32>,
    /// The picture's point in the middle, in 0 to 1.
    pub centre: Pos2,
    /// Where the wipe's divider stands, in 0 to 1 of the picture.
    pub wipe: f32,
    pub raw_only: bool,
}

impl Default for View {
    fn default() -> Self {
        Self { mode: Mode::Side, zoom: None, centre: pos2(0.5, 0.5), wipe: 0.5, raw_only: false }
    }
}

const MAX_ZOOM: f32 = 32.0;

impl View {
    fn fitting(size: Vec2, cell: Vec2) -> f32 {
        (cell.x / size.x).min(cell.y / size.y).max(1e-3)
    }

    pub fn scale(&self, size: Vec2, cell: Vec2) -> f32 {
        self.zoom.unwrap_or_else(|| Self::fitting(size, cell))
    }

    /// Where the whole picture lies on the screen when it is seen through `cell`.
    pub fn placed(&self, size: Vec2, cell: Rect) -> Rect {
        let scaled = size * self.scale(size, cell.size());
        let along = |length: f32, room: f32, centre: f32| {
            // Less than the room is centred; more has no gap at its edges.
            if length <= room {
                (room - length) / 2.0
            } else {
                (room / 2.0 - centre * length).clamp(room - length, 0.0)
            }
        };
        let offset = Vec2::new(
            along(scaled.x, cell.width(), self.centre.x),
            along(scaled.y, cell.height(), self.centre.y),
        );
        Rect::from_min_size(cell.min + offset, scaled)
    }

    /// Zooms so that what is under `at` stays there.
    pub fn zoom_at(&mut self, factor: f32, at: Pos2, size: Vec2, cell: Rect) {
        let placed = self.placed(size, cell);
        let fit = Self::fitting(size, cell.size());
        let scale = (self.scale(size, cell.size()) * factor).clamp(fit.min(1.0), MAX_ZOOM.max(fit));
        let under = (at - placed.min) / placed.size();
        let scaled = size * scale;
        let offset = at - cell.min - under * scaled;
        self.centre = ((cell.size() / 2.0 - offset) / scaled).to_pos2().clamp(pos2(0.0, 0.0), pos2(1.0, 1.0));
        self.zoom = (scale > fit * 1.001).then_some(scale);
    }

    pub fn pan(&mut self, by: Vec2, size: Vec2, cell: Rect) {
        let placed = self.placed(size, cell);
        // From where it really is: at the edge the centre may lie beyond what can be shown.
        let shown = (cell.center() - placed.min) / placed.size();
        self.centre = (shown - by / placed.size()).to_pos2().clamp(pos2(0.0, 0.0), pos2(1.0, 1.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell() -> Rect {
        Rect::from_min_size(pos2(10.0, 20.0), Vec2::new(400.0, 300.0))
    }

    #[test]
    fn fit_shows_all_of_it_in_the_middle() {
        let placed = View::default().placed(Vec2::new(800.0, 300.0), cell());
        assert_eq!(placed.size(), Vec2::new(400.0, 150.0));
        assert_eq!(placed.center(), cell().center());
    }

    proptest! {
        #[test]
        fn what_is_under_the_pointer_stays(
            x in 150f32..260.0, y in 100f32..220.0, factors in proptest::collection::vec(1.0f32..2.0, 1..5),
        ) {
            let (size, at) = (Vec2::new(800.0, 600.0), pos2(x, y));
            let mut view = View::default();
            let under = |view: &View| (at - view.placed(size, cell()).min) / view.placed(size, cell()).size();
            let before = under(&view);
            for factor in factors {
                view.zoom_at(factor, at, size, cell());
            }
            prop_assert!((under(&view) - before).length() < 1e-2);
        }
    }
}
