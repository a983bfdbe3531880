//! How steady: presets, two settings to compare, method and strength, clean-up.

use eframe::egui::{self, RichText, Slider, Ui};

use crate::{
    commands::Command,
    panel::controls::{choose, grid, named},
    state::{Dialog, State},
    text::{Text, fill, t},
    work::PresetChange,
};
use pipeline::{MAX_LAG_FRAMES, TuningResult};
use project::Preset;
use smooth::{Alpha, Method, Settings, Switch, Threshold, Timing, Window};

/// What was touched, so that a slider's whole way is one step of undo.
type Touched = Option<&'static str>;

pub fn show(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        ui.strong(t(Text::Smoothing));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| a_or_b(ui, state, commands));
    });
    let now = state.choice.plan.settings;
    let mut settings = now;
    let mut touched = None;
    grid(ui, "smoothing", |ui, wide| {
        ui.label(t(Text::Preset));
        ui.horizontal(|ui| preset(ui, state, wide, &mut settings, &mut touched, commands));
        ui.end_row();
        strength(ui, wide, now, &mut settings, &mut touched);
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
        threshold(ui, Text::Threshold, Text::ThresholdHint, now.threshold, |threshold| {
            (settings.threshold, touched) = (threshold, Some("threshold"));
        });
    });
    ui.add_space(2.0);
    let mut motion = now.motion.is_on();
    if ui.checkbox(&mut motion, t(Text::Motion)).on_hover_text(t(Text::MotionHint)).changed() {
        (settings.motion, touched) = (Switch::from(motion), Some("motion"));
    }
    auto(ui, state, commands);
    ui.collapsing(t(Text::CleanUp), |ui| clean_up(ui, now, &mut settings, &mut touched));
    if let Some(what) = touched.filter(|_| settings.check().is_ok()) {
        commands.push(Command::Change(what, state.choice.with_settings(settings)));
    }
}

fn a_or_b(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.x = 2.0;
    for (is_b, text) in [(true, "B"), (false, "A")] {
        let chosen = state.choice.is_b == is_b;
        if ui.selectable_label(chosen, text).on_hover_text(t(Text::ExchangeHint)).clicked() && !chosen {
            commands.push(Command::Exchange);
        }
    }
}

/// What a preset is called here; the user's own are called what the user calls them.
fn title(preset: &Preset) -> String {
    let text = match preset.name.as_str() {
        "default" => Text::PresetDefault,
        "gentle" => Text::PresetGentle,
        "rock-solid" => Text::PresetSolid,
        "seed" => Text::PresetClassic,
        _ => return preset.name.clone(),
    };
    if preset.built_in { t(text).to_owned() } else { preset.name.clone() }
}

fn preset(
    ui: &mut Ui,
    state: &State,
    wide: f32,
    settings: &mut Settings,
    touched: &mut Touched,
    commands: &mut Vec<Command>,
) {
    // Of two that smooth alike it is the one that exports so too.
    let export = state.export.settings();
    let alike = || state.presets.iter().filter(|preset| preset.smoothing == state.choice.plan.settings);
    let now = alike().find(|preset| preset.export == export).or_else(|| alike().next());
    let name = now.map_or_else(|| t(Text::PresetCustom).to_owned(), title);
    ui.spacing_mut().item_spacing.x = 4.0;
    let all = state.presets.iter().map(|preset| (title(preset), preset));
    if let Some(picked) = choose(ui, "preset", Text::Preset, wide - 38.0, &name, all) {
        (*settings, *touched) = (picked.smoothing, Some("preset"));
        commands.extend(picked.export.clone().map(Command::PlanExport));
    }
    ui.spacing_mut().button_padding.x = 5.0;
    let menu = ui.menu_button("…", |ui| {
        let mut entry = |ui: &mut Ui, text: Text, enabled: bool, command: &dyn Fn() -> Command| {
            if ui.add_enabled(enabled, egui::Button::new(t(text))).clicked() {
                commands.push(command());
                ui.close();
            }
        };
        let own = now.filter(|preset| !preset.built_in).map(|preset| preset.name.clone());
        let name_it = |instead_of: Option<String>| {
            let name = instead_of.clone().unwrap_or_default();
            Command::Show(Dialog::NamePreset { name, instead_of, with_export: false })
        };
        entry(ui, Text::PresetSave, true, &|| name_it(None));
        entry(ui, Text::PresetRename, own.is_some(), &|| name_it(own.clone()));
        entry(ui, Text::PresetDelete, own.is_some(), &|| {
            Command::Preset(PresetChange::Delete(own.clone().unwrap_or_default()))
        });
        ui.separator();
        let file = |import: bool| {
            let path = std::env::home_dir().map(|home| home.join("presets.json"));
            Command::Show(Dialog::PresetsFile {
                import,
                path: path.unwrap_or_default().display().to_string(),
            })
        };
        let has_own = state.presets.iter().any(|preset| !preset.built_in);
        entry(ui, Text::PresetsImport, true, &|| file(true));
        entry(ui, Text::PresetsExport, has_own, &|| file(false));
    });
    let menu = menu.response.on_hover_text(t(Text::Presets));
    ui.ctx().accesskit_node_builder(menu.id, |node| node.set_label(t(Text::Presets)));
}

fn strength(ui: &mut Ui, wide: f32, now: Settings, settings: &mut Settings, touched: &mut Touched) {
    ui.label(t(Text::Method));
    let methods = [Method::MovingAverage, Method::Median, Method::Exponential]
        .map(|method| (t(method_text(method)).to_owned(), method));
    if let Some(method) = choose(ui, "method", Text::Method, wide, t(method_text(now.method)), methods) {
        (settings.method, *touched) = (method, Some("method"));
    }
    ui.end_row();
    if now.method == Method::Exponential {
        ui.label(t(Text::Alpha)).on_hover_text(t(Text::AlphaHint));
        let mut alpha = now.alpha.get();
        let slider = Slider::new(&mut alpha, 0.02..=1.0).step_by(0.01).fixed_decimals(2);
        if named(ui, slider, Text::Alpha, Text::AlphaHint).changed()
            && let Ok(alpha) = Alpha::new(alpha)
        {
            (settings.alpha, *touched) = (alpha, Some("alpha"));
        }
    } else {
        ui.label(t(Text::Window)).on_hover_text(t(Text::WindowHint));
        let mut frames = now.window.frames() as u32;
        let slider = Slider::new(&mut frames, 1..=Window::MAX).step_by(2.0);
        if named(ui, slider, Text::Window, Text::WindowHint).changed()
            && let Ok(window) = Window::new(frames | 1)
        {
            (settings.window, *touched) = (window, Some("window"));
        }
    }
    ui.end_row();
}

fn threshold(ui: &mut Ui, name: Text, hint: Text, now: Threshold, mut changed: impl FnMut(Threshold)) {
    ui.label(t(name)).on_hover_text(t(hint));
    let mut value = now.get();
    let slider = Slider::new(&mut value, 0.05..=0.95).step_by(0.01).fixed_decimals(2);
    if named(ui, slider, name, hint).changed()
        && let Ok(threshold) = Threshold::new(value)
    {
        changed(threshold);
    }
    ui.end_row();
}

fn auto(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.add_space(4.0);
    let why_not = state.why_not_tune();
    ui.horizontal(|ui| {
        let button =
            ui.add_enabled(why_not.is_none() && state.tuning.is_none(), egui::Button::new(t(Text::Auto)));
        let button = button.on_hover_text(t(Text::AutoHint));
        if button.clicked() {
            commands.push(Command::Tune);
        }
        button.on_disabled_hover_text(why_not.map_or("", t));
        if let Some(tuning) = &state.tuning {
            let snapshot = tuning.progress.snapshot();
            ui.spinner();
            ui.label(format!("{} / {}", snapshot.done, snapshot.total.unwrap_or(0)));
            if ui.small_button(t(Text::Cancel)).clicked() {
                commands.push(Command::Cancel);
            }
        }
    });
    if let Some((_, words)) =
        state.tuned.as_ref().filter(|(settings, _)| *settings == state.choice.plan.settings)
    {
        ui.label(RichText::new(words).small().weak());
    }
}

/// What «Auto» chose, and why.
pub fn tuning_words(tuned: &TuningResult) -> String {
    let agreement = format!("{:.2}", tuned.min_agreement);
    let is_late = |lag: Option<f64>| lag.is_some_and(|lag| lag.abs() > MAX_LAG_FRAMES);
    let late = tuned.trials.iter().filter(|trial| is_late(trial.lag_frames)).count();
    let left_out = tuned.trials.iter().filter(|trial| !trial.admissible).count();
    let chosen = tuned.trials.iter().find(|trial| trial.admissible && trial.settings == tuned.settings);
    let Some(flicker) = chosen.and_then(|trial| trial.warped_instability) else {
        return fill(Text::AutoNothing, &[&agreement]);
    };
    let Settings { method, window, alpha, .. } = tuned.settings;
    let strength = match method {
        Method::Exponential => alpha.to_string(),
        Method::MovingAverage | Method::Median => window.to_string(),
    };
    let flicker = format!("{flicker:.3}");
    let method = t(method_text(method));
    fill(
        Text::AutoChose,
        &[
            &method,
            &strength,
            &flicker,
            &tuned.trials.len(),
            &late,
            &(left_out - late.min(left_out)),
            &agreement,
        ],
    )
}

fn clean_up(ui: &mut Ui, now: Settings, settings: &mut Settings, touched: &mut Touched) {
    let mut connect = now.hysteresis.is_some();
    if ui.checkbox(&mut connect, t(Text::Hysteresis)).on_hover_text(t(Text::HysteresisHint)).changed() {
        let low = Threshold::new(0.6 * now.threshold.get()).unwrap_or(now.threshold);
        (settings.hysteresis, *touched) = (connect.then_some(low), Some("hysteresis"));
    }
    grid(ui, "clean-up", |ui, _| {
        if let Some(low) = now.hysteresis {
            threshold(ui, Text::LowThreshold, Text::HysteresisHint, low, |low| {
                let low = if low.get() > now.threshold.get() { now.threshold } else { low };
                (settings.hysteresis, *touched) = (Some(low), Some("low threshold"));
            });
        }
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
                *touched = Some(what);
            }
            ui.end_row();
        }
    });
    let mut overlap = now.overlap.is_on();
    if ui.checkbox(&mut overlap, t(Text::Overlap)).on_hover_text(t(Text::OverlapHint)).changed() {
        (settings.overlap, *touched) = (Switch::from(overlap), Some("overlap"));
    }
}

fn method_text(method: Method) -> Text {
    match method {
        Method::MovingAverage => Text::MovingAverage,
        Method::Median => Text::Median,
        Method::Exponential => Text::Exponential,
    }
}
