//! PNG files.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::VideoError;
use base::files::PartFile;
use base::frame::FrameSize;

/// What the bytes of a picture are, rows from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PngPixels<'a> {
    /// One byte a pixel.
    Grey,
    /// Two bytes a pixel, the high one first.
    Grey16,
    /// A byte a pixel: its place in this palette of RGB triples.
    Indexed(&'a [u8]),
    /// Straight alpha.
    Rgba,
}

impl PngPixels<'_> {
    const fn bytes(self) -> usize {
        match self {
            Self::Grey | Self::Indexed(_) => 1,
            Self::Grey16 => 2,
            Self::Rgba => 4,
        }
    }
}

/// Writes a picture. It has its name only when all of it is there, so whatever interrupts us,
/// a file of this name is whole. Not flushed to the disk: a sequence is flushed as a whole,
/// which is much quicker.
///
/// # Panics
/// When `bytes` are not those of a picture of this size.
pub fn write_png(path: &Path, size: FrameSize, pixels: PngPixels, bytes: &[u8]) -> Result<(), VideoError> {
    assert_eq!(bytes.len(), size.pixels() * pixels.bytes(), "a picture of {size}");
    let write = |part: &Path| -> Result<(), Box<dyn std::error::Error>> {
        let mut file = BufWriter::new(File::create(part)?);
        let mut encoder = png::Encoder::new(&mut file, size.width() as u32, size.height() as u32);
        encoder.set_depth(if pixels == PngPixels::Grey16 {
            png::BitDepth::Sixteen
        } else {
            png::BitDepth::Eight
        });
        encoder.set_compression(png::Compression::Fast);
        match pixels {
            PngPixels::Grey | PngPixels::Grey16 => encoder.set_color(png::ColorType::Grayscale),
            PngPixels::Rgba => encoder.set_color(png::ColorType::Rgba),
            PngPixels::Indexed(palette) => {
                encoder.set_color(png::ColorType::Indexed);
                encoder.set_palette(palette.to_owned());
            }
        }
        if pixels != PngPixels::Rgba {
            // Masks are long runs: `Up` makes zeros of what repeats, and quick compression does
            // the rest.
            encoder.set_filter(png::Filter::Up);
        }
        let mut writer = encoder.write_header()?;
        writer.write_image_data(bytes)?;
        writer.finish()?;
        Ok(file.flush()?)
    };
    PartFile::write(path, write).map_err(|error| VideoError::write(path, error))
}

/// Whether the file begins and ends as a PNG does. After a power failure it may not, though it
/// has its name.
pub fn is_whole_png(path: &Path) -> bool {
    const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";
    const END: &[u8; 12] = b"\0\0\0\0IEND\xae\x42\x60\x82";
    let read = || {
        let (mut start, mut end) = ([0; 8], [0; 12]);
        let mut file = File::open(path)?;
        file.read_exact(&mut start)?;
        file.seek(SeekFrom::End(-(END.len() as i64)))?;
        file.read_exact(&mut end)?;
        Ok::<_, std::io::Error>(&start == SIGNATURE && &end == END)
    };
    read().unwrap_or(false)
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
        write_png(&path, size, PngPixels::Grey, &grey).unwrap();
        write_png(&path, size, PngPixels::Grey, &grey).unwrap();
        let image = image::open(&path).unwrap();
        assert_eq!(image.color(), image::ColorType::L8);
        assert_eq!(image.as_bytes(), grey);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(is_whole_png(&path));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(!is_whole_png(&path));
    }

    #[test]
    fn a_palette_and_sixteen_bits_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let size = FrameSize::new(3, 1).unwrap();
        let path = folder.path().join("a.png");
        write_png(&path, size, PngPixels::Indexed(&[0, 0, 0, 128, 0, 0, 9, 8, 7]), &[0, 2, 1]).unwrap();
        let image = image::open(&path).unwrap().into_rgb8();
        assert_eq!(image.as_raw(), &[0, 0, 0, 9, 8, 7, 128, 0, 0]);
        write_png(&path, size, PngPixels::Grey16, &[0, 1, 255, 255, 128, 0]).unwrap();
        assert_eq!(image::open(&path).unwrap().into_luma16().as_raw(), &[1, 65535, 32768]);
    }

    #[test]
    fn an_error_names_the_file() {
        let size = FrameSize::new(1, 1).unwrap();
        let path = Path::new("/proc/none/a.png");
        let error = write_png(path, size, PngPixels::Grey, &[0]).unwrap_err();
        assert!(error.to_string().starts_with("/proc/none/a.png: could not be written"), "{error}");
    }
}
