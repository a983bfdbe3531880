//! Saving, and questions about what was saved.

use std::path::{Path, PathBuf};

use eframe::egui::{RichText, Ui};

use crate::{
    commands::Command,
    plots::curve::Curve,
    state::State,
    text::{Text, fill, t},
    widgets::{DIALOG_WIDTH, expanded, field, main_button},
    work::PresetChange,
};
use project::{Presets, Project, RecoveryFile};

fn close(ui: &mut Ui, text: Text, commands: &mut Vec<Command>) {
    if ui.button(t(text)).clicked() {
        commands.push(Command::CloseDialog);
    }
}

pub fn save_project(ui: &mut Ui, path: &mut String, commands: &mut Vec<Command>) {
    let entered = field(ui, Text::SaveAs, path, DIALOG_WIDTH);
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        let ready = !path.trim().is_empty();
        if (main_button(ui, Text::Save, ready) || entered) && ready {
            commands.push(Command::SaveAs(Some(expanded(path.trim()))));
        }
        close(ui, Text::Close, commands);
    });
}

pub fn save_plot(ui: &mut Ui, curve: Curve, path: &mut String, commands: &mut Vec<Command>) {
    let entered = field(ui, Text::SaveAs, path, DIALOG_WIDTH);
    ui.label(RichText::new(t(Text::SavePlotHint)).small().weak());
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        let ready = !path.trim().is_empty();
        if (main_button(ui, Text::Save, ready) || entered) && ready {
            commands.push(Command::SavePlot { curve, path: expanded(path.trim()) });
        }
        close(ui, Text::Close, commands);
    });
}

pub fn presets(ui: &mut Ui, import: bool, path: &mut String, commands: &mut Vec<Command>) {
    let entered = field(ui, if import { Text::PresetsFrom } else { Text::SaveAs }, path, DIALOG_WIDTH);
    ui.label(RichText::new(t(Text::PresetsHint)).small().weak());
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        let ready = !path.trim().is_empty();
        if (main_button(ui, if import { Text::Import } else { Text::Save }, ready) || entered) && ready {
            let path = expanded(path.trim());
            commands.push(if import {
                Command::Preset(PresetChange::Import(path))
            } else {
                Command::ExportPresets(path)
            });
        }
        close(ui, Text::Close, commands);
    });
}

pub fn unsaved(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let name = state.project.file.as_deref().and_then(Path::file_name).unwrap_or_default();
    ui.label(fill(Text::UnsavedBody, &[&name.display()]));
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        if main_button(ui, Text::Save, true) {
            commands.push(Command::SaveAndQuit);
        }
        if ui.button(t(Text::DontSave)).clicked() {
            commands.push(Command::QuitAtOnce);
        }
        close(ui, Text::Cancel, commands);
    });
}

pub fn lost_video(
    ui: &mut Ui,
    file: Option<&PathBuf>,
    project: &Project,
    path: &mut String,
    commands: &mut Vec<Command>,
) {
    ui.label(fill(Text::LostVideoBody, &[&project.video.path.display()]));
    ui.add_space(8.0);
    let entered = field(ui, Text::VideoIsAt, path, DIALOG_WIDTH);
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        let ready = !path.trim().is_empty();
        if (main_button(ui, Text::Open, ready) || entered) && ready {
            commands.push(Command::OpenFound {
                file: file.cloned(),
                project: Box::new(project.clone()),
                video: expanded(path.trim()),
            });
        }
        if ui.button(t(Text::Browse)).on_hover_text(t(Text::NoDialog)).clicked() {
            commands.push(Command::BrowseLostVideo);
        }
        close(ui, Text::Close, commands);
    });
}

pub fn restore(ui: &mut Ui, left: &RecoveryFile, commands: &mut Vec<Command>) {
    let kept = &left.record;
    let name = kept.saved_as.as_deref().unwrap_or(&kept.project.video.path);
    ui.label(fill(Text::RestoreBody, &[&name.display()]));
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        if main_button(ui, Text::Restore, true) {
            commands.push(Command::Restore(Box::new(left.clone())));
        }
        if ui.button(t(Text::Forget)).clicked() {
            commands.push(Command::Forget(Box::new(left.clone())));
        }
    });
}

pub fn name_preset(
    ui: &mut Ui,
    state: &State,
    name: &mut String,
    instead_of: Option<&str>,
    with_export: &mut bool,
    commands: &mut Vec<Command>,
) {
    let entered = field(ui, Text::Name, name, DIALOG_WIDTH);
    let trimmed = name.trim().to_owned();
    let same = |other: &str| other.eq_ignore_ascii_case(&trimmed);
    let taken = Presets::built_in().iter().any(|preset| same(&preset.name));
    let replaces = state.presets.iter().any(|preset| !preset.built_in && same(&preset.name));
    if taken {
        ui.label(RichText::new(t(Text::NameTaken)).small().color(ui.visuals().warn_fg_color));
    } else if replaces && instead_of.is_none() {
        ui.label(RichText::new(t(Text::NameReplaces)).small().color(ui.visuals().warn_fg_color));
    }
    let export = state.export.settings();
    if instead_of.is_none() && export.is_some() {
        ui.add_space(4.0);
        ui.checkbox(with_export, t(Text::PresetWithExport));
    }
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        let ready = !trimmed.is_empty() && !taken;
        if (main_button(ui, Text::Save, ready) || entered) && ready {
            commands.push(Command::Preset(match instead_of {
                Some(old) => PresetChange::Rename(old.to_owned(), trimmed),
                None => {
                    let export = export.filter(|_| *with_export);
                    PresetChange::Save(trimmed, state.choice.plan.settings, export)
                }
            }));
        }
        close(ui, Text::Close, commands);
    });
}
