//! Other ways to run: the network on some frames only, settings that are looked for, and
//! what it all costs.

use crate::{
    needs::SELFIE,
    workbench::{Workbench, masks},
};

#[test]
fn the_network_on_every_third_frame_gives_a_mask_for_each_and_the_same_on_those_it_sees() {
    let Some((bench, clip)) = Workbench::with_people(SELFIE) else { return };
    let options = "--model selfie --class person --to 10 --export png";
    bench.run_well(&clip, &format!("{options} --every 3 --out some"));
    bench.run_well(&clip, &format!("{options} --out all"));
    let (some, all) = (masks(&bench.path("some/raw/person")), masks(&bench.path("all/raw/person")));
    assert_eq!(some.len(), 11);
    for (frame, ((_, some), (_, all))) in some.iter().zip(&all).enumerate() {
        let different = some.pixels().zip(all.pixels()).filter(|(a, b)| a != b).count();
        let is_seen = frame % 3 == 0 || frame == 10;
        assert_eq!(different == 0, is_seen, "frame {frame}: {different} pixels differ");
        assert!(different < 176 * 144 / 20, "frame {frame} follows the motion: {different} pixels differ");
    }
}

#[test]
fn settings_are_looked_for_and_it_says_which_and_why() {
    let Some((bench, clip)) = Workbench::with_people(SELFIE) else { return };
    let options = "--model selfie --class person --to 15 --export png,json --out out";
    let said = bench.run_well(&clip, &format!("{options} --method auto")).out;
    assert!(said.contains("chose ") && said.contains("least warped instability"), "{said}");
    let report = std::fs::read(bench.path("out/metrics.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    let method = report["settings"]["method"].as_str().unwrap();
    assert!(said.contains(&format!("chose {method}")), "{said}");
    assert!(report["tuned"].as_str().is_some_and(|why| why.contains("settings")), "{report}");
    let refused = bench.run(&clip, &format!("{options} --method auto --alpha 0.2 --force"));
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("leave --window and --alpha out"), "{}", refused.err);
}

#[test]
fn bench_tells_the_stages_apart_and_leaves_nothing() {
    let Some((bench, clip)) = Workbench::with_people(SELFIE) else { return };
    let clip = clip.to_str().unwrap();
    let outcome =
        bench.outcome(&["bench", clip, "--model", "selfie", "--class", "person", "--frames", "12", "--json"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    let figures: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(figures["frames"], 12);
    for stage in ["decode", "network", "store", "flow", "probabilities", "smooth", "measure", "encode"] {
        assert!(figures["stages"][stage].as_f64().is_some_and(|secs| secs > 0.0), "{stage}: {figures}");
    }
    let number = |name: &str| figures[name].as_f64().unwrap();
    let ratio = number("end_to_end_secs_per_frame") / number("network_alone_secs_per_frame");
    assert!((number("ratio") - ratio).abs() < 1e-9 && number("peak_memory_bytes") > 1e7);
}
