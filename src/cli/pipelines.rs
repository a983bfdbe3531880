//! `steadymask pipelines`: named lists of steps.

use std::{io::Read as _, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use super::exit::WrongUse;
use plan::Step;
use project::Pipelines;

#[derive(Args)]
pub struct PipelinesArgs {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// List them (the same as no action)
    List,
    /// Print the steps of one as JSON, which «save» takes
    Show { name: String },
    /// Keep steps under a name; what was under it is replaced
    Save {
        name: String,
        /// A JSON list of steps, such as [{"step": "segment", "classes": ["person"]}, {"step":
        /// "smooth", "window": 5, "method": "median"}]; a file, or - for standard input
        file: PathBuf,
    },
    /// Remove one
    Remove { name: String },
    /// Print all of them as JSON
    Export,
    /// Take in what «export» wrote
    Import {
        /// A file, or - for standard input
        file: PathBuf,
    },
}

pub fn run(args: PipelinesArgs) -> Result<()> {
    let pipelines = Pipelines::open(&Pipelines::default_path())?;
    match args.action {
        None | Some(Action::List) => {
            let all = pipelines.all()?;
            let width = all.iter().map(|pipeline| pipeline.name.chars().count()).max().unwrap_or(0);
            for pipeline in all {
                let steps: Vec<&str> = pipeline.steps.iter().map(Step::name).collect();
                println!("{:3}  {:width$}  {}", pipeline.id, pipeline.name, steps.join(" → "));
            }
        }
        Some(Action::Show { name }) => super::print_json(&pipelines.find(&name)?.steps)?,
        Some(Action::Save { name, file }) => {
            let steps: Vec<Step> = serde_json::from_str(&read(&file)?).map_err(|error| {
                WrongUse(format!(
                    "{}: these are no steps ({error}); «steadymask pipelines show person-box» prints some",
                    file.display()
                ))
            })?;
            pipelines.save(&name, &steps)?;
        }
        Some(Action::Remove { name }) => {
            pipelines.delete(pipelines.find(&name)?.id)?;
        }
        Some(Action::Export) => println!("{}", pipelines.export()?),
        Some(Action::Import { file }) => {
            for name in pipelines.import(&read(&file)?)? {
                println!("{name}");
            }
        }
    }
    Ok(())
}

fn read(file: &PathBuf) -> Result<String> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(file)
            .with_context(|| WrongUse(format!("{}: it can't be read; check the path", file.display())))?;
    }
    Ok(text)
}
