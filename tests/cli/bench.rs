//! `steadymask bench`, which runs the program a second time beside itself.

use crate::{
    needs::{self, SELFIE},
    workbench::Workbench,
};

#[test]
fn figures_are_of_all_frames_and_fit_together() {
    if !needs::network(SELFIE) {
        return;
    }
    let bench = Workbench::new();
    let told = bench.outcome(&[
        "bench", "--frames", "12", "--model", SELFIE, "--class", "person", "--export", "png,csv", "--json",
    ]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let figures: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    let number = |name: &str| figures[name].as_f64().unwrap();
    let (alone, end_to_end) = (number("network_alone_secs_per_frame"), number("end_to_end_secs_per_frame"));
    assert!(figures["frames"] == 12 && alone > 0.0, "{figures}");
    assert!((number("ratio") - end_to_end / alone).abs() < 1e-6, "{figures}");
    assert!(number("peak_memory_bytes") > 1e7 && number("peak_memory_network_bytes") > 1e7, "{figures}");
    // A stage is busy for a part of the time, if it was not stopped in its midst.
    let network = figures["stages"]["network"].as_f64().unwrap();
    assert!(0.0 < network && network < end_to_end, "{figures}");
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

#[test]
fn what_keeps_it_from_running_is_told_once() {
    if !needs::network(SELFIE) {
        return;
    }
    let bench = Workbench::new();
    let told = bench.outcome(&["bench", "--frames", "12", "--model", SELFIE, "--class", "tree"]);
    assert!(told.code == Some(4) && told.err.matches("tree").count() == 1, "{told:?}");
}
