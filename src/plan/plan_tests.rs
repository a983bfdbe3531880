//! Nothing of a plan gets lost: not in its steps, not in JSON, and not by a default that fills a gap.

use std::{fs, path::Path};

use super::*;
use export::{Backdrop, Edges};
use proptest::{collection::vec, option, prelude::*, sample::select};
use smooth::{Alpha, Input, Method, Switch, Threshold, Timing, Window};

fn region() -> impl Strategy<Value = Region> {
    let corner = [0.0f32..4000.0, 0.0f32..4000.0];
    let polygon = vec(corner, 3..6).prop_map(|corners| base::region::Polygon::new(corners).unwrap());
    vec(polygon, 0..3).prop_map(|polygons| polygons.into_iter().collect())
}

fn switch() -> impl Strategy<Value = Switch> {
    select(Switch::ALL)
}

fn settings() -> impl Strategy<Value = Settings> {
    let shape =
        (select(Method::ALL), 0u32..=15, 0.01f32..=1.0, select(Timing::ALL), select(Input::ALL), switch());
    let clean_up = (0.5f32..=1.0, option::of(0.01f32..0.5), 0u32..9999, 0u32..9999, switch());
    (shape, clean_up).prop_filter_map("settings that contradict each other", |(shape, clean_up)| {
        let (method, half_window, alpha, timing, input, motion) = shape;
        let (threshold, hysteresis, min_area_px, fill_holes_px, overlap) = clean_up;
        let settings = Settings {
            method,
            window: Window::new(2 * half_window + 1).unwrap(),
            alpha: Alpha::new(alpha).unwrap(),
            timing,
            input,
            motion,
            threshold: Threshold::new(threshold).unwrap(),
            hysteresis: hysteresis.map(|low| Threshold::new(low).unwrap()),
            min_area_px,
            fill_holes_px,
            overlap,
        };
        settings.check().is_ok().then_some(settings)
    })
}

fn source() -> impl Strategy<Value = MaskSource> {
    let normalise = option::of((any::<[u8; 3]>(), any::<[u8; 3]>()).prop_map(|(mean, std)| NormaliseStep {
        mean: mean.map(|byte| f32::from(byte) / 255.0),
        std: std.map(|byte| (1.0 + f32::from(byte)) / 255.0),
    }));
    let device = select(vec![Device::Auto, Device::Cpu, Device::Cuda]);
    let network = (option::of("[a-z]{1,8}"), option::of(32u32..=8192), normalise, device).prop_map(
        |(name, long_side_px, normalise, device)| {
            MaskSource::Network(Network { name, long_side_px, normalise, device })
        },
    );
    prop_oneof![3 => network, 1 => "[a-z/]{1,8}".prop_map(|path| MaskSource::Mattes(path.into()))]
}

fn export() -> impl Strategy<Value = ExportSettings> {
    let kinds = vec(select(ExportKind::ALL.to_vec()), 0..5);
    let names = option::of(select(vec!["{clip}/{kind}-{class}-{frame}", "{kind}/{class}/{frame}"]));
    let edges = select(vec![Edges::Hard, Edges::Soft]);
    (kinds, names, edges, any::<[u8; 3]>()).prop_map(|(kinds, names, edges, backdrop)| ExportSettings {
        kinds,
        options: ExportOptions {
            names: names.map(|names| names.parse().unwrap()),
            edges,
            backdrop: Backdrop(backdrop),
        },
    })
}

fn range() -> impl Strategy<Value = FrameRange> {
    (0usize..100_000, option::of(0usize..100_000))
        .prop_map(|(first, more)| FrameRange { first, last: more.map_or(usize::MAX, |more| first + more) })
}

fn plan() -> impl Strategy<Value = Plan> {
    let frames = (1usize..=30, range(), option::of(1u32..=32768));
    let detect_box = option::of((0.0f32..=1.0).prop_map(|min_confidence| DetectBoxStep { min_confidence }));
    let masks = (source(), vec("[a-z]{1,6}(\\+[a-z]{1,6})?", 1..4), settings(), any::<bool>(), region());
    (frames, masks, detect_box, option::of(export())).prop_map(|(frames, masks, detect_box, export)| {
        let (every, range, max_side_px) = frames;
        let (source, classes, settings, auto, leave_out) = masks;
        Plan {
            source,
            classes,
            every: every.try_into().unwrap(),
            range,
            max_side_px,
            settings,
            auto,
            edits: Edits { leave_out },
            detect_box,
            export,
        }
    })
}

proptest! {
    #[test]
    fn a_plan_is_its_steps(plan in plan()) {
        prop_assert_eq!(Plan::from_steps(&plan.steps()), Ok(plan.clone()));
        let json = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }
}

/// The plan with another value in one place after another, by the names of the places. A field that is
/// new and is not in here does not compile.
fn with_one_change_each(plan: &Plan) -> Vec<(&'static str, Plan)> {
    let Plan {
        source,
        classes: _,
        every: _,
        range,
        max_side_px: _,
        settings,
        auto: _,
        edits,
        detect_box: _,
        export,
    } = plan;
    let Network { name: _, long_side_px: _, normalise: _, device: _ } = source.network().unwrap();
    let FrameRange { first: _, last: _ } = range;
    let Settings {
        method: _,
        window: _,
        alpha: _,
        timing: _,
        input: _,
        motion: _,
        threshold: _,
        hysteresis: _,
        min_area_px: _,
        fill_holes_px: _,
        overlap: _,
    } = settings;
    let Edits { leave_out: _ } = edits;
    let ExportSettings { kinds: _, options } = export.as_ref().unwrap();
    let ExportOptions { names: _, edges: _, backdrop: _ } = options;
    let mut changed = Vec::new();
    let mut change = |name, change: &dyn Fn(&mut Plan)| {
        let mut other = plan.clone();
        change(&mut other);
        changed.push((name, other));
    };
    change("source", &|plan| plan.source = MaskSource::Mattes("masks".into()));
    change("name", &|plan| plan.source.network_mut().name = Some("other".into()));
    change("long_side_px", &|plan| plan.source.network_mut().long_side_px = Some(320));
    change("normalise", &|plan| {
        plan.source.network_mut().normalise = Some(NormaliseStep { mean: [0.5; 3], std: [0.25; 3] });
    });
    change("device", &|plan| plan.source.network_mut().device = Device::Cpu);
    change("classes", &|plan| plan.classes.push("dog".into()));
    change("every", &|plan| plan.every = 3.try_into().unwrap());
    change("first", &|plan| plan.range.first = 2);
    change("last", &|plan| plan.range.last = 9);
    change("max_side_px", &|plan| plan.max_side_px = Some(640));
    change("method", &|plan| plan.settings.method = Method::Median);
    change("window", &|plan| plan.settings.window = Window::new(3).unwrap());
    change("alpha", &|plan| plan.settings.alpha = Alpha::new(0.75).unwrap());
    change("timing", &|plan| plan.settings.timing = Timing::Causal);
    change("input", &|plan| plan.settings.input = Input::Masks);
    change("motion", &|plan| plan.settings.motion = Switch::Off);
    change("threshold", &|plan| plan.settings.threshold = Threshold::new(0.75).unwrap());
    change("hysteresis", &|plan| plan.settings.hysteresis = Some(Threshold::new(0.25).unwrap()));
    change("min_area_px", &|plan| plan.settings.min_area_px = 7);
    change("fill_holes_px", &|plan| plan.settings.fill_holes_px = 8);
    change("overlap", &|plan| plan.settings.overlap = Switch::On);
    change("auto", &|plan| plan.auto = true);
    change("leave_out", &|plan| {
        plan.edits.leave_out = ["1,2,30.5,2,30,40".parse().unwrap()].into_iter().collect();
    });
    change("detect_box", &|plan| plan.detect_box = Some(DetectBoxStep { min_confidence: 0.5 }));
    change("export", &|plan| plan.export = None);
    change("kinds", &|plan| plan.export.as_mut().unwrap().kinds = vec![ExportKind::Csv]);
    change("names", &|plan| {
        plan.export.as_mut().unwrap().options.names = Some("{kind}/{class}/{frame}".parse().unwrap());
    });
    change("edges", &|plan| plan.export.as_mut().unwrap().options.edges = Edges::Soft);
    change("backdrop", &|plan| plan.export.as_mut().unwrap().options.backdrop = Backdrop([1, 2, 3]));
    changed
}

#[test]
fn every_field_of_a_plan_shows_in_its_steps() {
    let plan =
        Plan { classes: vec!["person".into()], export: Some(ExportSettings::default()), ..Plan::default() };
    let mut known = vec![("nothing", plan.steps())];
    for (name, changed) in with_one_change_each(&plan) {
        let steps = changed.steps();
        for (other, other_steps) in &known {
            assert!(steps != *other_steps, "{name} and {other} come to the same steps");
        }
        assert_eq!(Plan::from_steps(&steps).as_ref(), Ok(&changed), "{name}");
        known.push((name, steps));
    }
}

/// Where a text builds a `Plan { … }` and lets a default fill what it does not name, by line.
fn filled_with_defaults(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("Plan {") {
        let is_whole_name = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let mut depth = 0;
        let end = text[at..].char_indices().find_map(|(offset, c)| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            (c == '}' && depth == 0).then_some(at + offset)
        });
        let literal = &text[at..end.unwrap_or(text.len())];
        let is_filled =
            ["..Default::default()", "..Plan::default()", "..plan::Plan::default()", "..Self::default()"]
                .iter()
                .any(|rest| literal.contains(rest));
        if is_whole_name && is_filled {
            found.push(text[..at].lines().count());
        }
    }
    found
}

/// The code of a file without its tests, which stand at its end.
fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]").map_or(text, |at| &text[..at])
}

#[test]
fn no_code_fills_a_plan_with_defaults() {
    let made = "let a = ImagePlan { ..Default::default() };\n\
        let b = Plan { classes, export: Some(Export { kinds }), ..Plan::default() };\n\
        let c = Plan { auto, ..known };";
    assert_eq!(filled_with_defaults(made), [2], "the scan finds what it looks for, and nothing else");

    let mut files = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("_tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let lines = filled_with_defaults(without_tests(&text));
                assert!(lines.is_empty(), "{}: lines {lines:?} build a Plan with defaults", path.display());
                files += 1;
            }
        }
    }
    assert!(files > 100, "the sources are looked through: {files} files");
}
