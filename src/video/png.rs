//! Masks as 8-bit grey PNG files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::VideoError;
use crate::frame::FrameSize;

/// Writes `height × width` grey bytes. Not flushed to the disk: a sequence is flushed as a
/// whole, which is much quicker.
///
/// # Panics
/// When `grey` is not `width · height` long.
pub fn write_grey(path: &Path, size: FrameSize, grey: &[u8]) -> Result<(), VideoError> {
    assert_eq!(grey.len(), size.pixels(), "a grey picture of {size}");
    let write = || -> Result<(), Box<dyn std::error::Error>> {
        let mut file = BufWriter::new(File::create(path)?);
        // Masks are long runs: `Up` makes zeros of what repeats, and quick compression does
        // the rest.
        let encoder = PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Up);
        let (width, height) = (size.width() as u32, size.height() as u32);
        encoder.write_image(grey, width, height, ExtendedColorType::L8)?;
        file.flush()?;
        Ok(())
    };
    write().map_err(|error| VideoError::write(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_as_written_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let size = FrameSize::new(127, 93).unwrap();
        let grey: Vec<u8> = (0..size.pixels()).map(|i| if i / 1000 % 2 == 0 { 255 } else { 0 }).collect();
        let path = folder.path().join("ü 0.png");
        write_grey(&path, size, &grey).unwrap();
        write_grey(&path, size, &grey).unwrap();
        let image = image::open(&path).unwrap();
        assert_eq!(image.color(), image::ColorType::L8);
        assert_eq!(image.into_luma8().into_raw(), grey);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(std::fs::metadata(&path).unwrap().len() < 1000);
    }

    #[test]
    fn a_folder_that_is_missing_is_an_error_that_names_the_file() {
        let size = FrameSize::new(1, 1).unwrap();
        let error = write_grey(Path::new("no/such/folder/0.png"), size, &[0]).unwrap_err();
        assert!(error.to_string().contains("no/such/folder/0.png"), "{error}");
    }
}
