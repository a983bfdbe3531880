//! `steadymask evaluate`: smoothing compared with ground truth, method by method.

use std::{path::PathBuf, sync::Arc};

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{
    args::{MachineArgs, RangeArgs, SmoothingArgs},
    exit::WrongUse,
    interrupt,
    network::NetworkArgs,
};
use base::files::{FileError, write_atomically};
use export::{Plot, PlotPoint};
use metrics::{ClassSummary, Distribution, FrameMetrics, Metric, Protocol, ReferenceScores};
use pipeline::{
    Analysis, CancelToken, Evaluation, PipelineError, Progress, Resources, SCORING_FLOW, Score, SoftSource,
    Tracks, Watch, tune_for,
};
use plan::{Plan, Resolved};
use smooth::{Method, Settings, Switch};
use video::Clip;

#[derive(Args)]
pub struct EvaluateArgs {
    /// Video file, folder of images, or glob of images
    video: PathBuf,
    /// Ground-truth masks, a folder of images or a video: what is not black is set
    #[arg(long, value_name = "PATH")]
    truth: PathBuf,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    smoothing: SmoothingArgs,
    /// What to score beside the raw masks; the smoothing options hold for all but the classics
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Variant::DEFAULT)]
    methods: Vec<Variant>,
    /// Leave the first and the last frame out of the scores against ground truth
    #[arg(long)]
    davis_protocol: bool,
    /// Also measure T, DAVIS 2016's temporal stability, which is slow
    #[arg(long)]
    temporal_stability: bool,
    #[command(flatten)]
    range: RangeArgs,
    /// Folder for the table as CSV and JSON, and for plots
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineArgs,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

/// A way to smooth that can be scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Variant {
    /// Causal, hard masks, no motion
    ClassicMovingAverage,
    ClassicMedian,
    ClassicExponential,
    MovingAverage,
    Median,
    Exponential,
    /// The smoothing options as they are given
    Chosen,
    /// What tuning without ground truth chooses
    Auto,
}

impl Variant {
    const DEFAULT: [Self; 6] = [
        Self::ClassicMovingAverage,
        Self::ClassicMedian,
        Self::ClassicExponential,
        Self::MovingAverage,
        Self::Median,
        Self::Exponential,
    ];

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// `None` for what has yet to be found.
    fn settings(self, given: Settings) -> Option<Settings> {
        Some(match self {
            Self::ClassicMovingAverage => Settings::seed_recipe(Method::MovingAverage),
            Self::ClassicMedian => Settings::seed_recipe(Method::Median),
            Self::ClassicExponential => Settings::seed_recipe(Method::Exponential),
            Self::MovingAverage => Settings { method: Method::MovingAverage, ..given },
            Self::Median => Settings { method: Method::Median, ..given },
            Self::Exponential => Settings { method: Method::Exponential, ..given },
            Self::Chosen => given,
            Self::Auto => return None,
        })
    }
}

pub fn run(args: EvaluateArgs) -> Result<()> {
    let cancel = CancelToken::new();
    interrupt::cancel_on_signal(&cancel)?;
    let mut plan = Plan::default();
    args.network.apply(&args.machine, &mut plan);
    args.smoothing.apply(&mut plan)?;
    args.range.apply(&mut plan)?;
    let plan = args.network.resolve(plan)?;
    if plan.classes().len() != 1 {
        return Err(WrongUse(
            "ground truth is of one mask; give one --class, classes joined by + where it covers several"
                .into(),
        )
        .into());
    }
    let job = EvaluationJob { args, plan: Arc::new(plan) };
    let table = interrupt::run_watched(&cancel.clone(), move || job.run(&cancel), || ())?;
    if table.args.json {
        super::print_json(&table.lines)?;
    } else {
        table.print();
    }
    table.write_files()
}

struct EvaluationJob {
    args: EvaluateArgs,
    plan: Arc<Resolved>,
}

struct Table {
    args: EvaluateArgs,
    lines: Vec<TableRow>,
    scored: Vec<(String, Vec<FrameMetrics>)>,
}

/// What one way of smoothing, or none, came to.
#[derive(Serialize)]
struct TableRow {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    j: Option<f64>,
    j_recall: Option<f64>,
    j_decay: Option<f64>,
    f: Option<f64>,
    f_recall: Option<f64>,
    f_decay: Option<f64>,
    j_and_f: Option<f64>,
    t: Option<f64>,
    instability: Option<f64>,
    warped_instability: Option<f64>,
    flip_rate: Option<f64>,
    pop_rate: Option<f64>,
    area_jitter: Option<f64>,
    lag_frames: Option<f64>,
    agreement: Option<f64>,
    vc_8: Option<f64>,
    vc_16: Option<f64>,
}

impl EvaluationJob {
    fn run(self, cancel: &CancelToken) -> Result<Table, PipelineError> {
        let Self { args, plan } = self;
        let clip = Arc::new(Clip::open(&args.video)?);
        let size = clip.info().size;
        let Plan { settings: given, auto, range, .. } = plan.plan().clone();
        let Resources { threads, memory_bytes, store } = args.machine.resources();
        let store = store.clip(&clip.fingerprint()?)?;
        let is_tuned = auto || args.methods.contains(&Variant::Auto);
        let tracks = Tracks::of_plan(&store, &plan, size, is_tuned, Some(SCORING_FLOW))?;
        let network = plan.clone();
        Analysis {
            clip,
            range,
            tracks: tracks.clone(),
            load_network: Box::new(move || network.load(threads)),
            memory_bytes,
            progress: Progress::default(),
            cancel: cancel.clone(),
            watch: Watch::default(),
        }
        .run()?;
        let evaluation = Evaluation {
            source: SoftSource::new(plan, tracks, size),
            truth: args.truth.clone(),
            protocol: if args.davis_protocol { Protocol::Davis } else { Protocol::AllFrames },
            temporal_stability: args.temporal_stability,
            memory_bytes: memory_bytes / 2,
        };
        let truth = evaluation.score_truth(cancel)?;
        let mut lines = vec![TableRow::of("ground truth", None, &truth.summary, Side::Smoothed)];
        let mut scored = Vec::new();
        for variant in &args.methods {
            let is_sought = *variant == Variant::Chosen && auto;
            let (settings, why) = match variant.settings(given).filter(|_| !is_sought) {
                Some(settings) => (settings, None),
                None => {
                    let base = Settings { motion: Switch::On, ..given };
                    let tuned = tune_for(&evaluation, base, cancel)?;
                    (tuned.settings, Some(tuned.why))
                }
            };
            let Score { summary, rows } = evaluation.score(settings, &Progress::default(), cancel)?;
            if scored.is_empty() {
                lines.push(TableRow::of("raw", None, &summary, Side::Raw));
            }
            let line = TableRow::of(&variant.name(), Some(settings), &summary, Side::Smoothed);
            lines.push(TableRow { why, ..line });
            scored.push((variant.name(), rows));
        }
        Ok(Table { args, lines, scored })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Raw,
    Smoothed,
}

impl TableRow {
    fn of(name: &str, settings: Option<Settings>, summary: &ClassSummary, side: Side) -> Self {
        let mean_of = |distribution: &Option<Distribution>| distribution.as_ref().map(|values| values.mean);
        let metric = |metric: Metric| {
            let both = &summary.metrics[metric];
            mean_of(if side == Side::Raw { &both.raw } else { &both.smoothed })
        };
        let (reference, area_jitter) = match side {
            Side::Raw => (&summary.reference_raw, summary.area_jitter_raw),
            Side::Smoothed => (&summary.reference_smoothed, summary.area_jitter_smoothed),
        };
        let score = |value: fn(&ReferenceScores) -> f64| reference.as_ref().map(value);
        let smoothed = settings.is_some();
        Self {
            name: name.to_owned(),
            settings,
            why: None,
            j: score(|scores| scores.j.mean),
            j_recall: score(|scores| scores.j.recall),
            j_decay: score(|scores| scores.j.decay),
            f: score(|scores| scores.f.mean),
            f_recall: score(|scores| scores.f.recall),
            f_decay: score(|scores| scores.f.decay),
            j_and_f: score(|scores| scores.j_and_f),
            t: metric(Metric::T),
            instability: metric(Metric::Instability),
            warped_instability: metric(Metric::WarpedInstability),
            flip_rate: metric(Metric::FlipRate),
            pop_rate: metric(Metric::PopRate),
            area_jitter,
            lag_frames: summary.lag.filter(|_| smoothed).map(|lag| lag.frames),
            agreement: mean_of(&summary.agreement).filter(|_| smoothed),
            vc_8: reference.as_ref().and_then(|scores| scores.vc_8),
            vc_16: reference.as_ref().and_then(|scores| scores.vc_16),
        }
    }

    /// The columns that have a number, with their names.
    fn numbers(&self) -> [(&'static str, Option<f64>); 17] {
        [
            ("j", self.j),
            ("j_recall", self.j_recall),
            ("j_decay", self.j_decay),
            ("f", self.f),
            ("f_recall", self.f_recall),
            ("f_decay", self.f_decay),
            ("j_and_f", self.j_and_f),
            ("t", self.t),
            ("instability", self.instability),
            ("warped_instability", self.warped_instability),
            ("flip_rate", self.flip_rate),
            ("pop_rate", self.pop_rate),
            ("area_jitter", self.area_jitter),
            ("lag_frames", self.lag_frames),
            ("agreement", self.agreement),
            ("vc_8", self.vc_8),
            ("vc_16", self.vc_16),
        ]
    }
}

/// The columns of the printed table, with what stands above them.
const PRINTED: [(&str, &str); 10] = [
    ("j", "J"),
    ("f", "F"),
    ("t", "T"),
    ("instability", "instab."),
    ("warped_instability", "warped"),
    ("flip_rate", "flips"),
    ("pop_rate", "pops"),
    ("lag_frames", "lag"),
    ("agreement", "agree."),
    ("vc_8", "VC-8"),
];

impl Table {
    fn print(&self) {
        let titles: String = PRINTED.iter().map(|(_, title)| format!("{title:>9}")).collect();
        println!("{:24}{titles}", "");
        for line in &self.lines {
            let numbers = line.numbers();
            let cell = |(column, _)| {
                let value = numbers.iter().find(|(name, _)| *name == column).and_then(|(_, value)| *value);
                format!("{:>9}", value.map_or_else(|| "–".into(), |value| format!("{value:.4}")))
            };
            println!("{:24}{}", line.name, PRINTED.map(cell).concat());
        }
        for line in &self.lines {
            if let (Some(why), Some(settings)) = (&line.why, &line.settings) {
                println!("{} chose {}: {why}", line.name, settings.recipe());
            }
        }
    }

    /// `evaluation.csv`, `evaluation.json`, and for each method a plot of J.
    fn write_files(&self) -> Result<()> {
        let Some(folder) = &self.args.out else { return Ok(()) };
        std::fs::create_dir_all(folder).map_err(|error| FileError::on(folder)(error))?;
        write_atomically(&folder.join("evaluation.json"), |file| {
            serde_json::to_writer_pretty(&mut *file, &self.lines)?;
            writeln!(file)
        })?;
        write_atomically(&folder.join("evaluation.csv"), |file| {
            let header: Vec<&str> = self.lines[0].numbers().map(|(name, _)| name).to_vec();
            writeln!(file, "name,{}", header.join(","))?;
            for line in &self.lines {
                let cells = line
                    .numbers()
                    .map(|(_, value)| value.map_or_else(String::new, |value| value.to_string()));
                writeln!(file, "{},{}", line.name, cells.join(","))?;
            }
            Ok(())
        })?;
        for (name, rows) in &self.scored {
            for (metric, title) in
                [(Metric::J, "J"), (Metric::F, "F"), (Metric::WarpedInstability, "Warped instability")]
            {
                let points = rows.iter().map(|row| PlotPoint {
                    frame: row.frame.get(),
                    raw: row.raw[metric],
                    smoothed: row.smoothed[metric],
                });
                let plot = Plot {
                    title: format!("{title}: {name}"),
                    quantity: title.into(),
                    points: points.collect(),
                };
                let path = folder.join(format!("{}_{name}.svg", metric.name()));
                let svg = plot.to_svg().map_err(anyhow::Error::msg)?;
                write_atomically(&path, |file| file.write_all(svg.as_bytes()))?;
            }
        }
        Ok(())
    }
}
