//! Masks of other programs, in each of the forms that they come in.

use std::{fs, path::Path, process::Command};

use image::GrayImage;

use crate::{
    needs,
    workbench::{Workbench, masks},
};

const SIZE: (u32, u32) = (96, 64);
const FRAMES: u32 = 5;

/// A disc with an anti-aliased edge.
fn soft_disc(frame: u32) -> GrayImage {
    GrayImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let far = f64::from(x.abs_diff(36 + 2 * frame)).hypot(f64::from(y.abs_diff(32)));
        image::Luma([((20.0 - far) * 64.0 + 128.0).clamp(0.0, 255.0) as u8])
    })
}

/// From one half on.
fn hard(soft: &GrayImage) -> GrayImage {
    let mut hard = soft.clone();
    hard.pixels_mut().for_each(|pixel| pixel.0[0] = if pixel.0[0] >= 128 { 255 } else { 0 });
    hard
}

fn bench() -> Option<Workbench> {
    needs::ffmpeg().then(|| {
        let bench = Workbench::new();
        bench.clip("clip.mp4", "96x64", FRAMES as usize, "-c:v libx264 -pix_fmt yuv420p");
        fs::create_dir(bench.path("mattes")).unwrap();
        bench
    })
}

fn run(bench: &Workbench, options: &str) {
    bench.run_well(Path::new("clip.mp4"), &format!("{options} --window 1 --method median --force"));
}

/// The masks at `path` come out as the discs, soft and hard.
fn are_the_discs(bench: &Workbench, path: &str) {
    run(bench, &format!("--masks {path} --class disc --edges soft --out out --export png"));
    let raw = masks(&bench.path("out/raw/disc"));
    for (frame, (_, raw)) in (0..).zip(raw) {
        let given = soft_disc(frame);
        assert!(raw == hard(&given), "{path} {frame}");
        let smoothed = image::open(bench.path(&format!("out/smoothed/disc/{frame:06}.png"))).unwrap();
        assert!(smoothed.into_luma8() == given, "{path} {frame}: soft edges stay");
    }
}

#[test]
fn grey_of_eight_and_sixteen_bits() {
    let Some(bench) = bench() else { return };
    for frame in 0..FRAMES {
        soft_disc(frame).save(bench.path(&format!("mattes/{frame}.png"))).unwrap();
    }
    are_the_discs(&bench, "mattes");
    for frame in 0..FRAMES {
        let deep = image::DynamicImage::ImageLuma8(soft_disc(frame)).into_luma16();
        deep.save(bench.path(&format!("mattes/{frame}.png"))).unwrap();
    }
    are_the_discs(&bench, "mattes");
    are_the_discs(&bench, "mattes/*.png");
}

#[test]
fn transparency_is_the_mask_unless_all_is_opaque() {
    let Some(bench) = bench() else { return };
    let write = |opaque: bool| {
        for frame in 0..FRAMES {
            let disc = soft_disc(frame);
            let image = image::RgbaImage::from_fn(SIZE.0, SIZE.1, |x, y| {
                let value = disc.get_pixel(x, y).0[0];
                // A picture below transparency; or a grey mask that happens to have a fourth channel.
                image::Rgba(if opaque { [value, value, value, 255] } else { [x as u8, 255, y as u8, value] })
            });
            image.save(bench.path(&format!("mattes/{frame}.png"))).unwrap();
        }
    };
    write(false);
    are_the_discs(&bench, "mattes");
    write(true);
    are_the_discs(&bench, "mattes");
}

/// A palette PNG of `bits` a pixel: two discs, of the numbers given.
fn write_indexed(path: &Path, frame: u32, numbers: [u8; 2], bits: png::BitDepth) {
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), SIZE.0, SIZE.1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(bits);
    let entries = (1usize << bits as usize).min(256);
    encoder.set_palette(steadymask::export::palette::voc()[..3 * entries].to_vec());
    let pixels_a_byte = 8 / bits as usize;
    let mut bytes = vec![0u8; (SIZE.0 * SIZE.1) as usize / pixels_a_byte];
    let (one, other) = two_discs(frame);
    for (at, (one, other)) in one.pixels().zip(other.pixels()).enumerate() {
        let value = if one.0[0] == 255 {
            numbers[0]
        } else if other.0[0] == 255 {
            numbers[1]
        } else {
            0
        };
        let shift = 8 - bits as usize * (1 + at % pixels_a_byte);
        bytes[at / pixels_a_byte] |= value << shift;
    }
    encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
}

fn two_discs(frame: u32) -> (GrayImage, GrayImage) {
    let one = hard(&soft_disc(frame));
    let mut other = GrayImage::new(SIZE.0, SIZE.1);
    for (x, y, pixel) in other.enumerate_pixels_mut() {
        let is_in = x.abs_diff(80).pow(2) + y.abs_diff(20).pow(2) < 100;
        pixel.0[0] = if is_in && one.get_pixel(x, y).0[0] == 0 { 255 } else { 0 };
    }
    (one, other)
}

#[test]
fn numbers_of_a_palette_are_classes() {
    let Some(bench) = bench() else { return };
    for (numbers, bits, classes) in [
        ([1, 2], png::BitDepth::Two, ["1", "2"]),
        ([3, 9], png::BitDepth::Four, ["bird", "9"]),
        ([15, 12], png::BitDepth::Eight, ["person", "dog"]),
    ] {
        for frame in 0..FRAMES {
            write_indexed(&bench.path(&format!("mattes/{frame}.png")), frame, numbers, bits);
        }
        let both = classes.join(",");
        run(&bench, &format!("--masks mattes --class {both} --out out --export png,classmap"));
        for (class, side) in classes.iter().zip([0, 1]) {
            for (frame, (_, mask)) in (0..).zip(masks(&bench.path(&format!("out/raw/{class}")))) {
                let (one, other) = two_discs(frame);
                assert!(mask == if side == 0 { one } else { other }, "{class} {frame}");
            }
        }
        // The class map goes round: the same numbers, and the same masks.
        run(&bench, &format!("--masks out/classmap --class {both} --out again --export png,classmap"));
        for frame in 0..FRAMES {
            let read = |path: String| image::open(bench.path(&path)).unwrap().into_rgb8();
            let given = read(format!("mattes/{frame}.png"));
            assert!(read(format!("out/classmap/{frame:06}.png")) == given);
            assert!(read(format!("again/classmap/{frame:06}.png")) == given);
        }
        // All of it under one name.
        run(
            &bench,
            &format!("--masks mattes --class {}+{} --out whole --export png", classes[0], classes[1]),
        );
        let (one, other) = two_discs(0);
        let whole = &masks(&bench.path(&format!("whole/raw/{}+{}", classes[0], classes[1])))[0].1;
        let all = one.pixels().zip(other.pixels()).map(|(a, b)| a.0[0] | b.0[0]);
        assert!(whole.pixels().map(|pixel| pixel.0[0]).eq(all));
    }
    let refused = bench.run(Path::new("clip.mp4"), "--masks mattes --class cat --out cat");
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("12, 15") && refused.err.contains("by these numbers"), "{}", refused.err);
}

#[test]
fn h264_of_either_range_and_lossless_video() {
    let Some(bench) = bench() else { return };
    for frame in 0..FRAMES {
        hard(&soft_disc(frame)).save(bench.path(&format!("mattes/{frame}.png"))).unwrap();
    }
    for arguments in [
        "-vf scale=out_range=tv -c:v libx264 -crf 5 -pix_fmt yuv420p -color_range tv",
        "-vf scale=out_range=pc -c:v libx264 -crf 5 -pix_fmt yuvj420p -color_range pc",
        "-c:v libx264 -crf 5 -pix_fmt gray",
        "-c:v ffv1 -pix_fmt gray",
        "-c:v ffv1 -pix_fmt gray16le",
        "-c:v prores_ks -pix_fmt yuv422p10le",
    ] {
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-framerate", "25", "-i"])
            .arg(bench.path("mattes/%d.png"))
            .args(arguments.split(' '))
            .arg(bench.path("mattes.mov").with_extension(if arguments.contains("ffv1") {
                "mkv"
            } else {
                "mov"
            }))
            .status();
        assert!(status.unwrap().success(), "{arguments}");
        let name = if arguments.contains("ffv1") { "mattes.mkv" } else { "mattes.mov" };
        run(&bench, &format!("--masks {name} --class disc --edges soft --out out --export png"));
        for (frame, (_, raw)) in (0..).zip(masks(&bench.path("out/raw/disc"))) {
            assert!(raw == hard(&soft_disc(frame)), "{arguments} {frame}");
            let soft =
                image::open(bench.path(&format!("out/smoothed/disc/{frame:06}.png"))).unwrap().into_luma8();
            assert!(
                soft.get_pixel(0, 0).0[0] <= 1 && soft.get_pixel(36 + 2 * frame, 32).0[0] >= 254,
                "{arguments}"
            );
        }
    }
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(bench.path("clip.mp4"))
        .args(["-c:v", "prores_ks", "-pix_fmt", "yuva444p10le"])
        .arg(bench.path("alpha.mov"))
        .status();
    assert!(status.unwrap().success());
    let refused = bench.run(Path::new("clip.mp4"), "--masks alpha.mov --class disc --out alpha");
    assert_eq!(refused.code, Some(3), "{}", refused.err);
    assert!(refused.err.contains("transparency") && refused.err.contains("alphaextract"), "{}", refused.err);
}

#[test]
fn they_are_scored_against_ground_truth() {
    let Some(bench) = bench() else { return };
    fs::create_dir(bench.path("truth")).unwrap();
    for frame in 0..FRAMES {
        soft_disc(frame).save(bench.path(&format!("mattes/{frame}.png"))).unwrap();
        write_indexed(&bench.path(&format!("truth/{frame}.png")), frame, [1, 0], png::BitDepth::Two);
    }
    let outcome = bench.outcome(&[
        "evaluate", "clip.mp4", "--masks", "mattes", "--class", "disc", "--truth", "truth", "--cache",
        "cache", "--json",
    ]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    let lines: serde_json::Value = serde_json::from_str(&outcome.out).unwrap();
    let text = lines.to_string();
    assert!(text.contains("raw"), "{text}");
}
