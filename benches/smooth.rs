//! How fast smoothing is: against the plain NumPy recipe, and in milliseconds.
//!
//! `cargo bench --bench smooth` runs all; words after `--` choose: `recipe` (needs Python
//! with NumPy; `STEADYMASK_PYTHON` names it, or `python3`), `resmooth`, `warp`, `flow`.

use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use steadymask::flow::{Estimator, Flow, FlowEstimator, FlowPair, Quality, warp_mask, warp_soft};
use steadymask::frame::{Frame, FrameIndex, FrameSize, Timestamp};
use steadymask::mask::{Mask, Masks, SoftMask};
use steadymask::pipeline::FLOW;
use steadymask::smooth::{HardSmoother, Method, Settings, SmoothFrame, Switch, Timing, binarise};
use steadymask::video;

const FRAMES: usize = 300;
const MEMORY_BYTES: usize = 512 << 20;

fn main() -> Result<()> {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    type Part = (&'static str, fn() -> Result<()>);
    let parts: [Part; 4] = [("recipe", recipe), ("resmooth", resmooth), ("warp", warp), ("flow", flow)];
    println!("{} threads", rayon::current_num_threads());
    for (name, part) in parts {
        if chosen.is_empty() || chosen.iter().any(|word| word == name) {
            part()?;
        }
    }
    Ok(())
}

/// The least of a few runs, in seconds.
fn best_secs(mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// Probabilities of a blob that wanders, with a soft edge that boils.
fn blob(size: FrameSize, t: usize) -> SoftMask {
    let (width, height) = (size.width() as f32, size.height() as f32);
    let (cx, cy) =
        (width * (0.5 + 0.3 * (t as f32 * 0.02).sin()), height * (0.5 + 0.2 * (t as f32 * 0.031).cos()));
    let radius = 0.25 * height;
    let mut noise = 0x9e37_79b9u32.wrapping_mul(t as u32 + 1);
    let values = (0..size.pixels()).map(|i| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        let (x, y) = ((i % size.width()) as f32 - cx, (i / size.width()) as f32 - cy);
        let edge = (radius - (x * x + y * y).sqrt()) * 4.0 + 128.0;
        (edge + (noise >> 25) as f32 - 64.0).clamp(0.0, 255.0) as u8
    });
    SoftMask::new(size, values.collect())
}

/// Pushes everything through a smoother; the results are dropped as a stream would.
fn run(settings: &Settings, frames: &[SmoothFrame], mut each: impl FnMut(&Masks)) -> Result<()> {
    let mut smoother = settings.smoother(MEMORY_BYTES)?;
    for frame in frames {
        smoother.push(frame.clone())?.iter().for_each(&mut each);
    }
    smoother.finish().iter().for_each(each);
    Ok(())
}

/// Hard masks at 1280×720, the same for both; the results must be equal.
fn recipe() -> Result<()> {
    let size = FrameSize::new(1280, 720).context("a size")?;
    let window = 5;
    let settings = |method| Settings {
        window: "5".parse().expect("odd"),
        alpha: "0.4".parse().expect("a share"),
        ..Settings::seed_recipe(method)
    };
    let masks: Vec<Mask> = (0..FRAMES).map(|t| blob(size, t).at_least(128)).collect();
    let folder = tempfile::tempdir()?;
    let (input, output) = (folder.path().join("masks"), folder.path().join("out"));
    let mut file = std::io::BufWriter::new(std::fs::File::create(&input)?);
    for mask in &masks {
        file.write_all(&mask.to_bytes(1))?;
    }
    file.into_inner()?;
    let python = std::env::var("STEADYMASK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/seed_recipe.py");
    let command = Command::new(&python)
        .arg(script)
        .arg(&input)
        .args([size.width(), size.height(), window].map(|n| n.to_string()))
        .arg("0.4")
        .arg(&output)
        .output()
        .with_context(|| {
            format!("{python} could not be started; name one that has NumPy in STEADYMASK_PYTHON")
        })?;
    ensure!(
        command.status.success(),
        "the NumPy recipe failed: {}",
        String::from_utf8_lossy(&command.stderr)
    );
    let theirs: serde_json::Value = serde_json::from_slice(&command.stdout)?;

    println!("\n{FRAMES} hard masks of {size}, causal, window {window}, alpha 0.4");
    println!("{:16}{:>10}{:>12}{:>8}  equal pixels", "", "NumPy s", "Steadymask s", "times");
    let frames: Vec<SmoothFrame> = masks
        .iter()
        .map(|mask| SmoothFrame { masks: vec![SoftMask::new(size, mask.to_bytes(255))].into(), flow: None })
        .collect();
    let masks: Vec<Arc<Mask>> = masks.into_iter().map(Arc::new).collect();
    for &method in Method::ALL {
        let settings = settings(method);
        let smooth = |mut each: &mut dyn FnMut(Mask)| -> Result<()> {
            match HardSmoother::new(&settings) {
                Some(mut hard) => {
                    masks.iter().flat_map(|mask| hard.push(mask.clone(), false)).for_each(&mut each);
                    hard.finish().into_iter().for_each(each);
                    Ok(())
                }
                None => run(&settings, &frames, |masks| {
                    binarise(masks, &settings, None).into_iter().for_each(&mut each)
                }),
            }
        };
        let ours = best_secs(|| smooth(&mut |mask| drop(black_box(mask))))?;
        let theirs = theirs[method.name()].as_f64().context("seconds from the recipe")?;
        let expected = std::fs::read(output.with_extension(method.name()))?;
        let mut expected = expected.chunks_exact(size.pixels());
        let mut different = 0;
        smooth(&mut |mask| {
            let expected =
                expected.next().map_or_else(|| Mask::empty(size), |bytes| Mask::from_bytes(size, bytes));
            different += mask.xor(&expected).count();
        })?;
        let equal = 100.0 * (1.0 - different as f64 / (size.pixels() * FRAMES) as f64);
        println!("{:16}{theirs:10.3}{ours:12.3}{:8.1}  {equal:.5} %", method.name(), theirs / ours);
    }
    Ok(())
}

/// Probabilities and flow in memory, as when a slider is moved. The flow is that of the pictures
/// in the folders that `STEADYMASK_PICTURES` names, with commas between; of a made clip without.
fn resmooth() -> Result<()> {
    let size = FrameSize::new(854, 480).context("a size")?;
    let flows = match std::env::var("STEADYMASK_PICTURES") {
        Ok(folders) => {
            folders.split(',').map(|folder| flow_of(Path::new(folder), size)).collect::<Result<_>>()?
        }
        Err(_) => vec![vec![Arc::new(pair_of(size, FLOW)?)]],
    };
    let flows: Vec<Arc<FlowPair>> = flows.concat();
    let frames: Vec<SmoothFrame> = (0..FRAMES)
        .map(|t| SmoothFrame {
            masks: vec![blob(size, t)].into(),
            flow: (t > 0).then(|| flows[t % flows.len()].clone()),
        })
        .collect();
    let valid: f64 = flows.iter().map(|pair| pair.forward().valid_share()).sum();
    println!(
        "\n{FRAMES} frames of {size}, flow on {}, {:.0} % valid",
        flows[0].size(),
        100.0 * valid / flows.len() as f64
    );
    println!("{:16}{:10}{:>10}{:>10}", "", "", "plain s", "motion s");
    for &method in Method::ALL {
        for &timing in Timing::ALL {
            let secs = |motion: Switch| {
                let settings = Settings { method, timing, motion, ..Settings::default() };
                best_secs(|| {
                    run(&settings, &frames, |masks| drop(black_box(binarise(masks, &settings, None))))
                })
            };
            println!(
                "{:16}{:10}{:10.3}{:10.3}",
                method.name(),
                timing.name(),
                secs(Switch::Off)?,
                secs(Switch::On)?
            );
        }
    }
    Ok(())
}

/// Between the pictures of a folder.
fn flow_of(folder: &Path, size: FrameSize) -> Result<Vec<Arc<FlowPair>>> {
    let mut source = video::open(folder)?;
    ensure!(source.info().size == size, "{}: pictures of {size}", folder.display());
    let mut estimator = FlowEstimator::new(size, FLOW)?;
    let mut pairs = Vec::new();
    while let Some(picture) = source.next_frame()? {
        pairs.extend(estimator.push(&picture)?.map(|pair| Arc::new(pair.with_cut(false))));
    }
    Ok(pairs)
}

fn warp() -> Result<()> {
    let size = FrameSize::new(854, 480).context("a size")?;
    let pair = pair_of(size, FLOW)?;
    let (soft, hard) = (blob(size, 3), blob(size, 3).at_least(128));
    println!("\none mask of {size}, flow on {}, in ms: on one thread, on all", pair.size());
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let work: [(&str, &(dyn Fn() + Sync)); 4] = [
        ("warp_soft", &|| drop(black_box(warp_soft(&soft, pair.forward())))),
        ("warp_mask", &|| drop(black_box(warp_mask(&hard, pair.forward())))),
        ("chain", &|| drop(black_box(pair.forward().then(pair.forward())))),
        ("check", &|| {
            drop(black_box(Flow::checked(pair.forward().field().clone(), pair.backward().field())))
        }),
    ];
    for (name, run) in work {
        let least = || {
            (0..100).try_fold(f64::INFINITY, |least, _| {
                Ok::<_, anyhow::Error>(least.min(best_secs(|| {
                    run();
                    Ok(())
                })?))
            })
        };
        println!("{name:16}{:8.3}{:8.3}", 1000.0 * one.install(least)?, 1000.0 * least()?);
    }
    Ok(())
}

/// Flow both ways with its check and the search for a cut, from pictures in memory.
fn flow() -> Result<()> {
    let size = FrameSize::new(854, 480).context("a size")?;
    let pictures: Vec<Frame> = (0..12).map(|t| texture(size, 5.0 * t as f64)).collect();
    println!("\nflow between neighbours of {size}, in ms a pair");
    let estimators = [Quality::Fast, Quality::Medium, Quality::Fine].map(Estimator::Dis);
    for estimator in estimators.into_iter().chain([Estimator::Farneback]) {
        let mut flow = FlowEstimator::new(size, estimator)?;
        let secs = best_secs(|| {
            flow.restart();
            pictures.iter().try_for_each(|picture| flow.push(picture).map(|pair| drop(black_box(pair))))?;
            Ok(())
        })?;
        println!("{:24}{:8.1}", format!("{estimator:?}"), 1000.0 * secs / (pictures.len() - 1) as f64);
    }
    let pair = pair_of(size, Estimator::Dis(Quality::Medium))?;
    let bytes = pair.to_bytes();
    let packed = zstd::encode_all(&bytes[..], 3)?;
    println!("bytes a pair: {} in memory, {} stored, {} with zstd", pair.bytes(), bytes.len(), packed.len());
    ensure!(FlowPair::from_bytes(&zstd::decode_all(&packed[..])?)? == pair, "the stored flow is another");
    Ok(())
}

fn pair_of(size: FrameSize, estimator: Estimator) -> Result<FlowPair> {
    let mut flow = FlowEstimator::new(size, estimator)?;
    flow.push(&texture(size, 0.0))?;
    flow.push(&texture(size, 7.0))?.context("a pair")
}

/// A textured picture that has moved to the right and turned a little.
fn texture(size: FrameSize, by: f64) -> Frame {
    let (sin, cos) = (by * 0.002).sin_cos();
    let value = |i: usize| {
        let (x, y) = ((i % size.width()) as f64 - by, (i / size.width()) as f64);
        let (x, y) = (x * cos + y * sin, y * cos - x * sin);
        let waves = (x * 0.11).sin()
            + (y * 0.13 + x * 0.05).cos()
            + (x * 0.33 - y * 0.27).sin()
            + (x * 0.021 + y * 0.033).sin();
        (128.0 + 30.0 * waves) as u8
    };
    let rgb = (0..size.pixels()).flat_map(|i| [value(i); 3]).collect();
    Frame::new(FrameIndex::ZERO, Timestamp::default(), size, rgb)
}
