//! Colours and measures of the window. Amber is raw and teal is smoothed, everywhere.

use eframe::egui::{self, Color32, CornerRadius, Stroke, Theme, ThemePreference, Visuals};
use serde::{Deserialize, Serialize};

use export::palette::{self, Rgb};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ThemeChoice {
    #[default]
    System,
    Dark,
    Light,
}

impl ThemeChoice {
    pub const ALL: [Self; 3] = [Self::System, Self::Dark, Self::Light];

    pub fn apply(self, ctx: &egui::Context) {
        ctx.set_theme(match self {
            Self::System => ThemePreference::System,
            Self::Dark => ThemePreference::Dark,
            Self::Light => ThemePreference::Light,
        });
    }
}

pub fn rgb(colour: Rgb) -> Color32 {
    Color32::from_rgb(colour[0], colour[1], colour[2])
}

/// For text and lines on the window's own ground, where the palette's colours would be too
/// pale on white or too dark on black.
pub fn raw(dark: bool) -> Color32 {
    if dark { Color32::from_rgb(240, 170, 50) } else { Color32::from_rgb(150, 90, 0) }
}

pub fn smoothed(dark: bool) -> Color32 {
    if dark { Color32::from_rgb(50, 200, 195) } else { Color32::from_rgb(0, 112, 112) }
}

pub fn removed() -> Color32 {
    rgb(palette::REMOVED)
}

/// Behind pictures: the same in both themes, so that colours are judged alike.
pub const STAGE: Color32 = Color32::from_rgb(18, 19, 21);

/// The proportional font has no arrows; the monospaced one has.
fn fonts() -> egui::FontDefinitions {
    let mut fonts = egui::FontDefinitions::default();
    let mono = fonts.families.get(&egui::FontFamily::Monospace).cloned().unwrap_or_default();
    fonts.families.entry(egui::FontFamily::Proportional).or_default().extend(mono);
    fonts
}

pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    for theme in [Theme::Dark, Theme::Light] {
        let dark = theme == Theme::Dark;
        ctx.set_visuals_of(theme, visuals(dark));
        ctx.style_mut_of(theme, |style| {
            style.spacing.item_spacing = egui::vec2(8.0, 6.0);
            style.spacing.button_padding = egui::vec2(9.0, 4.0);
            style.spacing.interact_size.y = 24.0;
            style.spacing.slider_width = 110.0;
            style.interaction.selectable_labels = false;
            for (text, size) in [
                (egui::TextStyle::Small, 11.0),
                (egui::TextStyle::Body, 13.5),
                (egui::TextStyle::Button, 13.5),
                (egui::TextStyle::Heading, 20.0),
                (egui::TextStyle::Monospace, 13.0),
            ] {
                if let Some(font) = style.text_styles.get_mut(&text) {
                    font.size = size;
                }
            }
        });
    }
}

fn visuals(dark: bool) -> Visuals {
    let mut visuals = if dark { Visuals::dark() } else { Visuals::light() };
    let radius = CornerRadius::same(5);
    for widget in [
        &mut visuals.widgets.noninteractive,
        &mut visuals.widgets.inactive,
        &mut visuals.widgets.hovered,
        &mut visuals.widgets.active,
        &mut visuals.widgets.open,
    ] {
        widget.corner_radius = radius;
    }
    visuals.window_corner_radius = CornerRadius::same(10);
    visuals.menu_corner_radius = CornerRadius::same(7);
    visuals.slider_trailing_fill = true;
    visuals.selection.stroke =
        Stroke::new(1.0, if dark { Color32::WHITE } else { Color32::from_rgb(0, 60, 60) });
    if dark {
        visuals.error_fg_color = Color32::from_rgb(255, 125, 115);
        visuals.panel_fill = Color32::from_rgb(30, 31, 34);
        visuals.window_fill = Color32::from_rgb(38, 39, 43);
        visuals.extreme_bg_color = Color32::from_rgb(21, 22, 24);
        visuals.faint_bg_color = Color32::from_rgb(36, 37, 41);
        visuals.selection.bg_fill = Color32::from_rgb(0, 105, 105);
        visuals.widgets.noninteractive.fg_stroke.color = Color32::from_gray(205);
        visuals.widgets.noninteractive.bg_stroke.color = Color32::from_gray(52);
        visuals.widgets.inactive.fg_stroke.color = Color32::from_gray(220);
        visuals.weak_text_color = Some(Color32::from_gray(155));
    } else {
        visuals.error_fg_color = Color32::from_rgb(180, 30, 20);
        visuals.warn_fg_color = Color32::from_rgb(160, 80, 0);
        visuals.panel_fill = Color32::from_rgb(246, 246, 247);
        visuals.window_fill = Color32::from_rgb(252, 252, 253);
        visuals.extreme_bg_color = Color32::WHITE;
        visuals.text_edit_bg_color = Some(Color32::from_rgb(236, 237, 240));
        visuals.faint_bg_color = Color32::from_rgb(238, 239, 241);
        visuals.selection.bg_fill = Color32::from_rgb(160, 222, 220);
        visuals.widgets.noninteractive.fg_stroke.color = Color32::from_gray(40);
        visuals.widgets.inactive.fg_stroke.color = Color32::from_gray(30);
        visuals.weak_text_color = Some(Color32::from_gray(95));
    }
    visuals
}

/// The heat of a value in 0 to 1: from the ground to the side's colour.
pub fn heat(colour: Color32, ground: Color32, value: f32) -> Color32 {
    ground.lerp_to_gamma(colour, value.clamp(0.0, 1.0).sqrt())
}
