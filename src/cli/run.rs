//! `steadymask run`: from a video to steady masks. `steadymask export`: the same, of what is
//! stored.

use std::{io::IsTerminal, path::PathBuf, sync::Arc};

use clap::Args;

use super::{
    args::{ExportArgs, MachineArgs, RangeArgs, SmoothingArgs},
    interrupt,
    network::NetworkArgs,
    progress::Bars,
};
use base::region::Polygon;
use metrics::{ClassSummary, Distribution, Metric};
use pipeline::{CancelToken, Run, RunProgress, RunResult};
use plan::Plan;
use project::is_project;
use video::Clip;

#[derive(Args)]
pub struct RunArgs {
    /// Video file, folder of images, glob of images, or a project saved by the window
    pub video: PathBuf,
    #[command(flatten)]
    pub network: NetworkArgs,
    #[command(flatten)]
    pub smoothing: SmoothingArgs,
    #[command(flatten)]
    pub range: RangeArgs,
    /// Leave out what lies inside this polygon, given by its corners in pixels of the picture;
    /// can be given several times
    #[arg(long, value_name = "X1,Y1,X2,Y2,…", allow_hyphen_values = true)]
    pub leave_out: Vec<Polygon>,
    #[command(flatten)]
    export: ExportArgs,
    #[command(flatten)]
    machine: MachineArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// How much is printed.
#[derive(Args)]
pub struct OutputArgs {
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
    /// Print the report as JSON when done
    #[arg(long)]
    json: bool,
}

/// Whether the network may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The network runs on the frames whose results are not stored.
    Network,
    /// Only stored results and `--masks` count.
    Stored,
}

impl RunArgs {
    /// The video, and the plan that the options make of the project's or of the usual one.
    fn video_and_plan(&self) -> anyhow::Result<(PathBuf, Plan)> {
        let Self { video, network, smoothing, range, leave_out, export, machine, output: _ } = self;
        let (video, mut plan) = match is_project(video) {
            true => super::project::open(video)?,
            false => (video.clone(), Plan::default()),
        };
        network.apply(machine, &mut plan);
        smoothing.apply(&mut plan)?;
        range.apply(&mut plan)?;
        if !leave_out.is_empty() {
            plan.edits.leave_out = leave_out.iter().cloned().collect();
        }
        let of_preset = smoothing.preset()?.and_then(|preset| preset.export);
        plan.export = Some(export.settings.clone().over(of_preset.or(plan.export)));
        Ok((video, plan))
    }
}

pub fn run(args: RunArgs, mode: Mode) -> anyhow::Result<()> {
    let (video, plan) = args.video_and_plan()?;
    video::check_exists(&video)?;
    // Masks that are there already are read, not made.
    let stored_only = mode == Mode::Stored && plan.source.network().is_some();
    let job = Run {
        plan: Arc::new(args.network.resolve(plan)?),
        clip: Arc::new(Clip::open(&video)?),
        stored_only,
        out: args.export.out,
        replace: args.export.force,
        resources: args.machine.resources(),
    };
    let cancel = CancelToken::new();
    interrupt::cancel_on_signal(&cancel)?;
    let progress = RunProgress::default();
    let bars =
        Bars::new(&progress, args.output.quiet || args.output.json || !std::io::stderr().is_terminal());
    let finished = {
        let (progress, cancel_job) = (progress.clone(), cancel.clone());
        interrupt::run_watched(&cancel, move || job.run(&progress, &cancel_job), || bars.update())
    };
    bars.clear();
    let finished = finished?;
    if args.output.json {
        super::print_json(&finished.report)?;
    } else if !args.output.quiet {
        print_summary(&finished);
    }
    let notes = progress.network.take_notes();
    for note in finished.report.loss.iter().chain(&notes).chain(&finished.notes) {
        eprintln!("steadymask: {}: {note}", finished.report.video.display());
    }
    Ok(())
}

fn print_summary(finished: &RunResult) {
    let report = &finished.report;
    println!("{}: {} frames", report.video.display(), report.frames);
    if let Some(why) = &report.tuned {
        println!("  chose {}: {why}", report.settings.recipe());
    }
    for summary in &report.summaries {
        println!("  {}", summary_line(summary));
    }
    for file in &finished.files {
        println!("  {}", file.display());
    }
}

/// Less instability is never shown without the lag that it costs.
fn summary_line(summary: &ClassSummary) -> String {
    let percent = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| format!("{value:.0} %"));
    let mean = |side: &Option<Distribution>| {
        side.as_ref().map_or_else(|| "–".into(), |side| format!("{:.4}", side.mean))
    };
    let instability = &summary.metrics[Metric::Instability];
    let lag = summary.lag.map_or_else(|| "–".into(), |lag| lag.to_string());
    format!(
        "{}: instability {} → {} ({} less), lag {lag} frames, agreement {}",
        summary.class,
        mean(&instability.raw),
        mean(&instability.smoothed),
        percent(summary.improvement_percent),
        mean(&summary.agreement),
    )
}
