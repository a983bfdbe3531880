//! What the program says, to people and to other programs.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use crate::{needs, workbench::Workbench};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn quiet_says_nothing_and_json_says_one_document() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    let clip = bench.clip("clip.mp4", "96x64", 8, "-c:v libx264 -pix_fmt yuv420p");
    bench.mattes("mattes", (96, 64), 8);
    let options = "--masks mattes --class disc --method exponential --alpha 0.4 --export png,json";
    let quiet = bench.run_well(&clip, &format!("{options} --out quiet --quiet"));
    assert_eq!((&*quiet.out, &*quiet.err), ("", ""));
    let said = bench.run_well(&clip, &format!("{options} --out json --json"));
    let report = json(&said.out);
    assert_eq!(said.err, "");
    assert_eq!((&report["frames"], &report["settings"]["alpha"]), (&8.into(), &0.4.into()));
    let file = std::fs::read_to_string(bench.path("json/metrics.json")).unwrap();
    assert_eq!(report, json(&file), "the same as the file");
    let info = json(&bench.outcome(&["info", "clip.mp4", "--json"]).out);
    assert_eq!((&info["decoded_frames"], &info["codec"]), (&8.into(), &"h264".into()));
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    bench.clip("clip.mp4", "96x64", 3, "-c:v libx264 -pix_fmt yuv420p");
    bench.mattes("mattes", (96, 64), 3);
    let run = ["run", "clip.mp4", "--masks", "mattes", "--class", "disc", "--cache", "cache", "--out", "out"];
    for arguments in [&run[..], &["info", "clip.mp4"], &["doctor"], &["models", "--json"]] {
        let mut child =
            bench.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn models_and_doctor_can_be_read_by_programs() {
    let bench = Workbench::new();
    let models = json(&bench.outcome(&["models", "--json"]).out);
    let names: Vec<&str> =
        models.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    for name in ["deeplabv3-resnet101", "deeplabv3-mobilenetv2", "selfie"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let findings = json(&bench.outcome(&["doctor", "--json"]).out);
    assert_eq!(findings["steadymask"], env!("CARGO_PKG_VERSION"));
    assert!(findings["cores"].as_u64() >= Some(1) && findings["missing"].is_array(), "{findings}");
}

#[test]
fn help_is_quick_and_tells_the_exit_codes() {
    let begun = Instant::now();
    let help = Workbench::new().outcome(&["--help"]);
    assert_eq!(help.code, Some(0));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let words: Vec<&str> = help.out.split_whitespace().collect();
    let text = words.join(" ");
    for code in ["2 wrong use", "3 the input", "4 the model", "5 the output", "130 cancelled"] {
        assert!(text.contains(code), "{code}");
    }
    let options = Workbench::new().outcome(&["run", "--help"]).out;
    for option in ["--from", "--to", "--device", "--threads", "--memory", "--quiet", "--json", "--force"] {
        assert!(options.contains(option), "{option}");
    }
}
