//! The empty window: a drop zone that says what to do.

use eframe::egui::{self, Color32, RichText, Stroke, Ui, vec2};

use crate::{
    commands::Command,
    state::State,
    text::{Text, fill, t},
    theme,
    widgets::expanded,
};

pub fn show(ui: &mut Ui, state: &mut State, commands: &mut Vec<Command>) {
    egui::CentralPanel::default().show(ui, |ui| {
        let zone = ui.available_rect_before_wrap().shrink(18.0);
        dashed(ui, zone);
        let mut ui = ui.new_child(
            egui::UiBuilder::new().max_rect(zone).layout(egui::Layout::top_down(egui::Align::Center)),
        );
        let ui = &mut ui;
        ui.add_space((zone.height() * 0.5 - 190.0).max(20.0));
        sign(ui);
        ui.add_space(14.0);
        if let Some(path) = &state.opening {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            ui.label(RichText::new(fill(Text::Opening, &[&name])).size(20.0));
            ui.add_space(8.0);
            ui.spinner();
            return;
        }
        ui.label(RichText::new(t(Text::DropTitle)).size(24.0).strong());
        ui.label(RichText::new(t(Text::DropFormats)).weak());
        ui.add_space(14.0);
        let button = egui::Button::new(RichText::new(t(Text::OpenVideo)).size(15.0).color(Color32::WHITE))
            .fill(Color32::from_rgb(0, 112, 112))
            .min_size(vec2(170.0, 36.0));
        if ui.add(button).on_hover_text(t(Text::NoDialog)).clicked() {
            commands.push(Command::Browse);
        }
        ui.add_space(6.0);
        if ui.link(t(Text::TrySample)).on_hover_text(t(Text::TrySampleHint)).clicked() {
            commands.push(Command::OpenSample);
        }
        ui.add_space(12.0);
        path_field(ui, state, commands);
        if !state.preferences.recent.is_empty() {
            ui.add_space(18.0);
            ui.label(RichText::new(t(Text::Recent)).strong());
            for path in &state.preferences.recent {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
                if ui.link(name).on_hover_text(path.display().to_string()).clicked() {
                    commands.push(Command::Open(path.clone()));
                }
            }
        }
    });
}

/// Where a system has no dialog, a path can be typed.
fn path_field(ui: &mut Ui, state: &mut State, commands: &mut Vec<Command>) {
    ui.allocate_ui_with_layout(vec2(420.0, 28.0), egui::Layout::left_to_right(egui::Align::Center), |ui| {
        let label = ui.label(t(Text::OrPath));
        let field = egui::TextEdit::singleline(&mut state.path_field)
            .desired_width(260.0)
            .hint_text("/home/…/clip.mp4");
        let response = ui.add(field).labelled_by(label.id);
        let entered = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        if entered {
            // A mistyped path is there to be mended.
            response.request_focus();
        }
        let path = state.path_field.trim();
        let open = ui.add_enabled(!path.is_empty(), egui::Button::new(t(Text::OpenPath)));
        if (open.clicked() || entered) && !path.is_empty() {
            commands.push(Command::Open(expanded(path)));
        }
    });
}

fn dashed(ui: &Ui, zone: egui::Rect) {
    let stroke = Stroke::new(1.5, ui.visuals().weak_text_color().gamma_multiply(0.6));
    let corners =
        [zone.left_top(), zone.right_top(), zone.right_bottom(), zone.left_bottom(), zone.left_top()];
    ui.painter().extend(egui::Shape::dashed_line(&corners, stroke, 8.0, 6.0));
}

/// What the program does, as a picture: a ragged edge beside a steady one.
fn sign(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(vec2(150.0, 84.0), egui::Sense::hover());
    let dark = ui.visuals().dark_mode;
    let blob = |centre: egui::Pos2, ragged: bool| -> Vec<egui::Pos2> {
        (0..72)
            .map(|step| {
                let angle = step as f32 * std::f32::consts::TAU / 72.0;
                let shape = 30.0 + 4.0 * (2.0 * angle).cos();
                let noise = if ragged { 5.0 * (angle * 17.0).sin() * (angle * 5.0 + 1.0).cos() } else { 0.0 };
                centre + egui::Vec2::angled(angle) * (shape + noise)
            })
            .collect()
    };
    let painter = ui.painter();
    for (x, ragged, colour) in [(0.25, true, theme::raw(dark)), (0.75, false, theme::smoothed(dark))] {
        let centre = egui::pos2(rect.left() + x * rect.width(), rect.center().y);
        painter.add(egui::Shape::closed_line(blob(centre, ragged), Stroke::new(2.5, colour)));
    }
}
