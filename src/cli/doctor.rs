//! `steadymask doctor`: what is here, what is missing, and what to do about it.

use clap::Args;
use serde::Serialize;

use segment::{CudaStatus, Library, catalogue};
use store::Store;

#[derive(Args)]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Findings {
    steadymask: &'static str,
    libtorch: &'static str,
    libtorch_folder: Option<String>,
    opencv: String,
    cores: usize,
    cuda_works: bool,
    cuda: String,
    nvidia_driver: Option<String>,
    nvidia_driver_needed: u32,
    models: Vec<(String, bool)>,
    model_folders: Vec<String>,
    store: String,
    window: bool,
    missing: Vec<String>,
}

pub fn run(args: DoctorArgs) -> anyhow::Result<()> {
    let findings = examine();
    if args.json {
        return super::print_json(&findings);
    }
    print(&findings);
    Ok(())
}

fn examine() -> Findings {
    let library = Library::new(None);
    let cuda = segment::cuda_status();
    let (nvidia_driver, nvidia_driver_needed) = segment::nvidia_driver();
    let models: Vec<(String, bool)> = catalogue::entries()
        .iter()
        .map(|entry| (entry.name.clone(), library.path_of(&entry.name).is_some()))
        .collect();
    let mut missing = Vec::new();
    if let CudaStatus::Unusable { reason } = cuda {
        missing.push(format!("CUDA: {reason}"));
    }
    if !models.iter().any(|(_, installed)| *installed) {
        missing.push("no network is installed: run «steadymask models setup»".into());
    }
    Findings {
        steadymask: env!("CARGO_PKG_VERSION"),
        libtorch: segment::torch_version(),
        libtorch_folder: segment::torch_folder().map(|folder| folder.display().to_string()),
        opencv: video::opencv_version(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        cuda_works: matches!(cuda, CudaStatus::Ready { .. }),
        cuda: cuda.to_string(),
        nvidia_driver,
        nvidia_driver_needed,
        models,
        model_folders: library.folders().iter().map(|folder| folder.display().to_string()).collect(),
        store: Store::default_root().display().to_string(),
        window: cfg!(feature = "gui"),
        missing,
    }
}

fn print(findings: &Findings) {
    println!(
        "steadymask  {}{}",
        findings.steadymask,
        if findings.window { "" } else { ", without its window" }
    );
    let folder = findings.libtorch_folder.as_deref().unwrap_or("of the system");
    println!("libtorch    {}, {folder}", findings.libtorch);
    println!("OpenCV      {}", findings.opencv);
    println!("CPU         {} cores", findings.cores);
    println!("CUDA        {}", findings.cuda);
    println!(
        "driver      {}; CUDA needs {} or later",
        findings.nvidia_driver.as_deref().unwrap_or("no NVIDIA driver"),
        findings.nvidia_driver_needed
    );
    for (name, installed) in &findings.models {
        let state = if *installed { "installed" } else { "not installed" };
        println!("model       {name}: {state}");
    }
    for folder in &findings.model_folders {
        println!("models in   {folder}");
    }
    println!("results in  {}", findings.store);
    for line in &findings.missing {
        println!("missing     {line}");
    }
}
