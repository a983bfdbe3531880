//! The program that is typed. It reads the command line, and only then loads the engine, a library
//! beside it (see `steadymask_engine`): help and wrong use are answered long before torch and
//! OpenCV would be there.

use std::{convert::Infallible, path::PathBuf};

use anyhow::Context as _;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use steadymask::cli;

const ENGINE: &str = "libsteadymask.so";

fn main() {
    let code = match cli::read() {
        Err(code) => code,
        Ok(_) => {
            let Err(error) = run_engine();
            eprintln!(
                "steadymask: the engine does not start: {error:#}\n  What to do: build it, or install it, again"
            );
            cli::ExitCode::Fault
        }
    };
    std::process::exit(code as i32);
}

fn run_engine() -> anyhow::Result<Infallible> {
    // torch's threads would spin while they wait for each other; with one other busy thread (ours
    // decode and encode) a network step then takes several times as long. OpenMP reads the variable
    // when it is loaded, with the engine.
    if std::env::var_os("OMP_WAIT_POLICY").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("OMP_WAIT_POLICY", "passive") };
    }
    let path = engine().with_context(|| format!("{ENGINE} is not beside the program"))?;
    // SAFETY: it is ours, and runs nothing but its libraries' own beginnings. What it links is for
    // all to see: the CUDA half of torch looks for the other half there.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) }?;
    // SAFETY: that is the function's type, and the library is there as long as it runs.
    let start = unsafe { library.get::<extern "C" fn() -> !>(c"steadymask_engine") }?;
    start()
}

/// Where cargo builds the engine, or where `make install` puts it.
fn engine() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?;
    let places = ["deps", ".", "../lib/steadymask"];
    places.iter().map(|place| folder.join(place).join(ENGINE)).find(|path| path.is_file())
}
