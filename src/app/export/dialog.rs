//! What to write of the clip, and where.

use std::time::Duration;

use eframe::egui::{self, RichText, Ui};

use crate::{
    commands::Command,
    export::form::ExportForm,
    state::State,
    text::{Text, clock, fill, kind_label, size, t},
    widgets::main_button,
};
use export::{Edges, ExportKind, KindGroup};

/// Of the time of pass 2, what each kind with pictures adds.
const PICTURES_SHARE: f64 = 0.3;
/// Narrower than this the kinds stand below each other.
const TWO_COLUMNS_WIDE: f32 = 720.0;

pub fn show(ui: &mut Ui, state: &mut State, commands: &mut Vec<Command>) {
    if let Some(clip) = &state.clip {
        let classes = state.choice.plan.classes.join(", ");
        let frames = state.range().count(clip.frames);
        ui.label(RichText::new(fill(Text::ExportRange, &[&frames, &clip.frames, &classes])).weak());
        ui.add_space(6.0);
    }
    ui.strong(t(Text::ExportWhat));
    let most = 0.45 * ui.ctx().content_rect().height();
    egui::ScrollArea::vertical().max_height(most).auto_shrink([false, true]).show(ui, |ui| {
        let form = &mut state.export;
        if ui.available_width() < TWO_COLUMNS_WIDE {
            KindGroup::ALL.into_iter().for_each(|group| kinds(ui, form, group));
        } else {
            ui.columns(2, |columns| {
                for (at, group) in KindGroup::ALL.into_iter().enumerate() {
                    kinds(&mut columns[at / 2], form, group);
                }
            });
        }
    });
    options(ui, &mut state.export);
    ui.add_space(8.0);
    let label = ui.strong(t(Text::ExportFolder));
    ui.horizontal(|ui| {
        let field = egui::TextEdit::singleline(&mut state.export.folder).desired_width(480.0);
        ui.add(field).labelled_by(label.id);
        if ui.button(t(Text::Browse)).on_hover_text(t(Text::NoDialog)).clicked() {
            commands.push(Command::BrowseFolder);
        }
    });
    ui.checkbox(&mut state.export.replace, t(Text::Replace));
    ui.add_space(6.0);
    if let Some(words) = estimate(state) {
        ui.label(RichText::new(words).weak());
    }
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        let form = &state.export;
        let ready = !form.kinds.is_empty()
            && !form.folder.trim().is_empty()
            && form.options().is_ok()
            && state.exporting.is_none();
        if main_button(ui, Text::Export, ready) {
            commands.push(Command::Export);
        }
        if ui.button(t(Text::Close)).clicked() {
            commands.push(Command::CloseDialog);
        }
    });
}

fn kinds(ui: &mut Ui, form: &mut ExportForm, group: KindGroup) {
    ui.add_space(4.0);
    ui.label(RichText::new(t(group_text(group))).weak());
    for kind in ExportKind::ALL.into_iter().filter(|kind| kind.info().group == group) {
        let mut chosen = form.kinds.contains(&kind);
        if ui.checkbox(&mut chosen, kind_label(kind)).on_hover_text(kind.info().files).changed() {
            if chosen {
                form.kinds.push(kind);
            } else {
                form.kinds.retain(|other| *other != kind);
            }
        }
    }
}

fn options(ui: &mut Ui, form: &mut ExportForm) {
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        let mut soft = form.options.edges == Edges::Soft;
        if ui.checkbox(&mut soft, t(Text::ExportEdges)).changed() {
            form.options.edges = if soft { Edges::Soft } else { Edges::Hard };
        }
        if form.kinds.contains(&ExportKind::Backdrop) {
            let label = ui.label(t(Text::ExportBackdropColour));
            ui.color_edit_button_srgb(&mut form.options.backdrop.0).labelled_by(label.id);
        }
    });
    ui.horizontal(|ui| {
        let label = ui.label(t(Text::ExportNames));
        let field = egui::TextEdit::singleline(&mut form.names)
            .desired_width(480.0)
            .hint_text("{kind}/{class}/{frame}");
        ui.add(field).labelled_by(label.id).on_hover_text(t(Text::ExportNamesHint));
    });
    if let Err(error) = form.options() {
        ui.label(RichText::new(error.to_string()).small().color(ui.visuals().error_fg_color));
    }
}

/// How large and how long it will be.
fn estimate(state: &State) -> Option<String> {
    let clip = state.clip.as_ref()?;
    let frames = state.range().count(clip.frames);
    let classes = state.choice.plan.classes.len();
    let kinds = state.export.kinds.iter();
    let bytes: u64 =
        kinds.clone().map(|kind| kind.least_bytes(clip.info.size.pixels(), frames, classes)).sum();
    let pictures = kinds.filter(|kind| kind.needs_picture()).count();
    let time = state.pass_rate.and_then(|rate| {
        let secs = frames as f64 / rate * (1.0 + PICTURES_SHARE * pictures as f64);
        Duration::try_from_secs_f64(secs.max(1.0)).ok()
    });
    let size = size((bytes >> 20).max(1));
    Some(match time {
        Some(time) => fill(Text::ExportTotal, &[&size, &clock(time)]),
        None => fill(Text::ExportSize, &[&size]),
    })
}

const fn group_text(group: KindGroup) -> Text {
    match group {
        KindGroup::Matte => Text::ExportMattes,
        KindGroup::Transparency => Text::ExportTransparency,
        KindGroup::Picture => Text::ExportPictures,
        KindGroup::Data => Text::ExportData,
    }
}
