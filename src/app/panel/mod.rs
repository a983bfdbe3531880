//! The controls on the left: which network, which classes, how steady.

mod network;
mod region;
mod smoothing;

use eframe::egui::{self, RichText, Slider, Ui, vec2};

pub use smoothing::tuning_words;

use super::{
    commands::Command,
    keys,
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

fn heading(ui: &mut Ui, text: Text) -> egui::Response {
    ui.add_space(4.0);
    ui.strong(t(text))
}

/// The longest of the labels of [`grid`], in any language.
const LABELS_WIDE: f32 = 74.0;

/// Two columns: what it is called, and what it is.
fn grid(ui: &mut Ui, id: &str, rows: impl FnOnce(&mut Ui, f32)) {
    let wide = (ui.available_width() - LABELS_WIDE - 10.0).clamp(110.0, 260.0);
    let grid = egui::Grid::new(id).num_columns(2).min_col_width(LABELS_WIDE).spacing(vec2(10.0, 7.0));
    grid.show(ui, |ui| {
        // The number beside it takes the rest.
        ui.spacing_mut().slider_width = wide - 52.0;
        rows(ui, wide);
    });
}

fn named(ui: &mut Ui, slider: Slider<'_>, name: Text, hint: Text) -> egui::Response {
    // A value that lies between two steps, or beyond, is shown as it is.
    let response = ui.add(slider.clamping(egui::SliderClamping::Edits));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(t(name)));
    if response.has_focus() {
        keys::leave_arrows_to(ui.ctx(), response.id);
    }
    response.on_hover_text(t(hint))
}

/// A list to choose from; `Some` when another was chosen.
fn choose<T>(
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
