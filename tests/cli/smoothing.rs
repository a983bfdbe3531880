//! Methods of smoothing: one that changes nothing, and one that is looked for.

use crate::{
    needs::SELFIE,
    workbench::{Workbench, masks},
};

#[test]
fn a_window_of_one_changes_nothing_and_mattes_come_back_as_they_were() {
    let Some((bench, clip)) = Workbench::with_people(SELFIE) else { return };
    for (method, out) in [("moving-average", "average"), ("median", "median")] {
        let options = format!("--model selfie --class person --to 9 --window 1 --method {method}");
        bench.run_well(&clip, &format!("{options} --out {out} --export png,ffv1"));
        let raw = masks(&bench.path(&format!("{out}/raw/person")));
        assert_eq!(raw, masks(&bench.path(&format!("{out}/smoothed/person"))), "{method}");
    }
    let exported = masks(&bench.path("average/raw/person"));
    for (mattes, out) in [("average/raw/person", "from-pngs"), ("average/raw_person.mkv", "from-video")] {
        let options = format!("--masks {mattes} --class person --to 9 --window 1 --out {out} --export png");
        bench.run_well(&clip, &options);
        assert_eq!(masks(&bench.path(&format!("{out}/smoothed/person"))), exported, "{mattes}");
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
