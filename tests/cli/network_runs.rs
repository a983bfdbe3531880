//! How often the network runs: on some frames only, and never twice.

use crate::{
    needs::SELFIE,
    workbench::{Workbench, masks, outcome, run_arguments},
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
fn another_class_or_method_never_runs_the_network_again() {
    let Some(bench) = Workbench::with_clip_and_mattes() else { return };
    bench.two_classes();
    let clip = bench.path("clip.mp4");
    let run = |options: &str| {
        let options = format!("--model ./two.pt --trust-model --long-side 97 {options} --export png");
        let mut command = bench.command(&run_arguments(&clip, &options));
        let outcome = outcome({
            command.env("RUST_LOG", "steadymask=info");
            command
        });
        assert_eq!(outcome.code, Some(0), "{}", outcome.err);
        outcome.err.contains("the network is needed")
    };
    assert!(run("--class person --to 7 --out first"), "the first run loads it, and says so");
    assert!(!run("--class person --to 7 --out again"));
    assert!(!run("--class background,person+background --to 7 --method median --window 3 --out others"));
    assert!(!run("--class person --from 2 --to 5 --method exponential --alpha 0.3 --out part"));
    assert!(run("--class person --to 8 --out longer"), "one frame more needs it");
    assert_eq!(masks(&bench.path("first/smoothed/person")), masks(&bench.path("again/smoothed/person")));
}
