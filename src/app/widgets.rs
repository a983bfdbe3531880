//! Controls that several screens share.

use std::path::PathBuf;

use eframe::egui::{self, RichText, Ui};

use crate::text::{Text, t};

/// Of a dialog with fields.
pub const DIALOG_WIDTH: f32 = 460.0;

/// The button that does what the dialog is for.
pub fn main_button(ui: &mut Ui, text: Text, enabled: bool) -> bool {
    let button = egui::Button::new(RichText::new(t(text)).strong().color(egui::Color32::WHITE))
        .fill(egui::Color32::from_rgb(0, 112, 112));
    ui.add_enabled(enabled, button).clicked()
}

/// A field for a path or a name; `true` when Enter was pressed in it.
pub fn field(ui: &mut Ui, name: Text, value: &mut String, width: f32) -> bool {
    let label = ui.strong(t(name));
    let response = ui.add(egui::TextEdit::singleline(value).desired_width(width)).labelled_by(label.id);
    response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter))
}

/// `~` is the home folder, as in a shell.
pub fn expanded(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}
