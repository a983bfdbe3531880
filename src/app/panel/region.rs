//! Polygons that are left out, as a list.

use eframe::egui::{RichText, Ui};

use crate::{
    commands::Command,
    panel::controls::heading,
    state::State,
    text::{Text, fill, t},
};

pub fn show(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    heading(ui, Text::LeaveOut).on_hover_text(t(Text::LeaveOutHint));
    for (at, polygon) in state.choice.plan.edits.leave_out.polygons().iter().enumerate() {
        ui.horizontal(|ui| {
            let name = fill(Text::Polygon, &[&(at + 1)]);
            ui.label(&name);
            ui.label(RichText::new(fill(Text::Corners, &[&polygon.corners().len()])).weak());
            let remove = ui.small_button("×").on_hover_text(t(Text::Remove));
            ui.ctx().accesskit_node_builder(remove.id, |node| {
                node.set_label(format!("{}: {name}", t(Text::Remove)));
            });
            if remove.clicked() {
                let mut choice = state.choice.clone();
                choice.plan.edits.leave_out.polygons_mut().remove(at);
                commands.push(Command::Change("leave out", choice));
            }
        });
    }
    match &state.drawing {
        Some(_) => {
            ui.label(RichText::new(t(Text::DrawHint)).small().color(ui.visuals().warn_fg_color));
            if ui.button(t(Text::DrawStop)).clicked() {
                commands.push(Command::Draw(false));
            }
        }
        None => {
            let draw = ui.add_enabled(state.clip.is_some(), eframe::egui::Button::new(t(Text::Draw)));
            if draw.on_hover_text(t(Text::LeaveOutHint)).clicked() {
                commands.push(Command::Draw(true));
            }
        }
    }
}
