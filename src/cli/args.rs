//! Options that several commands share, under the names that they have everywhere.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum};

use super::exit::WrongUse;
use base::frame::FrameRange;
use export::{Backdrop, Edges, ExportKind, ExportOptions, ExportSettings, NameTemplate};
use plan::Plan;
use project::{Preset, Presets};
use smooth::{Alpha, Input, Method, Settings, SettingsError, Switch, Threshold, Timing, Window};

/// How steady the masks shall be.
#[derive(Args, Clone, Debug)]
pub struct SmoothingArgs {
    /// Start from these named settings, which «steadymask presets» lists; the options below
    /// change them
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// How to smooth: moving-average, median, exponential, or auto, which looks for the
    /// method and strength that suit the clip; not given, --window means moving-average and
    /// --alpha exponential
    #[arg(long)]
    pub method: Option<MethodArg>,
    /// Frames that are looked at together: odd, 1 to 31; for moving-average and median
    #[arg(long)]
    pub window: Option<Window>,
    /// Weight of the newest frame, above 0 and up to 1; for exponential
    #[arg(long)]
    pub alpha: Option<Alpha>,
    /// Look both ways (centred), or only back (causal), which makes masks late
    #[arg(long)]
    pub timing: Option<Timing>,
    /// What to smooth: probabilities, or masks
    #[arg(long)]
    pub input: Option<Input>,
    /// Move neighbours along the optical flow before they are combined: on, off
    #[arg(long)]
    pub motion: Option<Switch>,
    /// A pixel belongs to the mask from this probability on, 0 to 1
    #[arg(long)]
    pub threshold: Option<Threshold>,
    /// A pixel from this lower probability on belongs to the mask when it is connected to one
    /// above the threshold; off takes away what a preset or a project says
    #[arg(long, value_name = "HYSTERESIS")]
    pub hysteresis: Option<HysteresisArg>,
    /// Parts smaller than this many pixels are removed
    #[arg(long, value_name = "PIXELS")]
    pub min_area: Option<u32>,
    /// Holes of at most this many pixels are filled
    #[arg(long, value_name = "PIXELS")]
    pub fill_holes: Option<u32>,
    /// Let a pixel belong to several classes: on, off
    #[arg(long)]
    pub overlap: Option<Switch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodArg {
    Auto,
    Of(Method),
}

impl FromStr for MethodArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text.parse().map(Self::Of).map_err(|error: SettingsError| format!("{error} or auto")),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HysteresisArg {
    Off,
    From(Threshold),
}

impl FromStr for HysteresisArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            _ => text.parse().map(Self::From).map_err(|error: SettingsError| format!("{error}, or off")),
        }
    }
}

impl HysteresisArg {
    fn threshold(self) -> Option<Threshold> {
        match self {
            Self::Off => None,
            Self::From(threshold) => Some(threshold),
        }
    }
}

impl SmoothingArgs {
    /// Whether method and strength shall be looked for.
    pub fn is_auto(&self) -> bool {
        self.method == Some(MethodArg::Auto)
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
        if self.is_auto() && (self.window.is_some() || self.alpha.is_some()) {
            return Err(WrongUse(
                "--method auto looks for the strength itself; leave --window and --alpha out".into(),
            ));
        }
        let method = match self.method {
            Some(MethodArg::Of(method)) => Some(method),
            Some(MethodArg::Auto) | None => None,
        };
        let base = self.preset()?.map_or(base, |preset| preset.smoothing);
        let settings = Settings {
            method: method.unwrap_or(match (self.window, self.alpha) {
                // A window says which filter is meant, and is not to be passed over in silence.
                (Some(_), None) => Method::MovingAverage,
                (None, Some(_)) => Method::Exponential,
                _ => base.method,
            }),
            window: self.window.unwrap_or(base.window),
            alpha: self.alpha.unwrap_or(base.alpha),
            timing: self.timing.unwrap_or(base.timing),
            input: self.input.unwrap_or(base.input),
            motion: self.motion.unwrap_or(base.motion),
            threshold: self.threshold.unwrap_or(base.threshold),
            hysteresis: self.hysteresis.map_or(base.hysteresis, HysteresisArg::threshold),
            min_area_px: self.min_area.unwrap_or(base.min_area_px),
            fill_holes_px: self.fill_holes.unwrap_or(base.fill_holes_px),
            overlap: self.overlap.unwrap_or(base.overlap),
        };
        settings.check().map_err(|error| WrongUse(error.to_string()))?;
        Ok(settings)
    }

    /// Whether method and strength shall be looked for, where the base says `base`: naming either, or
    /// a preset, answers that.
    fn is_auto_over(&self, base: bool) -> bool {
        let says =
            self.preset.is_some() || self.method.is_some() || self.window.is_some() || self.alpha.is_some();
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
