//! The engine without a window.

/// Like the standard library's, but that nobody listens any more, as after `| head`, is no
/// failure here and there it is a panic.
macro_rules! println {
    ($($text:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)));
    }};
}
macro_rules! eprintln {
    ($($text:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("{}\n", format_args!($($text)*)));
    }};
}

mod args;
mod batch;
mod bench;
mod doctor;
mod evaluate;
mod exit;
pub mod info;
mod interleave;
mod interrupt;
mod models;
mod network;
mod pipelines;
mod presets;
mod progress;
mod project;
mod run;
mod serve;

use std::{io::Write, path::Path};

use clap::{Parser, Subcommand};
use serde::Serialize;
use tracing::Level;
use tracing_subscriber::{EnvFilter, Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

pub use exit::ExitCode;

use base::{
    process,
    stages::{StageClock, TARGET},
};
use export::ExportError;

/// Measures the flicker of per-frame video masks and takes it out without making them late.
#[derive(Parser)]
#[command(name = "steadymask", version, about, after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// A video or a project to open in the window
    video: Option<std::path::PathBuf>,
    /// Write to this file how long the window took for its work
    #[arg(long, value_name = "FILE", hide = true)]
    frame_stats: Option<std::path::PathBuf>,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done · 1 a fault of the program · 2 wrong use · 3 the input can't be read · \
4 the model can't be used · 5 the output can't be written · 6 some inputs of a batch failed · 7 all did · 75 try again later · \
130 cancelled\n\n\
RUST_LOG=steadymask=info tells more on standard error.";

#[derive(Subcommand)]
enum Command {
    /// Make steady masks of a video: run the network, smooth, measure, export
    Run(run::RunArgs),
    /// Export from what an earlier run has stored, without the network
    Export(run::RunArgs),
    /// Run many videos and images through a pipeline; goes on where it was stopped
    Batch(batch::BatchArgs),
    /// Serve the engine over HTTP, with a page for the browser
    Serve(serve::ServeArgs),
    /// List, show and change named pipelines
    Pipelines(pipelines::PipelinesArgs),
    /// Score raw and smoothed masks against ground truth, method by method
    Evaluate(evaluate::EvaluateArgs),
    /// Say what each stage costs on this machine, and what the network alone does
    Bench(bench::BenchArgs),
    /// Print what a video really holds
    Info(info::InfoArgs),
    /// List named settings, or keep your own
    Presets(presets::PresetsArgs),
    /// List the networks, or install them
    Models(models::ModelsArgs),
    /// Print versions, devices, models, and what is missing
    Doctor(doctor::DoctorArgs),
}

/// Reads the process's arguments. `Err` is how the process shall end, once what was asked for (help,
/// the version) or what is wrong has been written.
pub fn read() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|words| {
        let _ = words.print();
        if words.use_stderr() { ExitCode::WrongUse } else { ExitCode::Done }
    })
}

/// Runs the command of the process's arguments and says how the process shall end.
pub fn main() -> ExitCode {
    let cli = match read() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let clock = StageClock::default();
    let listens = matches!(cli.command, Some(Command::Bench(_)));
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(log.with_filter(EnvFilter::from_default_env()))
        .with(listens.then(|| clock.clone().with_filter(Targets::new().with_target(TARGET, Level::TRACE))))
        .init();
    let is_window = cli.command.is_none();
    if !is_window {
        // The window has its own.
        let shared = rayon::ThreadPoolBuilder::new()
            .start_handler(|_| process::lower_priority_below_parent())
            .build_global();
        shared.unwrap_or_else(|error| tracing::warn!("nothing gives way to the network: {error}"));
    }
    let result = match cli.command {
        Some(Command::Run(args)) => run::run(args, run::Mode::Network),
        Some(Command::Export(args)) => run::run(args, run::Mode::Stored),
        Some(Command::Batch(args)) => batch::run(args),
        Some(Command::Serve(args)) => serve::run(args),
        Some(Command::Pipelines(args)) => pipelines::run(args),
        Some(Command::Evaluate(args)) => evaluate::run(args),
        Some(Command::Bench(args)) => bench::run(args, &clock),
        Some(Command::Info(args)) => info::run(args),
        Some(Command::Presets(args)) => presets::run(args),
        Some(Command::Models(args)) => models::run(args),
        Some(Command::Doctor(args)) => doctor::run(args),
        None => open_window(cli.video, cli.frame_stats),
    };
    match result {
        Ok(()) => ExitCode::Done,
        Err(error) => exit::report(&error),
    }
}

/// For whoever reads it with another program.
fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    let mut out = std::io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(ExportError::on(Path::new("standard output"))(error).into())
        }
        _ => Ok(()),
    }
}

#[cfg(feature = "gui")]
fn open_window(
    video: Option<std::path::PathBuf>,
    frame_stats: Option<std::path::PathBuf>,
) -> anyhow::Result<()> {
    app::open(video, frame_stats)
}

#[cfg(not(feature = "gui"))]
fn open_window(_: Option<std::path::PathBuf>, _: Option<std::path::PathBuf>) -> anyhow::Result<()> {
    use clap::CommandFactory;
    Cli::command().print_help()?;
    anyhow::bail!("this build has no window; use one of the commands above")
}
