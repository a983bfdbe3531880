//! `steadymask batch`: many files through a pipeline.

use std::{
    io::IsTerminal,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::{
    args::parse_bytes,
    exit::{Failures, TryAgain, WrongUse},
    interrupt,
    progress::{pace, style},
};
use jobs::{
    Machine,
    batch::{self, Batch, Entry, Tally},
};
use pipeline::{CancelToken, PipelineError, Progress};
use segment::Library;
use store::Store;

#[derive(Args)]
pub struct BatchArgs {
    /// Videos, images, and folders of them
    #[arg(required_unless_present = "manifest", conflicts_with = "manifest")]
    inputs: Vec<PathBuf>,
    /// A text file with a line for each input: {"input": "clip.mp4", "pipeline": "steady-person"};
    /// paths are seen from its folder
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Do only this line of the manifest, counted from 0; several machines can share a manifest
    /// so, and the same command without --index puts their results together
    #[arg(long, value_name = "LINE", requires = "manifest")]
    index: Option<usize>,
    /// What to do with each, as «steadymask pipelines» lists them
    #[arg(long, value_name = "NAME", default_value = "person-box")]
    pipeline: String,
    /// Folder for the results: results.csv, results.jsonl, and a folder for each input with
    /// files; the same command goes on where it was
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Try again what failed for good; what may pass is always tried again
    #[arg(long)]
    retry_failed: bool,
    #[command(flatten)]
    machine: JobMachineArgs,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
    /// Print the summary as JSON when done
    #[arg(long)]
    json: bool,
}

/// What the machine may give to jobs whose pipelines say the rest.
#[derive(Args)]
pub struct JobMachineArgs {
    /// Threads of one network step of a video; 0 is one for each core
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Bytes for everything in flight; K, M and G can follow the number
    #[arg(long, value_name = "BYTES", default_value = "512M", value_parser = parse_bytes)]
    memory: usize,
    /// Folder for results that later runs use again
    #[arg(long, value_name = "FOLDER")]
    cache: Option<PathBuf>,
    /// Bytes that those results may take; the clips not used for longest make room
    #[arg(long, value_name = "BYTES", default_value = "20G", value_parser = parse_bytes)]
    cache_limit: usize,
    /// Open networks that Steadymask did not make; a TorchScript file is a program
    #[arg(long)]
    trust_model: bool,
    /// Folder with networks
    #[arg(long, value_name = "FOLDER")]
    models_dir: Option<PathBuf>,
}

impl JobMachineArgs {
    /// Whether the place of the results was chosen.
    pub fn has_cache(&self) -> bool {
        self.cache.is_some()
    }

    pub fn machine(&self) -> Machine {
        Machine {
            library: Library::new(self.models_dir.as_deref()),
            trust_model: self.trust_model,
            threads: self.threads,
            memory_bytes: self.memory,
            store: self.cache.clone().unwrap_or_else(Store::default_root),
            store_limit_bytes: self.cache_limit as u64,
        }
    }
}

pub fn run(args: BatchArgs) -> anyhow::Result<()> {
    let cancel = CancelToken::new();
    interrupt::cancel_on_signal(&cancel)?;
    if let (Some(manifest), Some(index)) = (&args.manifest, args.index) {
        let input = batch::manifest_line(manifest, index)?;
        return one(args, input, index, &cancel);
    }
    let inputs = match &args.manifest {
        Some(manifest) => batch::from_manifest(manifest)?,
        None => batch::from_paths(&args.inputs)?,
    };
    if inputs.is_empty() {
        return Err(WrongUse("there is no image and no video in these folders; give others".into()).into());
    }
    let machine = args.machine.machine();
    let job =
        Batch { inputs, pipeline: args.pipeline, out: args.out, machine, retry_failed: args.retry_failed };
    let progress = Progress::default();
    let bar = ProgressBar::no_length().with_prefix("inputs").with_style(style());
    if args.quiet || args.json || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let failed = Arc::new(Mutex::new(0));
    let tell = {
        let (bar, failed) = (bar.clone(), failed.clone());
        move |entry: &Entry| {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            let why = entry.error.as_deref().unwrap_or_default();
            // Above the bar, where there is one.
            bar.suspend(|| eprintln!("steadymask: {why}"));
        }
    };
    let update = || {
        let snapshot = progress.snapshot();
        bar.set_length(snapshot.total.unwrap_or(0) as u64);
        bar.set_position(snapshot.done as u64);
        let failed = match *failed.lock().unwrap_or_else(PoisonError::into_inner) {
            0 => String::new(),
            failed => format!(" · {failed} failed"),
        };
        bar.set_message(pace(&snapshot, "files/s") + &failed);
    };
    let done = {
        let (progress, cancel) = (progress.clone(), cancel.clone());
        interrupt::run_watched(&cancel.clone(), move || Ok(job.run(&progress, tell, &cancel)), update)
    };
    update();
    if cancel.is_cancelled() {
        bar.abandon();
        return Err(PipelineError::Cancelled.into());
    }
    bar.finish();
    let tally = done??;
    if args.json {
        super::print_json(&tally)?;
    } else if !args.quiet {
        print_summary(&tally);
    }
    for note in &tally.notes {
        eprintln!("steadymask: {note}");
    }
    match tally {
        Tally { failed: 0, .. } => Ok(()),
        Tally { failed, total, .. } => Err(Failures { failed, total }.into()),
    }
}

fn print_summary(tally: &Tally) {
    let Tally { total, succeeded, skipped, failed, failures, .. } = tally;
    println!("{total} inputs: {succeeded} succeeded, {failed} failed ({skipped} were done before)");
    for (input, why) in failures {
        println!("  {input}: {why}");
    }
}

/// One line of a manifest, with an exit code that says whether to try again.
fn one(args: BatchArgs, input: batch::Input, index: usize, cancel: &CancelToken) -> anyhow::Result<()> {
    let machine = args.machine.machine();
    let done = {
        let (pipeline, out, stop) = (args.pipeline, args.out, cancel.clone());
        let job = move || Ok(batch::run_one(input, index, &pipeline, &out, &machine, &stop));
        interrupt::run_watched(cancel, job, || {})
    };
    match done?? {
        Ok(entry) if args.json => super::print_json(&entry),
        Ok(_) => Ok(()),
        Err(error) if error.may_pass() && !matches!(error, PipelineError::Cancelled) => {
            Err(TryAgain(error).into())
        }
        Err(error) => Err(error.into()),
    }
}
