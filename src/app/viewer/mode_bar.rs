//! Below the picture: how it is looked at.

use eframe::egui::{self, Color32, Ui};

use crate::{
    commands::Command,
    state::State,
    text::{Text, t},
    viewer::view::Mode,
};

pub fn show(ui: &mut Ui, state: &mut State, commands: &mut Vec<Command>) {
    // On the dark stage in both themes.
    *ui.visuals_mut() = ui.ctx().style_of(egui::Theme::Dark).visuals.clone();
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        for (number, mode) in (1..).zip(Mode::ALL) {
            let button = egui::Button::selectable(state.view.mode == mode, t(mode.text()));
            if ui.add(button).on_hover_text(format!("{} ({number})", t(mode.text()))).clicked() {
                commands.push(Command::View(mode));
            }
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let actual =
                state.view.zoom.is_some_and(|zoom| (zoom * ui.ctx().pixels_per_point() - 1.0).abs() < 1e-3);
            if ui.selectable_label(actual, "1:1").on_hover_text(t(Text::ActualHint)).clicked() {
                commands.push(Command::ActualSize);
            }
            if ui
                .selectable_label(state.view.zoom.is_none(), t(Text::Fit))
                .on_hover_text(t(Text::FitHint))
                .clicked()
            {
                commands.push(Command::Fit);
            }
            if ui.available_width() > 150.0 {
                ui.add_space(8.0);
                ui.spacing_mut().slider_width = 70.0;
                let slider = egui::Slider::new(&mut state.preferences.opacity, 0.0..=1.0).show_value(false);
                let response = ui.add(slider).on_hover_text(t(Text::Opacity));
                response.widget_info(|| {
                    egui::WidgetInfo::slider(true, f64::from(state.preferences.opacity), t(Text::Opacity))
                });
                if ui.available_width() > 130.0 {
                    ui.label(egui::RichText::new(t(Text::Opacity)).small().color(Color32::from_gray(165)));
                }
                if ui.available_width() > 110.0 {
                    ui.add_space(8.0);
                    let text = egui::RichText::new(t(Text::Outlines)).small();
                    ui.checkbox(&mut state.preferences.outlines, text);
                }
            }
        });
    });
}
