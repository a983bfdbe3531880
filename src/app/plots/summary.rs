//! What the curves come to: how much calmer, how late, how true, and where it is worst.

use eframe::egui::{self, RichText, Ui, vec2};

use crate::{
    commands::Command,
    results::FLICKER,
    state::State,
    text::{Text, fill, t},
    theme,
    timeline::player::Move,
};
use metrics::{ClassSummary, Metric};

/// A lag over this is worth a warning.
const LATE_FRAMES: f64 = 0.5;

pub fn show(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.y = 3.0;
    let dark = ui.visuals().dark_mode;
    let summary = state.results.summary();
    ui.horizontal(|ui| {
        ui.strong(t(Text::Summary));
        if state.results.classes.len() > 1 {
            let names: Vec<&str> = state.results.classes.iter().map(|class| &*class.name).collect();
            let response = egui::ComboBox::from_id_salt("summary class")
                .selected_text(names[state.results.class])
                .show_ui(ui, |ui| {
                    for (at, name) in names.iter().enumerate() {
                        if ui.selectable_label(at == state.results.class, *name).clicked() {
                            commands.push(Command::ShowClass(at));
                        }
                    }
                });
            response
                .response
                .widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, t(Text::Classes)));
        } else if let Some(class) = state.results.classes.first() {
            ui.label(RichText::new(&*class.name).weak());
        }
        if summary.is_none() {
            ui.label(RichText::new(t(Text::SoFar)).weak().small());
        }
    });
    egui::Grid::new("summary grid").num_columns(2).spacing(vec2(14.0, 3.0)).show(ui, |ui| {
        change(ui, state, Text::Flicker, Text::WarpedHint, FLICKER);
        change(ui, state, Text::Instability, Text::InstabilityHint, Metric::Instability);
        let lag = summary.map(|summary| summary.lag);
        ui.label(t(Text::Lag)).on_hover_text(t(Text::LagHint));
        match lag {
            None => ui.label(RichText::new(t(Text::NotYet)).weak()),
            Some(None) => ui.label(t(Text::Unknown)),
            Some(Some(lag)) => {
                let late = lag.frames.abs() > LATE_FRAMES;
                let text =
                    fill(Text::LagFrames, &[&format!("{:.1}", (10.0 * lag.frames).round() / 10.0 + 0.0)]);
                let text = if late { format!("! {text}") } else { text };
                let colour = if late { ui.visuals().warn_fg_color } else { ui.visuals().text_color() };
                ui.label(RichText::new(text).color(colour).strong())
            }
        };
        ui.end_row();
        ui.label(t(Text::Agreement)).on_hover_text(t(Text::AgreementHint));
        let agreement =
            summary.and_then(|summary| summary.agreement.as_ref()).map(|agreement| agreement.mean);
        let agreement = agreement.or_else(|| running_agreement(state));
        ui.label(agreement.map_or_else(|| t(Text::Unknown).to_owned(), |value| format!("{value:.2}")));
        ui.end_row();
    });
    if let Some(summary) = summary {
        worst(ui, summary, dark, commands);
    }
}

fn change(ui: &mut Ui, state: &State, text: Text, hint: Text, metric: Metric) {
    ui.label(t(text)).on_hover_text(t(hint));
    if let [Some(raw), Some(smoothed)] = state.results.means(metric) {
        let percent = if raw > 0.0 { 100.0 * (raw - smoothed) / raw } else { 0.0 };
        let words = if percent >= -0.5 { Text::Less } else { Text::More };
        let dark = ui.visuals().dark_mode;
        let colour = if percent > 0.0 { theme::smoothed(dark) } else { ui.visuals().warn_fg_color };
        ui.label(RichText::new(fill(words, &[&format!("{:.0}", percent.abs())])).color(colour).strong())
            .on_hover_text(format!("{raw:.4} → {smoothed:.4}"));
    } else {
        ui.label(t(Text::Unknown));
    }
    ui.end_row();
}

fn running_agreement(state: &State) -> Option<f64> {
    let values: Vec<f64> = state
        .results
        .fresh()
        .filter(|row| row.raw[Metric::Area] != Some(0.0) || row.smoothed[Metric::Area] != Some(0.0))
        .filter_map(|row| row.agreement)
        .collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The worst that is left after smoothing; a click goes there.
fn worst(ui: &mut Ui, summary: &ClassSummary, dark: bool, commands: &mut Vec<Command>) {
    let Some(smoothed) = &summary.metrics[FLICKER].smoothed else { return };
    ui.label(t(Text::WorstFrames));
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        for at in smoothed.worst.iter().take(8) {
            let link = ui.link(RichText::new(format!(" {} ", at.frame)).color(theme::smoothed(dark)));
            if link.on_hover_text(format!("{}: {:.3}", t(Text::Flicker), at.value)).clicked() {
                commands.push(Command::Player(Move::Go(at.frame.get())));
            }
        }
    });
}
