//! `steadymask run`: from a video to steady masks. `steadymask export`: the same, of what is
//! stored.

use std::{io::IsTerminal, path::PathBuf, time::Duration};

use clap::Args;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{
    args::{ExportArgs, MachineArgs, RangeArgs, SmoothingArgs},
    interrupt,
    network::NetworkArgs,
};
use crate::{
    metrics::{ClassSummary, Distribution, Metric},
    pipeline::{CancelToken, Finished, Progress, Run, RunProgress, Snapshot},
    project::is_project,
    region::Polygon,
    video,
};

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
    talk: TalkArgs,
}

/// How much is said.
#[derive(Args)]
pub struct TalkArgs {
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
    /// Print the report as JSON when done
    #[arg(long)]
    json: bool,
}

/// Where a job's masks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The network runs on the frames whose results are not stored.
    Network,
    /// Only stored results and `--masks` count.
    Stored,
}

pub fn run(mut args: RunArgs, source: Source) -> anyhow::Result<()> {
    if is_project(&args.video) {
        super::project::fill_in(&mut args)?;
    }
    video::look_for(&args.video)?;
    let mut model = args.network.open(&args.machine)?;
    if source == Source::Stored && args.network.masks.is_none() {
        model.forbid(&args.video);
    }
    let preset = args.smoothing.preset()?.and_then(|preset| preset.export);
    let export = args.export.settings.over(preset);
    let job = Run {
        video: args.video,
        classes: args.network.classes(&model.manifest)?,
        range: args.range.range()?,
        settings: args.smoothing.settings()?,
        every: args.network.every.unwrap_or_default(),
        auto: args.smoothing.is_auto(),
        leave_out: args.leave_out.into_iter().collect(),
        exports: export.kinds,
        options: export.options,
        out: args.export.out,
        force: args.export.force,
        memory_bytes: args.machine.memory,
        store: args.machine.store(),
        model,
    };
    let cancel = CancelToken::new();
    interrupt::cancel_on_signal(&cancel)?;
    let progress = RunProgress::default();
    let bars = Bars::new(&progress, args.talk.quiet || args.talk.json || !std::io::stderr().is_terminal());
    let finished = {
        let (progress, cancel_job) = (progress.clone(), cancel.clone());
        interrupt::run_watched(&cancel, move || job.run(&progress, &cancel_job), || bars.update())
    };
    bars.clear();
    let finished = finished?;
    if args.talk.json {
        super::print_json(&finished.report)?;
    } else if !args.talk.quiet {
        print_summary(&finished);
    }
    let notes = progress.network.take_notes();
    for note in finished.report.loss.iter().chain(&notes).chain(&finished.notes) {
        eprintln!("steadymask: {}: {note}", finished.report.video.display());
    }
    Ok(())
}

fn print_summary(finished: &Finished) {
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

/// Calmer never stands without late.
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

/// A bar for each pass; they run side by side.
struct Bars {
    bars: [(ProgressBar, Progress); 2],
}

impl Bars {
    fn new(progress: &RunProgress, hidden: bool) -> Self {
        let all = MultiProgress::new();
        if hidden {
            all.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        let bar = |name: &'static str, progress: &Progress| {
            let bar = all.add(ProgressBar::no_length().with_prefix(name).with_style(style()));
            (bar, progress.clone())
        };
        Self { bars: [bar("network", &progress.network), bar("masks", &progress.masks)] }
    }

    fn update(&self) {
        for (bar, progress) in &self.bars {
            let snapshot = progress.snapshot();
            match snapshot.total {
                Some(total) => bar.set_length(total as u64),
                None => bar.unset_length(),
            }
            bar.set_position(snapshot.done as u64);
            bar.set_message(pace(&snapshot, "frames/s"));
        }
    }

    fn clear(&self) {
        for (bar, _) in &self.bars {
            bar.finish_and_clear();
        }
    }
}

pub fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix:8} {wide_bar} {human_pos}/{human_len}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// How fast it goes, and how long it will still take, as far as is known.
pub fn pace(snapshot: &Snapshot, unit: &str) -> String {
    let rate = snapshot.frames_per_sec.map_or_else(String::new, |rate| format!("{rate:.1} {unit}"));
    let left = snapshot.left.map_or_else(String::new, |left| format!(" · {} left", clock(left)));
    rate + &left
}

/// Minutes and seconds, with hours where there are any.
fn clock(time: Duration) -> String {
    let secs = time.as_secs();
    match secs / 3600 {
        0 => format!("{}:{:02}", secs / 60, secs % 60),
        hours => format!("{hours}:{:02}:{:02}", secs / 60 % 60, secs % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_a_clock() {
        assert_eq!(clock(Duration::from_secs(34)), "0:34");
        assert_eq!(clock(Duration::from_secs(3723)), "1:02:03");
    }
}
