//! Controls of the panel.

use eframe::egui::{self, Slider, Ui, vec2};

use crate::{
    keys,
    text::{Text, t},
};

pub fn heading(ui: &mut Ui, text: Text) -> egui::Response {
    ui.add_space(4.0);
    ui.strong(t(text))
}

/// The longest of the labels of [`grid`], in any language.
const LABELS_WIDE: f32 = 74.0;

/// Two columns: what it is called, and what it is.
pub fn grid(ui: &mut Ui, id: &str, rows: impl FnOnce(&mut Ui, f32)) {
    let wide = (ui.available_width() - LABELS_WIDE - 10.0).clamp(110.0, 260.0);
    let grid = egui::Grid::new(id).num_columns(2).min_col_width(LABELS_WIDE).spacing(vec2(10.0, 7.0));
    grid.show(ui, |ui| {
        // The number beside it takes the rest.
        ui.spacing_mut().slider_width = wide - 52.0;
        rows(ui, wide);
    });
}

pub fn named(ui: &mut Ui, slider: Slider<'_>, name: Text, hint: Text) -> egui::Response {
    // A value that lies between two steps, or beyond, is shown as it is.
    let response = ui.add(slider.clamping(egui::SliderClamping::Edits));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(t(name)));
    if response.has_focus() {
        keys::leave_arrows_to(ui.ctx(), response.id);
    }
    response.on_hover_text(t(hint))
}

/// A list to choose from; `Some` when another was chosen.
pub fn choose<T>(
    ui: &mut Ui,
    id: &str,
    name: Text,
    width: f32,
    now: &str,
    all: impl IntoIterator<Item = (String, T)>,
) -> Option<T> {
    let mut picked = None;
    let response =
        egui::ComboBox::from_id_salt(id).width(width).truncate().selected_text(now).show_ui(ui, |ui| {
            for (text, value) in all {
                if ui.selectable_label(text == now, text).clicked() {
                    picked = Some(value);
                }
            }
        });
    response.response.widget_info(|| {
        let mut info = egui::WidgetInfo::labeled(egui::Role::ComboBox, true, t(name));
        info.current_text_value = Some(now.to_owned());
        info
    });
    picked
}
