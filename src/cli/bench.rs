//! `steadymask bench`: what each stage costs on this machine, and what the program adds to
//! the network alone.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::{
    args::{MachineArgs, SmoothingArgs},
    interleave::{InterleavedProcess, Pauses, STARTED},
    interrupt,
    network::NetworkArgs,
};
use base::{
    frame::{FrameSize, Timestamp},
    stages::StageClock,
};
use export::{ExportKind, ExportOptions, ExportSettings};
use pipeline::{CancelToken, PipelineError, Resources, Run, RunProgress};
use plan::{Plan, Resolved};
use segment::Segmenter;
use store::Store;
use video::{self, Clip, Ratio, StreamParameters, VideoFormat, VideoSink, VideoSource};

/// How long the network works alone, at the least, before the whole pipeline does for as long.
const TURN: Duration = Duration::from_secs(2);
/// The file that tells how long the pipeline was stopped.
const PAUSES: &str = "pauses";

#[derive(Args)]
pub struct BenchArgs {
    /// Video file, folder of images, or glob of images; a clip is made if not given
    video: Option<PathBuf>,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    smoothing: SmoothingArgs,
    /// Frames to take of it
    #[arg(long, value_name = "COUNT", default_value_t = 60, value_parser = clap::value_parser!(u32).range(2..))]
    frames: u32,
    /// What to write
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [ExportKind::Png])]
    export: Vec<ExportKind>,
    #[command(flatten)]
    machine: MachineArgs,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    /// Run the pipeline and nothing else, in turns, and in this folder, which tells their pauses
    #[arg(long, hide = true, value_name = "FOLDER")]
    end_to_end: Option<PathBuf>,
}

#[derive(Serialize)]
struct Figures {
    video: String,
    size: String,
    frames: usize,
    model: String,
    /// Seconds a frame that the stage was busy, in all threads together.
    stages: BTreeMap<String, f64>,
    network_alone_secs_per_frame: f64,
    end_to_end_secs_per_frame: f64,
    /// End to end over network alone.
    ratio: f64,
    /// Of a process that only runs the network, and of one that does all.
    peak_memory_network_bytes: u64,
    peak_memory_bytes: u64,
}

/// What the process says that runs the pipeline.
#[derive(Serialize, Deserialize)]
struct EndToEnd {
    frames: usize,
    stages: BTreeMap<String, f64>,
    peak_memory_bytes: u64,
}

impl BenchArgs {
    fn plan(&self) -> Result<Resolved> {
        let mut plan = Plan::default();
        self.network.apply(&self.machine, &mut plan);
        self.smoothing.apply(&mut plan)?;
        plan.range.last = self.frames as usize - 1;
        plan.export = Some(ExportSettings { kinds: self.export.clone(), options: ExportOptions::default() });
        Ok(self.network.resolve(plan)?)
    }
}

pub fn run(args: BenchArgs, clock: &StageClock) -> Result<()> {
    let cancel = CancelToken::new();
    interrupt::cancel_on_signal(&cancel)?;
    match &args.end_to_end {
        None => compare(&args, &cancel),
        Some(place) => {
            let pauses = Pauses::open(&place.join(PAUSES))?;
            clock.subtract_pauses(move || pauses.total());
            end_to_end(&args, place, clock, cancel)
        }
    }
}

/// The network alone here and the whole pipeline in another process, in turns.
fn compare(args: &BenchArgs, cancel: &CancelToken) -> Result<()> {
    let place = tempfile::tempdir()?;
    let pauses = Pauses::create(&place.path().join(PAUSES))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bench", "--end-to-end"]).arg(place.path());
    let clip = match &args.video {
        Some(video) => video.clone(),
        None => {
            let clip = make_clip(place.path(), args.frames)?;
            command.arg(&clip);
            clip
        }
    };
    // What the user typed after «bench».
    command.args(std::env::args_os().skip(2));
    // Wrong use is told once, and before anything is measured.
    let plan = args.plan()?;
    let name = plan.manifest().name.clone();
    let network = plan.load(args.machine.threads).map_err(PipelineError::from)?;
    let mut alone = NetworkOnly::new(network, &clip, args.frames as usize)?;
    let mut other = InterleavedProcess::spawn(&mut command, pauses)?;
    let (took, output) = loop {
        if cancel.is_cancelled() {
            return Err(PipelineError::Cancelled.into());
        }
        let begun = Instant::now();
        alone.take_turn(TURN)?;
        // A step may take longer than a turn should.
        other.take_turn(begun.elapsed())?;
        if let Some(result) = other.result() {
            break result;
        }
    };
    // Where it failed it has told why.
    let whole: EndToEnd = serde_json::from_str(output).context("the whole pipeline failed")?;
    while alone.steps < whole.frames {
        alone.take_turn(TURN)?;
    }
    let end_to_end_secs_per_frame = took.as_secs_f64() / whole.frames as f64;
    let network_alone_secs_per_frame = alone.busy.as_secs_f64() / alone.steps as f64;
    let figures = Figures {
        video: args.video.as_ref().map_or_else(|| "a made clip".into(), |video| video.display().to_string()),
        size: video::open(&clip)?.info().size.to_string(),
        frames: whole.frames,
        model: name,
        stages: whole.stages,
        network_alone_secs_per_frame,
        end_to_end_secs_per_frame,
        ratio: end_to_end_secs_per_frame / network_alone_secs_per_frame,
        peak_memory_network_bytes: peak_memory_bytes(),
        peak_memory_bytes: whole.peak_memory_bytes,
    };
    if args.json {
        super::print_json(&figures)?
    } else {
        figures.print()
    }
    Ok(())
}

fn end_to_end(args: &BenchArgs, place: &Path, clock: &StageClock, cancel: CancelToken) -> Result<()> {
    let plan = Arc::new(args.plan()?);
    let clip = Arc::new(Clip::open(args.video.as_deref().context("a clip")?)?);
    let store = Store::new(place.join("store"), u64::MAX);
    let resources = Resources { store, ..args.machine.resources() };
    let job = Run { clip, plan, stored_only: false, out: place.join("out"), replace: false, resources };
    println!("{STARTED}");
    let finished =
        interrupt::run_watched(&cancel.clone(), move || job.run(&RunProgress::default(), &cancel), || ())?;
    let frames = finished.report.frames;
    let each = |time: Duration| time.as_secs_f64() / frames as f64;
    super::print_json(&EndToEnd {
        frames,
        stages: clock.busy().into_iter().map(|(stage, time)| (stage.to_owned(), each(time))).collect(),
        peak_memory_bytes: peak_memory_bytes(),
    })
}

impl Figures {
    fn print(&self) {
        println!("{}: {} frames of {}, {}", self.video, self.frames, self.size, self.model);
        for (stage, secs) in &self.stages {
            println!("  {stage:24}{secs:>10.4} s/frame");
        }
        println!("  {:24}{:>10.4} s/frame", "network alone", self.network_alone_secs_per_frame);
        println!("  {:24}{:>10.4} s/frame", "end to end", self.end_to_end_secs_per_frame);
        println!("  {:24}{:>10.3}", "ratio", self.ratio);
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "  {:24}{:>10.0} MiB, {:.0} MiB with the network alone",
            "peak memory",
            mib(self.peak_memory_bytes),
            mib(self.peak_memory_network_bytes)
        );
    }
}

/// Steps of the network, one after the other with nothing beside them.
struct NetworkOnly {
    network: Box<dyn Segmenter>,
    clip: PathBuf,
    source: Box<dyn VideoSource>,
    /// Of the clip.
    range: usize,
    steps: usize,
    busy: Duration,
}

impl NetworkOnly {
    fn new(network: Box<dyn Segmenter>, clip: &Path, range: usize) -> Result<Self> {
        let source = video::open(clip)?;
        Ok(Self { network, clip: clip.to_owned(), source, range, steps: 0, busy: Duration::ZERO })
    }

    /// Steps for about that long, and from the first frame again after the last. The first step, which
    /// also sets up, is made twice and counted once.
    fn take_turn(&mut self, turn: Duration) -> Result<()> {
        let until = Instant::now() + turn;
        while Instant::now() < until {
            if self.steps > 0 && self.steps.is_multiple_of(self.range) {
                self.source = video::open(&self.clip)?;
            }
            let Some(frame) = self.source.next_frame()? else {
                anyhow::ensure!(self.steps > 0, "{}: there is no frame in it", self.clip.display());
                // The clip is shorter than what was asked for.
                self.range = self.steps;
                continue;
            };
            if self.steps == 0 {
                self.network.segment(&[&frame]).map_err(PipelineError::from)?;
            }
            let begun = Instant::now();
            self.network.segment(&[&frame]).map_err(PipelineError::from)?;
            self.busy += begun.elapsed();
            self.steps += 1;
        }
        Ok(())
    }
}

/// A bright disc over a drifting texture, 1280×720.
fn make_clip(folder: &Path, frames: u32) -> Result<PathBuf> {
    let size = FrameSize::new(1280, 720).context("a size")?;
    let parameters = StreamParameters {
        size,
        frames_per_sec: 25.0,
        time_base: Ratio::new(1, 25),
        pixel_aspect: Ratio::ONE,
    };
    let path = folder.join("made.mp4");
    let mut sink = VideoSink::create(&path, VideoFormat::H264, parameters, None)?;
    for t in 0..frames as usize {
        let (cx, cy) = (200 + 12 * t % 880, 360);
        let picture: Vec<u8> = (0..size.pixels())
            .flat_map(|i| {
                let (x, y) = (i % size.width(), i / size.width());
                let is_disc = x.abs_diff(cx).pow(2) + y.abs_diff(cy).pow(2) < 120 * 120;
                let grain = (((x + 2 * t) * 31) ^ (y * 17)) as u8 & 63;
                if is_disc { [220, 180, 160] } else { [grain, grain + 20, 90] }
            })
            .collect();
        sink.write(Timestamp::from_micros(40_000 * t as i64), &picture)?;
    }
    sink.finish()?;
    Ok(path)
}

/// The most that the process has ever held in memory. 0 where the system does not say.
fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
