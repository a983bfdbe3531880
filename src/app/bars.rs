//! The bar above, the status bar below, messages, and the hint while a file is dragged.

use std::time::Duration;

use eframe::egui::{self, Align, Align2, Color32, FontId, Id, Layout, RichText, Ui, vec2};

use crate::{
    commands::Command,
    icons::{self, Icon},
    state::{Dialog, State},
    text::clock,
    text::{Text, fill, size, t},
    theme,
};
use jobs::ClipState;
use pipeline::Snapshot;

pub fn top(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    egui::Panel::top("top").resizable(false).show(ui, |ui| {
        ui.add_space(3.0);
        ui.horizontal(|ui| {
            ui.strong("Steadymask");
            if let Some(clip) = &state.clip {
                let info = &clip.info;
                ui.label(RichText::new("·").weak());
                let project = state.project.file.as_deref().and_then(std::path::Path::file_name);
                let name = project.map_or_else(|| clip.name(), |name| name.to_string_lossy().into_owned());
                ui.label(name).on_hover_text(clip.path.display().to_string());
                if state.is_changed() {
                    ui.label("•").on_hover_text(t(Text::UnsavedTitle));
                }
                let about = format!("{}  {} fps  {}", info.size, trimmed(info.frames_per_sec), info.codec);
                if ui.available_width() > 560.0 {
                    ui.label(RichText::new(about).weak());
                }
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let mut add = |response: egui::Response, command: Command| {
                    if response.clicked() {
                        commands.push(command);
                    }
                };
                let keys = ui.add(egui::Button::new("?").min_size(vec2(30.0, 26.0)));
                keys.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, t(Text::Keys)));
                add(keys.on_hover_text(t(Text::KeysHint)), Command::Show(Dialog::Keys));
                let mut icon =
                    |ui: &mut Ui, icon: Icon, name: Text, hint: Text, enabled: bool, command: Command| {
                        add(icons::button(ui, icon, t(name), t(hint), enabled), command);
                    };
                icon(
                    ui,
                    Icon::Settings,
                    Text::Settings,
                    Text::Settings,
                    true,
                    Command::Show(Dialog::Settings),
                );
                ui.add_space(6.0);
                icon(ui, Icon::Redo, Text::Redo, Text::RedoHint, state.history.can_redo(), Command::Redo);
                icon(ui, Icon::Undo, Text::Undo, Text::UndoHint, state.history.can_undo(), Command::Undo);
                ui.add_space(6.0);
                let why_not = state.why_not_export();
                let export = ui.add_enabled(why_not.is_none(), egui::Button::new(t(Text::Export)));
                let export =
                    export.on_hover_text(t(Text::ExportHint)).on_disabled_hover_text(why_not.map_or("", t));
                add(export, Command::Show(Dialog::Export));
                let open = ui.button(t(Text::Open)).on_hover_text(t(Text::OpenHint));
                add(open, Command::Browse);
                let save = ui.add_enabled(state.clip.is_some(), egui::Button::new(t(Text::Save)));
                add(save.on_hover_text(t(Text::SaveHint)), Command::Save);
                if !state.dropped.is_empty() {
                    let text = fill(Text::Waiting, &[&state.dropped.len()]);
                    if ui.button(text).clicked() {
                        commands.push(Command::OpenNext);
                    }
                }
                if !state.dropped.is_empty() || !state.queue.clips.is_empty() {
                    let over = state.queue.clips.iter().filter(|clip| clip.state == ClipState::Done).count();
                    let text = fill(Text::QueueButton, &[&over, &state.queue.clips.len()]);
                    if ui.button(text).on_hover_text(t(Text::QueueHint)).clicked() {
                        commands.push(Command::Show(Dialog::Queue));
                    }
                }
            });
        });
        ui.add_space(3.0);
    });
}

fn trimmed(rate: f64) -> f64 {
    (rate * 1000.0).round() / 1000.0
}

pub fn status(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    egui::Panel::bottom("status").resizable(false).exact_size(28.0).show(ui, |ui| {
        ui.horizontal_centered(|ui| {
            if let Some(exporting) = &state.exporting {
                stage(ui, Text::StageExport, exporting.progress.masks.snapshot());
                cancel(ui, commands);
            } else if let Some(job) = state.run.as_ref().filter(|job| job.running) {
                let snapshot = job.progress.network.snapshot();
                let (loading, is_paused) = (snapshot.done == 0, job.cancel.is_paused());
                if is_paused {
                    ui.label(RichText::new(t(Text::Paused)).strong());
                    stage(ui, Text::StageNetwork, Snapshot { frames_per_sec: None, ..snapshot });
                } else if loading {
                    ui.spinner();
                    ui.label(t(Text::StageLoad));
                } else {
                    stage(ui, Text::StageNetwork, snapshot);
                }
                let text = if is_paused { Text::Resume } else { Text::Pause };
                let hold = ui.add(egui::Button::new(t(text)).small());
                if hold.on_hover_text(t(Text::HoldHint)).clicked() {
                    commands.push(Command::HoldRun);
                }
                cancel(ui, commands);
            } else if let Some(measuring) = state.measuring.as_ref().filter(|measuring| measuring.running) {
                let mut snapshot = measuring.progress.snapshot();
                snapshot.total = state.run.as_ref().and_then(|job| job.progress.network.snapshot().total);
                stage(ui, Text::StageMasks, snapshot);
            } else if let Some(path) = &state.opening {
                ui.spinner();
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                ui.label(fill(Text::Opening, &[&name]));
            } else {
                ui.label(RichText::new(t(Text::Ready)).weak());
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let weak = |ui: &mut Ui, text: String, hint: Text| {
                    ui.label(RichText::new(text).weak()).on_hover_text(t(hint));
                };
                let device = state.run.as_ref().and_then(|job| job.device.clone());
                let device = device.unwrap_or_else(|| state.preferences.machine.device.to_string());
                weak(ui, device, Text::Device);
                ui.label(RichText::new("·").weak());
                let budget = size(state.preferences.machine.memory_mib as u64);
                let held = size(state.usage.memory_bytes() >> 20);
                weak(ui, fill(Text::MemoryNow, &[&held, &budget]), Text::MemoryHint);
                ui.label(RichText::new("·").weak());
                let cache = size(state.usage.cache_bytes() >> 20);
                weak(ui, fill(Text::CacheStatus, &[&cache]), Text::CacheFolder);
            });
        });
    });
}

fn stage(ui: &mut Ui, text: Text, snapshot: Snapshot) {
    ui.label(t(text));
    let of = snapshot.total.map_or_else(String::new, |total| format!(" / {total}"));
    ui.label(format!("{}{of}", snapshot.done));
    if let Some(total) = snapshot.total.filter(|&total| total > 0) {
        let bar = egui::ProgressBar::new(snapshot.done as f32 / total as f32)
            .desired_width(150.0)
            .desired_height(8.0);
        ui.add(bar.fill(theme::smoothed(ui.visuals().dark_mode)));
    }
    if let Some(rate) = snapshot.frames_per_sec {
        ui.label(fill(Text::Rate, &[&format!("{rate:.1}")]));
    }
    let left = snapshot.total.zip(snapshot.frames_per_sec).and_then(|(total, rate)| {
        Duration::try_from_secs_f64(total.saturating_sub(snapshot.done) as f64 / rate).ok()
    });
    if let Some(left) = left {
        ui.label(RichText::new(fill(Text::Left, &[&clock(left)])).weak());
    }
}

fn cancel(ui: &mut Ui, commands: &mut Vec<Command>) {
    let response = ui.add(egui::Button::new(t(Text::Cancel)).small());
    if response.on_hover_text(t(Text::CancelHint)).clicked() {
        commands.push(Command::Cancel);
    }
}

pub fn toasts(ctx: &egui::Context, state: &State, commands: &mut Vec<Command>) {
    egui::Area::new(Id::unique("toasts"))
        .anchor(Align2::RIGHT_BOTTOM, vec2(-14.0, -40.0))
        .order(egui::Order::Foreground)
        .show(ctx, |ui| {
            ui.set_max_width(440.0);
            for toast in state.toasts.iter() {
                let accent = if toast.is_error {
                    ui.visuals().error_fg_color
                } else {
                    theme::smoothed(ui.visuals().dark_mode)
                };
                egui::Frame::popup(ui.style()).inner_margin(12).stroke(egui::Stroke::new(1.0, accent)).show(
                    ui,
                    |ui| {
                        ui.set_width(420.0);
                        if toast.is_error {
                            ui.label(RichText::new(t(Text::ErrorTitle)).strong().color(accent));
                        }
                        ui.label(&toast.text);
                        ui.horizontal(|ui| {
                            if toast.is_error && ui.button(t(Text::Copy)).clicked() {
                                commands.push(Command::CopyText(toast.text.clone()));
                            }
                            if ui.button(t(Text::Dismiss)).clicked() {
                                commands.push(Command::Dismiss(toast.text.clone()));
                            }
                        });
                    },
                );
                ui.add_space(4.0);
            }
        });
}

/// While a file is dragged over the window.
pub fn drop_target(ctx: &egui::Context) {
    if ctx.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let painter = ctx.layer_painter(egui::LayerId::new(egui::Order::Foreground, Id::unique("drop target")));
    let rect = ctx.content_rect();
    painter.rect_filled(rect, 0.0, Color32::from_black_alpha(170));
    painter.rect_stroke(
        rect.shrink(12.0),
        10.0,
        egui::Stroke::new(3.0, theme::smoothed(true)),
        egui::StrokeKind::Inside,
    );
    painter.text(
        rect.center(),
        Align2::CENTER_CENTER,
        t(Text::DropNow),
        FontId::proportional(26.0),
        Color32::WHITE,
    );
}
