//! Steadymask: measures the flicker of per-frame segmentation masks and takes it out
//! without making them late. See `ARCHITECTURE.md` for the map.
//!
//! This crate only puts the rooms together: each is a member of the workspace, in a folder of its
//! name beside this file.

#[cfg(feature = "gui")]
pub use app;
pub use base::{frame, mask, process, region, stages};
pub use {cli, export, flow, jobs, metrics, pipeline, plan, project, segment, service, smooth, store, video};

/// The program, which `main` loads as a library and starts. A panic, which has been told by then,
/// is a fault like any other.
#[unsafe(no_mangle)]
extern "C" fn steadymask_engine() -> ! {
    process::keep_freed_memory();
    let code = std::panic::catch_unwind(cli::main).unwrap_or(cli::ExitCode::Fault);
    process::exit_now(code as i32)
}
