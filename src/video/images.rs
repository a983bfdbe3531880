//! A sequence of images as a video: a folder, a glob, or one image. Their rate is nominal.

use std::cmp::Ordering;
use std::io::{BufRead, Cursor, Seek};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader};

use super::{NOMINAL_FRAMES_PER_SEC, Ratio, VideoError, VideoInfo, VideoSource};
use base::frame::{Frame, FrameIndex, FrameSize, Timestamp};

const EXTENSIONS: [&str; 8] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp", "jpe"];

/// Images in natural order (2 before 10), of one size. Grey becomes RGB, transparency is dropped, 16 bits
/// become 8, and the camera's orientation is applied.
pub struct ImageSource {
    info: VideoInfo,
    images: Vec<PathBuf>,
    next: usize,
}

/// Whether a path that doesn't exist is meant as a pattern.
pub fn is_glob(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// Whether the file's extension is that of an image.
pub fn has_image_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// The images of a folder in natural order; hidden files and other files are passed over.
pub fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, VideoError> {
    let read_error = |error: &std::io::Error| VideoError::from_io(folder, error);
    let mut images = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| read_error(&error))? {
        let entry = entry.map_err(|error| read_error(&error))?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && has_image_name(&entry.path()) {
            images.push(entry.path());
        }
    }
    images.sort_by(|a, b| natural_order(a, b));
    Ok(images)
}

/// The images that a glob matches, in natural order; at least one.
pub fn matching(pattern: &Path) -> Result<Vec<PathBuf>, VideoError> {
    let unreadable = |cause: String, remedy: &str| VideoError::Unreadable {
        path: pattern.to_owned(),
        cause,
        remedy: remedy.to_owned(),
    };
    let paths = glob::glob(&pattern.to_string_lossy()).map_err(|error| {
        unreadable(format!("it is not a pattern ({error})"), "write it as in 'frames/*.png'")
    })?;
    let mut images: Vec<PathBuf> = paths.flatten().filter(|path| has_image_name(path)).collect();
    if images.is_empty() {
        return Err(unreadable(
            "there is no such file, and no image fits it as a pattern".to_owned(),
            "check it with ls, and quote it so that the shell leaves it alone",
        ));
    }
    images.sort_by(|a, b| natural_order(a, b));
    Ok(images)
}

impl ImageSource {
    /// All images of a folder.
    ///
    /// # Errors
    /// When it has none, or they differ in size, or one can't be read.
    pub fn open_folder(folder: &Path) -> Result<Self, VideoError> {
        let images = in_folder(folder)?;
        if images.is_empty() {
            return Err(VideoError::Unreadable {
                path: folder.to_owned(),
                cause: "the folder has no images".to_owned(),
                remedy: "give a folder of PNG, JPEG, BMP, TIFF or WebP images, or a video file".to_owned(),
            });
        }
        Self::of(folder, images)
    }

    /// All images that match a pattern.
    ///
    /// # Errors
    /// As [`open_folder`](Self::open_folder).
    pub fn open_glob(pattern: &Path) -> Result<Self, VideoError> {
        Self::of(pattern, matching(pattern)?)
    }

    /// A single image.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn open_image(path: &Path) -> Result<Self, VideoError> {
        Self::of(path, vec![path.to_owned()])
    }

    /// Of its images, in order.
    pub fn into_paths(self) -> Vec<PathBuf> {
        self.images
    }

    /// Only headers are read here; the sizes must agree.
    fn of(path: &Path, images: Vec<PathBuf>) -> Result<Self, VideoError> {
        let mut size_of_first = None;
        for image in &images {
            let size = upright_size(image)?;
            let first = *size_of_first.get_or_insert(size);
            if size != first {
                return Err(VideoError::Unreadable {
                    path: path.to_owned(),
                    cause: format!(
                        "its images differ in size: {} is {first} and {} is {size}",
                        name(&images[0]),
                        name(image)
                    ),
                    remedy: "scale them to one size, or give a glob that leaves the others out".to_owned(),
                });
            }
        }
        let (Some(size), Some(first)) = (size_of_first, images.first()) else {
            return Err(VideoError::Missing(path.to_owned()));
        };
        let info = VideoInfo {
            path: path.to_owned(),
            size,
            frames_per_sec: NOMINAL_FRAMES_PER_SEC,
            claimed_frames: Some(images.len()),
            claimed_duration_secs: Some(images.len() as f64 / NOMINAL_FRAMES_PER_SEC),
            container: "images".to_owned(),
            codec: image::ImageFormat::from_path(first)
                .map_or("unknown", |format| format.extensions_str().first().copied().unwrap_or("unknown"))
                .to_owned(),
            pixel_format: None,
            rotation_degrees: 0,
            time_base: Ratio::new(1, NOMINAL_FRAMES_PER_SEC as u32),
            pixel_aspect: Ratio::ONE,
        };
        Ok(Self { info, images, next: 0 })
    }
}

impl VideoSource for ImageSource {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, VideoError> {
        let Some(path) = self.images.get(self.next) else { return Ok(None) };
        let rgb = read_upright(path)?.into_rgb8();
        let size = frame_size(path, rgb.dimensions())?;
        if size != self.info.size {
            return Err(broken(path, format!("it is {size} now, and the first image is {}", self.info.size)));
        }
        let timestamp = Timestamp::from_secs(self.next as f64 / NOMINAL_FRAMES_PER_SEC);
        let frame = Frame::new(FrameIndex::new(self.next), timestamp, size, rgb.into_raw());
        self.next += 1;
        Ok(Some(frame))
    }

    fn seek(&mut self, index: FrameIndex) -> Result<(), VideoError> {
        self.next = index.get();
        Ok(())
    }

    fn counted_frames(&self) -> Option<usize> {
        Some(self.images.len())
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

pub fn broken(path: &Path, cause: impl std::fmt::Display) -> VideoError {
    VideoError::Unreadable {
        path: path.to_owned(),
        cause: format!("the image can't be read ({cause})"),
        remedy: "replace it, or take it out of the sequence".to_owned(),
    }
}

/// Where an image is.
#[derive(Clone, Debug)]
pub enum ImageBytes {
    /// In a file.
    File(PathBuf),
    /// In memory, with a name for messages.
    Memory(PathBuf, Vec<u8>),
}

impl ImageBytes {
    /// The name for messages.
    pub fn name(&self) -> &Path {
        match self {
            Self::File(path) | Self::Memory(path, _) => path,
        }
    }
}

/// One image, upright, as [`ImageSource`] reads it. One of more than `max_pixels` is refused
/// by its header, before anything is decoded.
pub fn read_image(image: &ImageBytes, max_pixels: usize) -> Result<Frame, VideoError> {
    let path = image.name();
    let rgb = match image {
        ImageBytes::File(path) => upright(path, decoder(path)?, max_pixels)?,
        ImageBytes::Memory(path, bytes) => {
            upright(path, decoder_of(path, ImageReader::new(Cursor::new(bytes)))?, max_pixels)?
        }
    };
    let rgb = rgb.into_rgb8();
    let size = frame_size(path, rgb.dimensions())?;
    Ok(Frame::new(FrameIndex::ZERO, Timestamp::default(), size, rgb.into_raw()))
}

fn decoder(path: &Path) -> Result<impl ImageDecoder, VideoError> {
    decoder_of(path, ImageReader::open(path).map_err(|error| VideoError::from_io(path, &error))?)
}

/// The content decides the format: a JPEG called `.png` is read as what it is.
fn decoder_of<'a, R: BufRead + Seek + 'a>(
    path: &Path,
    reader: ImageReader<R>,
) -> Result<impl ImageDecoder + use<'a, R>, VideoError> {
    let reader = reader.with_guessed_format().map_err(|error| VideoError::from_io(path, &error))?;
    reader.into_decoder().map_err(|error| broken(path, error))
}

pub fn frame_size(path: &Path, (width, height): (u32, u32)) -> Result<FrameSize, VideoError> {
    FrameSize::new(width, height).ok_or_else(|| {
        broken(path, format!("{width}×{height} is too large, {} a side is the most", FrameSize::MAX_SIDE_PX))
    })
}

fn upright_size(path: &Path) -> Result<FrameSize, VideoError> {
    let mut decoder = decoder(path)?;
    let (width, height) = decoder.dimensions();
    let is_turned = matches!(
        decoder.orientation(),
        Ok(Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH)
    );
    frame_size(path, if is_turned { (height, width) } else { (width, height) })
}

pub fn read_upright(path: &Path) -> Result<DynamicImage, VideoError> {
    upright(path, decoder(path)?, usize::MAX)
}

fn upright(
    path: &Path,
    mut decoder: impl ImageDecoder,
    max_pixels: usize,
) -> Result<DynamicImage, VideoError> {
    let (width, height) = decoder.dimensions();
    if width as usize * height as usize > max_pixels {
        let cause = format!("{width}×{height} has more than {max_pixels} pixels, which is the most here");
        return Err(broken(path, cause));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| broken(path, error))?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Runs of digits compare as numbers, everything else as bytes.
fn natural_order(a: &Path, b: &Path) -> Ordering {
    let (bytes_a, bytes_b) = (a.as_os_str().as_encoded_bytes(), b.as_os_str().as_encoded_bytes());
    let (mut rest_a, mut rest_b) = (bytes_a, bytes_b);
    while let ([first_a, ..], [first_b, ..]) = (rest_a, rest_b) {
        let order = if first_a.is_ascii_digit() && first_b.is_ascii_digit() {
            let (number_a, number_b) = (take_number(&mut rest_a), take_number(&mut rest_b));
            number_a.len().cmp(&number_b.len()).then(number_a.cmp(number_b))
        } else {
            (rest_a, rest_b) = (&rest_a[1..], &rest_b[1..]);
            first_a.cmp(first_b)
        };
        if order.is_ne() {
            return order;
        }
    }
    // 1 and 01 are one number: then the plain order, so that the order is total.
    rest_a.len().cmp(&rest_b.len()).then(bytes_a.cmp(bytes_b))
}

/// Takes the digits at the start, and gives them without leading zeros.
fn take_number<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, after) = rest.split_at(digits);
    *rest = after;
    let zeros = number.iter().take_while(|&&digit| digit == b'0').count();
    &number[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_comes_before_ten() {
        let mut names = ["b1", "a10.png", "a2.png", "a02.png", "a.png", "a2b", "a99999999999999999999.png"];
        names.sort_by(|a, b| natural_order(Path::new(a), Path::new(b)));
        assert_eq!(
            names,
            ["a.png", "a02.png", "a2.png", "a2b", "a10.png", "a99999999999999999999.png", "b1"]
        );
    }

    proptest! {
        #[test]
        fn the_order_is_total(mut names in proptest::collection::vec("[a0-2.]{0,6}", 3)) {
            names.sort_by(|a, b| natural_order(Path::new(a), Path::new(b)));
            for (i, a) in names.iter().enumerate() {
                for b in &names[i..] {
                    prop_assert!(natural_order(Path::new(a), Path::new(b)).is_le());
                }
                let expected = names.iter().filter(|name| *name == a).count();
                let equal = names.iter().filter(|b| natural_order(Path::new(a), Path::new(b)).is_eq());
                prop_assert_eq!(equal.count(), expected);
            }
        }
    }
}
