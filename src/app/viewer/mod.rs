//! The picture: raw beside smoothed, wipe, overlay, difference, matte, probability.

mod lasso;
mod mode_bar;
pub mod view;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use eframe::egui::{
    self, Align2, Color32, ColorImage, CornerRadius, CursorIcon, FontId, Id, Pos2, Rect, Sense, Stroke,
    TextureHandle, TextureOptions, Ui, Vec2, pos2, vec2,
};

use crate::{
    commands::Command,
    state::State,
    text::{Text, t},
    theme,
    viewer::view::Mode,
    work::{Layers, Look, Picture, Quality, Source, ViewUpdate},
};
use base::mask::{Masks, SoftMask};

/// What is on the screen: textures that change only when what they show does.
pub struct Shown {
    pub complete: bool,
    path: PathBuf,
    index: usize,
    look: Look,
    picture: TextureHandle,
    is_sharp: bool,
    layers: [Option<TextureHandle>; 2],
    layer_count: usize,
    quality: Quality,
    /// The network has come to the frame.
    is_seen: bool,
    probabilities: Option<[Masks; 2]>,
}

/// Enlarged pixels stay pixels; reduced pictures are smooth, and so is what stands in for a
/// larger one.
fn options(is_full: bool) -> TextureOptions {
    let magnification = if is_full { egui::TextureFilter::Nearest } else { egui::TextureFilter::Linear };
    TextureOptions { magnification, ..TextureOptions::LINEAR }
}

impl Shown {
    /// What is shown when this has come; `None` as long as there is no picture.
    pub fn update(last: Option<Self>, update: ViewUpdate, ctx: &egui::Context) -> Option<Self> {
        let ViewUpdate { request, picture, masks, probabilities } = update;
        let mut shown = match (last, picture) {
            (None, None) => return None,
            (Some(last), None) => last,
            (last, Some(Picture { image, source })) => {
                let is_sharp = source != Source::Proxy;
                let options = options(is_sharp);
                let (texture, layers) = match last {
                    Some(mut last) => {
                        last.picture.set(image, options);
                        (last.picture, last.layers)
                    }
                    None => (ctx.load_texture("picture", image, options), [None, None]),
                };
                Self {
                    complete: false,
                    path: request.path.clone(),
                    index: request.index,
                    look: request.look,
                    picture: texture,
                    is_sharp,
                    layers,
                    layer_count: 0,
                    quality: Quality::Nothing,
                    is_seen: false,
                    probabilities: None,
                }
            }
        };
        if !shown.is_of(&request.path, request.index) {
            return Some(shown);
        }
        if let Some(Layers { images, quality, is_seen, complete }) = masks {
            shown.layer_count = images.len();
            (shown.look, shown.quality) = (request.look, quality);
            (shown.is_seen, shown.complete) = (is_seen, complete);
            shown.probabilities = None;
            for ((layer, image), name) in shown.layers.iter_mut().zip(images).zip(["raw", "smoothed"]) {
                set(layer, name, image, options(quality == Quality::Full), ctx);
            }
        }
        shown.probabilities = probabilities.or(shown.probabilities);
        Some(shown)
    }

    /// The frame itself takes the place of its proxy.
    pub fn sharpen(&mut self, image: Arc<ColorImage>) {
        self.picture.set(image, options(true));
        self.is_sharp = true;
    }

    pub fn is_of(&self, path: &Path, index: usize) -> bool {
        self.path == path && self.index == index
    }

    /// The frame itself, not its proxy.
    pub fn is_sharp(&self) -> bool {
        self.is_sharp
    }

    pub fn has_masks(&self) -> bool {
        self.layer_count > 0
    }
}

fn set(
    texture: &mut Option<TextureHandle>,
    name: &str,
    image: ColorImage,
    options: TextureOptions,
    ctx: &egui::Context,
) {
    match texture {
        Some(texture) => texture.set(image, options),
        None => *texture = Some(ctx.load_texture(name, image, options)),
    }
}

const WHOLE: Rect = Rect { min: Pos2::ZERO, max: pos2(1.0, 1.0) };

pub fn show(ui: &mut Ui, state: &mut State, shown: Option<&Shown>, commands: &mut Vec<Command>) {
    let frame = egui::Frame::NONE.fill(theme::STAGE);
    egui::CentralPanel::no_frame().frame(frame).show(ui, |ui| {
        let whole = ui.max_rect();
        let bar =
            Rect::from_min_size(whole.left_bottom() - vec2(0.0, BAR_HEIGHT), vec2(whole.width(), BAR_HEIGHT));
        let stage = Rect::from_min_max(whole.min, pos2(whole.max.x, bar.min.y)).shrink(1.0);
        let size = state.clip.as_ref().map(|clip| clip.info.size);
        let size = size.map(|size| vec2(size.width() as f32, size.height() as f32));
        let Some((shown, size)) = shown.zip(size) else {
            ui.put(Rect::from_center_size(stage.center(), vec2(40.0, 40.0)), egui::Spinner::new().size(28.0));
            return;
        };
        let split = state.view.mode.is_split() && !state.view.raw_only && shown.has_masks();
        let cells = cells(stage, split);
        let response = interact(ui, state, stage, &cells, size);
        for (side, &cell) in cells.iter().enumerate() {
            paint_cell(ui, state, shown, size, cell, side, split);
        }
        if state.view.mode == Mode::Wipe && shown.has_masks() && !state.view.raw_only {
            divider(ui, state, cells[0], size);
        }
        if let Some(text) = pending(state, shown) {
            chip(
                ui,
                cells[0].center_bottom() + vec2(0.0, -26.0),
                Align2::CENTER_BOTTOM,
                t(text),
                Color32::from_gray(225),
            );
        }
        readout(ui, state, shown, size, &cells, &response);
        lasso::show(ui, state, &cells, size, &response, commands);
        let mut bar_ui = ui.new_child(egui::UiBuilder::new().max_rect(bar.shrink2(vec2(8.0, 3.0))));
        mode_bar::show(&mut bar_ui, state, commands);
    });
}

/// What is still to come of the masks, in words.
fn pending(state: &State, shown: &Shown) -> Option<Text> {
    let is_seen = shown.is_seen && state.session().is_some();
    match (shown.has_masks(), state.is_running()) {
        (false, _) if is_seen => Some(Text::SmoothingNow),
        (false, true) => Some(Text::MasksPending),
        (false, false) => {
            let is_beyond =
                state.run.as_ref().is_some_and(|job| job.complete && !job.range.contains(shown.index));
            Some(if is_beyond { Text::OutsideRange } else { Text::MasksNone })
        }
        (true, true) if !shown.complete && shown.quality == Quality::Full => Some(Text::Partial),
        (true, _) => None,
    }
}

const BAR_HEIGHT: f32 = 34.0;
const GAP: f32 = 3.0;

fn cells(stage: Rect, split: bool) -> Vec<Rect> {
    if !split {
        return vec![stage];
    }
    let half = (stage.width() - GAP) / 2.0;
    let left = Rect::from_min_size(stage.min, vec2(half, stage.height()));
    vec![left, left.translate(vec2(half + GAP, 0.0))]
}

/// One zoom and one pan for all cells.
fn interact(ui: &mut Ui, state: &mut State, stage: Rect, cells: &[Rect], size: Vec2) -> egui::Response {
    let response = ui.interact(stage, Id::unique("stage"), Sense::click_and_drag());
    response.widget_info(|| {
        egui::WidgetInfo::labeled(
            egui::Role::Image,
            true,
            format!("{}: {}", t(state.view.mode.text()), state.player.frame),
        )
    });
    let cell_at = |at: Pos2| *cells.iter().find(|cell| cell.contains(at)).unwrap_or(&cells[0]);
    if let Some(at) = response.hover_pos() {
        let cell = cell_at(at);
        let (scroll, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
        let factor = (scroll / 240.0).exp() * pinch;
        if (factor - 1.0).abs() > 1e-4 {
            state.view.zoom_at(factor, at, size, cell);
        }
    }
    if response.dragged() {
        state.view.pan(response.drag_delta(), size, cells[0]);
        ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
    }
    if response.double_clicked() && state.drawing.is_none() {
        state.view.zoom = None;
    }
    response
}

fn paint_cell(ui: &Ui, state: &State, shown: &Shown, size: Vec2, cell: Rect, side: usize, split: bool) {
    let placed = state.view.placed(size, cell);
    let painter = ui.painter_at(cell);
    let opaque = matches!(shown.look, Look::Matte | Look::Heat) && shown.has_masks();
    if !opaque {
        let dim = shown.look == Look::Difference && shown.has_masks();
        let tint = if dim { Color32::from_gray(120) } else { Color32::WHITE };
        painter.image(shown.picture.id(), placed, WHOLE, tint);
    }
    let tint = if opaque {
        Color32::WHITE
    } else {
        Color32::from_white_alpha((state.preferences.opacity * 255.0) as u8)
    };
    let layer = |at: usize, painter: &egui::Painter| {
        if let Some(layer) = shown.layers[at].as_ref().filter(|_| at < shown.layer_count) {
            painter.image(layer.id(), placed, WHOLE, tint);
        }
    };
    let two = shown.layer_count == 2;
    let seen = placed.intersect(cell);
    let corner = |right: bool| {
        if right { seen.right_top() + vec2(-8.0, 8.0) } else { seen.left_top() + vec2(8.0, 8.0) }
    };
    let (amber, teal) = (theme::raw(true), theme::smoothed(true));
    // What is not smoothed yet is not called smoothed.
    let smoothed = if shown.quality < Quality::Draft { Text::SmoothingNow } else { Text::Smoothed };
    match (state.view.mode, two) {
        _ if !shown.has_masks() => {}
        _ if state.view.raw_only => {
            layer(0, &painter);
            chip(ui, corner(false), Align2::LEFT_TOP, t(Text::RawHeld), amber);
        }
        (Mode::Wipe, true) => {
            let x = placed.left() + state.view.wipe * placed.width();
            layer(0, &painter.with_clip_rect(cell.intersect(Rect::everything_left_of(x))));
            layer(1, &painter.with_clip_rect(cell.intersect(Rect::everything_right_of(x))));
            chip(ui, corner(false), Align2::LEFT_TOP, t(Text::Raw), amber);
            chip(ui, corner(true), Align2::RIGHT_TOP, t(smoothed), teal);
        }
        (_, true) if split => {
            layer(side, &painter);
            let colour = if side == 0 { amber } else { teal };
            let text = match (state.view.mode, side) {
                (Mode::Compare, 0) => "A",
                (Mode::Compare, _) => "B",
                (_, 0) => t(Text::Raw),
                _ => t(smoothed),
            };
            chip(ui, corner(false), Align2::LEFT_TOP, text, colour);
        }
        (Mode::Overlay, false) => {
            layer(0, &painter);
            let width = chip(ui, corner(false), Align2::LEFT_TOP, &format!("┄ {}", t(Text::Raw)), amber);
            chip(
                ui,
                corner(false) + vec2(width + 6.0, 0.0),
                Align2::LEFT_TOP,
                &format!("— {}", t(Text::Smoothed)),
                teal,
            );
        }
        (Mode::Difference, false) => {
            layer(0, &painter);
            let width = chip(
                ui,
                corner(false),
                Align2::LEFT_TOP,
                &format!("+ {}", t(Text::Added)),
                Color32::from_rgb(130, 170, 255),
            );
            chip(
                ui,
                corner(false) + vec2(width + 6.0, 0.0),
                Align2::LEFT_TOP,
                &format!("− {}", t(Text::Removed)),
                theme::removed(),
            );
        }
        // Between two modes the old layers stay for a moment.
        _ => layer(if two { 1 } else { 0 }, &painter),
    }
}

/// Words on a dark plate, readable on any picture. Gives its width.
fn chip(ui: &Ui, at: Pos2, anchor: Align2, text: &str, colour: Color32) -> f32 {
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(12.5), colour);
    let rect = anchor.anchor_size(at, galley.size() + vec2(14.0, 7.0));
    ui.painter().rect_filled(rect, CornerRadius::same(5), Color32::from_black_alpha(190));
    ui.painter().galley(rect.min + vec2(7.0, 3.5), galley, colour);
    rect.width()
}

fn divider(ui: &mut Ui, state: &mut State, cell: Rect, size: Vec2) {
    let placed = state.view.placed(size, cell);
    let x = (placed.left() + state.view.wipe * placed.width()).clamp(cell.left() + 4.0, cell.right() - 4.0);
    let grip = Rect::from_center_size(pos2(x, cell.center().y), vec2(18.0, cell.height()));
    let response = ui
        .interact(grip, Id::unique("wipe"), Sense::click_and_drag())
        .on_hover_cursor(CursorIcon::ResizeHorizontal);
    response.widget_info(|| egui::WidgetInfo::slider(true, f64::from(state.view.wipe), t(Text::Divider)));
    if let Some(at) = response.interact_pointer_pos().filter(|_| response.dragged()) {
        state.view.wipe = ((at.x - placed.left()) / placed.width()).clamp(0.0, 1.0);
    }
    if response.has_focus() {
        let by = ui.input(|input| {
            f32::from(u8::from(input.key_pressed(egui::Key::ArrowUp)))
                - f32::from(u8::from(input.key_pressed(egui::Key::ArrowDown)))
        });
        state.view.wipe = (state.view.wipe + by * 0.02).clamp(0.0, 1.0);
    }
    let painter = ui.painter_at(cell);
    let strong = response.hovered() || response.dragged() || response.has_focus();
    painter.vline(x, cell.y_range(), Stroke::new(if strong { 2.5 } else { 1.5 }, Color32::WHITE));
    let knob = pos2(x, cell.center().y);
    painter.circle(knob, 11.0, Color32::WHITE, Stroke::new(1.0, Color32::from_black_alpha(120)));
    painter.text(knob, Align2::CENTER_CENTER, "↔", FontId::proportional(14.0), Color32::from_gray(30));
}

/// Position and probabilities of the pixel under the pointer.
fn readout(ui: &Ui, state: &State, shown: &Shown, size: Vec2, cells: &[Rect], response: &egui::Response) {
    let (Some(at), Some([raw, smoothed])) = (response.hover_pos(), &shown.probabilities) else { return };
    let Some(&cell) = cells.iter().find(|cell| cell.contains(at)) else { return };
    let placed = state.view.placed(size, cell);
    let inside = (at - placed.min) / placed.size() * size;
    if inside.x < 0.0 || inside.y < 0.0 || inside.x >= size.x || inside.y >= size.y {
        return;
    }
    let (x, y) = (inside.x as usize, inside.y as usize);
    // A draft's probabilities are on a smaller grid.
    let value = |mask: &SoftMask| {
        let (width, height) = (mask.size().width(), mask.size().height());
        let along = |at: f32, side: f32, cells: usize| ((at / side * cells as f32) as usize).min(cells - 1);
        let at = along(inside.y, size.y, height) * width + along(inside.x, size.x, width);
        f32::from(mask.values()[at]) / 255.0
    };
    let Some(class) = (0..raw.len()).max_by(|&a, &b| f32::total_cmp(&value(&raw[a]), &value(&raw[b]))) else {
        return;
    };
    let name = state.choice.plan.classes.get(class).map_or("", String::as_str);
    let text = format!("{x}, {y}   {name}  {:.2} → {:.2}", value(&raw[class]), value(&smoothed[class]));
    let last = *cells.last().unwrap_or(&cell);
    let seen = state.view.placed(size, last).intersect(last);
    chip(ui, seen.right_bottom() + vec2(-8.0, -8.0), Align2::RIGHT_BOTTOM, &text, Color32::from_gray(230));
}
