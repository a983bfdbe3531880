//! What the program does before there is an engine.

use std::{fs, process::Command};

use crate::workbench::{Outcome, Workbench, outcome};

/// The program without the engine that cargo builds beside it.
struct Alone(Workbench);

impl Alone {
    fn new() -> Self {
        let bench = Workbench::new();
        fs::copy(env!("CARGO_BIN_EXE_steadymask"), bench.path("steadymask")).unwrap();
        Self(bench)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.0.path("steadymask"));
        command.args(arguments);
        command
    }

    fn outcome(&self, arguments: &[&str]) -> Outcome {
        outcome(self.command(arguments))
    }
}

#[test]
fn help_and_wrong_use_need_no_engine() {
    let program = Alone::new();
    for (arguments, begins) in [
        (&["--help"][..], "Measures the flicker"),
        (&["run", "--help"], "Make steady masks"),
        (&["--version"], "steadymask "),
    ] {
        let said = program.outcome(arguments);
        assert!(said.code == Some(0) && said.out.starts_with(begins), "{said:?}");
    }
    let said = program.outcome(&["run", "--window", "4", "clip.mp4"]);
    assert!(said.code == Some(2) && said.err.contains("--window"), "{said:?}");
}

#[test]
fn without_an_engine_it_says_what_is_missing() {
    let said = Alone::new().outcome(&["presets"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("libsteadymask.so is not beside the program"), "{}", said.err);
    assert!(said.err.contains("What to do:"), "{}", said.err);
}

#[test]
fn an_engine_that_is_none_is_told() {
    let program = Alone::new();
    fs::write(program.0.path("libsteadymask.so"), "no library").unwrap();
    let said = program.outcome(&["presets"]);
    assert!(said.code == Some(1) && said.err.contains("libsteadymask.so: "), "{said:?}");
}

/// They are what takes time.
#[test]
fn torch_and_videos_come_with_the_engine_only() {
    let program = Alone::new();
    // The loader then lists what the program links, and does not run it.
    let said = outcome({
        let mut command = program.command(&[]);
        command.env("LD_TRACE_LOADED_OBJECTS", "1");
        command
    });
    assert!(said.out.contains("libc.so"), "{said:?}");
    assert!(!said.out.contains("torch") && !said.out.contains("videoio"), "{}", said.out);
}
