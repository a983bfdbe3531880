//! Curves of every frame, raw against smoothed, and what they come to.

use std::{
    path::{Path, PathBuf},
    thread,
};

use eframe::egui::{self, Color32, RichText, Ui, vec2};
use egui_plot::{GridMark, Line, LineStyle, PlotPoint, PlotPoints, VLine};

use serde::{Deserialize, Serialize};

use super::{
    commands::Command,
    results::{FLICKER, Results},
    state::{Dialog, State},
    text::{Text, fill, t},
    theme,
    work::{Event, Mail},
};
use crate::{
    export::{self, Plot, write_atomically},
    metrics::{ClassSummary, Metric},
};

/// The curves' points, made anew when the numbers change.
#[derive(Default)]
pub struct Curves {
    revision: u64,
    frames: usize,
    lines: Vec<[Vec<PlotPoint>; 2]>,
}

/// What can be plotted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curve {
    Flicker,
    Instability,
    Iou,
    Dice,
    FlipRate,
    Area,
}

impl Curve {
    pub const ALL: [Self; 6] =
        [Self::Flicker, Self::Instability, Self::Iou, Self::Dice, Self::FlipRate, Self::Area];

    pub const fn metric(self) -> Metric {
        match self {
            Self::Flicker => FLICKER,
            Self::Instability => Metric::Instability,
            Self::Iou => Metric::Iou,
            Self::Dice => Metric::Dice,
            Self::FlipRate => Metric::FlipRate,
            Self::Area => Metric::Area,
        }
    }

    pub const fn text(self) -> Text {
        match self {
            Self::Flicker => Text::WarpedInstability,
            Self::Instability => Text::Instability,
            Self::Iou => Text::Iou,
            Self::Dice => Text::Dice,
            Self::FlipRate => Text::FlipRate,
            Self::Area => Text::Area,
        }
    }
}

/// Writes one plot behind the window; the path's ending says as what.
pub fn save(mail: Mail, curve: Curve, results: &Results, path: PathBuf) {
    let class = results.classes.get(results.class).map_or("", |class| &*class.name);
    let plot = Plot {
        title: format!("{}: {class}", t(curve.text())),
        quantity: curve.metric().name().replace('_', " "),
        points: results
            .values(curve.metric())
            .map(|(frame, [raw, smoothed])| export::PlotPoint { frame, raw, smoothed })
            .collect(),
    };
    thread::spawn(move || {
        let saved = write(&plot, &path).map(|()| path.clone());
        mail.send(Event::PlotSaved(saved.map_err(|error| format!("{}: {error}", path.display()))));
    });
}

fn write(plot: &Plot, path: &Path) -> Result<(), String> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let bytes = match &*ending {
        "png" => plot.to_png()?,
        "svg" => plot.to_svg()?.into_bytes(),
        "csv" => csv(plot).into_bytes(),
        _ => return Err(t(Text::SavePlotHint).to_owned()),
    };
    write_atomically(path, |out| out.write_all(&bytes)).map_err(|error| error.to_string())
}

/// As `metrics.csv` has it: nothing between commas where there is no value.
fn csv(plot: &Plot) -> String {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let rows = plot
        .points
        .iter()
        .map(|point| format!("{},{},{}\n", point.frame, number(point.raw), number(point.smoothed)));
    std::iter::once("frame,raw,smoothed\n".to_owned()).chain(rows).collect()
}

const SUMMARY_WIDTH: f32 = 250.0;
/// A lag over this is worth a warning.
const LATE_FRAMES: f64 = 0.5;

pub fn show(ui: &mut Ui, state: &State, curves: &mut Curves, commands: &mut Vec<Command>) {
    egui::Panel::bottom("plots").resizable(true).default_size(178.0).size_range(110.0..=420.0).show(
        ui,
        |ui| {
            curves.follow(state);
            if state.results.rows().iter().flatten().next().is_none() {
                ui.centered_and_justified(|ui| ui.label(RichText::new(t(Text::PlotsEmpty)).weak()));
                return;
            }
            let height = ui.available_height();
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing.x = 6.0;
                let room = ui.available_width() - SUMMARY_WIDTH - 12.0;
                // As many side by side as can be read.
                let chosen = Curve::ALL.into_iter().filter(|curve| state.preferences.plots.contains(curve));
                let chosen: Vec<Curve> = chosen.collect();
                let count = ((room / 190.0) as usize).clamp(1, chosen.len().max(1));
                let width = room / count as f32 - 6.0;
                for (number, curve) in chosen.into_iter().enumerate().take(count) {
                    ui.allocate_ui(vec2(width, height), |ui| {
                        ui.vertical(|ui| {
                            title(ui, state, curve, number == 0, commands);
                            plot(ui, state, &curves.lines[curve as usize], curve.metric(), commands);
                        });
                    });
                }
                ui.separator();
                ui.allocate_ui_with_layout(
                    vec2(SUMMARY_WIDTH, height),
                    egui::Layout::top_down(egui::Align::Min),
                    |ui| {
                        egui::ScrollArea::vertical()
                            .id_salt("summary")
                            .auto_shrink(false)
                            .show(ui, |ui| summary(ui, state, commands));
                    },
                );
            });
        },
    );
}

impl Curves {
    fn follow(&mut self, state: &State) {
        if self.revision == state.results.revision && self.frames == state.frames() && !self.lines.is_empty()
        {
            return;
        }
        (self.revision, self.frames) = (state.results.revision, state.frames());
        self.lines = Curve::ALL
            .into_iter()
            .map(|curve| {
                let mut lines = [Vec::new(), Vec::new()];
                for (frame, pair) in state.results.values(curve.metric()) {
                    for (line, value) in lines.iter_mut().zip(pair) {
                        line.extend(value.map(|value| PlotPoint::new(frame as f64, value)));
                    }
                }
                lines
            })
            .collect();
    }
}

/// What the plot shows, and a menu: to save it, and to choose what is shown.
fn title(ui: &mut Ui, state: &State, curve: Curve, chooses: bool, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        let menu = ui.menu_button("⋯", |ui| {
            if ui.button(t(Text::SavePlotAs)).clicked() {
                let folder = state.clip.as_ref().and_then(|clip| clip.path.parent()).unwrap_or(Path::new(""));
                let path = folder.join(format!("{}.png", curve.metric().name())).display().to_string();
                commands.push(Command::Show(Dialog::SavePlot { curve, path }));
                ui.close();
            }
            ui.separator();
            for other in Curve::ALL {
                let plots = &state.preferences.plots;
                let mut shown = plots.contains(&other);
                // One at least stays.
                let can = !shown || plots.len() > 1;
                if ui.add_enabled(can, egui::Checkbox::new(&mut shown, t(other.text()))).changed() {
                    let mut plots = plots.clone();
                    if shown {
                        plots.push(other);
                    } else {
                        plots.retain(|kept| *kept != other);
                    }
                    commands.push(Command::ShowPlots(plots));
                }
            }
        });
        // One name, so that the keyboard and who can't see find it.
        let name = if chooses {
            t(Text::PlotMenu).to_owned()
        } else {
            format!("{}: {}", t(Text::PlotMenu), t(curve.text()))
        };
        ui.ctx().accesskit_node_builder(menu.response.id, |node| node.set_label(name));
        ui.label(RichText::new(t(curve.text())).small().strong()).on_hover_text(t(Text::PlotHint));
    });
}

fn plot(
    ui: &mut Ui,
    state: &State,
    [raw, smoothed]: &[Vec<PlotPoint>; 2],
    metric: Metric,
    commands: &mut Vec<Command>,
) {
    let dark = ui.visuals().dark_mode;
    let line_colour = if dark { Color32::from_white_alpha(150) } else { Color32::from_black_alpha(150) };
    let response = egui_plot::Plot::new(("plot", metric.name()))
        .height(ui.available_height() - 2.0)
        .show_background(false)
        .allow_scroll([false, false])
        .allow_zoom([true, false])
        .allow_drag([true, false])
        .allow_boxed_zoom(false)
        .include_x(0.0)
        // A little room, so that the last label is whole.
        .include_x(state.frames() as f64 * 1.03)
        .include_y(0.0)
        .set_margin_fraction(vec2(0.01, 0.06))
        .link_axis(egui::Id::unique("frames"), [true, false])
        .y_axis_min_width(30.0)
        .x_grid_spacer(egui_plot::uniform_grid_spacer(|input| {
            let step = grid_step(input.bounds.1 - input.bounds.0).max(1.0);
            [step, 2.0 * step, 10.0 * step]
        }))
        .y_grid_spacer(egui_plot::uniform_grid_spacer(|input| {
            let step = grid_step(input.bounds.1 - input.bounds.0);
            [step, 2.0 * step, 10.0 * step]
        }))
        .y_axis_formatter(|mark: GridMark, _| short(mark.value))
        .x_axis_formatter(
            |mark: GridMark, _| if mark.value < 0.0 { String::new() } else { format!("{}", mark.value) },
        )
        .label_formatter(|at| {
            let position = match at {
                egui_plot::HoverPosition::NearDataPoint { position, .. } => position,
                egui_plot::HoverPosition::Elsewhere { position } => position,
            };
            Some(format!("{:.0}: {:.3}", position.x.max(0.0), position.y))
        })
        .show(ui, |plot| {
            // Points live as long as the window's frame: no copies.
            plot.line(
                Line::new(t(Text::Raw), PlotPoints::Borrowed(raw))
                    .color(theme::raw(dark))
                    .width(1.2)
                    .style(LineStyle::Dashed { length: 5.0 }),
            );
            plot.line(
                Line::new(t(Text::Smoothed), PlotPoints::Borrowed(smoothed))
                    .color(theme::smoothed(dark))
                    .width(1.8),
            );
            plot.vline(
                VLine::new("", state.player.frame as f64).color(line_colour).width(1.0).allow_hover(false),
            );
            let scroll = plot.ctx().input(|input| input.smooth_scroll_delta().y);
            if plot.response().hovered() && scroll.abs() > 0.1 {
                plot.zoom_bounds_around_hovered(vec2((scroll / 240.0).exp(), 1.0));
            }
            plot.pointer_coordinate().filter(|_| plot.response().clicked()).map(|at| at.x)
        });
    if let Some(x) = response.inner {
        commands.push(Command::Go(x.round().max(0.0) as usize));
    }
    response.response.on_hover_cursor(egui::CursorIcon::Crosshair);
}

/// About five lines, at 1, 2 or 5 times a power of ten.
fn grid_step(range: f64) -> f64 {
    let rough = (range / 5.0).max(1e-6);
    let power = 10f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * power >= rough).unwrap_or(10.0);
    times * power
}

fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn summary(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
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
                let text = fill(Text::LagFrames, &[&format!("{:.1}", lag.frames + 0.0)]);
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
                commands.push(Command::Go(at.frame.get()));
            }
        }
    });
}
