//! What lies over the window: export, settings, the list of keys, and questions.

mod files;
mod model;
pub mod model_form;
mod settings;

use eframe::egui::{self, Id, Modal, Ui, vec2};

use crate::{
    commands::Command,
    export, keys, queue,
    state::{Dialog, State},
    text::{Text, t},
    widgets::DIALOG_WIDTH,
};

pub fn show(ctx: &egui::Context, state: &mut State, commands: &mut Vec<Command>) {
    let Some(mut dialog) = state.dialog.take() else { return };
    let frame = egui::Frame::window(&ctx.global_style()).inner_margin(20);
    let modal = Modal::new(Id::unique("dialog")).frame(frame).show(ctx, |ui| {
        let wide = if dialog == Dialog::Export { EXPORT_WIDTH } else { DIALOG_WIDTH };
        ui.set_width(wide.min(ctx.content_rect().width() - 80.0));
        ui.heading(t(title(&dialog)));
        ui.add_space(8.0);
        match &mut dialog {
            Dialog::Export => export::dialog::show(ui, state, commands),
            Dialog::Queue => queue::dialog::show(ui, state, commands),
            Dialog::Settings => settings::show(ui, state, commands),
            Dialog::Keys => list(ui),
            Dialog::SaveProject { path } => files::save_project(ui, path, commands),
            Dialog::SavePlot { curve, path } => files::save_plot(ui, *curve, path, commands),
            Dialog::Unsaved => files::unsaved(ui, state, commands),
            Dialog::LostVideo { file, project, path } => {
                files::lost_video(ui, file.as_ref(), project, path, commands);
            }
            Dialog::Restore(left) => files::restore(ui, left, commands),
            Dialog::NamePreset { name, instead_of, with_export } => {
                files::name_preset(ui, state, name, instead_of.as_deref(), with_export, commands);
            }
            Dialog::PresetsFile { import, path } => files::presets(ui, *import, path, commands),
            Dialog::TrustModel { pt, sha256 } => model::trust(ui, pt, sha256, commands),
            Dialog::DescribeModel(form) => model::describe(ui, form, commands),
        }
        if matches!(dialog, Dialog::Settings | Dialog::Keys | Dialog::Queue) {
            ui.add_space(10.0);
            if ui.button(t(Text::Close)).clicked() {
                commands.push(Command::CloseDialog);
            }
        }
    });
    // Work that a crash left is not passed over by a click beside the question.
    if modal.should_close() && !matches!(dialog, Dialog::Restore(_)) {
        commands.push(Command::CloseDialog);
    }
    state.dialog = Some(dialog);
}

const EXPORT_WIDTH: f32 = 840.0;

const fn title(dialog: &Dialog) -> Text {
    match dialog {
        Dialog::Export => Text::ExportTitle,
        Dialog::Queue => Text::QueueTitle,
        Dialog::Settings => Text::Settings,
        Dialog::Keys => Text::Keys,
        Dialog::SaveProject { .. } => Text::SaveProject,
        Dialog::SavePlot { .. } => Text::SavePlot,
        Dialog::Unsaved => Text::UnsavedTitle,
        Dialog::LostVideo { .. } => Text::LostVideo,
        Dialog::Restore(_) => Text::RestoreTitle,
        Dialog::NamePreset { .. } => Text::Preset,
        Dialog::PresetsFile { .. } => Text::Presets,
        Dialog::TrustModel { .. } => Text::TrustTitle,
        Dialog::DescribeModel(_) => Text::DescribeTitle,
    }
}

fn list(ui: &mut Ui) {
    egui::Grid::new("keys").num_columns(2).spacing(vec2(24.0, 6.0)).striped(true).show(ui, |ui| {
        for (keys, text) in keys::LIST {
            ui.monospace(keys);
            ui.label(t(text));
            ui.end_row();
        }
    });
}
