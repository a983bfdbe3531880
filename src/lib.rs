//! Steadymask: measures the flicker of per-frame segmentation masks and takes it out
//! without making them late. See `ARCHITECTURE.md` for the map.

#[cfg(feature = "gui")]
pub mod app;
pub mod cli;
pub mod export;
pub mod flow;
pub mod frame;
pub mod jobs;
pub mod mask;
pub mod metrics;
pub mod pipeline;
pub mod process;
pub mod project;
pub mod region;
pub mod segment;
pub mod service;
mod simd;
pub mod smooth;
pub mod stages;
pub mod store;
pub mod video;

/// The program, which `main` loads as a library and starts. A panic, which has been told by then,
/// is a fault like any other.
#[unsafe(no_mangle)]
extern "C" fn steadymask_engine() -> ! {
    process::keep_freed_memory();
    let code = std::panic::catch_unwind(cli::main).unwrap_or(cli::ExitCode::Fault);
    process::exit_now(code as i32)
}
