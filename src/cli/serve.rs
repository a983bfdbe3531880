//! `steadymask serve`: the engine behind an HTTP port.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;

use super::{args::parse_bytes, batch::JobMachineArgs};
use project::{Pipelines, data_folder};
use service::{self, Options};

#[derive(Args)]
pub struct ServeArgs {
    /// Address and port; beyond the loopback a token is needed
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Ask every client for this token (Authorization: Bearer TOKEN)
    #[arg(long, env = "STEADYMASK_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A name that this machine is called by; several with commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    host_name: Vec<String>,
    /// Folder for jobs, uploads and results
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Clips that are worked on at once; 0 is one for each four cores
    #[arg(long, default_value_t = 0)]
    workers: usize,
    /// Clips, and images, that may wait; more are answered 429
    #[arg(long, value_name = "NUMBER", default_value_t = 64)]
    queue: usize,
    /// Largest clip
    #[arg(long, value_name = "BYTES", default_value = "2G", value_parser = parse_bytes)]
    max_upload: usize,
    /// Largest picture, in millions of pixels
    #[arg(long, value_name = "MEGAPIXELS", default_value_t = 36)]
    max_megapixels: usize,
    /// Longest clip, in frames
    #[arg(long, value_name = "FRAMES", default_value_t = 100_000)]
    max_frames: u32,
    /// Jobs that a client may have
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    client_jobs: usize,
    /// Disk that a client's jobs may take
    #[arg(long, value_name = "BYTES", default_value = "20G", value_parser = parse_bytes)]
    client_disk: usize,
    /// Jobs that are over are removed after so many hours
    #[arg(long, value_name = "HOURS", default_value_t = 168)]
    keep_hours: u32,
    /// Disk that jobs may take; the oldest that are over make room
    #[arg(long, value_name = "BYTES", default_value = "50G", value_parser = parse_bytes)]
    keep_disk: usize,
    #[command(flatten)]
    machine: JobMachineArgs,
}

/// Larger images are refused before they are read.
const MAX_IMAGE_BYTES: usize = 20 << 20;

pub fn run(args: ServeArgs) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let data = args.data.unwrap_or_else(|| data_folder().join("service"));
    let mut machine = args.machine.machine();
    if !args.machine.has_cache() {
        machine.store = data.join("clips");
    }
    let options = Options {
        listen: args.listen,
        token: args.token.filter(|token| !token.is_empty()),
        host_names: args.host_name,
        pipelines: Pipelines::default_path(),
        workers: if args.workers == 0 { (cores / 4).max(1) } else { args.workers },
        most_waiting: args.queue,
        max_upload_bytes: args.max_upload as u64,
        max_image_bytes: MAX_IMAGE_BYTES,
        max_pixels: args.max_megapixels * 1_000_000,
        max_frames: args.max_frames,
        client_jobs: args.client_jobs,
        client_bytes: args.client_disk as u64,
        keep_secs: i64::from(args.keep_hours) * 3600,
        keep_bytes: args.keep_disk as u64,
        data,
    };
    service::serve(options, machine, |address| {
        println!("Steadymask listens at http://{address}/");
    })?;
    Ok(())
}
