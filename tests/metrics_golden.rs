//! The metrics against the reference implementations' numbers, on masks made here by integer
//! arithmetic and on DAVIS's own, which its licence keeps out of the repository.
//! `golden/make_metrics.py` says how the numbers were made.

#[path = "common/needs.rs"]
mod needs;

use std::path::{Path, PathBuf};

use serde_json::Value;
use steadymask::frame::FrameSize;
use steadymask::mask::Mask;
use steadymask::metrics::{
    Protocol, ReferenceMeter, SeriesStats, VideoConsistency, boundary_f, dice, iou, temporal_stability,
};

/// A pixel and a frame to whether truth and prediction are set.
type Scene = fn(i64, i64, i64, (i64, i64)) -> (bool, bool);

fn noise(x: i64, y: i64, t: i64) -> i64 {
    let mix = x as u64 * 374_761_393 + y as u64 * 668_265_263 + t as u64 * 974_634_777 + 1_013_904_223;
    let low = |value: u64| value & 0xFFFF_FFFF;
    let h = low(mix);
    let h = low((h ^ (h >> 13)) * 1_274_126_177);
    ((h ^ (h >> 16)) & 0xFFFF) as i64
}

fn disc(x: i64, y: i64, cx: i64, cy: i64, r2: i64) -> bool {
    (x - cx).pow(2) + (y - cy).pow(2) <= r2
}

fn moving_disc(x: i64, y: i64, t: i64, _: (i64, i64)) -> (bool, bool) {
    let (cx, cy) = (30 + 2 * t, 50 + (t * t) % 7);
    let wobble = noise(0, 0, t) % 5;
    (disc(x, y, cx, cy, 400), disc(x, y, cx - 3, cy + 1, 400 + 60 * wobble))
}

fn large_disc(x: i64, y: i64, t: i64, size: (i64, i64)) -> (bool, bool) {
    moving_disc(x / 5, y / 4, 8 * t, size)
}

fn blob(x: i64, y: i64, t: i64, _: (i64, i64)) -> (bool, bool) {
    let bar = (y - 80).abs() < 6 && x > 40 && x < 130;
    let inner = disc(x, y, 60 + t, 60, 900) || disc(x, y, 95, 50 + t, 500) || bar;
    let outer = disc(x, y, 60 + t, 60, 1200) || disc(x, y, 95, 50 + t, 700);
    let n = noise(x, y, t);
    (inner, inner && n % 16 != 0 || outer && n % 3 == 0 || n % 211 == 0)
}

fn speckle(x: i64, y: i64, t: i64, _: (i64, i64)) -> (bool, bool) {
    let n = noise(x, y, t);
    (n % 2 == 0, n % 3 == 0)
}

fn border(x: i64, y: i64, t: i64, _: (i64, i64)) -> (bool, bool) {
    (x < 9 * t || y >= 41 - 3 * t, x >= 60 - 10 * t && y < 7 * t + 2)
}

fn sparse(x: i64, y: i64, t: i64, (w, h): (i64, i64)) -> (bool, bool) {
    let spots = [(0, 0), (w - 1, 0), (0, h - 1), (w - 1, h - 1), (w / 2, h / 2)];
    let one = |k: i64| (x, y) == spots[(k % 5) as usize];
    (t % 3 != 0 && one(t), t % 4 != 0 && one(t + t % 2))
}

fn ring(x: i64, y: i64, t: i64, _: (i64, i64)) -> (bool, bool) {
    let jagged = disc(x, y, 80, 60, 900 + 500 * ((x + y + t) / 9 % 2));
    (disc(x, y, 80, 60, 2700) && !jagged, disc(x, y, 80 + t % 3, 60, 2700) && !jagged)
}

fn long_disc(x: i64, y: i64, t: i64, size: (i64, i64)) -> (bool, bool) {
    moving_disc(x, y, t / 5, size)
}

const SCENES: [(&str, Scene); 7] = [
    ("moving_disc", moving_disc),
    ("large_disc", large_disc),
    ("blob", blob),
    ("speckle", speckle),
    ("border", border),
    ("sparse", sparse),
    ("ring", ring),
];

fn golden() -> Value {
    serde_json::from_str(include_str!("golden/metrics.json")).unwrap()
}

fn size_of(scene: &Value) -> FrameSize {
    let side = |name: &str| scene[name].as_u64().unwrap() as u32;
    FrameSize::new(side("width"), side("height")).unwrap()
}

/// Truth and prediction.
fn masks(scene: Scene, size: FrameSize, t: usize) -> [Mask; 2] {
    let sides = (size.width() as i64, size.height() as i64);
    let at = |x: usize, y: usize| scene(x as i64, y as i64, t as i64, sides);
    [Mask::from_fn(size, |x, y| at(x, y).0), Mask::from_fn(size, |x, y| at(x, y).1)]
}

#[track_caller]
fn assert_close(got: f64, want: &Value, tolerance: f64, what: &str) {
    let want = want.as_f64().unwrap();
    assert!((got - want).abs() <= tolerance, "{what}: {got}, and the reference says {want}");
}

/// Mean, recall and decay as DAVIS's; where its decay wraps (past 256 frames), as it is without.
#[track_caller]
fn assert_stats(got: SeriesStats, want: &Value, what: &str) {
    assert_close(got.mean, &want["mean"], 1e-6, what);
    assert_close(got.recall, &want["recall"], 1e-12, what);
    assert_close(got.decay, &want["decay_unwrapped"], 1e-6, what);
    if let Some(decay) = want.get("decay") {
        assert_close(got.decay, decay, 1e-6, what);
    }
}

/// T is the same, and absent in the same places.
#[track_caller]
fn assert_t(got: Option<f64>, want: &Value, what: &str) {
    match (got, want.as_f64()) {
        (Some(got), Some(want)) => {
            assert!((got - want).abs() <= 1e-6, "{what}: T {got}, and DAVIS says {want}");
        }
        (got, want) => assert_eq!(got, want, "{what}: T"),
    }
}

#[test]
fn j_f_and_dice_equal_the_references() {
    let golden = golden();
    for (name, scene) in SCENES {
        let want = &golden[name];
        for (t, row) in want["frames"].as_array().unwrap().iter().enumerate() {
            let what = format!("{name} {t}");
            let [truth, prediction] = masks(scene, size_of(want), t);
            assert_eq!(row["pixels"], serde_json::json!([truth.count(), prediction.count()]), "{what}");
            assert_close(iou(&prediction, &truth), &row["j"], 1e-12, &what);
            assert_close(dice(&prediction, &truth), &row["dice"], 1e-12, &what);
            assert_close(boundary_f(&prediction, &truth), &row["f"], 1e-6, &what);
        }
    }
}

#[test]
fn t_equals_davis_2016() {
    let golden = golden();
    for (name, scene) in SCENES {
        let want = &golden[name];
        let rows = want["frames"].as_array().unwrap();
        for (t, row) in rows.iter().enumerate().take(rows.len() - 1) {
            let (now, next) = (masks(scene, size_of(want), t), masks(scene, size_of(want), t + 1));
            for side in 0..2 {
                let what = format!("{name} {t}, side {side}");
                assert_t(temporal_stability(&now[side], &next[side]), &row["t"][side], &what);
            }
        }
    }
}

#[test]
fn a_clip_of_more_than_256_frames_scores_as_any_other() {
    let want = &golden()["long_disc"];
    let size = size_of(want);
    let clip: Vec<[Mask; 2]> = (0..300).map(|t| masks(long_disc, size, t)).collect();
    let pixels = [0, 1].map(|side: usize| clip.iter().map(|pair| pair[side].count()).sum::<u64>());
    assert_eq!(want["pixels"], serde_json::json!(pixels));

    let mut meter = ReferenceMeter::default();
    let left = Mask::from_fn(size, |x, _| x < 100);
    let mut two_classes = [8, 16].map(VideoConsistency::new);
    let mut first: Vec<f64> = Vec::new();
    for [truth, prediction] in &clip {
        first.push(meter.push(prediction, truth).0);
        // The reference's labels: 2 in the left half of the mask, 1 in the right.
        let halves = |mask: &Mask| [mask.and(&left), mask.and_not(&left)];
        let (prediction, truth) = (halves(prediction), halves(truth));
        for consistency in &mut two_classes {
            consistency.push(&prediction.each_ref(), &truth.each_ref());
        }
    }
    let scores = meter.finish(Protocol::AllFrames).unwrap();
    assert_stats(scores.j, &want["j"], "J of 300 frames");
    assert_stats(scores.f, &want["f"], "F of 300 frames");
    assert_stats(SeriesStats::of(&first[..200]).unwrap(), &want["j_200"], "J of 200 frames");
    assert_close(scores.vc_8.unwrap(), &want["vc"]["8"], 1e-9, "VC8");
    assert_close(scores.vc_16.unwrap(), &want["vc"]["16"], 1e-9, "VC16");
    for (consistency, window) in two_classes.iter().zip(["8", "16"]) {
        let vc = consistency.finish().unwrap();
        assert_close(vc, &want["vc_two_classes"][window], 1e-9, "VC of two classes");
    }
}

fn read_sequence(folder: &Path) -> Vec<Mask> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder.join("masks")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let image = image::open(file).unwrap().into_luma8();
        let size = FrameSize::new(image.width(), image.height()).unwrap();
        Mask::from_fn(size, |x, y| image.get_pixel(x as u32, y as u32).0[0] > 127)
    };
    files.iter().map(read).collect()
}

#[test]
fn davis_masks_score_as_the_references_say() {
    let remedy = "the masks of six sequences of DAVIS 2016 at 480p (davischallenge.org) go there";
    let Some(folder) = needs::shared("davis", remedy) else { return };
    let golden: Value = serde_json::from_str(include_str!("golden/davis.json")).unwrap();
    for (name, want) in golden.as_object().unwrap() {
        let truth = read_sequence(&folder.join(name));
        assert_eq!(want["frames"], truth.len(), "{name}");
        assert_eq!(want["pixels"], truth.iter().map(Mask::count).sum::<u64>(), "{name}");
        let moved =
            |mask: &Mask| Mask::from_fn(mask.size(), |x, y| x >= 7 && y >= 3 && mask.get(x - 7, y - 3));
        let moved: Vec<Mask> = truth.iter().map(moved).collect();
        let late: Vec<Mask> = (0..truth.len()).map(|t: usize| truth[t.saturating_sub(1)].clone()).collect();
        for (how, predictions) in [("moved", moved), ("late", late)] {
            let (what, want) = (format!("{name}, {how}"), &want[how]);
            let mut meter = ReferenceMeter::default();
            for (prediction, truth) in predictions.iter().zip(&truth) {
                meter.push(prediction, truth);
            }
            let (all, davis) = (meter.finish(Protocol::AllFrames), meter.finish(Protocol::Davis));
            let (all, davis) = (all.unwrap(), davis.unwrap());
            assert_stats(all.j, &want["j"], &what);
            assert_stats(all.f, &want["f"], &what);
            assert_stats(davis.j, &want["j_davis"], &what);
            assert_stats(davis.f, &want["f_davis"], &what);
            assert_close(all.vc_8.unwrap(), &want["vc"]["8"], 1e-9, &what);
            assert_close(all.vc_16.unwrap(), &want["vc"]["16"], 1e-9, &what);
        }
        for (place, t) in (0..truth.len() - 1).step_by(4).enumerate() {
            let stability = temporal_stability(&truth[t], &truth[t + 1]);
            assert_t(stability, &want["t"][place], &format!("{name} {t}"));
        }
    }
}
