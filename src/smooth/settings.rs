//! How masks are smoothed: settings whose types only hold valid values. Names are the same on the
//! command line, in files and here; the window's texts live in `app`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Everything that decides how soft masks become steady hard masks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Settings {
    /// Which filter.
    pub method: Method,
    /// How many frames a moving average or a median takes.
    pub window: Window,
    /// Weight of a frame's own mask in the exponential filter.
    pub alpha: Alpha,
    /// Whether later frames count too.
    pub timing: Timing,
    /// Whether probabilities or hard masks are smoothed.
    pub input: Input,
    /// Whether neighbouring frames are warped along the optical flow before they are used.
    pub motion: Switch,
    /// The probability from which a pixel is set, after smoothing.
    pub threshold: Threshold,
    /// A lower threshold: pixels from it on are set too where they touch, directly or
    /// through others, a pixel that reaches `threshold`.
    pub hysteresis: Option<Threshold>,
    /// Connected components with fewer pixels are removed; 0 keeps all.
    pub min_area_px: u32,
    /// Holes of up to this many pixels are filled; 0 fills none.
    pub fill_holes_px: u32,
    /// Whether classes may share a pixel. When off, it belongs to the more probable one.
    pub overlap: Switch,
}

/// The best of the README's quality table: a long, centred exponential average along the motion, in
/// which distant frames count little, and only where the flow to them is valid. The window is the
/// best one for the other methods.
impl Default for Settings {
    fn default() -> Self {
        Self {
            method: Method::Exponential,
            window: Window(9),
            alpha: Alpha(0.1),
            timing: Timing::Centred,
            input: Input::Probabilities,
            motion: Switch::On,
            threshold: Threshold(0.5),
            hysteresis: None,
            min_area_px: 0,
            fill_holes_px: 0,
            overlap: Switch::Off,
        }
    }
}

impl Settings {
    /// The recipe with which this program began: causal, on hard masks, without motion. A mean of 0.5
    /// or more counts as set; at the start of a clip the window is shorter.
    pub fn seed_recipe(method: Method) -> Self {
        Self {
            method,
            window: Window(5),
            alpha: Alpha(0.4),
            timing: Timing::Causal,
            input: Input::Masks,
            motion: Switch::Off,
            ..Self::default()
        }
    }

    /// Checks the settings together; each one is valid by its type.
    ///
    /// # Errors
    /// When the hysteresis threshold is above the threshold.
    pub fn check(&self) -> Result<(), SettingsError> {
        match self.hysteresis {
            Some(low) if low.get() > self.threshold.get() => {
                Err(SettingsError::Hysteresis { low: low.get(), threshold: self.threshold.get() })
            }
            _ => Ok(()),
        }
    }

    /// By how many frames a causal filter lags in theory: half of what a window looks back, or the
    /// mean age of a sample in the exponential filter. 0 for a centred filter.
    pub fn expected_lag_frames(&self) -> f64 {
        match (self.timing, self.method) {
            (Timing::Centred, _) => 0.0,
            (Timing::Causal, Method::Exponential) => f64::from((1.0 - self.alpha.get()) / self.alpha.get()),
            (Timing::Causal, _) => (self.window.frames() - 1) as f64 / 2.0,
        }
    }

    /// Method and strength, such as "exponential, alpha 0.1".
    pub fn recipe(&self) -> String {
        match self.method {
            Method::Exponential => format!("{}, alpha {}", self.method, self.alpha),
            Method::MovingAverage | Method::Median => format!("{}, window {}", self.method, self.window),
        }
    }

    /// The settings as options of the command line; of the rare ones those that are set.
    pub fn options(&self) -> String {
        let shown =
            OPTIONS.iter().filter_map(|option| Some(format!("--{} {}", option.name, (option.shown)(self)?)));
        shown.collect::<Vec<_>>().join(" ")
    }

    /// Whether masks are cleaned up by more than the threshold.
    pub fn cleans_up(&self) -> bool {
        self.hysteresis.is_some() || self.min_area_px > 1 || self.fill_holes_px > 0
    }

    /// Whether the filter changes nothing: a window of 1, or an alpha of 1.
    pub fn is_identity(&self) -> bool {
        match self.method {
            Method::MovingAverage | Method::Median => self.window.frames() == 1,
            Method::Exponential => self.alpha.get() == 1.0,
        }
    }
}

/// A setting as it is typed: the command line and the list of presets read and write it by this name.
pub struct SettingOption {
    /// Without the dashes.
    pub name: &'static str,
    /// What stands for its value in the help.
    pub value_name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Takes a value in; the error says what it must be.
    pub set: fn(&mut Settings, &str) -> Result<(), String>,
    /// Its value where it shall be shown: that of a rare one only where it is not as usual.
    pub shown: fn(&Settings) -> Option<String>,
}

impl fmt::Debug for SettingOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn read<T: FromStr<Err: fmt::Display>>(place: &mut T, text: &str) -> Result<(), String> {
    *place = text.parse().map_err(|error: T::Err| error.to_string())?;
    Ok(())
}

fn unless<T: PartialEq + fmt::Display>(usual: T, value: T) -> Option<String> {
    (value != usual).then(|| value.to_string())
}

/// All settings, in the order in which the help lists them.
pub const OPTIONS: [SettingOption; 11] = [
    SettingOption {
        name: "method",
        value_name: "METHOD",
        help: "How to smooth: moving-average, median, exponential, or auto, which looks for the method and \
               strength that suit the clip; not given, --window means moving-average and --alpha exponential",
        set: |settings, text| read(&mut settings.method, text),
        shown: |settings| Some(settings.method.to_string()),
    },
    SettingOption {
        name: "window",
        value_name: "WINDOW",
        help: "Frames that are looked at together: odd, 1 to 31; for moving-average and median",
        set: |settings, text| read(&mut settings.window, text),
        shown: |settings| (settings.method != Method::Exponential).then(|| settings.window.to_string()),
    },
    SettingOption {
        name: "alpha",
        value_name: "ALPHA",
        help: "Weight of the newest frame, above 0 and up to 1; for exponential",
        set: |settings, text| read(&mut settings.alpha, text),
        shown: |settings| (settings.method == Method::Exponential).then(|| settings.alpha.to_string()),
    },
    SettingOption {
        name: "timing",
        value_name: "TIMING",
        help: "Look both ways (centred), or only back (causal), which makes masks late",
        set: |settings, text| read(&mut settings.timing, text),
        shown: |settings| Some(settings.timing.to_string()),
    },
    SettingOption {
        name: "input",
        value_name: "INPUT",
        help: "What to smooth: probabilities, or masks",
        set: |settings, text| read(&mut settings.input, text),
        shown: |settings| Some(settings.input.to_string()),
    },
    SettingOption {
        name: "motion",
        value_name: "MOTION",
        help: "Move neighbours along the optical flow before they are combined: on, off",
        set: |settings, text| read(&mut settings.motion, text),
        shown: |settings| Some(settings.motion.to_string()),
    },
    SettingOption {
        name: "threshold",
        value_name: "THRESHOLD",
        help: "A pixel belongs to the mask from this probability on, 0 to 1",
        set: |settings, text| read(&mut settings.threshold, text),
        shown: |settings| unless(Threshold(0.5), settings.threshold),
    },
    SettingOption {
        name: "hysteresis",
        value_name: "HYSTERESIS",
        help: "A pixel from this lower probability on belongs to the mask when it is connected to one above \
               the threshold; off takes away what a preset or a project says",
        set: |settings, text| {
            let low = match text {
                "off" => None,
                _ => Some(text.parse().map_err(|error: SettingsError| format!("{error}, or off"))?),
            };
            settings.hysteresis = low;
            Ok(())
        },
        shown: |settings| settings.hysteresis.map(|low| low.to_string()),
    },
    SettingOption {
        name: "min-area",
        value_name: "PIXELS",
        help: "Parts smaller than this many pixels are removed",
        set: |settings, text| read(&mut settings.min_area_px, text),
        shown: |settings| unless(0, settings.min_area_px),
    },
    SettingOption {
        name: "fill-holes",
        value_name: "PIXELS",
        help: "Holes of at most this many pixels are filled",
        set: |settings, text| read(&mut settings.fill_holes_px, text),
        shown: |settings| unless(0, settings.fill_holes_px),
    },
    SettingOption {
        name: "overlap",
        value_name: "OVERLAP",
        help: "Let a pixel belong to several classes: on, off",
        set: |settings, text| read(&mut settings.overlap, text),
        shown: |settings| settings.overlap.is_on().then(|| settings.overlap.to_string()),
    },
];

/// A filter over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The mean of the window.
    MovingAverage,
    /// The median of the window.
    Median,
    /// The exponential moving average.
    Exponential,
}

/// Which frames a filter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timing {
    /// As many later frames as earlier ones, so there is no lag.
    Centred,
    /// Only the frame itself and earlier ones: a moving average lags by half its window.
    Causal,
}

/// What is smoothed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// The network's probabilities.
    Probabilities,
    /// Hard masks, binarised before smoothing.
    Masks,
}

/// A setting that is on or off, by these names in files and on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// Enabled.
    On,
    /// Disabled.
    Off,
}

impl Switch {
    /// Whether it is on.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

impl From<bool> for Switch {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

/// An odd number of frames, 1 to 31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Window(u8);

impl Window {
    /// The longest window, in frames.
    pub const MAX: u32 = 31;

    /// A window of this many frames.
    ///
    /// # Errors
    /// When the number is even or not from 1 to 31.
    pub fn new(frames: u32) -> Result<Self, SettingsError> {
        let fits = frames % 2 == 1 && frames <= Self::MAX;
        if fits { Ok(Self(frames as u8)) } else { Err(SettingsError::Window(frames.to_string())) }
    }

    /// The number of frames.
    pub fn frames(self) -> usize {
        self.0.into()
    }

    /// Frames on one side of the middle one.
    pub fn radius(self) -> usize {
        self.frames() / 2
    }
}

/// The weight of a frame's own mask in the exponential filter: over 0, up to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Alpha(f32);

impl Alpha {
    /// An alpha.
    ///
    /// # Errors
    /// When it is not over 0 and up to 1.
    pub fn new(alpha: f32) -> Result<Self, SettingsError> {
        let fits = 0.0 < alpha && alpha <= 1.0;
        if fits { Ok(Self(alpha)) } else { Err(SettingsError::Alpha(alpha.to_string())) }
    }

    /// The number.
    pub fn get(self) -> f32 {
        self.0
    }
}

/// A probability over 0, up to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Threshold(f32);

impl Threshold {
    /// A threshold.
    ///
    /// # Errors
    /// When it is not over 0 and up to 1.
    pub fn new(probability: f32) -> Result<Self, SettingsError> {
        let fits = 0.0 < probability && probability <= 1.0;
        if fits { Ok(Self(probability)) } else { Err(SettingsError::Threshold(probability.to_string())) }
    }

    /// The probability.
    pub fn get(self) -> f32 {
        self.0
    }
}

/// A setting can't be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// No valid [`Window`].
    #[error("a window of {0} frames cannot be used; take an odd number from 1 to 31")]
    Window(String),
    /// No valid [`Alpha`].
    #[error("an alpha of {0} cannot be used; take a number over 0, up to 1")]
    Alpha(String),
    /// No valid [`Threshold`].
    #[error("a threshold of {0} cannot be used; take a probability over 0, up to 1")]
    Threshold(String),
    /// The hysteresis threshold is above the threshold.
    #[error(
        "the low threshold of the hysteresis, {low}, is above the threshold, {threshold}; swap them or lower it"
    )]
    #[expect(missing_docs, reason = "the fields are in the message")]
    Hysteresis { low: f32, threshold: f32 },
    /// No name of a [`Method`], [`Timing`], [`Input`] or [`Switch`].
    #[error("{found:?} is not known here; take one of {}", .known.join(", "))]
    #[expect(missing_docs, reason = "the fields are in the message")]
    Word { found: String, known: &'static [&'static str] },
}

/// Names for printing and for parsing. A test checks that serde uses the same ones.
macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ }) => {
        impl $type {
            /// All values, in the order in which the window lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As it is written in files and on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
        impl FromStr for $type {
            type Err = SettingsError;
            fn from_str(word: &str) -> Result<Self, SettingsError> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(SettingsError::Word { found: word.to_owned(), known: &[$($word),+] }),
                }
            }
        }
    };
}
words!(Method { MovingAverage = "moving-average", Median = "median", Exponential = "exponential" });
words!(Timing { Centred = "centred", Causal = "causal" });
words!(Input { Probabilities = "probabilities", Masks = "masks" });
words!(Switch { On = "on", Off = "off" });

/// Conversion from text, and from and to the plain number that serde writes.
macro_rules! number {
    ($type:ident, $number:ty, $error:ident, $get:expr) => {
        impl TryFrom<$number> for $type {
            type Error = SettingsError;
            fn try_from(number: $number) -> Result<Self, SettingsError> {
                Self::new(number)
            }
        }
        impl From<$type> for $number {
            fn from(value: $type) -> Self {
                $get(value)
            }
        }
        impl FromStr for $type {
            type Err = SettingsError;
            fn from_str(text: &str) -> Result<Self, SettingsError> {
                text.trim().parse().map_or_else(|_| Err(SettingsError::$error(text.to_owned())), Self::new)
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
number!(Window, u32, Window, |window: Window| window.0.into());
number!(Alpha, f32, Alpha, Alpha::get);
number!(Threshold, f32, Threshold, Threshold::get);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_an_option_and_is_shown_once_it_is_set() {
        let values = [
            ("method", "median"),
            ("window", "5"),
            ("alpha", "0.3"),
            ("timing", "causal"),
            ("input", "masks"),
            ("motion", "off"),
            ("threshold", "0.6"),
            ("hysteresis", "0.2"),
            ("min-area", "7"),
            ("fill-holes", "8"),
            ("overlap", "on"),
        ];
        let usual = serde_json::to_value(Settings::default()).unwrap();
        assert_eq!(usual.as_object().unwrap().len(), OPTIONS.len());
        let mut all = Settings::default();
        for (option, (name, value)) in OPTIONS.iter().zip(values) {
            let mut settings = Settings::default();
            (option.set)(&mut settings, value).unwrap();
            assert!(option.name == name && settings != Settings::default(), "{name}");
            (option.set)(&mut all, value).unwrap();
        }
        // A median has no alpha to show.
        let shown: Vec<String> = values
            .iter()
            .filter(|(name, _)| *name != "alpha")
            .map(|(name, value)| format!("--{name} {value}"))
            .collect();
        assert_eq!(all.options(), shown.join(" "));
        assert!((OPTIONS[7].set)(&mut all, "off").is_ok() && all.hysteresis.is_none());
        assert!((OPTIONS[1].set)(&mut all, "4").unwrap_err().contains("odd"));
    }

    #[test]
    fn only_sensible_values_are_made() {
        for frames in [0, 2, 4, 33] {
            assert!(Window::new(frames).is_err());
        }
        assert_eq!(Window::new(31).unwrap().radius(), 15);
        assert!(Alpha::new(0.0).is_err() && Alpha::new(f32::NAN).is_err() && Alpha::new(1.1).is_err());
        assert!("half".parse::<Threshold>().is_err());
        assert_eq!("7".parse(), Window::new(7));
        let error = "kalman".parse::<Method>().unwrap_err().to_string();
        assert_eq!(error, "\"kalman\" is not known here; take one of moving-average, median, exponential");
    }

    #[test]
    fn thresholds_must_be_in_order() {
        let low = Some(Threshold::new(0.6).unwrap());
        let settings = Settings { hysteresis: low, ..Settings::default() };
        assert!(settings.check().unwrap_err().to_string().contains("0.6"));
        assert!(Settings { threshold: Threshold::new(0.7).unwrap(), ..settings }.check().is_ok());
    }

    #[test]
    fn json_survives_the_round_trip_and_checks() {
        let settings = Settings::seed_recipe(Method::Exponential);
        let json = serde_json::to_string(&settings).unwrap();
        assert!(json.contains(r#""method":"exponential""#) && json.contains(r#""min-area-px":0"#), "{json}");
        assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
        let error = serde_json::from_str::<Settings>(r#"{"window": 4}"#).unwrap_err();
        assert!(error.to_string().contains("odd number"), "{error}");
    }

    #[test]
    fn a_word_is_the_same_to_serde() {
        fn hold<T: Serialize + Copy + fmt::Display>(all: &[T]) {
            for value in all {
                assert_eq!(serde_json::to_value(value).unwrap(), value.to_string());
            }
        }
        hold(Method::ALL);
        hold(Timing::ALL);
        hold(Input::ALL);
        hold(Switch::ALL);
    }
}
