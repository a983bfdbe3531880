//! The controls on the left: which network, which classes, how steady.

use eframe::egui::{self, RichText, Slider, Ui, vec2};

use super::{
    commands::Command,
    state::{Choice, State},
    text::{Text, t},
    theme,
};
use crate::{
    export::palette,
    smooth::{Alpha, Method, Settings, Switch, Threshold, Timing, Window},
};

/// Classes under this share of the picture count as not found.
const FOUND_SHARE: f32 = 0.0005;

pub fn show(ui: &mut Ui, state: &mut State, commands: &mut Vec<Command>) {
    egui::Panel::left("panel").resizable(true).default_size(264.0).size_range(236.0..=380.0).show(ui, |ui| {
        egui::Panel::bottom("go").resizable(false).show_separator_line(true).show(ui, |ui| {
            ui.add_space(6.0);
            ui.vertical_centered_justified(|ui| go(ui, state, commands));
            ui.add_space(6.0);
        });
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            ui.add_space(6.0);
            model(ui, state, commands);
            ui.add_space(4.0);
            classes(ui, state, commands);
            ui.add_space(4.0);
            smoothing(ui, state, commands);
            ui.add_space(8.0);
        });
    });
}

fn heading(ui: &mut Ui, text: Text) -> egui::Response {
    ui.add_space(4.0);
    ui.strong(t(text))
}

fn model(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    heading(ui, Text::Model);
    let Some(models) = &state.models else {
        ui.spinner();
        return;
    };
    if models.is_empty() {
        ui.label(RichText::new(t(Text::NoModels)).color(ui.visuals().warn_fg_color));
        if ui.button(t(Text::LookAgain)).clicked() {
            commands.push(Command::ListModels);
        }
        return;
    }
    let chosen = state.choice.model.clone().unwrap_or_default();
    let response = egui::ComboBox::from_id_salt("model")
        .width(ui.available_width())
        .selected_text(&chosen)
        .show_ui(ui, |ui| {
            for model in models {
                if ui.selectable_label(model.name == chosen, &model.name).clicked() {
                    let choice = Choice { model: Some(model.name.clone()), ..state.choice.clone() };
                    commands.push(Command::Change("model", choice));
                }
            }
        });
    response.response.widget_info(|| {
        let mut info = egui::WidgetInfo::labeled(egui::Role::ComboBox, true, t(Text::Model));
        info.current_text_value = Some(chosen.clone());
        info
    });
}

fn classes(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let Some(model) = state.model() else { return };
    heading(ui, Text::Classes).on_hover_text(t(Text::ClassesHint));
    let share = |class: usize| state.results.coverage.get(class).copied().unwrap_or(0.0);
    let names = &model.manifest.classes;
    let mut order: Vec<usize> = (0..names.len()).filter(|&class| names[class] != "background").collect();
    order.sort_by(|&a, &b| share(b).total_cmp(&share(a)));
    let is_chosen = |class: usize| state.choice.classes.contains(&names[class]);
    let (first, rest): (Vec<usize>, Vec<usize>) =
        order.into_iter().partition(|&class| is_chosen(class) || share(class) >= FOUND_SHARE);
    let row = |ui: &mut Ui, class: usize, commands: &mut Vec<Command>| {
        ui.horizontal(|ui| {
            let (dot, _) = ui.allocate_exact_size(vec2(10.0, 10.0), egui::Sense::hover());
            ui.painter().rect_filled(dot, 3.0, theme::rgb(palette::class_colour(class.max(1))));
            let mut chosen = is_chosen(class);
            if ui.checkbox(&mut chosen, &names[class]).changed() {
                let mut choice = state.choice.clone();
                if chosen {
                    choice.classes.push(names[class].clone());
                } else {
                    choice.classes.retain(|name| name != &names[class]);
                }
                commands.push(Command::Change("classes", choice));
            }
            if share(class) >= FOUND_SHARE {
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    ui.label(RichText::new(format!("{:.1} %", 100.0 * share(class))).weak());
                });
            }
        });
    };
    for class in first {
        row(ui, class, commands);
    }
    if !rest.is_empty() {
        ui.collapsing(t(Text::MoreClasses), |ui| {
            for class in rest {
                row(ui, class, commands);
            }
        });
    }
}

fn smoothing(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    heading(ui, Text::Smoothing);
    let now = state.choice.settings;
    let mut settings = now;
    // What was touched, so that a slider's whole way is one step of undo.
    let mut touched = None;
    let panel_width = ui.available_width();
    egui::Grid::new("smoothing").num_columns(2).spacing(vec2(10.0, 7.0)).show(ui, |ui| {
        let wide = (panel_width - 88.0).clamp(110.0, 260.0);
        ui.spacing_mut().slider_width = wide - 58.0;

        ui.label(t(Text::Preset));
        let classic = Settings::seed_recipe(Method::MovingAverage);
        let name = if now == Settings::default() {
            Text::PresetDefault
        } else if now == classic {
            Text::PresetClassic
        } else {
            Text::PresetCustom
        };
        let picked = choose(
            ui,
            "preset",
            Text::Preset,
            wide,
            t(name),
            [(Text::PresetDefault, Settings::default()), (Text::PresetClassic, classic)],
        );
        if let Some(preset) = picked {
            (settings, touched) = (preset, Some("preset"));
        }
        ui.end_row();

        ui.label(t(Text::Method));
        let methods = [Method::MovingAverage, Method::Median, Method::Exponential]
            .map(|method| (method_text(method), method));
        if let Some(method) = choose(ui, "method", Text::Method, wide, t(method_text(now.method)), methods) {
            (settings.method, touched) = (method, Some("method"));
        }
        ui.end_row();

        if now.method == Method::Exponential {
            ui.label(t(Text::Alpha)).on_hover_text(t(Text::AlphaHint));
            let mut alpha = now.alpha.get();
            let slider = Slider::new(&mut alpha, 0.05..=1.0).step_by(0.05).fixed_decimals(2);
            if named(ui, slider, Text::Alpha, Text::AlphaHint).changed()
                && let Ok(alpha) = Alpha::new(alpha)
            {
                (settings.alpha, touched) = (alpha, Some("alpha"));
            }
        } else {
            ui.label(t(Text::Window)).on_hover_text(t(Text::WindowHint));
            let mut frames = now.window.frames() as u32;
            let slider = Slider::new(&mut frames, 1..=Window::MAX).step_by(2.0);
            if named(ui, slider, Text::Window, Text::WindowHint).changed()
                && let Ok(window) = Window::new(frames | 1)
            {
                (settings.window, touched) = (window, Some("window"));
            }
        }
        ui.end_row();

        ui.label(t(Text::Timing)).on_hover_text(t(Text::TimingHint));
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for (timing, text) in [(Timing::Centred, Text::Centred), (Timing::Causal, Text::Causal)] {
                let response =
                    ui.selectable_label(now.timing == timing, t(text)).on_hover_text(t(Text::TimingHint));
                if response.clicked() {
                    (settings.timing, touched) = (timing, Some("timing"));
                }
            }
        });
        ui.end_row();

        ui.label(t(Text::Threshold)).on_hover_text(t(Text::ThresholdHint));
        let mut threshold = now.threshold.get();
        let slider = Slider::new(&mut threshold, 0.05..=0.95).step_by(0.01).fixed_decimals(2);
        if named(ui, slider, Text::Threshold, Text::ThresholdHint).changed()
            && let Ok(threshold) = Threshold::new(threshold)
        {
            (settings.threshold, touched) = (threshold, Some("threshold"));
        }
        ui.end_row();
    });
    ui.add_space(2.0);
    let mut motion = now.motion.is_on();
    if ui.checkbox(&mut motion, t(Text::Motion)).on_hover_text(t(Text::MotionHint)).changed() {
        (settings.motion, touched) = (Switch::from(motion), Some("motion"));
    }
    ui.collapsing(t(Text::CleanUp), |ui| {
        egui::Grid::new("clean-up").num_columns(2).spacing(vec2(10.0, 7.0)).show(ui, |ui| {
            for (text, value, what) in [
                (Text::MinArea, &mut settings.min_area_px, "min area"),
                (Text::FillHoles, &mut settings.fill_holes_px, "fill holes"),
            ] {
                let label = ui.label(t(text));
                let drag = egui::DragValue::new(value)
                    .range(0..=1_000_000)
                    .speed(4.0)
                    .suffix(format!(" {}", t(Text::Pixels)));
                if ui.add(drag).labelled_by(label.id).changed() {
                    touched = Some(what);
                }
                ui.end_row();
            }
        });
    });
    if let Some(what) = touched.filter(|_| settings.check().is_ok()) {
        commands.push(Command::Change(what, Choice { settings, ..state.choice.clone() }));
    }
}

fn method_text(method: Method) -> Text {
    match method {
        Method::MovingAverage => Text::MovingAverage,
        Method::Median => Text::Median,
        Method::Exponential => Text::Exponential,
    }
}

fn named(ui: &mut Ui, slider: Slider<'_>, name: Text, hint: Text) -> egui::Response {
    let response = ui.add(slider);
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(t(name)));
    response.on_hover_text(t(hint))
}

/// A list to choose from; `Some` when another was chosen.
fn choose<T: Copy>(
    ui: &mut Ui,
    id: &str,
    name: Text,
    width: f32,
    now: &str,
    all: impl IntoIterator<Item = (Text, T)>,
) -> Option<T> {
    let mut picked = None;
    let response =
        egui::ComboBox::from_id_salt(id).width(width).truncate().selected_text(now).show_ui(ui, |ui| {
            for (text, value) in all {
                if ui.selectable_label(t(text) == now, t(text)).clicked() {
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
