//! Questions about a network that the user brings.

use std::path::Path;

use eframe::egui::{self, RichText, Ui, vec2};

use crate::{
    commands::Command,
    dialogs::model_form::ModelForm,
    text::{Text, fill, t},
    widgets::main_button,
    work::ModelStep,
};
use segment::{Activation, Upsampling};

/// A TorchScript file is a program: which, and what opening it means.
pub fn trust(ui: &mut Ui, pt: &Path, sha256: &str, commands: &mut Vec<Command>) {
    ui.label(RichText::new(pt.display().to_string()).strong());
    ui.label(RichText::new(format!("SHA-256 {sha256}")).monospace().small());
    ui.add_space(8.0);
    ui.label(t(Text::TrustBody));
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        let button = egui::Button::new(RichText::new(t(Text::TrustYes)).color(ui.visuals().warn_fg_color));
        if ui.button(t(Text::TrustNo)).clicked() {
            commands.push(Command::CloseDialog);
        }
        if ui.add(button).clicked() {
            let step = ModelStep::Trust { sha256: sha256.to_owned() };
            commands.push(Command::Model(pt.to_owned(), step));
        }
    });
}

/// What the program must know to feed the network and to read it.
pub fn describe(ui: &mut Ui, form: &mut ModelForm, commands: &mut Vec<Command>) {
    let json = form.pt.with_extension("json");
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    ui.label(fill(Text::DescribeBody, &[&name(&form.pt), &name(&json)]));
    ui.add_space(8.0);
    egui::Grid::new("describe").num_columns(2).spacing(vec2(14.0, 8.0)).show(ui, |ui| {
        let label = ui.label(t(Text::Classes)).on_hover_text(t(Text::DescribeClasses));
        ui.add(egui::TextEdit::singleline(&mut form.classes).desired_width(300.0)).labelled_by(label.id);
        ui.end_row();

        ui.label(t(Text::InputSize));
        ui.vertical(|ui| {
            ui.horizontal(|ui| {
                ui.selectable_value(&mut form.is_fixed, false, t(Text::InputLongSide));
                ui.selectable_value(&mut form.is_fixed, true, t(Text::InputFixed));
            });
            ui.horizontal(|ui| {
                let [first, second] = &mut form.sides;
                ui.add(egui::DragValue::new(first).range(16..=8192));
                ui.label(if form.is_fixed { "×" } else { t(Text::InputStep) });
                ui.add(egui::DragValue::new(second).range(1..=8192));
            });
        });
        ui.end_row();

        let label = ui.label(t(Text::Stride)).on_hover_text(t(Text::StrideHint));
        ui.add(egui::DragValue::new(&mut form.stride).range(1..=64)).labelled_by(label.id);
        ui.end_row();

        ui.label(t(Text::Output));
        ui.horizontal(|ui| {
            for (activation, text) in [
                (Activation::Softmax, "softmax"),
                (Activation::Sigmoid, "sigmoid"),
                (Activation::None, t(Text::Probabilities)),
            ] {
                ui.selectable_value(&mut form.activation, activation, text);
            }
        });
        ui.end_row();

        ui.label(t(Text::Upsampling));
        ui.horizontal(|ui| {
            ui.selectable_value(&mut form.upsampling, Upsampling::HalfPixel, "half_pixel");
            ui.selectable_value(&mut form.upsampling, Upsampling::AlignCorners, "align_corners");
        });
        ui.end_row();

        ui.label(t(Text::Normalisation));
        ui.horizontal(|ui| {
            ui.selectable_value(&mut form.is_imagenet, true, "ImageNet");
            ui.selectable_value(&mut form.is_imagenet, false, "0 … 1");
        });
        ui.end_row();
    });
    let manifest = form.manifest();
    if let Err(why) = &manifest {
        ui.label(RichText::new(why).small().color(ui.visuals().error_fg_color));
    }
    ui.add_space(10.0);
    ui.horizontal(|ui| {
        if main_button(ui, Text::Save, manifest.is_ok())
            && let Ok(manifest) = manifest
        {
            commands.push(Command::Model(form.pt.clone(), ModelStep::Describe(Box::new(manifest))));
        }
        if ui.button(t(Text::Close)).clicked() {
            commands.push(Command::CloseDialog);
        }
    });
}
