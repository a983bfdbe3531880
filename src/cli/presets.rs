//! `steadymask presets`: named settings.

use std::{io::Read as _, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use super::args::{ExportSettingsArgs, SmoothingArgs};
use export::{Backdrop, Edges};
use project::{Preset, Presets};
use smooth::Settings;

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
                println!("{:width$}  {}{}", preset.name, preset.smoothing.options(), export_words(&preset));
            }
        }
        Some(Action::Save { name, smoothing, export }) => {
            let base = smoothing.preset()?.and_then(|preset| preset.export);
            presets.save(
                &name,
                &smoothing.settings(Settings::default())?,
                export.for_preset(base).as_ref(),
            )?;
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
