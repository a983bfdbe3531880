//! Signs that are drawn, since fonts differ in what they have.

use eframe::egui::{
    self, Color32, Pos2, Rect, Response, Sense, Shape, Stroke, StrokeKind, Ui, Vec2, pos2, vec2,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    First,
    Previous,
    Play,
    Pause,
    Next,
    Last,
    Undo,
    Redo,
    Settings,
    Up,
    Down,
    Stop,
    Remove,
}

/// A button with a sign, a name for who can't see it, and a hint.
pub fn button(ui: &mut Ui, icon: Icon, name: &str, hint: &str, enabled: bool) -> Response {
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let (rect, response) = ui.allocate_exact_size(vec2(30.0, 26.0), sense);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, enabled, name));
    let visuals = if enabled { *ui.style().interact(&response) } else { ui.visuals().widgets.inactive };
    let colour =
        if enabled { visuals.fg_stroke.color } else { ui.visuals().disable(visuals.fg_stroke.color) };
    let fill = if enabled { visuals.weak_bg_fill } else { ui.visuals().disable(visuals.weak_bg_fill) };
    ui.painter().rect(rect, visuals.corner_radius, fill, visuals.bg_stroke, StrokeKind::Inside);
    paint(ui, icon, rect.center(), colour);
    if response.has_focus() {
        ui.painter().rect_stroke(
            rect,
            visuals.corner_radius,
            ui.visuals().selection.stroke,
            StrokeKind::Inside,
        );
    }
    response.on_hover_text(hint)
}

fn paint(ui: &Ui, icon: Icon, centre: Pos2, colour: Color32) {
    let at = |x: f32, y: f32| centre + vec2(x, y);
    let stroke = Stroke::new(1.6, colour);
    let wedge = |tip: f32, base: f32, half: f32| {
        Shape::convex_polygon(vec![at(base, -half), at(tip, 0.0), at(base, half)], colour, Stroke::NONE)
    };
    let post = |x: f32, half: f32| {
        Shape::rect_filled(Rect::from_center_size(at(x, 0.0), vec2(2.5, 2.0 * half)), 0.0, colour)
    };
    let shapes = match icon {
        Icon::First => vec![post(-5.0, 5.0), wedge(-3.5, 5.0, 5.0)],
        Icon::Last => vec![post(5.0, 5.0), wedge(3.5, -5.0, 5.0)],
        Icon::Previous => vec![wedge(-5.0, 1.5, 4.5), post(4.0, 4.5)],
        Icon::Next => vec![wedge(5.0, -1.5, 4.5), post(-4.0, 4.5)],
        Icon::Play => vec![wedge(6.0, -4.5, 6.0)],
        Icon::Pause => {
            let bar =
                |x: f32| Shape::rect_filled(Rect::from_center_size(at(x, 0.0), vec2(3.5, 11.0)), 0.0, colour);
            vec![bar(-3.0), bar(3.0)]
        }
        Icon::Up => vec![Shape::line(vec![at(-5.0, 3.0), at(0.0, -3.0), at(5.0, 3.0)], stroke)],
        Icon::Down => vec![Shape::line(vec![at(-5.0, -3.0), at(0.0, 3.0), at(5.0, -3.0)], stroke)],
        Icon::Stop => vec![Shape::rect_filled(Rect::from_center_size(centre, vec2(9.0, 9.0)), 1.0, colour)],
        Icon::Remove => vec![
            Shape::line_segment([at(-4.5, -4.5), at(4.5, 4.5)], stroke),
            Shape::line_segment([at(-4.5, 4.5), at(4.5, -4.5)], stroke),
        ],
        Icon::Undo => turn(centre, 1.0, stroke),
        Icon::Redo => turn(centre, -1.0, stroke),
        Icon::Settings => [(-4.5, 2.5), (0.0, -3.0), (4.5, 1.0)]
            .into_iter()
            .flat_map(|(y, knob)| {
                [
                    Shape::line_segment([at(-6.5, y), at(6.5, y)], stroke),
                    Shape::circle_filled(at(knob, y), 2.4, colour),
                ]
            })
            .collect(),
    };
    ui.painter().extend(shapes);
}

/// An arrow that bends back; to the left with `way` 1.
fn turn(centre: Pos2, way: f32, stroke: Stroke) -> Vec<Shape> {
    let at = |x: f32, y: f32| pos2(centre.x + way * x, centre.y + y);
    let bend = (0..=12).map(|step| {
        let angle = -std::f32::consts::FRAC_PI_2 + step as f32 / 12.0 * std::f32::consts::PI;
        let Vec2 { x, y } = Vec2::angled(angle) * 4.0;
        at(2.0 + x, 1.0 + y)
    });
    let line: Vec<Pos2> = std::iter::once(at(-5.0, -3.0)).chain(bend).chain([at(-1.0, 5.0)]).collect();
    let head = vec![at(-2.0, -6.0), at(-5.2, -3.0), at(-2.0, 0.0)];
    vec![Shape::line(line, stroke), Shape::line(head, stroke)]
}
