//! `steadymask presets`: named settings.

use std::{io::Read as _, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use super::args::{ExportSettingsArgs, SmoothingArgs};
use crate::{
    export::{Backdrop, Edges},
    project::{Preset, Presets},
    smooth::{Method, Settings},
};

#[derive(Args)]
pub struct PresetsArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Action {
    /// Keep settings under a name
    Save {
        name: String,
        #[command(flatten)]
        smoothing: Box<SmoothingArgs>,
        #[command(flatten)]
        export: Box<ExportSettingsArgs>,
    },
    /// Give one of your own another name
    Rename { name: String, new_name: String },
    /// Delete one of your own
    Delete { name: String },
    /// Print your own as JSON
    Export,
    /// Take in what «export» wrote
    Import {
        /// A file, or - for standard input
        file: PathBuf,
    },
}

pub fn run(args: PresetsArgs) -> Result<()> {
    let presets = Presets::open(&Presets::default_path())?;
    match args.action {
        None => {
            let all = presets.all()?;
            if args.json {
                return super::print_json(&all);
            }
            let width = all.iter().map(|preset| preset.name.chars().count()).max().unwrap_or(0);
            for preset in all {
                println!("{:width$}  {}{}", preset.name, words(&preset.smoothing), export_words(&preset));
            }
        }
        Some(Action::Save { name, smoothing, export }) => {
            let base = smoothing.preset()?.and_then(|preset| preset.export);
            presets.save(&name, &smoothing.settings()?, export.for_preset(base).as_ref())?;
        }
        Some(Action::Rename { name, new_name }) => presets.rename(&name, &new_name)?,
        Some(Action::Delete { name }) => presets.delete(&name)?,
        Some(Action::Export) => println!("{}", presets.export()?),
        Some(Action::Import { file }) => {
            let json = if file.as_os_str() == "-" {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map(|_| text)
            } else {
                std::fs::read_to_string(&file)
            };
            let json = json.with_context(|| format!("{} can't be read; check the path", file.display()))?;
            for name in presets.import(&json)? {
                println!("{name}");
            }
        }
    }
    Ok(())
}

/// The settings as options of the command line; of the rare ones those that are set.
fn words(settings: &Settings) -> String {
    let strength = match settings.method {
        Method::Exponential => format!("--alpha {}", settings.alpha),
        Method::MovingAverage | Method::Median => format!("--window {}", settings.window),
    };
    let mut words = format!(
        "--method {} {strength} --timing {} --input {} --motion {}",
        settings.method, settings.timing, settings.input, settings.motion
    );
    let usual = Settings::default();
    let mut add = |is_set: bool, word: String| {
        if is_set {
            words += &word;
        }
    };
    add(settings.threshold != usual.threshold, format!(" --threshold {}", settings.threshold));
    if let Some(low) = settings.hysteresis {
        add(true, format!(" --hysteresis {low}"));
    }
    add(settings.min_area_px > 0, format!(" --min-area {}", settings.min_area_px));
    add(settings.fill_holes_px > 0, format!(" --fill-holes {}", settings.fill_holes_px));
    add(settings.overlap.is_on(), format!(" --overlap {}", settings.overlap));
    words
}

/// What a preset says of exports, in the same way.
fn export_words(preset: &Preset) -> String {
    let Some(export) = &preset.export else { return String::new() };
    let kinds: Vec<&str> = export.kinds.iter().map(|kind| kind.info().name).collect();
    let mut words = format!(" --export {}", kinds.join(","));
    let options = &export.options;
    if options.edges == Edges::Soft {
        words += " --edges soft";
    }
    if options.backdrop != Backdrop::default() {
        words += &format!(" --backdrop '{}'", options.backdrop);
    }
    if let Some(names) = &options.names {
        words += &format!(" --names '{names}'");
    }
    words
}
