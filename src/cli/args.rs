//! Options that several commands share, under the names that they have everywhere.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, FromArgMatches, ValueEnum};

use super::exit::WrongUse;
use base::frame::FrameRange;
use export::{Backdrop, Edges, ExportKind, ExportOptions, ExportSettings, NameTemplate};
use plan::Plan;
use project::{Preset, Presets};
use smooth::{Method, OPTIONS, SettingOption, Settings};

/// How steady the masks shall be: an option for each [setting](OPTIONS), and where to begin.
#[derive(Clone, Debug)]
pub struct SmoothingArgs {
    preset: Option<String>,
    /// As they were typed, and found right.
    given: Vec<(&'static SettingOption, String)>,
}

/// What the method can be on the command line alone.
const AUTO: &str = "auto";

impl Args for SmoothingArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let preset = Arg::new("preset").long("preset").value_name("NAME").help(
            "Start from these named settings, which «steadymask presets» lists; the options below change them",
        );
        let options = OPTIONS.iter().map(|option| {
            let arg = Arg::new(option.name).long(option.name).value_name(option.value_name);
            arg.help(option.help).value_parser(move |text: &str| accepted(option, text))
        });
        command.arg(preset).args(options)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SmoothingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value = |name: &str| matches.get_one::<String>(name).cloned();
        let given = OPTIONS.iter().filter_map(|option| Some((option, value(option.name)?)));
        Ok(Self { preset: value("preset"), given: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn accepted(option: &SettingOption, text: &str) -> Result<String, String> {
    let is_method = option.name == "method";
    if !(is_method && text == AUTO) {
        let set = (option.set)(&mut Settings::default(), text);
        set.map_err(|error| if is_method { format!("{error} or auto") } else { error })?;
    }
    Ok(text.to_owned())
}

impl SmoothingArgs {
    fn given(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(option, _)| option.name == name).map(|(_, text)| text.as_str())
    }

    /// Whether method and strength shall be looked for.
    pub fn is_auto(&self) -> bool {
        self.given("method") == Some(AUTO)
    }

    /// What `--preset` names.
    pub fn preset(&self) -> Result<Option<Preset>, WrongUse> {
        let find = |name: &String| Presets::find(&Presets::default_path(), name);
        let preset = self.preset.as_ref().map(find).transpose();
        preset.map_err(|error| WrongUse(format!("--preset: {error}")))
    }

    /// The settings, beginning with those of the preset or else with `base`.
    ///
    /// # Errors
    /// When two options contradict each other, or there is no such preset.
    pub fn settings(&self, base: Settings) -> Result<Settings, WrongUse> {
        let (has_window, has_alpha) = (self.given("window").is_some(), self.given("alpha").is_some());
        if self.is_auto() && (has_window || has_alpha) {
            return Err(WrongUse(
                "--method auto looks for the strength itself; leave --window and --alpha out".into(),
            ));
        }
        let mut settings = self.preset()?.map_or(base, |preset| preset.smoothing);
        match (has_window, has_alpha) {
            // A window says which filter is meant, and is not to be passed over in silence.
            (true, false) => settings.method = Method::MovingAverage,
            (false, true) => settings.method = Method::Exponential,
            _ => {}
        }
        for (option, text) in self.given.iter().filter(|(_, text)| text != AUTO) {
            (option.set)(&mut settings, text).map_err(WrongUse)?;
        }
        settings.check().map_err(|error| WrongUse(error.to_string()))?;
        Ok(settings)
    }

    /// Whether method and strength shall be looked for, where the base says `base`: naming either, or
    /// a preset, answers that.
    fn is_auto_over(&self, base: bool) -> bool {
        let says = self.preset.is_some()
            || ["method", "window", "alpha"].iter().any(|name| self.given(name).is_some());
        if says { self.is_auto() } else { base }
    }

    /// # Errors
    /// As [`settings`](Self::settings).
    pub fn apply(&self, plan: &mut Plan) -> Result<(), WrongUse> {
        plan.settings = self.settings(plan.settings)?;
        plan.auto = self.is_auto_over(plan.auto);
        Ok(())
    }
}

#[derive(Args, Clone, Debug)]
pub struct RangeArgs {
    /// First frame, counted from 0
    #[arg(long, value_name = "FRAME")]
    pub from: Option<usize>,
    /// Last frame, itself in the range
    #[arg(long, value_name = "FRAME")]
    pub to: Option<usize>,
}

impl RangeArgs {
    /// # Errors
    /// When the first frame comes after the last.
    pub fn apply(&self, plan: &mut Plan) -> Result<(), WrongUse> {
        let Self { from, to } = *self;
        let range =
            FrameRange { first: from.unwrap_or(plan.range.first), last: to.unwrap_or(plan.range.last) };
        if range.first > range.last {
            return Err(WrongUse(format!(
                "--from {} is after --to {}; exchange them",
                range.first, range.last
            )));
        }
        plan.range = range;
        Ok(())
    }
}

/// What to write, and where.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// Folder for the results
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    #[command(flatten)]
    pub settings: ExportSettingsArgs,
    /// Replace files that are there
    #[arg(long)]
    pub force: bool,
}

/// What to write, and how. What is not given here a preset may say.
#[derive(Args, Clone, Debug)]
pub struct ExportSettingsArgs {
    /// What to write; several with commas [default: png,ffv1,overlay,csv,json,plots]
    #[arg(long, value_enum, value_name = "KINDS", value_delimiter = ',')]
    export: Vec<ExportKind>,
    /// Paths of the files below --out, without their endings; {clip}, {kind}, {class} and
    /// {frame} are filled in
    #[arg(long, value_name = "TEMPLATE")]
    names: Option<NameTemplate>,
    /// How smoothed mattes and cut-outs end [default: hard]
    #[arg(long, value_enum)]
    edges: Option<Edges>,
    /// Colour behind the classes in backdrop: #rrggbb, green, blue, black, white, grey, magenta
    /// [default: green]
    #[arg(long, value_name = "COLOUR")]
    backdrop: Option<Backdrop>,
}

impl ExportSettingsArgs {
    /// Whether anything is said.
    fn any(&self) -> bool {
        !self.export.is_empty() || self.names.is_some() || self.edges.is_some() || self.backdrop.is_some()
    }

    /// Over those of a preset or a project.
    pub fn over(self, base: Option<ExportSettings>) -> ExportSettings {
        let Self { export, names, edges, backdrop } = self;
        let ExportSettings { kinds, options } = base.unwrap_or_default();
        ExportSettings {
            kinds: if export.is_empty() { kinds } else { export },
            options: ExportOptions {
                names: names.or(options.names),
                edges: edges.unwrap_or(options.edges),
                backdrop: backdrop.unwrap_or(options.backdrop),
            },
        }
    }

    /// For a preset: `None` where neither this nor the one it is made of says anything.
    pub fn for_preset(self, base: Option<ExportSettings>) -> Option<ExportSettings> {
        (self.any() || base.is_some()).then(|| self.over(base))
    }
}

/// What the machine may give.
#[derive(Args, Clone, Debug)]
pub struct MachineArgs {
    /// Where the network runs [default: auto]
    #[arg(long, value_enum)]
    pub device: Option<DeviceArg>,
    /// Threads to use; 0 is one for each core
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Bytes for everything in flight; K, M and G can follow the number
    #[arg(long, value_name = "BYTES", default_value = "512M", value_parser = parse_bytes)]
    pub memory: usize,
    /// Folder for results that later runs use again
    #[arg(long, value_name = "FOLDER")]
    pub cache: Option<PathBuf>,
    /// Bytes that those results may take; the clips not used for longest make room
    #[arg(long, value_name = "BYTES", default_value = "20G", value_parser = parse_bytes)]
    pub cache_limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceArg {
    Auto,
    Cpu,
    Cuda,
}

/// Less can't hold the pictures of a stage each.
const LEAST_MEMORY_BYTES: usize = 64 << 20;

pub fn parse_bytes(text: &str) -> Result<usize, String> {
    let number = text.trim_end_matches(['B', 'b', 'i']);
    let (digits, shift) = match number.char_indices().last().map(|(at, unit)| (&number[..at], unit)) {
        Some((digits, 'K' | 'k')) => (digits, 10),
        Some((digits, 'M' | 'm')) => (digits, 20),
        Some((digits, 'G' | 'g')) => (digits, 30),
        _ => (number, 0),
    };
    let bytes = digits.trim().parse::<usize>().ok().and_then(|number| number.checked_mul(1 << shift));
    match bytes {
        None => Err("a number of bytes such as 512M or 2G".into()),
        Some(bytes) if bytes < LEAST_MEMORY_BYTES => Err("at least 64M".into()),
        Some(bytes) => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        assert_eq!(parse_bytes("512M"), Ok(512 << 20));
        assert_eq!(parse_bytes("2GiB"), Ok(2 << 30));
        assert_eq!(parse_bytes("100000000"), Ok(100_000_000));
        for wrong in ["", "M", "-1", "5", "99999999999G", "ü"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }
}
