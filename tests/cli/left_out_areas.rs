//! Areas that are left out of the masks.

use std::{fs, path::Path};

use crate::workbench::{Workbench, masks};

#[test]
fn masks_are_empty_where_it_is_left_out_and_unchanged_elsewhere() {
    let Some(bench) = Workbench::with_clip_and_mattes() else { return };
    for settings in ["--motion on", "--motion off --input masks --window 3"] {
        let run = |out: &str, more: &str| {
            let options = format!(
                "--masks mattes --class disc --export png,csv,json {settings} --out {out} --force{more}"
            );
            bench.run_well(Path::new("clip.mp4"), &options);
            ["raw", "smoothed"].map(|side| masks(&bench.path(out).join(side).join("disc")))
        };
        let whole = run("whole", "");
        let part = run("part", " --leave-out 20,16,40,16,40,48,20,48 --leave-out -5,-5,9,-5,9,9");
        for (whole, part) in whole.iter().flatten().zip(part.iter().flatten()) {
            for ((x, y, whole), part) in whole.1.enumerate_pixels().zip(part.1.pixels()) {
                let inside = (20..40).contains(&x) && (16..48).contains(&y);
                assert!(
                    if inside { part.0 == [0] } else { part == whole || settings.contains("on") },
                    "{x}, {y}"
                );
            }
        }
        assert!(part[0][0].1.pixels().any(|pixel| pixel.0 == [255]), "there is a disc outside");
        let report = fs::read_to_string(bench.path("part/metrics.json")).unwrap();
        assert!(report.contains("leave_out"), "{report}");
    }
    let wrong = bench.run(Path::new("clip.mp4"), "--masks mattes --class disc --out out --leave-out 1,2,3");
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.err.contains("three or more corners"), "{}", wrong.err);
}
