//! Which network, where it runs, and which of its classes become masks.

use eframe::egui::{self, RichText, Ui, vec2};

use crate::{
    commands::Command,
    panel::controls::{choose, heading},
    state::State,
    text::{Text, fill, t},
    theme,
    work::{Machine, ModelInfo},
};
use base::frame::Every;
use export::palette;
use segment::{CudaStatus, Device};

/// Classes under this share of the picture count as not found.
const FOUND_SHARE: f32 = 0.0005;
/// Of every how many frames the network can look at one.
const EVERY: [usize; 5] = [1, 2, 3, 5, 10];

pub fn show(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    model(ui, state, commands);
    device(ui, state, commands);
    every(ui, state, commands);
    ui.add_space(4.0);
    classes(ui, state, commands);
}

fn model(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    heading(ui, Text::Model).on_hover_text(t(Text::ModelHint));
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
    let chosen = state.choice.model().map_or("", ModelInfo::title);
    let all = models.iter().map(|model| (ModelInfo::title(&model.name).to_owned(), &model.name));
    if let Some(name) = choose(ui, "model", Text::Model, ui.available_width(), chosen, all) {
        commands.push(Command::Change("model", state.choice.with_model(name.clone())));
    }
}

/// Where there is a GPU that can't be used, the reason stands there too.
fn device(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let machine = &state.preferences.machine;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.label(RichText::new(t(Text::Device)).weak());
        let why_no_cuda = match &state.cuda {
            Some(CudaStatus::Ready { .. }) => None,
            Some(CudaStatus::NoGpu) => Some(t(Text::NoGpu).to_owned()),
            Some(CudaStatus::Unusable { reason }) => Some(reason.clone()),
            None => Some(t(Text::LookingForGpu).to_owned()),
        };
        for (device, text) in
            [(Device::Auto, t(Text::DeviceAuto)), (Device::Cpu, "CPU"), (Device::Cuda, "CUDA")]
        {
            let reason = why_no_cuda.as_deref().filter(|_| device == Device::Cuda);
            let button = egui::Button::selectable(machine.device == device, text);
            let response = ui.add_enabled(reason.is_none(), button).on_hover_text(t(Text::DeviceHint));
            if response.clicked() {
                commands.push(Command::Machine(Machine { device, ..machine.clone() }));
            }
            response.on_disabled_hover_text(reason.unwrap_or_default());
        }
    });
    if let Some(CudaStatus::Unusable { reason }) = &state.cuda {
        ui.label(RichText::new(reason).small().color(ui.visuals().warn_fg_color));
    }
}

/// Which frames the network sees.
fn every(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let words = |every: Every| match usize::from(every) {
        1 => t(Text::EveryFrame).to_owned(),
        frames => fill(Text::EveryNth, &[&frames]),
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new(t(Text::Every)).weak()).on_hover_text(t(Text::EveryHint));
        let mut all: Vec<Every> = EVERY.into_iter().filter_map(|frames| frames.try_into().ok()).collect();
        if !all.contains(&state.choice.plan.every) {
            all.push(state.choice.plan.every);
        }
        let all = all.into_iter().map(|every| (words(every), every));
        let now = words(state.choice.plan.every);
        if let Some(every) = choose(ui, "every", Text::Every, ui.available_width(), &now, all) {
            let mut choice = state.choice.clone();
            choice.plan.every = every;
            commands.push(Command::Change("every", choice));
        }
    });
}

fn classes(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let Some(model) = state.model() else { return };
    heading(ui, Text::Classes).on_hover_text(t(Text::ClassesHint));
    let share = |class: usize| state.results.coverage.get(class).copied().unwrap_or(0.0);
    let names = &model.manifest().classes;
    let mut order: Vec<usize> = (0..names.len()).filter(|&class| names[class] != "background").collect();
    order.sort_by(|&a, &b| share(b).total_cmp(&share(a)));
    let is_chosen = |class: usize| state.choice.plan.classes.contains(&names[class]);
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
                    choice.plan.classes.push(names[class].clone());
                } else {
                    choice.plan.classes.retain(|name| name != &names[class]);
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
