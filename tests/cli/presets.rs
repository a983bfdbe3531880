//! Presets: kept by name, listed, handed on, used.

use std::fs;

use crate::{needs, workbench::Workbench};

#[test]
fn presets_are_listed_kept_and_used_by_name() {
    let bench = Workbench::new();
    let well = |arguments: &[&str]| {
        let outcome = bench.outcome_at_home(arguments);
        assert_eq!(outcome.code, Some(0), "{}", outcome.err);
        outcome.out
    };
    let own = ["presets", "save", "Calm sea", "--preset", "gentle", "--min-area", "40"];
    assert_eq!(well(&own), "");
    let list = well(&["presets"]);
    for name in ["default", "gentle", "rock-solid", "seed", "Calm sea"] {
        assert!(list.lines().any(|line| line.starts_with(name)), "{name} in {list}");
    }
    assert!(list.lines().last().unwrap().ends_with("--min-area 40"), "{list}");
    let own = ["presets", "save", "Cut out", "--preset", "seed", "--export", "prores,csv", "--edges", "soft"];
    well(&own);
    let list = well(&["presets"]);
    assert!(list.lines().last().unwrap().ends_with("--export prores,csv --edges soft"), "{list}");
    let json = well(&["presets", "export"]);
    well(&["presets", "delete", "cut out"]);
    well(&["presets", "rename", "calm sea", "Storm"]);
    fs::write(bench.path("own.json"), &json).unwrap();
    assert_eq!(well(&["presets", "import", "own.json"]), "Calm sea\nCut out\n");
    assert_eq!(well(&["presets"]).lines().count(), 4 + 3);
    well(&["presets", "delete", "storm"]);
    for (arguments, words) in [
        (&["presets", "delete", "storm"][..], "there is no preset «storm»; use one of default"),
        (&["presets", "delete", "seed"], "comes with the program; choose another name"),
        (
            &["presets", "save", "x", "--preset", "nothing"],
            "use one of default, gentle, rock-solid, seed, Calm sea, Cut out",
        ),
    ] {
        let refused = bench.outcome_at_home(arguments);
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        assert!(refused.err.contains(words), "{}", refused.err);
    }
    if needs::ffmpeg() {
        bench.clip("clip.mp4", "96x64", 4, "-c:v libx264 -pix_fmt yuv420p");
        bench.mattes("mattes", (96, 64), 4);
        let run = "run clip.mp4 --masks mattes --class disc --export json --out out --cache cache --preset";
        let mut arguments: Vec<&str> = run.split(' ').collect();
        arguments.push("calm SEA");
        well(&arguments);
        let report: serde_json::Value =
            serde_json::from_slice(&fs::read(bench.path("out/metrics.json")).unwrap()).unwrap();
        assert_eq!(
            (&report["settings"]["alpha"], &report["settings"]["min-area-px"]),
            (&0.3.into(), &40.into())
        );
        let run = "run clip.mp4 --masks mattes --class disc --out cut --cache cache --preset";
        let mut arguments: Vec<&str> = run.split(' ').collect();
        arguments.push("cut out");
        well(&arguments);
        let mut names: Vec<_> =
            fs::read_dir(bench.path("cut")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["cutout_disc.mov", "metrics.csv"], "what the preset exports");
    }
}

#[test]
fn the_hysteresis_of_a_preset_can_be_switched_off() {
    let bench = Workbench::new();
    let well = |arguments: &str| {
        let outcome = bench.outcome_at_home(&arguments.split(' ').collect::<Vec<_>>());
        assert_eq!(outcome.code, Some(0), "{arguments}: {}", outcome.err);
        outcome.out
    };
    well("presets save low --preset gentle --hysteresis 0.25");
    assert!(well("presets").lines().last().unwrap().ends_with("--hysteresis 0.25"));
    well("presets save high --preset low --hysteresis off");
    let list = well("presets");
    let high = list.lines().find(|line| line.starts_with("high")).unwrap();
    assert!(high.contains("--alpha 0.3") && !high.contains("hysteresis"), "{high}");

    if needs::ffmpeg() {
        bench.clip("clip.mp4", "96x64", 4, "-c:v libx264 -pix_fmt yuv420p");
        bench.mattes("mattes", (96, 64), 4);
        let hysteresis = |options: &str| {
            let run = "run clip.mp4 --masks mattes --class disc --export json --out out --force --json";
            let report: serde_json::Value = serde_json::from_str(&well(&format!("{run} {options}"))).unwrap();
            report["settings"]["hysteresis"].clone()
        };
        assert_eq!(hysteresis("--preset low"), 0.25);
        assert_eq!(hysteresis("--preset low --hysteresis off"), serde_json::Value::Null);
    }
}
