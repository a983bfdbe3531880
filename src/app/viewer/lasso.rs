//! Polygons on the picture: what is left out of every mask, drawn corner by corner.

use eframe::egui::{self, Color32, CursorIcon, Id, Pos2, Rect, Sense, Shape, Stroke, Ui, Vec2, vec2};

use crate::{
    commands::Command,
    state::State,
    text::{Text, fill, t},
};
use base::region::Polygon;

const LINE: Color32 = Color32::from_rgb(255, 235, 120);
const FILL: Color32 = Color32::from_rgba_premultiplied(40, 37, 18, 60);
const GRIP: f32 = 9.0;

/// Where pixels of the picture are on the screen.
struct Place {
    on_screen: Rect,
    /// In pixels of the picture.
    size: Vec2,
}

impl Place {
    fn to_screen(&self, [x, y]: [f32; 2]) -> Pos2 {
        self.on_screen.min + vec2(x, y) / self.size * self.on_screen.size()
    }

    /// To half a pixel, and no farther out than the picture's edge.
    fn to_picture(&self, at: Pos2) -> [f32; 2] {
        let place = (at - self.on_screen.min) / self.on_screen.size() * self.size;
        let snapped = |side: f32, length: f32| ((side * 2.0).round() / 2.0).clamp(0.0, length);
        [snapped(place.x, self.size.x), snapped(place.y, self.size.y)]
    }
}

/// Draws and moves polygons. `shown` is the size of the picture as it was given to the
/// screen, `stage` the response of the whole stage.
pub fn show(
    ui: &mut Ui,
    state: &State,
    cells: &[Rect],
    shown: Vec2,
    stage: &egui::Response,
    commands: &mut Vec<Command>,
) {
    let Some(clip) = &state.clip else { return };
    if state.drawing.is_none() && state.choice.plan.edits.leave_out.is_empty() {
        return;
    }
    let size = vec2(clip.info.size.width() as f32, clip.info.size.height() as f32);
    for (number, &cell) in cells.iter().enumerate() {
        let place = Place { on_screen: state.view.placed(shown, cell), size };
        for (at, polygon) in state.choice.plan.edits.leave_out.polygons().iter().enumerate() {
            paint(ui, &place, cell, polygon.corners(), true);
            if state.drawing.is_none() {
                grips(ui, state, &place, cell, (number, at, polygon), commands);
            }
        }
        if let Some(corners) = &state.drawing {
            draw(ui, &place, cell, corners, stage, commands);
        }
    }
}

fn paint(ui: &Ui, place: &Place, cell: Rect, corners: &[[f32; 2]], closed: bool) {
    let painter = ui.painter_at(cell);
    let mut points: Vec<Pos2> = corners.iter().map(|&corner| place.to_screen(corner)).collect();
    if closed {
        points.extend(points.first().copied());
        if corners.len() == 3 || is_convex(corners) {
            painter.add(Shape::convex_polygon(points.clone(), FILL, Stroke::NONE));
        }
    }
    painter.add(Shape::line(points.clone(), Stroke::new(3.0, Color32::from_black_alpha(140))));
    painter.extend(Shape::dashed_line(&points, Stroke::new(1.5, LINE), 6.0, 4.0));
}

/// Others are shown by their outline alone: what fills polygons here can fill only these.
fn is_convex(corners: &[[f32; 2]]) -> bool {
    let next = |at: usize| corners[at % corners.len()];
    let turns = (0..corners.len()).map(|at| {
        let ([ax, ay], [bx, by], [cx, cy]) = (next(at), next(at + 1), next(at + 2));
        (bx - ax) * (cy - by) - (by - ay) * (cx - bx)
    });
    let (mut left, mut right) = (false, false);
    for turn in turns {
        (left, right) = (left || turn > 0.0, right || turn < 0.0);
    }
    !(left && right)
}

/// A handle at each corner.
fn grips(
    ui: &mut Ui,
    state: &State,
    place: &Place,
    cell: Rect,
    (cell_number, at, polygon): (usize, usize, &Polygon),
    commands: &mut Vec<Command>,
) {
    for (number, &corner) in polygon.corners().iter().enumerate() {
        let centre = place.to_screen(corner);
        if !cell.contains(centre) {
            continue;
        }
        let rect = Rect::from_center_size(centre, Vec2::splat(GRIP));
        let id = Id::unique(("corner", cell_number, at, number));
        let response =
            ui.interact(rect.expand(3.0), id, Sense::drag()).on_hover_cursor(CursorIcon::Crosshair);
        response.widget_info(|| {
            egui::WidgetInfo::labeled(
                egui::Role::Button,
                true,
                fill(Text::CornerOf, &[&(number + 1), &(at + 1)]),
            )
        });
        if let Some(pointer) = response.interact_pointer_pos().filter(|_| response.dragged()) {
            let mut corners = polygon.corners().to_vec();
            corners[number] = place.to_picture(pointer);
            if let Ok(moved) = Polygon::new(corners) {
                let mut choice = state.choice.clone();
                choice.plan.edits.leave_out.polygons_mut()[at] = moved;
                commands.push(Command::Change("corner", choice));
            }
        }
        let colour = if response.hovered() || response.dragged() { Color32::WHITE } else { LINE };
        ui.painter_at(cell).rect(
            rect,
            2.0,
            colour,
            Stroke::new(1.0, Color32::BLACK),
            egui::StrokeKind::Inside,
        );
    }
}

fn draw(
    ui: &Ui,
    place: &Place,
    cell: Rect,
    corners: &[[f32; 2]],
    stage: &egui::Response,
    commands: &mut Vec<Command>,
) {
    paint(ui, place, cell, corners, false);
    let painter = ui.painter_at(cell);
    for &corner in corners {
        painter.circle(place.to_screen(corner), 4.0, LINE, Stroke::new(1.0, Color32::BLACK));
    }
    let Some(at) = stage.hover_pos().filter(|&at| cell.contains(at)) else { return };
    ui.ctx().set_cursor_icon(CursorIcon::Crosshair);
    if let (Some(&last), Some(&first)) = (corners.last(), corners.first()) {
        let line = [place.to_screen(last), at, place.to_screen(first)];
        painter.extend(Shape::dashed_line(&line, Stroke::new(1.0, LINE), 3.0, 4.0));
    }
    painter.text(
        cell.center_top() + vec2(0.0, 12.0),
        egui::Align2::CENTER_TOP,
        t(Text::DrawHint),
        egui::FontId::proportional(13.0),
        LINE,
    );
    if stage.double_clicked() {
        commands.push(Command::ClosePolygon);
    } else if stage.clicked() {
        commands.push(Command::AddCorner(place.to_picture(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::pos2;

    #[test]
    fn a_corner_stays_where_it_was_put_and_inside_the_picture() {
        let place = Place {
            on_screen: Rect::from_min_size(pos2(100.0, 50.0), vec2(400.0, 200.0)),
            size: vec2(800.0, 400.0),
        };
        assert_eq!(place.to_picture(place.to_screen([120.5, 30.0])), [120.5, 30.0]);
        assert_eq!(place.to_picture(pos2(0.0, 999.0)), [0.0, 400.0]);
        assert!(is_convex(&[[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0]]));
        assert!(!is_convex(&[[0.0, 0.0], [4.0, 0.0], [1.0, 1.0], [0.0, 4.0]]));
    }
}
