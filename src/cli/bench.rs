//! `steadymask bench`: what each stage costs on this machine, and what the program adds to
//! the network alone.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use super::{
    args::{MachineArgs, SmoothingArgs},
    interrupt,
    network::NetworkArgs,
};
use crate::{
    export::ExportKind,
    frame::{FrameSize, Timestamp},
    pipeline::{CancelToken, FrameRange, PipelineError, Run, RunProgress},
    stages::StageClock,
    store::Store,
    video::{self, Look, Ratio, VideoFormat, VideoSink},
};

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
}

#[derive(Serialize)]
struct Figures {
    video: String,
    size: String,
    frames: usize,
    model: String,
    /// Seconds a frame that the stage was busy, in all threads together.
    stages: BTreeMap<&'static str, f64>,
    network_alone_secs_per_frame: f64,
    end_to_end_secs_per_frame: f64,
    /// End to end over network alone.
    ratio: f64,
    /// Of the process that only ran the network so far, and of all.
    peak_memory_network_bytes: u64,
    peak_memory_bytes: u64,
}

pub fn run(args: BenchArgs, clock: &StageClock) -> Result<()> {
    let cancel = CancelToken::new();
    interrupt::cancel_on_signal(&cancel)?;
    let place = tempfile::tempdir()?;
    let clip = match &args.video {
        Some(video) => video.clone(),
        None => make_clip(place.path(), args.frames)?,
    };
    let frames = args.frames as usize;
    // The rest of the frames after the run: a machine is not equally fast all the time.
    let before = network_alone(&args, &clip, 0..frames.div_ceil(2))?;
    anyhow::ensure!(before.frames > 0, "{}: there is no frame in it", clip.display());
    let peak_memory_network_bytes = peak_memory_bytes();

    let model = args.network.open(&args.machine)?;
    let name = model.manifest.name.clone();
    let job = Run {
        video: clip.clone(),
        classes: args.network.classes(&model.manifest)?,
        range: FrameRange { first: 0, last: frames - 1 },
        settings: args.smoothing.settings()?,
        every: args.network.every.unwrap_or_default(),
        auto: args.smoothing.is_auto(),
        leave_out: Default::default(),
        exports: args.export.clone(),
        options: Default::default(),
        out: place.path().join("out"),
        force: false,
        memory_bytes: args.machine.memory,
        store: Store::new(place.path().join("store"), u64::MAX),
        model,
    };
    clock.reset();
    let begun = Instant::now();
    let finished =
        interrupt::run_watched(&cancel.clone(), move || job.run(&RunProgress::default(), &cancel), || ())?;
    let took = begun.elapsed();
    let peak_memory_bytes = peak_memory_bytes();
    let frames = finished.report.frames;
    let after = network_alone(&args, &clip, before.frames..frames)?;
    let each = |time: Duration| time.as_secs_f64() / frames as f64;
    let alone = (before.busy + after.busy).as_secs_f64() / (before.frames + after.frames) as f64;
    let figures = Figures {
        video: args.video.map_or_else(|| "a made clip".into(), |video| video.display().to_string()),
        size: video::open(&clip)?.info().size.to_string(),
        frames,
        model: name,
        stages: clock.busy().into_iter().map(|(stage, time)| (stage, each(time))).collect(),
        network_alone_secs_per_frame: alone,
        end_to_end_secs_per_frame: each(took),
        ratio: each(took) / alone,
        peak_memory_network_bytes,
        peak_memory_bytes,
    };
    if args.json {
        super::print_json(&figures)?
    } else {
        figures.print()
    }
    Ok(())
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
            "  {:24}{:>10.0} MiB, {:.0} MiB of it with the network alone",
            "peak memory",
            mib(self.peak_memory_bytes),
            mib(self.peak_memory_network_bytes)
        );
    }
}

/// How long steps of the network took, one after the other with nothing beside them.
#[derive(Default)]
struct Alone {
    busy: Duration,
    frames: usize,
}

/// Those of the clip's frames in `range`, as far as there are such. The first step, which also
/// sets up, is made twice and counted once.
fn network_alone(args: &BenchArgs, clip: &Path, range: Range<usize>) -> Result<Alone> {
    let mut alone = Alone::default();
    if range.is_empty() {
        return Ok(alone);
    }
    let mut network = (args.network.open(&args.machine)?.load)().map_err(PipelineError::from)?;
    let mut source = video::open(clip)?;
    for index in 0..range.end {
        let Some(frame) = source.next_frame()? else { break };
        if index == range.start {
            network.segment(&[&frame]).map_err(PipelineError::from)?;
        }
        if range.contains(&index) {
            let begun = Instant::now();
            network.segment(&[&frame]).map_err(PipelineError::from)?;
            alone.busy += begun.elapsed();
            alone.frames += 1;
        }
    }
    Ok(alone)
}

/// A bright disc over a drifting texture, 1280×720.
fn make_clip(folder: &Path, frames: u32) -> Result<PathBuf> {
    let size = FrameSize::new(1280, 720).context("a size")?;
    let look = Look { size, frames_per_sec: 25.0, time_base: Ratio::new(1, 25), pixel_aspect: Ratio::ONE };
    let path = folder.join("made.mp4");
    let mut sink = VideoSink::create(&path, VideoFormat::H264, look, None)?;
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
