//! Folders and globs of images.

use std::{fs, path::Path};

use steadymask::{frame::FrameIndex, video};

use crate::clips::{number, picture, size};

#[test]
fn images_of_every_kind_in_natural_order() {
    let folder = tempfile::tempdir().unwrap();
    let shown = size(160, 96);
    let image = |number| image::RgbImage::from_raw(160, 96, picture(shown, number)).unwrap();
    let path = |name: &str| folder.path().join(name);
    image(1).save(path("f1.png")).unwrap();
    image::DynamicImage::from(image(2)).to_luma8().save(path("f2.png")).unwrap();
    image::DynamicImage::from(image(3)).to_rgba16().save(path("f3.png")).unwrap();
    image(10).save(path("f10.jpg")).unwrap();
    image(11).save(path("f11.bmp")).unwrap();
    image(12).save(path("f12.TIF")).unwrap();
    image(13).save(path("f13.webp")).unwrap();
    fs::write(path(".hidden.png"), "").unwrap();
    fs::write(path("notes.txt"), "no image").unwrap();
    let numbers = |path: &Path| {
        let mut source = video::open(path).unwrap();
        let mut numbers = Vec::new();
        while let Some(frame) = source.next_frame().unwrap() {
            assert_eq!(frame.timestamp().micros(), 40_000 * numbers.len() as i64);
            numbers.push(number(shown, |x, y| frame.rgb()[3 * (y * 160 + x)]).unwrap());
        }
        assert_eq!(source.counted_frames(), Some(numbers.len()));
        source.seek(FrameIndex::new(numbers.len() - 1)).unwrap();
        assert!(source.next_frame().unwrap().is_some() && source.next_frame().unwrap().is_none());
        numbers
    };
    assert_eq!(numbers(folder.path()), [1, 2, 3, 10, 11, 12, 13]);
    assert_eq!(numbers(&path("f?.png")), [1, 2, 3]);
    assert_eq!(numbers(&path("f10.jpg")), [10]);

    image::RgbImage::new(160, 97).save(path("f4.png")).unwrap();
    let error = video::open(folder.path()).err().unwrap().to_string();
    assert!(error.contains("f1.png is 160×96 and f4.png is 160×97"), "{error}");
    fs::write(path("f4.png"), &fs::read(path("f1.png")).unwrap()[..200]).unwrap();
    let mut source = video::open(folder.path()).unwrap();
    source.seek(FrameIndex::new(3)).unwrap();
    assert!(source.next_frame().unwrap_err().to_string().contains("f4.png"));
}
