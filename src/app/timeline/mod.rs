//! Time: the heat strip of flicker, raw above smoothed, the range, and the playhead.

pub mod player;

use eframe::egui::{
    self, Align2, Color32, ColorImage, FontId, Id, Rect, Sense, Stroke, TextureHandle, TextureOptions, Ui,
    pos2, vec2,
};

use base::frame::FrameRange;

use crate::{
    commands::Command,
    icons::{self, Icon},
    results::FLICKER,
    state::State,
    text::{Text, fill, t},
    theme,
    timeline::player::{Mark, Move},
};

/// The part of the clip that is seen, and the strip's picture, made anew when the numbers
/// change.
#[derive(Default)]
pub struct Strip {
    /// All of it is seen, or only these frames.
    zoom: Option<Span>,
    /// Where the playhead was: when it leaves what is seen, that follows.
    frame: usize,
    key: Option<(u64, Span, bool)>,
    texture: Option<TextureHandle>,
}

/// So many frames from the first.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    first: usize,
    count: usize,
}

/// No closer than this.
const LEAST_SPAN: usize = 16;

impl Span {
    /// Of the same frames, `factor` times as many, around the one at `share` of the width.
    fn zoomed(self, factor: f32, share: f32, frames: usize) -> Option<Self> {
        let count = ((self.count as f32 * factor).round() as usize).max(LEAST_SPAN);
        if count >= frames {
            return None;
        }
        let under = self.first as f32 + share * self.count as f32;
        let first = (under - share * count as f32).round().max(0.0) as usize;
        Some(Self { first: first.min(frames - count), count })
    }

    /// Moved by so many frames, or as far as there are any.
    fn moved(self, by: f32, frames: usize) -> Self {
        let first = (self.first as f32 + by).round().max(0.0) as usize;
        Self { first: first.min(frames.saturating_sub(self.count)), ..self }
    }

    fn contains(self, frame: usize) -> bool {
        (self.first..self.first + self.count).contains(&frame)
    }
}

/// Longer clips share columns, the worst frame counting.
const MAX_COLUMNS: usize = 2048;
const STRIP_HEIGHT: f32 = 30.0;

pub fn show(ui: &mut Ui, state: &State, strip: &mut Strip, commands: &mut Vec<Command>) {
    egui::Panel::bottom("timeline").resizable(false).exact_size(82.0).show(ui, |ui| {
        ui.add_space(3.0);
        transport(ui, state, commands);
        ui.add_space(1.0);
        scrubber(ui, state, strip, commands);
    });
}

fn transport(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let playing = state.player.playing.is_some();
        let mut button = |ui: &mut Ui, icon: Icon, text: Text, keys: &str, command: Command| {
            if icons::button(ui, icon, t(text), &format!("{} ({keys})", t(text)), true).clicked() {
                commands.push(command);
            }
        };
        button(ui, Icon::First, Text::FirstFrame, "Home", Command::Player(Move::Go(0)));
        button(ui, Icon::Previous, Text::PreviousFrame, "←", Command::Player(Move::Step(-1)));
        let (icon, text) = if playing { (Icon::Pause, Text::Pause) } else { (Icon::Play, Text::Play) };
        button(ui, icon, text, "Space", Command::Player(Move::PlayPause));
        button(ui, Icon::Next, Text::NextFrame, "→", Command::Player(Move::Step(1)));
        button(ui, Icon::Last, Text::LastFrame, "End", Command::Player(Move::Go(usize::MAX)));
        ui.add_space(10.0);
        let frames = state.frames();
        ui.monospace(timecode(state));
        ui.label(fill(Text::FrameOf, &[&state.player.frame, &frames.saturating_sub(1)]));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let some = !state.results.rows().is_empty();
            if ui.add_enabled(some, egui::Button::new(t(Text::NextPeak))).on_hover_text("N").clicked() {
                commands.push(Command::Peak { forwards: true });
            }
            if ui.add_enabled(some, egui::Button::new(t(Text::PreviousPeak))).on_hover_text("P").clicked() {
                commands.push(Command::Peak { forwards: false });
            }
            ui.add_space(8.0);
            if state.range() != FrameRange::ALL && ui.button(t(Text::ClearRange)).clicked() {
                commands.push(Command::Mark(Mark::Clear));
            }
            if ui.button(t(Text::MarkOut)).on_hover_text(t(Text::MarkOutHint)).clicked() {
                commands.push(Command::Mark(Mark::Out));
            }
            if ui.button(t(Text::MarkIn)).on_hover_text(t(Text::MarkInHint)).clicked() {
                commands.push(Command::Mark(Mark::In));
            }
        });
    });
}

/// Minutes, seconds and thousandths of the frame under the playhead.
fn timecode(state: &State) -> String {
    let Some(clip) = &state.clip else { return String::new() };
    let secs = match state.results.row(state.player.frame) {
        Some(row) => row.timestamp.secs(),
        None => state.player.frame as f64 / clip.info.frames_per_sec,
    };
    let millis = (secs * 1000.0).round().max(0.0) as u64;
    format!("{:02}:{:02}.{:03}", millis / 60_000, millis / 1000 % 60, millis % 1000)
}

fn scrubber(ui: &mut Ui, state: &State, strip: &mut Strip, commands: &mut Vec<Command>) {
    let frames = state.frames().max(1);
    let (whole, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), STRIP_HEIGHT + 8.0), Sense::click_and_drag());
    let lane = Rect::from_min_size(whole.min + vec2(0.0, 4.0), vec2(whole.width(), STRIP_HEIGHT));
    response.widget_info(|| egui::WidgetInfo::slider(true, state.player.frame as f64, t(Text::Timeline)));
    let span = strip.follow(ui, state, &response, lane, frames);
    let x_of = |frame: f32| lane.left() + (frame - span.first as f32) / span.count as f32 * lane.width();
    let frame_at = |x: f32| {
        let share = ((x - lane.left()) / lane.width()).clamp(0.0, 1.0);
        (span.first + (share * span.count as f32) as usize).min(frames - 1)
    };
    if let Some(at) = response.interact_pointer_pos() {
        let frame = frame_at(at.x);
        if frame != state.player.frame {
            commands.push(Command::Player(Move::Go(frame)));
        }
    }
    let dark = ui.visuals().dark_mode;
    let painter = ui.painter_at(whole);
    let ground = ui.visuals().extreme_bg_color;
    painter.rect_filled(lane, 3.0, ground);
    let upper = Rect::from_min_max(lane.min, pos2(lane.right(), lane.center().y - 0.5));
    let lower = Rect::from_min_max(pos2(lane.left(), lane.center().y + 0.5), lane.max);
    if let Some(texture) = strip.texture(ui, state, span, ground) {
        let half = |top: f32| Rect::from_min_max(pos2(0.0, top), pos2(1.0, top + 0.5));
        painter.image(texture.id(), upper, half(0.0), Color32::WHITE);
        painter.image(texture.id(), lower, half(0.5), Color32::WHITE);
    }
    // What the network has seen: a line below.
    let weak = ui.visuals().weak_text_color();
    if let Some(job) = &state.run {
        let done = job.progress.network.snapshot().done.min(frames);
        let start = x_of(job.range.first as f32);
        painter.hline(
            start..=x_of((job.range.first + done) as f32),
            whole.bottom() - 1.5,
            Stroke::new(2.0, theme::smoothed(dark)),
        );
    }
    for row in state.results.rows().iter().flatten().filter(|row| row.cut && row.frame.get() > 0) {
        let x = x_of(row.frame.get() as f32);
        painter.vline(x, lane.y_range(), Stroke::new(1.0, weak));
    }
    // Which part is seen: a line above.
    if span.count < frames {
        let share = |frame: usize| lane.left() + frame as f32 / frames as f32 * lane.width();
        let seen = share(span.first)..=share(span.first + span.count);
        painter.hline(seen, whole.top() + 1.0, Stroke::new(2.0, weak));
    }
    let range = state.range();
    let shade = Color32::from_black_alpha(if dark { 150 } else { 70 });
    if range.first > 0 {
        painter.rect_filled(
            Rect::from_min_max(lane.min, pos2(x_of(range.first as f32), lane.bottom())),
            0.0,
            shade,
        );
    }
    if range.last < frames - 1 {
        painter.rect_filled(
            Rect::from_min_max(pos2(x_of(range.last as f32 + 1.0), lane.top()), lane.max),
            0.0,
            shade,
        );
    }
    if state.results.rows().is_empty() {
        painter.text(
            lane.center(),
            Align2::CENTER_CENTER,
            t(Text::Flicker),
            FontId::proportional(11.0),
            weak,
        );
    } else {
        for (rect, text, colour) in
            [(upper, Text::Raw, theme::raw(dark)), (lower, Text::Smoothed, theme::smoothed(dark))]
        {
            let galley = painter.layout_no_wrap(t(text).to_owned(), FontId::proportional(10.0), colour);
            let plate = Rect::from_min_size(rect.min, galley.size() + vec2(8.0, 0.0)).intersect(rect);
            painter.rect_filled(plate, 2.0, ground.gamma_multiply(0.85));
            painter.galley(rect.left_center() + vec2(4.0, -galley.size().y / 2.0), galley, colour);
        }
    }
    let x = x_of(state.player.frame as f32 + 0.5);
    let line = if dark { Color32::WHITE } else { Color32::BLACK };
    painter.vline(x, whole.y_range(), Stroke::new(1.5, line));
    let top = pos2(x, whole.top());
    painter.add(egui::Shape::convex_polygon(
        vec![top + vec2(-5.0, 0.0), top + vec2(5.0, 0.0), top + vec2(0.0, 6.0)],
        line,
        Stroke::NONE,
    ));
    if let Some(at) = response.hover_pos() {
        hover(ui, state, frame_at(at.x), at);
    }
}

fn hover(ui: &Ui, state: &State, frame: usize, at: egui::Pos2) {
    let mut text = fill(Text::FrameOf, &[&frame, &state.frames().saturating_sub(1)]);
    if let Some(row) = state.results.row(frame) {
        let number = |value: Option<f64>| {
            value.map_or_else(|| t(Text::Unknown).to_owned(), |value| format!("{value:.3}"))
        };
        let [raw, smoothed] = [&row.raw, &row.smoothed].map(|side| number(side[FLICKER]));
        text = format!("{text}\n{}: {raw} → {smoothed}", t(Text::Flicker));
    }
    egui::Tooltip::always_open(ui.ctx().clone(), ui.layer_id(), Id::unique("scrub hint"), at).show(|ui| {
        ui.add(egui::Label::new(text).extend());
    });
}

impl Strip {
    /// The frames that are seen: the wheel zooms around the pointer, sideways it moves.
    fn follow(
        &mut self,
        ui: &Ui,
        state: &State,
        response: &egui::Response,
        lane: Rect,
        frames: usize,
    ) -> Span {
        let all = Span { first: 0, count: frames };
        // Another clip may be shorter.
        self.zoom = self.zoom.filter(|span| span.first + span.count <= frames);
        if let Some(at) = response.hover_pos() {
            let (scroll, pinch) = ui.input(|input| (input.smooth_scroll_delta(), input.zoom_delta()));
            let factor = (-scroll.y / 200.0).exp() / pinch;
            let span = self.zoom.unwrap_or(all);
            if (factor - 1.0).abs() > 1e-4 {
                self.zoom = span.zoomed(factor, (at.x - lane.left()) / lane.width(), frames);
            }
            if scroll.x != 0.0 {
                let by = -scroll.x / lane.width() * span.count as f32;
                self.zoom = self.zoom.map(|span| span.moved(by, frames));
            }
        }
        let (frame, before) = (state.player.frame, std::mem::replace(&mut self.frame, state.player.frame));
        if let Some(span) = self.zoom.filter(|span| frame != before && !span.contains(frame)) {
            let middle = (span.first + span.count / 2) as f32;
            self.zoom = Some(span.moved(frame as f32 - middle, frames));
        }
        self.zoom.unwrap_or(all)
    }

    fn texture(&mut self, ui: &Ui, state: &State, span: Span, ground: Color32) -> Option<&TextureHandle> {
        if state.results.rows().is_empty() {
            return None;
        }
        let dark = ui.visuals().dark_mode;
        let key = (state.results.revision, span, dark);
        if self.key != Some(key) {
            let image = heat(state, span, dark, ground);
            match &mut self.texture {
                Some(texture) => texture.set(image, TextureOptions::NEAREST),
                None => self.texture = Some(ui.ctx().load_texture("strip", image, TextureOptions::NEAREST)),
            }
            self.key = Some(key);
        }
        self.texture.as_ref()
    }
}

fn heat(state: &State, span: Span, dark: bool, ground: Color32) -> ColorImage {
    let columns = span.count.min(MAX_COLUMNS);
    let mut most = [vec![0.0f32; columns], vec![0.0f32; columns]];
    let mut sorted = Vec::new();
    for (frame, pair) in state.results.values(FLICKER) {
        sorted.extend(pair[0].map(|value| value as f32).filter(|&value| value > 0.0));
        if span.contains(frame) {
            let column = (frame - span.first) * columns / span.count;
            for (most, value) in most.iter_mut().zip(pair) {
                most[column] = most[column].max(value.unwrap_or(0.0) as f32);
            }
        }
    }
    // Both sides and all of the clip on one scale, whose top a few outliers don't set.
    sorted.sort_by(f32::total_cmp);
    let top = sorted.get(sorted.len() * 95 / 100).copied().unwrap_or(1.0).max(0.02);
    let colours = [theme::raw(dark), theme::smoothed(dark)];
    let pixels = most
        .iter()
        .zip(colours)
        .flat_map(|(values, colour)| values.iter().map(move |value| theme::heat(colour, ground, value / top)))
        .collect();
    ColorImage::new([columns, 2], pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_under_the_pointer_stays_and_nothing_leaves_the_clip(
            frames in 20usize..5000, share in 0.0f32..=1.0, factors in proptest::collection::vec(0.3f32..3.0, 1..8),
        ) {
            let mut span = Span { first: 0, count: frames };
            for factor in factors {
                let under = span.first as f32 + share * span.count as f32;
                let Some(zoomed) = span.zoomed(factor, share, frames) else { break };
                prop_assert!(zoomed.count >= LEAST_SPAN && zoomed.first + zoomed.count <= frames);
                let now = zoomed.first as f32 + share * zoomed.count as f32;
                let at_an_end = zoomed.first == 0 || zoomed.first + zoomed.count == frames;
                prop_assert!(at_an_end || (now - under).abs() <= 1.0, "{under} to {now}");
                span = zoomed.moved(0.0, frames);
                prop_assert_eq!(span, zoomed);
            }
        }
    }
}
