//! The queue: what runs, what waits, what came of the rest.

use eframe::egui::{self, Align, Layout, RichText, ScrollArea, Ui};

use crate::{
    commands::Command,
    icons::{self, Icon},
    queue::commands::QueueCommand,
    state::State,
    text::{Text, fill, t},
    theme,
    widgets::main_button,
};
use jobs::{ClipState, QueuedClip};

pub fn show(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let queue = &state.queue;
    let mut send = |command| commands.push(Command::Queue(command));
    if queue.clips.is_empty() {
        ui.label(RichText::new(t(Text::QueueEmpty)).weak());
    }
    let most = 0.5 * ui.ctx().content_rect().height();
    ScrollArea::vertical().max_height(most).auto_shrink([false, true]).show(ui, |ui| {
        for (at, clip) in queue.clips.iter().enumerate() {
            row(ui, state, clip, (at > 0, at + 1 < queue.clips.len()), &mut send);
        }
    });
    if let Some(cause) = &queue.unsaved {
        ui.label(RichText::new(fill(Text::QueueUnsaved, &[cause])).color(ui.visuals().warn_fg_color));
    }
    ui.add_space(10.0);
    let ready = state.model().is_some() && !state.groups().is_empty();
    ui.horizontal(|ui| {
        if !state.dropped.is_empty() {
            let text = fill(Text::QueueAddDropped, &[&state.dropped.len()]);
            let button = egui::Button::new(RichText::new(text).strong().color(egui::Color32::WHITE))
                .fill(egui::Color32::from_rgb(0, 112, 112));
            if ui.add_enabled(ready, button).on_disabled_hover_text(t(Text::NoClass)).clicked() {
                send(QueueCommand::AddDropped);
            }
        }
        let why_not = state.why_not_queue();
        let button = ui.add_enabled(why_not.is_none(), egui::Button::new(t(Text::QueueAddOpen)));
        if button.on_disabled_hover_text(why_not.map_or("", t)).clicked() {
            send(QueueCommand::AddOpen);
        }
        if !queue.clips.is_empty() {
            let text = if queue.is_held { Text::QueueGoOn } else { Text::QueueHold };
            let clicked =
                if queue.is_held { main_button(ui, text, true) } else { ui.button(t(text)).clicked() };
            if clicked {
                send(QueueCommand::Hold(!queue.is_held));
            }
        }
    });
    ui.label(RichText::new(t(Text::QueueHint)).small().weak());
}

fn row(
    ui: &mut Ui,
    state: &State,
    clip: &QueuedClip,
    (can_rise, can_sink): (bool, bool),
    send: &mut impl FnMut(QueueCommand),
) {
    let id = clip.id;
    ui.horizontal(|ui| {
        let name = clip.video.file_name().unwrap_or(clip.video.as_os_str()).to_string_lossy();
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let mut button = |icon: Icon, text: Text, enabled: bool, command: QueueCommand| {
                if icons::button(ui, icon, &format!("{} {name}", t(text)), t(text), enabled).clicked() {
                    send(command);
                }
            };
            button(Icon::Remove, Text::QueueRemove, true, QueueCommand::Remove(id));
            match clip.state {
                ClipState::Waiting | ClipState::Running => {
                    button(Icon::Stop, Text::Cancel, true, QueueCommand::Cancel(id));
                }
                _ => button(Icon::Undo, Text::QueueRetry, true, QueueCommand::Retry(id)),
            }
            button(Icon::Down, Text::QueueDown, can_sink, QueueCommand::Shift(id, 1));
            button(Icon::Up, Text::QueueUp, can_rise, QueueCommand::Shift(id, -1));
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

fn words(ui: &Ui, state: &State, clip: &QueuedClip) -> (String, egui::Color32) {
    let weak = ui.visuals().weak_text_color();
    match clip.state {
        ClipState::Waiting => (t(Text::QueueWaiting).into(), weak),
        ClipState::Done => (t(Text::QueueDone).into(), theme::smoothed(ui.visuals().dark_mode)),
        ClipState::Failed => (t(Text::QueueFailed).into(), ui.visuals().error_fg_color),
        ClipState::Cancelled => (t(Text::QueueCancelled).into(), weak),
        ClipState::Running => {
            let masks = state.queue.progress.map(|[_, masks]| masks);
            let share = masks.and_then(|masks| Some(100 * masks.done / masks.total?.max(1)));
            let text = share.map_or_else(|| t(Text::QueueRunning).into(), |share| format!("{share} %"));
            (text, ui.visuals().strong_text_color())
        }
    }
}
