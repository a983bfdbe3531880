//! Every kind of export, read back by other programs.

use std::{fs, path::Path, process::Command};

use crate::{
    needs,
    workbench::{Workbench, count_frames, grey_frames, masks, tree},
};

const ALL: &str = "png,png16,ffv1,h264,classmap,prores,vp9,ffv1-alpha,png-alpha,overlay,backdrop,blur,side-by-side,\
                   csv,json,coco,yolo,plots,report";
const SIZE: (u32, u32) = (127, 93);
const FRAMES: usize = 12;
/// Milliseconds: every fourth frame is held.
const TIMES: [i64; FRAMES] = [0, 40, 80, 220, 260, 300, 340, 480, 520, 560, 600, 740];

/// A clip of odd sides, uneven times and sound, and mattes for it.
fn uneven(bench: &Workbench) -> std::path::PathBuf {
    bench.mattes("mattes", SIZE, FRAMES);
    let path = bench.path("clip.mkv");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:duration=1"])
        .args(["-vf", "format=rgb24,crop=127:93,settb=1/1000,setpts=N*40+100*floor((N+1)/4),setsar=16/11"])
        .args(["-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-frames:v", &FRAMES.to_string()])
        .args(["-c:v", "ffv1", "-pix_fmt", "bgr0", "-c:a", "aac"])
        .arg(&path)
        .status();
    assert!(status.unwrap().success());
    path
}

fn probe(path: &Path, what: &str) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-of", "csv=p=0", "-show_entries", what])
        .arg(path)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn times_ms(path: &Path) -> Vec<i64> {
    let text = probe(path, "packet=pts_time");
    let lines = text.lines().filter(|line| !line.trim_matches(',').is_empty());
    let times = lines.map(|line| line.trim_end_matches(',').parse::<f64>().unwrap());
    let mut times: Vec<i64> = times.map(|secs| (secs * 1e3).round() as i64).collect();
    times.sort_unstable();
    times
}

#[test]
fn everything_at_once_reads_back() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    let clip = uneven(&bench);
    bench.run_well(&clip, &format!("--masks mattes --class disc --out out --export {ALL}"));
    let out = |name: &str| bench.path("out").join(name);

    for name in [
        "raw_disc.mkv",
        "smoothed_disc.mkv",
        "smoothed_disc.mp4",
        "cutout_disc.mov",
        "cutout_disc.webm",
        "cutout_disc.mkv",
        "overlay.mp4",
        "backdrop.mp4",
        "blur.mp4",
        "side-by-side.mp4",
    ] {
        assert_eq!(count_frames(&out(name)), FRAMES, "{name}");
        assert_eq!(times_ms(&out(name)), TIMES, "{name}");
        let even = name.ends_with("mp4");
        let size = match (name, even) {
            ("side-by-side.mp4", _) => "254,94",
            (_, true) => "128,94",
            _ => "127,93",
        };
        assert_eq!(probe(&out(name), "stream=width,height").trim(), size, "{name}");
        let has_sound = !name.starts_with("raw") && !name.starts_with("smoothed");
        let streams = Command::new("ffprobe")
            .args(["-v", "error", "-of", "csv=p=0", "-show_entries", "stream=codec_type"])
            .arg(out(name))
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(streams.stdout).unwrap().contains("audio"), has_sound, "{name}");
    }

    let smoothed = masks(&out("smoothed/disc"));
    let video = grey_frames(&out("smoothed_disc.mkv"), SIZE);
    assert!(video.iter().eq(smoothed.iter().map(|(_, mask)| mask.as_raw())));
    let mut picture_source = steadymask::video::open(&clip).unwrap();
    for (name, mask) in &smoothed {
        let deep = image::open(out("smoothed16/disc").join(name)).unwrap();
        assert_eq!(deep.color(), image::ColorType::L16);
        assert!(
            deep.into_luma16().pixels().zip(mask.pixels()).all(|(a, b)| a.0[0] == u16::from(b.0[0]) * 257)
        );
        let map = image::open(out("classmap").join(name)).unwrap().into_rgb8();
        let expected = |set: u8| if set == 255 { [128, 0, 0] } else { [0, 0, 0] };
        assert!(map.pixels().zip(mask.pixels()).all(|(a, b)| a.0 == expected(b.0[0])));
        let cutout = image::open(out("cutout/disc").join(name)).unwrap();
        assert_eq!(cutout.color(), image::ColorType::Rgba8);
        let picture = picture_source.next_frame().unwrap().unwrap();
        let pixels = picture.rgb().chunks_exact(3).zip(mask.pixels());
        assert!(
            cutout
                .into_rgba8()
                .pixels()
                .zip(pixels)
                .all(|(a, (rgb, alpha))| a.0[..3] == *rgb && a.0[3] == alpha.0[0]),
            "the picture's colours under the mask as alpha"
        );
    }
    let legend: serde_json::Value = json(&out("classmap.json"));
    assert_eq!(legend["1"], "disc");

    let coco = json(&out("coco.json"));
    assert_eq!(coco["images"].as_array().unwrap().len(), FRAMES);
    let annotations = coco["annotations"].as_array().unwrap();
    assert_eq!(annotations.len(), FRAMES);
    for (annotation, (_, mask)) in annotations.iter().zip(&smoothed) {
        let area = mask.pixels().filter(|pixel| pixel.0 == [255]).count();
        assert_eq!(annotation["area"], area);
        assert!((0.5..=1.0).contains(&annotation["score"].as_f64().unwrap()));
        assert_eq!(annotation["segmentation"]["size"], serde_json::json!([93, 127]));
    }

    let polygons = fs::read_to_string(out("yolo/000003.txt")).unwrap();
    let numbers: Vec<f64> =
        polygons.lines().next().unwrap().split(' ').map(|word| word.parse().unwrap()).collect();
    assert!(numbers[0] == 0.0 && numbers.len() > 20 && numbers.len() % 2 == 1);
    assert!(numbers[1..].iter().all(|share| (0.0..1.0).contains(share)));
    assert!(fs::read_to_string(out("yolo.yaml")).unwrap().contains("0: \"disc\""));

    let report = fs::read_to_string(out("report.html")).unwrap();
    assert!(report.matches("<svg").count() == 3 && report.contains("data:image/jpeg;base64,"));
    assert!(!report.contains("src=\"http") && report.contains("exponential"));

    let hidden = |name: &&String| name.contains(".steadymask") || name.contains("part");
    assert_eq!(tree(&bench.path("out")).iter().find(hidden), None);
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn export_writes_what_run_has_stored() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    let clip = bench.clip("clip.mp4", "96x64", 6, "-c:v libx264 -pix_fmt yuv420p");
    bench.mattes("mattes", (96, 64), 6);
    let options = "--masks mattes --class disc --cache cache";
    bench.run_well(&clip, &format!("{options} --out first --export png"));
    let export = |options: &str| {
        let mut arguments = vec!["export", clip.to_str().unwrap()];
        arguments.extend(options.split_whitespace());
        bench.outcome(&arguments)
    };
    let outcome = export(&format!("{options} --out second --export png --names {{clip}}/{{kind}}-{{frame}}"));
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    let bytes = |path: &str| fs::read(bench.path(path)).unwrap();
    assert_eq!(bytes("first/smoothed/disc/000004.png"), bytes("second/clip/smoothed-000004.png"));
    let both = export(&format!("{options} --out third --export png,ffv1 --names {{clip}}"));
    assert_eq!(both.code, Some(2), "{}", both.err);
    assert!(both.err.contains("--names"), "{}", both.err);
    for wrong in ["../a", "{who}"] {
        let outcome = export(&format!("{options} --out fourth --names {wrong}"));
        assert_eq!(outcome.code, Some(2), "{}", outcome.err);
    }
    if needs::network(needs::SELFIE) {
        let outcome = export("--model selfie --class person --cache cache --out fifth --export png");
        assert_eq!(outcome.code, Some(4), "{}", outcome.err);
        assert!(
            outcome.err.contains("not stored") && outcome.err.contains("steadymask run"),
            "{}",
            outcome.err
        );
    }
}

#[test]
fn soft_mattes_come_back_as_they_were() {
    if !needs::ffmpeg() {
        return;
    }
    let bench = Workbench::new();
    let clip = bench.clip("clip.mp4", "96x64", 5, "-c:v libx264 -pix_fmt yuv420p");
    fs::create_dir(bench.path("mattes")).unwrap();
    for frame in 0..5 {
        let blob = image::GrayImage::from_fn(96, 64, |x, y| {
            let far = f64::from(x.abs_diff(40 + frame)).hypot(f64::from(y.abs_diff(32)));
            image::Luma([(255.0 / (1.0 + ((far - 18.0) / 2.0).exp())).round() as u8])
        });
        blob.save(bench.path(&format!("mattes/{frame}.png"))).unwrap();
    }
    let run = |mattes: &str, out: &str| {
        let options = format!(
            "--masks {mattes} --class blob --method median --window 1 --edges soft --out {out} --export png,ffv1"
        );
        bench.run_well(&clip, &options);
    };
    run("mattes", "first");
    run("first/smoothed/blob", "second");
    run("first/smoothed_blob.mkv", "third");
    for frame in 0..5 {
        let read = |path: String| image::open(bench.path(&path)).unwrap().into_luma8().into_raw();
        let given = read(format!("mattes/{frame}.png"));
        assert!(given.iter().any(|value| (100..150).contains(value)), "it is soft");
        for out in ["first", "second", "third"] {
            assert_eq!(read(format!("{out}/smoothed/blob/{frame:06}.png")), given, "{out} {frame}");
        }
    }
}
