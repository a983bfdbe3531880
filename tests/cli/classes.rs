//! A class that is named twice is made once, whoever asks.

use std::fs;

use crate::{
    needs::SELFIE,
    workbench::{Workbench, tree},
};

#[test]
fn a_class_that_is_named_twice_is_made_once() {
    let Some((bench, clip)) = Workbench::with_people(SELFIE) else { return };
    let well = |arguments: &str| {
        let outcome = bench.outcome_at_home(&arguments.split_whitespace().collect::<Vec<_>>());
        assert_eq!(outcome.code, Some(0), "{arguments}: {}", outcome.err);
        outcome.out
    };
    let clip = clip.display();
    let range = "--model selfie --device cpu --to 3";
    let one = ["raw/", "raw/person/", "smoothed/", "smoothed/person/"];
    let folders = |out: &str| {
        let found = tree(&bench.path(out)).into_iter();
        found.filter(|name| name.ends_with('/')).collect::<Vec<_>>()
    };
    well(&format!("run {clip} {range} --class person,person --export png --out run"));
    assert_eq!(folders("run"), one);

    let steps = r#"[{"step": "decode", "to": 3}, {"step": "segment", "model": "selfie", "device": "cpu",
        "classes": ["person", "Person"]}, {"step": "export", "kinds": ["png"]}]"#;
    fs::write(bench.path("steps.json"), steps).unwrap();
    well("pipelines save twins steps.json");
    well(&format!("batch {clip} --pipeline twins --out batch"));
    let of_clip: Vec<String> =
        folders("batch").iter().filter_map(|name| Some(name.split_once('/')?.1.to_owned())).collect();
    assert_eq!(of_clip.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>(), one);

    let truth = bench.path("run/raw/person");
    let scores = |classes: &str| {
        well(&format!(
            "evaluate {clip} {range} --class {classes} --truth {} --methods median --json",
            truth.display()
        ))
    };
    assert_eq!(scores("person,person"), scores("person"));
}
