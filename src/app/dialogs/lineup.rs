//! The line of clips: what runs, what waits, what came of the rest.

use eframe::egui::{self, Align, Layout, RichText, ScrollArea, Ui};

use super::{
    super::{
        commands::Command,
        icons::{self, Icon},
        lineup::LineCommand,
        state::State,
        text::{Text, fill, t},
        theme,
    },
    main_button,
};
use crate::jobs::{LineState, Waiting};

pub fn show(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let line = &state.line;
    let mut send = |command| commands.push(Command::Line(command));
    if line.clips.is_empty() {
        ui.label(RichText::new(t(Text::LineEmpty)).weak());
    }
    let most = 0.5 * ui.ctx().content_rect().height();
    ScrollArea::vertical().max_height(most).auto_shrink([false, true]).show(ui, |ui| {
        for (at, clip) in line.clips.iter().enumerate() {
            row(ui, state, clip, (at > 0, at + 1 < line.clips.len()), &mut send);
        }
    });
    if let Some(cause) = &line.unsaved {
        ui.label(RichText::new(fill(Text::LineUnsaved, &[cause])).color(ui.visuals().warn_fg_color));
    }
    ui.add_space(10.0);
    let ready = state.model().is_some() && !state.groups().is_empty();
    ui.horizontal(|ui| {
        if !state.waiting.is_empty() {
            let text = fill(Text::LineAddDropped, &[&state.waiting.len()]);
            let button = egui::Button::new(RichText::new(text).strong().color(egui::Color32::WHITE))
                .fill(egui::Color32::from_rgb(0, 112, 112));
            if ui.add_enabled(ready, button).on_disabled_hover_text(t(Text::NoClass)).clicked() {
                send(LineCommand::AddDropped);
            }
        }
        // A part that is left out belongs to the open clip, and is not taken along.
        let can_add = state.clip.is_some() && ready && state.choice.leave_out.is_empty();
        if ui.add_enabled(can_add, egui::Button::new(t(Text::LineAddOpen))).clicked() {
            send(LineCommand::AddOpen);
        }
        if !line.clips.is_empty() {
            let text = if line.is_held { Text::LineGoOn } else { Text::LineHold };
            let clicked =
                if line.is_held { main_button(ui, text, true) } else { ui.button(t(text)).clicked() };
            if clicked {
                send(LineCommand::Hold(!line.is_held));
            }
        }
    });
    ui.label(RichText::new(t(Text::LineHint)).small().weak());
}

fn row(
    ui: &mut Ui,
    state: &State,
    clip: &Waiting,
    (can_rise, can_sink): (bool, bool),
    send: &mut impl FnMut(LineCommand),
) {
    let id = clip.id;
    ui.horizontal(|ui| {
        let name = clip.video.file_name().unwrap_or(clip.video.as_os_str()).to_string_lossy();
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let mut button = |icon: Icon, text: Text, enabled: bool, command: LineCommand| {
                if icons::button(ui, icon, &format!("{} {name}", t(text)), t(text), enabled).clicked() {
                    send(command);
                }
            };
            button(Icon::Remove, Text::LineRemove, true, LineCommand::Remove(id));
            match clip.state {
                LineState::Waiting | LineState::Running => {
                    button(Icon::Stop, Text::Cancel, true, LineCommand::Cancel(id));
                }
                _ => button(Icon::Undo, Text::LineRetry, true, LineCommand::Retry(id)),
            }
            button(Icon::Down, Text::LineDown, can_sink, LineCommand::Shift(id, 1));
            button(Icon::Up, Text::LineUp, can_rise, LineCommand::Shift(id, -1));
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let (text, colour) = words(ui, state, clip);
                ui.add_sized([92.0, 18.0], egui::Label::new(RichText::new(text).small().color(colour)));
                ui.add(egui::Label::new(&*name).truncate()).on_hover_text(clip.out.display().to_string());
            });
        });
    });
    if let Some(error) = &clip.error {
        ui.label(RichText::new(error).small().color(ui.visuals().error_fg_color));
    }
}

fn words(ui: &Ui, state: &State, clip: &Waiting) -> (String, egui::Color32) {
    let weak = ui.visuals().weak_text_color();
    match clip.state {
        LineState::Waiting => (t(Text::LineWaiting).into(), weak),
        LineState::Done => (t(Text::LineDone).into(), theme::smoothed(ui.visuals().dark_mode)),
        LineState::Failed => (t(Text::LineFailed).into(), ui.visuals().error_fg_color),
        LineState::Cancelled => (t(Text::LineCancelled).into(), weak),
        LineState::Running => {
            let masks = state.line.progress.map(|[_, masks]| masks);
            let share = masks.and_then(|masks| Some(100 * masks.done / masks.total?.max(1)));
            let text = share.map_or_else(|| t(Text::LineRunning).into(), |share| format!("{share} %"));
            (text, ui.visuals().strong_text_color())
        }
    }
}
