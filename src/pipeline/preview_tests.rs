use half::f16;

use super::*;
use crate::{CancelToken, Stabilisation, StabilisationOutput, Tracks};
use base::{
    frame::{FrameRange, Timestamp},
    region::Region,
};
use flow::{Estimator, FlowField, Quality};
use metrics::MeterSettings;
use plan::{Edits, Plan};
use segment::{Logits, Manifest, NetworkFile};
use smooth::{Input, Method, Switch, Timing, Window};
use store::{ClipStore, SegmentedFrame, Store};

const FRAMES: usize = 40;
const CUT: usize = 23;

fn size() -> FrameSize {
    FrameSize::new(720, 90).unwrap()
}

fn manifest() -> Manifest {
    serde_json::from_str(
        r#"{"classes": ["background", "person", "car"], "mean": [0, 0, 0], "std": [1, 1, 1],
            "input": {"rule": "fixed", "width": 360, "height": 45}, "activation": "softmax",
            "upsampling": "half_pixel", "output_stride": 4}"#,
    )
    .unwrap()
}

/// Two blobs that wander to the right by 4 px a frame, with an edge that boils, until a cut.
fn clip(folder: &tempfile::TempDir) -> (ClipStore, Tracks) {
    let store = Store::new(folder.path().to_owned(), u64::MAX).clip("clip").unwrap();
    let flow = Estimator::Dis(Quality::Fine);
    let tracks = Tracks::open(&store, &manifest(), size(), Some(flow), None).unwrap();
    let track = &tracks.flow.as_ref().unwrap().track;
    let (width, height) = (90, 12);
    let mut noise = 1u32;
    for frame in 0..FRAMES {
        let at = if frame < CUT { 10.0 + 0.5 * frame as f32 } else { 60.0 - 0.5 * frame as f32 };
        let mut logit = |class: usize, x: usize, y: usize| {
            noise = noise.wrapping_mul(1664525).wrapping_add(1013904223);
            let centre = [0.0, at, at + 25.0][class];
            let off = (x as f32 - centre).hypot(y as f32 - 6.0);
            if class == 0 { 0.0 } else { 5.0 - off + (noise >> 24) as f32 / 64.0 }
        };
        let mut values = Vec::new();
        for class in 0..3 {
            for place in 0..width * height {
                values.push(f16::from_f32(logit(class, place % width, place / width)));
            }
        }
        let logits = Logits { classes: 3, height, width, values };
        let value = SegmentedFrame { timestamp: Timestamp::from_micros(40_000 * frame as i64), logits };
        tracks.segmented.put(frame, &value).unwrap();
        if frame > 0 {
            let grid = flow.grid_for(size());
            let field =
                |sign: f32| FlowField::from_fn(grid, move |x, _| [sign * (4.0 + x as f32 / 500.0), 0.0]);
            let pair = FlowPair::new(field(1.0), field(-1.0), frame == CUT);
            track.put(frame, &pair).unwrap();
        }
    }
    tracks.segmented.set_length(FRAMES, None).unwrap();
    (store, tracks)
}

fn source(tracks: &Tracks, leave_out: Region) -> SoftSource {
    let plan = Plan {
        classes: vec!["person".into(), "car".into()],
        range: FrameRange { first: 2, last: FRAMES - 2 },
        edits: Edits { leave_out },
        ..Plan::default()
    };
    let found = NetworkFile { pt: "test.pt".into(), manifest: manifest(), is_ours: true };
    SoftSource::new(Arc::new(plan.resolve_with(found).unwrap()), tracks.clone(), size())
}

fn preview(tracks: &Tracks) -> Preview {
    Preview::new(source(tracks, Region::default()), [64 << 20, 1 << 20])
}

/// The masks of all frames in the range by pass 2.
fn pass_2(tracks: &Tracks, settings: &Settings) -> Vec<Vec<MaskPair>> {
    let mut masks = Vec::new();
    Stabilisation {
        source: source(tracks, Region::default()),
        settings: *settings,
        memory_bytes: 256 << 20,
        meter: MeterSettings::default(),
        truth: None,
        cancel: CancelToken::new(),
    }
    .run(|stable| {
        if let StabilisationOutput::Frame(frame) = stable {
            masks.push(frame.masks);
        }
        Ok(())
    })
    .unwrap();
    masks
}

fn share_of_difference(a: &[MaskPair], b: &[MaskPair]) -> f64 {
    let pixels = |pairs: &[MaskPair]| pairs.iter().map(|pair| pair.smoothed.size().pixels()).sum::<usize>();
    let differ = |(a, b): (&MaskPair, &MaskPair)| a.smoothed.count_with(&b.smoothed, |a, b| a ^ b);
    a.iter().zip(b).map(differ).sum::<u64>() as f64 / pixels(a) as f64
}

#[test]
fn a_preview_is_what_pass_2_gives() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, tracks) = clip(&folder);
    let all = Method::ALL.iter().flat_map(|&method| {
        let settings = Settings { method, window: Window::new(7).unwrap(), ..Settings::default() };
        [
            settings,
            Settings { motion: Switch::Off, ..settings },
            Settings { timing: Timing::Causal, ..settings },
            Settings { input: Input::Masks, motion: Switch::Off, ..settings },
        ]
    });
    for settings in all {
        let expected = pass_2(&tracks, &settings);
        let mut preview = preview(&tracks);
        for index in [2, 3, 12, CUT - 1, CUT, CUT + 6, FRAMES - 2] {
            let found = preview.frame(index, &settings, Detail::Full, &|| true).unwrap().unwrap();
            let expected = &expected[index - 2];
            for (found, expected) in found.masks.iter().zip(expected) {
                assert_eq!(found.raw, expected.raw);
            }
            let off = share_of_difference(&found.masks, expected);
            // An exponential filter may be off by a level, which shows only at the threshold.
            let allowed = if settings.method == Method::Exponential { 2e-4 } else { 0.0 };
            assert!(off <= allowed, "{settings:?}, frame {index}: {off}");
            assert!(found.complete, "{settings:?}, frame {index}");
        }
    }
}

#[test]
fn frames_that_the_network_does_not_see_are_previewed_too() {
    let folder = tempfile::tempdir().unwrap();
    let (store, tracks) = clip(&folder);
    let tracks = tracks.with_every(&store, "3".parse().unwrap()).unwrap();
    for frame in 0..FRAMES {
        let times = tracks.unseen.as_ref().unwrap();
        times.put(frame, &Timestamp::from_micros(40_000 * frame as i64)).unwrap();
    }
    let settings = Settings { method: Method::MovingAverage, ..Settings::default() };
    let expected = pass_2(&tracks, &settings);
    assert!(expected != pass_2(&Tracks { unseen: None, ..tracks.clone() }, &settings));
    for index in [2, 4, CUT - 1, CUT, CUT + 2, FRAMES - 3, FRAMES - 2] {
        let mut preview = preview(&tracks);
        let mut frame = |detail| preview.frame(index, &settings, detail, &|| true).unwrap().unwrap();
        assert!(frame(Detail::Full).masks == expected[index - 2], "frame {index}");
        assert!(frame(Detail::Draft).complete, "frame {index}");
    }
}

#[test]
fn a_draft_is_close_and_reads_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, tracks) = clip(&folder);
    let settings = Settings::default();
    let mut preview = preview(&tracks);
    let full = preview.frame(12, &settings, Detail::Full, &|| true).unwrap().unwrap();
    let draft = preview.frame(12, &settings, Detail::Draft, &|| true).unwrap().unwrap();
    let small = draft.masks[0].smoothed.size();
    assert_eq!(small, Proxy::size_for(size()));
    for (full, draft) in full.masks.iter().zip(&draft.masks) {
        let enlarged = Mask::from_fn(size(), |x, y| {
            draft.smoothed.get(x * small.width() / size().width(), y * small.height() / size().height())
        });
        let (both, either) =
            (full.smoothed.intersection_count(&enlarged), full.smoothed.union_count(&enlarged));
        assert!(both as f64 / either as f64 > 0.9, "{both} of {either}");
    }
    let other = Settings { method: Method::Median, window: Window::new(31).unwrap(), ..settings };
    assert_eq!(preview.cold(12, &other), 0);
    assert!(preview.frame(12, &other, Detail::Draft, &|| true).unwrap().is_some());
}

#[test]
fn what_is_not_there_yet_is_left_out_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path().to_owned(), u64::MAX).clip("clip").unwrap();
    let (_other, whole) = clip(&tempfile::tempdir().unwrap());
    let tracks =
        Tracks::open(&store, &manifest(), size(), Some(Estimator::Dis(Quality::Fine)), None).unwrap();
    let mut preview = preview(&tracks);
    let settings = Settings::default();
    let mut frame = |index| preview.frame(index, &settings, Detail::Full, &|| true).unwrap();
    assert!(frame(9).is_none());
    // The network was hurried to frame 9; its neighbours come later.
    for index in [5, 9] {
        tracks.segmented.put(index, &whole.segmented.get(index).unwrap().unwrap()).unwrap();
    }
    let alone = frame(9).unwrap();
    assert!(!alone.complete);
    assert_eq!(alone.raw, alone.smoothed);
    let abandoned = preview.frame(9, &settings, Detail::Full, &|| false);
    assert!(matches!(abandoned, Err(PipelineError::Cancelled)));
}

#[test]
fn outside_the_range_there_are_no_masks() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, tracks) = clip(&folder);
    let range = FrameRange { first: 6, last: 10 };
    let source = SoftSource { range, ..source(&tracks, Region::default()) };
    let mut preview = Preview::new(source, [1 << 24, 1 << 24]);
    let settings = Settings::default();
    for detail in [Detail::Draft, Detail::Full] {
        for index in [0, 5, 11, FRAMES + 3] {
            let frame = preview.frame(index, &settings, detail, &|| true).unwrap();
            assert!(frame.is_none() && !tracks.has_masks(index, range), "{index}");
            assert!(preview.raw(index, &settings, detail).unwrap().is_none());
        }
        assert!(preview.frame(6, &settings, detail, &|| true).unwrap().is_some());
    }
}
