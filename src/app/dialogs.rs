//! Export, settings, and the list of keys.

use eframe::egui::{self, Id, Modal, RichText, Ui, vec2};

use super::{
    commands::Command,
    keys,
    state::{Dialog, State},
    text::{Language, Text, fill, kind_label, t},
    theme::ThemeChoice,
};
use crate::export::{ExportKind, KindGroup};

pub fn show(ctx: &egui::Context, state: &mut State, commands: &mut Vec<Command>) {
    let Some(dialog) = state.dialog else { return };
    let frame = egui::Frame::window(&ctx.global_style()).inner_margin(20);
    let modal = Modal::new(Id::unique("dialog")).frame(frame).show(ctx, |ui| {
        ui.set_width(440.0);
        let title = match dialog {
            Dialog::Export => Text::ExportTitle,
            Dialog::Settings => Text::Settings,
            Dialog::Keys => Text::Keys,
        };
        ui.heading(t(title));
        ui.add_space(8.0);
        match dialog {
            Dialog::Export => export(ui, state, commands),
            Dialog::Settings => settings(ui, state, commands),
            Dialog::Keys => list(ui),
        }
        if dialog != Dialog::Export {
            ui.add_space(10.0);
            if ui.button(t(Text::Close)).clicked() {
                commands.push(Command::CloseDialog);
            }
        }
    });
    if modal.should_close() {
        commands.push(Command::CloseDialog);
    }
}

const fn group_text(group: KindGroup) -> Text {
    match group {
        KindGroup::Matte => Text::ExportMattes,
        KindGroup::Transparency => Text::ExportTransparency,
        KindGroup::Picture => Text::ExportPictures,
        KindGroup::Data => Text::ExportData,
    }
}

fn export(ui: &mut Ui, state: &mut State, commands: &mut Vec<Command>) {
    if let (Some(clip), Some(session)) = (&state.clip, state.session()) {
        let classes = state.choice.classes.join(", ");
        let frames = session.range.count(clip.frames);
        ui.label(RichText::new(fill(Text::ExportRange, &[&frames, &classes])).weak());
        ui.add_space(6.0);
    }
    ui.strong(t(Text::ExportWhat));
    let most = 0.45 * ui.ctx().content_rect().height();
    egui::ScrollArea::vertical().max_height(most).auto_shrink([false, true]).show(ui, |ui| {
        let mut group = None;
        for kind in ExportKind::ALL {
            if group.replace(kind.info().group) != Some(kind.info().group) {
                ui.add_space(4.0);
                ui.label(RichText::new(t(group_text(kind.info().group))).weak());
            }
            let mut chosen = state.plan.kinds.contains(&kind);
            if ui.checkbox(&mut chosen, kind_label(kind)).changed() {
                if chosen {
                    state.plan.kinds.push(kind);
                } else {
                    state.plan.kinds.retain(|other| *other != kind);
                }
            }
        }
    });
    ui.add_space(8.0);
    let label = ui.strong(t(Text::ExportFolder));
    ui.horizontal(|ui| {
        let field = egui::TextEdit::singleline(&mut state.plan.folder).desired_width(330.0);
        ui.add(field).labelled_by(label.id);
        if ui.button(t(Text::Browse)).on_hover_text(t(Text::NoDialog)).clicked() {
            commands.push(Command::BrowseFolder);
        }
    });
    ui.checkbox(&mut state.plan.force, t(Text::Replace));
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        let ready =
            !state.plan.kinds.is_empty() && !state.plan.folder.trim().is_empty() && state.exporting.is_none();
        let button = egui::Button::new(RichText::new(t(Text::Export)).strong().color(egui::Color32::WHITE))
            .fill(egui::Color32::from_rgb(0, 112, 112));
        if ui.add_enabled(ready, button).clicked() {
            commands.push(Command::Export);
        }
        if ui.button(t(Text::Close)).clicked() {
            commands.push(Command::CloseDialog);
        }
    });
}

fn settings(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    egui::Grid::new("settings").num_columns(2).spacing(vec2(18.0, 10.0)).show(ui, |ui| {
        ui.label(t(Text::Theme));
        ui.horizontal(|ui| {
            for (choice, text) in
                ThemeChoice::ALL.into_iter().zip([Text::ThemeSystem, Text::ThemeDark, Text::ThemeLight])
            {
                if ui.selectable_label(state.preferences.theme == choice, t(text)).clicked() {
                    commands.push(Command::Theme(choice));
                }
            }
        });
        ui.end_row();
        ui.label(t(Text::Language));
        ui.horizontal(|ui| {
            for language in Language::ALL {
                if ui.selectable_label(state.preferences.language == language, language.name()).clicked() {
                    commands.push(Command::Language(language));
                }
            }
        });
        ui.end_row();
        ui.label(t(Text::Scale));
        ui.horizontal(|ui| {
            for scale in [0.8, 1.0, 1.25, 1.5, 2.0] {
                let text = format!("{:.0} %", scale * 100.0);
                if ui.selectable_label((state.preferences.scale - scale).abs() < 0.01, text).clicked() {
                    commands.push(Command::Scale(scale));
                }
            }
        });
        ui.end_row();
        ui.label(t(Text::CacheFolder));
        ui.add(egui::Label::new(RichText::new(state.store_folder.display().to_string()).weak()).wrap());
        ui.end_row();
    });
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
