//! What is kept from one start to the next.

use eframe::egui::{self, RichText, Ui, vec2};

use crate::{
    commands::Command,
    state::State,
    text::size,
    text::{Language, Text, fill, t},
    theme::ThemeChoice,
    widgets::expanded,
    work::Machine,
};
use segment::{CudaStatus, Device};

pub fn show(ui: &mut Ui, state: &mut State, commands: &mut Vec<Command>) {
    egui::Grid::new("settings").num_columns(2).spacing(vec2(18.0, 10.0)).show(ui, |ui| {
        looks(ui, state, commands);
        machine(ui, state, commands);
    });
    ui.label(RichText::new(t(Text::NextRun)).small().weak());
}

fn looks(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let preferences = &state.preferences;
    ui.label(t(Text::Theme));
    ui.horizontal(|ui| {
        for (choice, text) in
            ThemeChoice::ALL.into_iter().zip([Text::ThemeSystem, Text::ThemeDark, Text::ThemeLight])
        {
            if ui.selectable_label(preferences.theme == choice, t(text)).clicked() {
                commands.push(Command::Theme(choice));
            }
        }
    });
    ui.end_row();
    ui.label(t(Text::Language));
    ui.horizontal(|ui| {
        for language in Language::ALL {
            if ui.selectable_label(preferences.language == language, language.name()).clicked() {
                commands.push(Command::Language(language));
            }
        }
    });
    ui.end_row();
    ui.label(t(Text::Scale));
    ui.horizontal(|ui| {
        for scale in [0.8, 1.0, 1.25, 1.5, 2.0] {
            let text = format!("{:.0} %", scale * 100.0);
            if ui.selectable_label((preferences.scale - scale).abs() < 0.01, text).clicked() {
                commands.push(Command::Scale(scale));
            }
        }
    });
    ui.end_row();
}

fn machine(ui: &mut Ui, state: &mut State, commands: &mut Vec<Command>) {
    let mut machine = state.preferences.machine.clone();
    ui.label(t(Text::Device));
    ui.vertical(|ui| {
        ui.horizontal(|ui| {
            let can = matches!(state.cuda, Some(CudaStatus::Ready { .. }));
            for (device, text, enabled) in [
                (Device::Auto, t(Text::DeviceAuto), true),
                (Device::Cpu, "CPU", true),
                (Device::Cuda, "CUDA", can || machine.device == Device::Cuda),
            ] {
                let button = egui::Button::selectable(machine.device == device, text);
                if ui.add_enabled(enabled, button).clicked() {
                    machine.device = device;
                }
            }
        });
        let status = match &state.cuda {
            Some(CudaStatus::Ready { gpus }) => fill(Text::GpusReady, &[gpus]),
            Some(CudaStatus::NoGpu) => t(Text::NoGpu).to_owned(),
            Some(CudaStatus::Unusable { reason }) => reason.clone(),
            None => t(Text::LookingForGpu).to_owned(),
        };
        ui.add(egui::Label::new(RichText::new(status).small().weak()).wrap());
    });
    ui.end_row();

    let label = ui.label(t(Text::Threads)).on_hover_text(t(Text::ThreadsHint));
    let threads = egui::DragValue::new(&mut machine.threads).range(0..=256).custom_formatter(|value, _| {
        if value == 0.0 { t(Text::AllCores).to_owned() } else { format!("{value:.0}") }
    });
    ui.add(threads).labelled_by(label.id);
    ui.end_row();

    ui.label(t(Text::Memory)).on_hover_text(t(Text::MemoryHint));
    ui.horizontal(|ui| {
        for mib in Machine::MEMORY_MIB {
            if ui.selectable_label(machine.memory_mib == mib, size(mib as u64)).clicked() {
                machine.memory_mib = mib;
            }
        }
    });
    ui.end_row();

    ui.label(t(Text::CacheLimit));
    ui.horizontal(|ui| {
        for gib in Machine::CACHE_GIB {
            if ui.selectable_label(machine.cache_gib == gib, size(gib << 10)).clicked() {
                machine.cache_gib = gib;
            }
        }
    });
    ui.end_row();

    let label = ui.label(t(Text::CacheFolder));
    ui.vertical(|ui| {
        // Typed in full before it counts.
        let id = egui::Id::unique("cache folder");
        let mut typed = ui
            .data(|data| data.get_temp::<String>(id))
            .unwrap_or_else(|| state.store_folder.display().to_string());
        let response =
            ui.add(egui::TextEdit::singleline(&mut typed).desired_width(280.0)).labelled_by(label.id);
        if response.lost_focus() {
            let typed = typed.trim();
            let chosen = (!typed.is_empty()).then(|| expanded(typed));
            if chosen.as_ref() != Some(&state.store_folder) {
                machine.cache_folder = chosen;
            }
        }
        if response.has_focus() {
            ui.data_mut(|data| data.insert_temp(id, typed));
        } else {
            ui.data_mut(|data| data.remove::<String>(id));
        }
        ui.horizontal(|ui| {
            if ui.button(t(Text::ClearCache)).on_hover_text(t(Text::ClearCacheHint)).clicked() {
                commands.push(Command::ClearCache);
            }
            ui.label(RichText::new(fill(Text::CacheNow, &[&size(state.usage.cache_bytes() >> 20)])).weak());
        });
    });
    ui.end_row();
    if machine != state.preferences.machine {
        commands.push(Command::Machine(machine));
    }
}
