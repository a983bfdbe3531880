//! Curves of every frame, raw against smoothed, and what they come to.

pub mod curve;
pub mod save;
mod summary;

use std::path::Path;

use eframe::egui::{self, Color32, RichText, Ui, vec2};
use egui_plot::{GridMark, Line, LineStyle, PlotPoint, PlotPoints, VLine};

use crate::{
    commands::Command,
    plots::curve::Curve,
    state::{Dialog, State},
    text::{Text, t},
    theme,
    timeline::player::Move,
};
use metrics::Metric;

/// The curves' points, made anew when the numbers change.
#[derive(Default)]
pub struct Curves {
    revision: u64,
    frames: usize,
    lines: Vec<[Vec<PlotPoint>; 2]>,
}

const SUMMARY_WIDTH: f32 = 250.0;
/// A narrower plot says nothing.
const NARROWEST: f32 = 80.0;

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
                // Of a window that is too narrow for both, the summary is left.
                let room = (ui.available_width() - SUMMARY_WIDTH - 12.0).max(0.0);
                // As many side by side as can be read.
                let chosen = Curve::ALL.into_iter().filter(|curve| state.preferences.plots.contains(curve));
                let chosen: Vec<Curve> = chosen.collect();
                let count = ((room / 190.0) as usize).clamp(1, chosen.len().max(1));
                let width = room / count as f32 - 6.0;
                let count = if width < NARROWEST { 0 } else { count };
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
                            .show(ui, |ui| summary::show(ui, state, commands));
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
        // Lines this far apart would be as bright as text: none are.
        .grid_spacing(8.0..=2500.0)
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
        commands.push(Command::Player(Move::Go(x.round().max(0.0) as usize)));
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
