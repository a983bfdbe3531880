//! The keys, as a table: what they do and what the list of keys says.

use eframe::egui::{self, Id, Key, Modifiers};

use crate::{
    commands::Command,
    state::{Dialog, State},
    text::Text,
    timeline::player::{Mark, Move},
    viewer::view::Mode,
};

struct Binding {
    modifiers: Modifiers,
    key: Key,
    command: fn() -> Command,
}

const NONE: Modifiers = Modifiers::NONE;

macro_rules! bindings {
    ($($modifiers:expr, $key:ident => $command:expr;)*) => {
        &[$(Binding { modifiers: $modifiers, key: Key::$key, command: || $command }),*]
    };
}

// More modifiers first: a plain key also matches with Shift held.
static BINDINGS: &[Binding] = bindings! {
    Modifiers::COMMAND.plus(Modifiers::SHIFT), Z => Command::Redo;
    Modifiers::COMMAND, Y => Command::Redo;
    Modifiers::COMMAND, Z => Command::Undo;
    Modifiers::COMMAND, O => Command::Browse;
    Modifiers::COMMAND, Q => Command::Quit;
    Modifiers::COMMAND.plus(Modifiers::SHIFT), S => Command::SaveAs(None);
    Modifiers::COMMAND, S => Command::Save;
    Modifiers::COMMAND, E => Command::Show(Dialog::Export);
    Modifiers::COMMAND, Enter => Command::Stabilise;
    Modifiers::SHIFT, ArrowLeft => Command::Player(Move::Step(-10));
    Modifiers::SHIFT, ArrowRight => Command::Player(Move::Step(10));
    NONE, ArrowLeft => Command::Player(Move::Step(-1));
    NONE, ArrowRight => Command::Player(Move::Step(1));
    NONE, Home => Command::Player(Move::Go(0));
    NONE, End => Command::Player(Move::Go(usize::MAX));
    NONE, Space => Command::Player(Move::PlayPause);
    NONE, J => Command::Player(Move::Play(-1.0));
    NONE, K => Command::Player(Move::Pause);
    NONE, L => Command::Player(Move::Play(1.0));
    NONE, I => Command::Mark(Mark::In);
    NONE, O => Command::Mark(Mark::Out);
    NONE, N => Command::Peak { forwards: true };
    NONE, P => Command::Peak { forwards: false };
    NONE, Num1 => Command::View(Mode::Side);
    NONE, Num2 => Command::View(Mode::Wipe);
    NONE, Num3 => Command::View(Mode::Overlay);
    NONE, Num4 => Command::View(Mode::Difference);
    NONE, Num5 => Command::View(Mode::Matte);
    NONE, Num6 => Command::View(Mode::Heat);
    NONE, Num7 => Command::View(Mode::Compare);
    NONE, X => Command::Exchange;
    NONE, F => Command::Fit;
    NONE, Num0 => Command::ActualSize;
    NONE, Escape => Command::Cancel;
    NONE, F1 => Command::Show(Dialog::Keys);
    NONE, Questionmark => Command::Show(Dialog::Keys);
    Modifiers::SHIFT, Questionmark => Command::Show(Dialog::Keys);
    Modifiers::SHIFT, Slash => Command::Show(Dialog::Keys);
};

/// What the list of keys shows.
pub const LIST: [(&str, Text); 16] = [
    ("Space", Text::KeyPlay),
    ("J  K  L", Text::KeyShuttle),
    ("←  →", Text::KeyStep),
    ("Home  End", Text::KeyEnds),
    ("I  O", Text::KeyMarks),
    ("N  P", Text::KeyPeaks),
    ("1 – 7", Text::KeyViews),
    ("F  0", Text::KeyZoom),
    ("R", Text::KeyRaw),
    ("Ctrl+Z  Ctrl+Y", Text::KeyUndo),
    ("X", Text::KeyExchange),
    ("Enter  Backspace", Text::KeyPolygon),
    ("Ctrl+O E Q", Text::KeyFiles),
    ("Ctrl+S  Ctrl+Shift+S", Text::KeySave),
    ("Ctrl+Enter  Esc", Text::KeyRun),
    ("?", Text::KeyHelp),
];

/// As long as this widget, a slider, has the focus, the arrow keys are its own.
pub fn leave_arrows_to(ctx: &egui::Context, slider: Id) {
    ctx.data_mut(|data| data.insert_temp(Id::unique("arrows"), slider));
}

fn arrows_are_taken(ctx: &egui::Context) -> bool {
    let slider = ctx.data(|data| data.get_temp::<Id>(Id::unique("arrows")));
    slider.is_some() && slider == ctx.memory(|memory| memory.focused())
}

/// The commands of the keys pressed since the last frame. While text is typed, keys are text;
/// while a dialog is open, they are the dialog's.
pub fn commands(ctx: &egui::Context, state: &State) -> Vec<Command> {
    let mut commands = Vec::new();
    if state.dialog.is_some() {
        if ctx.input(|input| input.key_pressed(Key::Escape)) && !ctx.any_popup_open() {
            commands.push(Command::CloseDialog);
        }
        return commands;
    }
    if ctx.egui_wants_keyboard_input() && ctx.text_edit_focused() {
        return commands;
    }
    let arrows_are_taken = arrows_are_taken(ctx);
    ctx.input_mut(|input| {
        // Else Enter is the button's that has the focus.
        if state.drawing.is_some() {
            for (key, command) in
                [(Key::Enter, Command::ClosePolygon), (Key::Backspace, Command::RemoveCorner)]
            {
                if input.consume_key(NONE, key) {
                    commands.push(command);
                }
            }
        }
        for binding in BINDINGS {
            if arrows_are_taken && matches!(binding.key, Key::ArrowLeft | Key::ArrowRight) {
                continue;
            }
            // A slow frame may hold several presses of one key.
            let presses = input.count_and_consume_key(binding.modifiers, binding.key);
            commands.extend((0..presses).map(|_| (binding.command)()));
        }
        let held = input.key_down(Key::R) && input.modifiers.is_none();
        if held != state.view.raw_only {
            commands.push(Command::RawOnly(held));
        }
    });
    commands
}
