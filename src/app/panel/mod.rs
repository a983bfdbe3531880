//! The controls on the left: which network, which classes, how steady.

mod controls;
mod network;
mod region;
mod smoothing;

use eframe::egui::{self, RichText, Ui, vec2};

pub use smoothing::tuning_words;

use crate::{
    commands::Command,
    state::State,
    text::{Text, t},
};

pub fn show(ui: &mut Ui, state: &mut State, commands: &mut Vec<Command>) {
    egui::Panel::left("panel").resizable(true).default_size(264.0).size_range(236.0..=380.0).show(ui, |ui| {
        egui::Panel::bottom("go").resizable(false).show_separator_line(true).show(ui, |ui| {
            ui.add_space(6.0);
            ui.vertical_centered_justified(|ui| go(ui, state, commands));
            ui.add_space(6.0);
        });
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            // The scroll bar lies over what is below it.
            ui.set_max_width(ui.available_width() - 6.0);
            ui.add_space(6.0);
            network::show(ui, state, commands);
            ui.add_space(4.0);
            smoothing::show(ui, state, commands);
            region::show(ui, state, commands);
            ui.add_space(8.0);
        });
    });
}

fn go(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let size = vec2(ui.available_width(), 34.0);
    if state.is_running() {
        let button = egui::Button::new(RichText::new(t(Text::Cancel)).size(15.0)).min_size(size);
        if ui.add(button).on_hover_text(t(Text::CancelHint)).clicked() {
            commands.push(Command::Cancel);
        }
        return;
    }
    let why_not = state.why_not_stabilise();
    let text = RichText::new(t(Text::Stabilise)).size(15.0).strong();
    let button = match why_not {
        None => {
            egui::Button::new(text.color(egui::Color32::WHITE)).fill(egui::Color32::from_rgb(0, 112, 112))
        }
        Some(_) => egui::Button::new(text),
    };
    let response =
        ui.add_enabled(why_not.is_none(), button.min_size(size)).on_hover_text(t(Text::StabiliseHint));
    if response.clicked() {
        commands.push(Command::Stabilise);
    }
    if let Some(why_not) = why_not {
        response.on_disabled_hover_text(t(why_not));
        if state.clip.is_some() {
            ui.label(RichText::new(t(why_not)).small().weak());
        }
    }
}
