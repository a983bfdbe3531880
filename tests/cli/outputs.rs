//! What a run writes.

use std::{collections::BTreeSet, fs};

use crate::{
    needs::{self, SELFIE},
    workbench::{Workbench, count_frames, grey_frames, masks, tree},
};

#[test]
fn exactly_the_files_of_the_layout_and_a_mask_for_every_frame() {
    let Some((bench, clip)) = Workbench::with_people(SELFIE) else { return };
    let said = bench.run_well(&clip, "--model selfie --class person --to 19 --out out").out;
    let out = bench.path("out");

    let mut expected: BTreeSet<String> = ["raw/", "smoothed/", "plots/"].map(String::from).into();
    for side in ["raw", "smoothed"] {
        expected.extend([format!("{side}_person.mkv"), format!("{side}/person/")]);
        expected.extend((0..20).map(|frame| format!("{side}/person/{frame:06}.png")));
    }
    for metric in ["iou", "dice", "instability"] {
        expected.extend(["png", "svg"].map(|kind| format!("plots/{metric}_person.{kind}")));
    }
    expected.extend(["overlay.mp4", "metrics.csv", "metrics.json"].map(String::from));
    assert_eq!(tree(&out), expected);

    for side in ["raw", "smoothed"] {
        let masks = masks(&out.join(side).join("person"));
        assert!(masks.iter().all(|(_, mask)| mask.dimensions() == (176, 144)));
        assert!(masks.iter().all(|(_, mask)| mask.pixels().any(|pixel| pixel.0 == [255])), "there is a man");
        let video = grey_frames(&out.join(format!("{side}_person.mkv")), (176, 144));
        assert!(video.iter().eq(masks.iter().map(|(_, mask)| mask.as_raw())), "{side}: video equals PNGs");
    }
    assert_eq!(count_frames(&out.join("overlay.mp4")), 20);
    let table = fs::read_to_string(out.join("metrics.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 20);
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("metrics.json")).unwrap()).unwrap();
    assert_eq!((&report["frames"], &report["summaries"][0]["class"]), (&20.into(), &"person".into()));
    assert_eq!(report["settings"]["method"], "exponential");
    for metric in ["iou", "dice", "instability"] {
        let plot = image::open(out.join(format!("plots/{metric}_person.png"))).unwrap().into_rgb8();
        assert!(plot.pixels().map(|pixel| pixel.0).collect::<BTreeSet<_>>().len() > 2, "{metric} is drawn");
        let drawing = fs::read_to_string(out.join(format!("plots/{metric}_person.svg"))).unwrap();
        assert!(drawing.contains("<svg") && drawing.contains("person"), "{metric}");
    }
    assert!(said.contains("20 frames") && said.contains("out/overlay.mp4"), "{said}");
}

#[test]
fn a_part_of_a_clip_keeps_its_numbers() {
    let Some((bench, clip)) = Workbench::with_people(SELFIE) else { return };
    bench.run_well(&clip, "--model selfie --class person --to 12 --out all --export png --window 1");
    bench.run_well(&clip, "--model selfie --class person --from 7 --to 12 --out part --window 1");
    let (all, part) = (masks(&bench.path("all/raw/person")), masks(&bench.path("part/raw/person")));
    assert_eq!(part.first().unwrap().0, "000007.png");
    assert_eq!(part, all[7..], "the same frames have the same masks");
    assert_eq!(count_frames(&bench.path("part/overlay.mp4")), 6);
    let table = fs::read_to_string(bench.path("part/metrics.csv")).unwrap();
    let numbers: Vec<&str> = table.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(numbers, ["7", "8", "9", "10", "11", "12"]);
}

#[test]
fn no_pixel_is_in_two_masks_and_a_group_is_one_mask() {
    let Some(bench) = Workbench::with_clip_and_mattes() else { return };
    bench.two_classes();
    let clip = bench.path("clip.mp4");
    let options = "--model ./two.pt --trust-model --to 5";
    bench.run_well(&clip, &format!("{options} --class person,background --out two"));
    for side in ["raw", "smoothed"] {
        let folder = bench.path("two").join(side);
        let both = masks(&folder.join("person")).into_iter().zip(masks(&folder.join("background")));
        for ((name, person), (_, background)) in both {
            let count = |mask: &image::GrayImage| mask.pixels().filter(|pixel| pixel.0 == [255]).count();
            let in_both =
                person.pixels().zip(background.pixels()).filter(|(a, b)| a.0 == [255] && b.0 == [255]);
            assert_eq!(in_both.count(), 0, "{side} {name}");
            assert!(count(&person) > 1000 && count(&background) > 1000, "{side} {name}");
        }
    }
    let table = fs::read_to_string(bench.path("two/metrics.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 2 * 6, "a row for each frame and class");

    bench.run_well(&clip, &format!("{options} --class person+background --out one --export png,ffv1"));
    assert!(bench.path("one/raw_person+background.mkv").is_file());
    let alone = masks(&bench.path("two/raw/person"));
    for ((name, group), (_, person)) in masks(&bench.path("one/raw/person+background")).iter().zip(&alone) {
        let covers = group.pixels().zip(person.pixels()).all(|(group, person)| group.0 >= person.0);
        assert!(covers, "{name}");
        let set = group.pixels().filter(|pixel| pixel.0 == [255]).count();
        assert!(set > 96 * 64 * 9 / 10, "{name}: person and background are nearly everything, {set}");
    }
}

#[test]
fn what_is_there_is_replaced_by_force_only_and_as_a_whole() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    let clip = bench.clip("clip.mp4", "96x64", 6, "-c:v libx264 -pix_fmt yuv420p");
    bench.mattes("mattes", (96, 64), 6);
    let options = "--masks mattes --class disc --out out --export png,csv,plots";
    bench.run_well(&clip, options);
    let before = tree(&bench.path("out"));
    let refused = bench.run(&clip, options);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("is there already") && refused.err.contains("--force"), "{}", refused.err);
    assert_eq!(tree(&bench.path("out")), before);
    bench.run_well(&clip, &format!("{options} --to 2 --force"));
    assert_eq!(masks(&bench.path("out/raw/disc")).len(), 3, "no frame of the longer run is left");
}
