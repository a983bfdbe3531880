//! Clips of every kind: as many masks as frames, and the masks that were given.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    needs,
    workbench::{Workbench, count_frames, grey_frames, masks},
};

/// Gives masks to a clip and expects them back, as PNGs and as video.
fn masks_come_back(bench: &Workbench, clip: &Path, size: (u32, u32), frames: usize) {
    let mattes = bench.mattes("mattes", size, frames);
    bench.run_well(clip, "--masks mattes --class disc --window 1 --out out");
    let (given, written) = (masks(&mattes), masks(&bench.path("out/smoothed/disc")));
    assert_eq!(written, given, "{}", clip.display());
    let video = grey_frames(&bench.path("out/smoothed_disc.mkv"), size);
    assert!(video.iter().eq(given.iter().map(|(_, mask)| mask.as_raw())), "{}", clip.display());
    assert_eq!(count_frames(&bench.path("out/overlay.mp4")), frames);
    let table = fs::read_to_string(bench.path("out/metrics.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + frames);

    bench.run_well(clip, "--masks out/smoothed_disc.mkv --class disc --window 1 --out back --export png");
    assert_eq!(masks(&bench.path("back/raw/disc")), given, "the video is taken back");
}

#[test]
fn a_variable_rate() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    let arguments = "-vf settb=1/1000,setpts=N*40+100*floor(N/5) -fps_mode passthrough -c:v libx264 -bf 2";
    let clip = bench.clip("vfr.mkv", "160x96", 30, arguments);
    assert_eq!(count_frames(&clip), 30);
    masks_come_back(&bench, &clip, (160, 96), 30);
}

#[test]
fn odd_sides() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    let clip = bench.clip("odd.mkv", "160x96", 8, "-vf format=rgb24,crop=127:93 -c:v ffv1 -pix_fmt bgr0");
    masks_come_back(&bench, &clip, (127, 93), 8);
}

#[test]
fn a_single_frame() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    let clip = bench.clip("one.mp4", "96x64", 1, "-c:v libx264 -pix_fmt yuv420p");
    masks_come_back(&bench, &clip, (96, 64), 1);
}

#[test]
fn a_folder_and_a_glob_of_images() {
    if !needs::ffmpeg() {
        return;
    }
    for clip in ["frames", "frames/f*.png"] {
        let bench = Workbench::new();
        fs::create_dir(bench.path("frames")).unwrap();
        bench.clip("frames/f%d.png", "96x64", 12, "-start_number 0");
        masks_come_back(&bench, &PathBuf::from(clip), (96, 64), 12);
    }
}

#[test]
fn paths_with_spaces_and_signs() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    let folder = "grüne Äpfel 100% [neu]";
    fs::create_dir(bench.path(folder)).unwrap();
    let clip = bench.clip("plain.mp4", "96x64", 5, "-c:v libx264 -pix_fmt yuv420p");
    let odd = bench.path(folder).join("a b %03d ü.mp4");
    fs::rename(clip, &odd).unwrap();
    let mattes = bench.mattes(&format!("{folder}/masks %d"), (96, 64), 5);
    let (out, cache) = (format!("{folder}/out %06d"), format!("{folder}/cache"));
    let outcome = bench.outcome(&[
        "run",
        odd.to_str().unwrap(),
        "--masks",
        mattes.to_str().unwrap(),
        "--class",
        "a disc/50%",
        "--window",
        "1",
        "--out",
        &out,
        "--cache",
        &cache,
    ]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    // A slash can't stand in a file's name.
    assert_eq!(masks(&bench.path(&out).join("raw/a disc_50%")), masks(&mattes));
    assert_eq!(count_frames(&bench.path(&out).join("smoothed_a disc_50%.mkv")), 5);
    assert_eq!(count_frames(&bench.path(&out).join("overlay.mp4")), 5);
    assert!(bench.path(&out).join("plots/iou_a disc_50%.svg").is_file());
}

#[test]
fn a_file_that_breaks_off_is_processed_and_the_loss_told_each_time() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    let whole = bench.clip("whole.mkv", "160x96", 100, "-c:v libx264 -preset ultrafast -g 25");
    let bytes = fs::read(whole).unwrap();
    let clip = bench.path("cut.mkv");
    fs::write(&clip, &bytes[..bytes.len() * 6 / 10]).unwrap();
    bench.mattes("mattes", (160, 96), 100);
    let options = "--masks mattes --class disc --export png,json";
    for out in ["first", "from-the-store"] {
        let outcome = bench.run_well(&clip, &format!("{options} --out {out}"));
        assert!(outcome.err.contains("cut.mkv: decoded "), "{}", outcome.err);
        assert!(outcome.err.contains("of the 100 frames that the file claims"), "{}", outcome.err);
        let frames = masks(&bench.path(out).join("raw/disc")).len();
        assert!((40..80).contains(&frames), "{frames}");
        let report = fs::read_to_string(bench.path(out).join("metrics.json")).unwrap();
        assert!(report.contains(&format!("decoded {frames} of the 100")), "{report}");
    }
}
