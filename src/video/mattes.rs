//! Masks from the files of other programs: which of a picture's values are the mask.
//!
//! Grey pictures are masks themselves, anti-aliased edges and 16 bits included. Where pictures
//! have transparency, that is the mask. PNGs with a palette of colours (Pascal VOC, DAVIS) hold
//! numbers of classes or objects.

use std::{
    collections::BTreeSet,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use super::{ImageSource, VideoError, VideoSource, images, open};
use base::frame::{FrameIndex, FrameSize};

/// How many images of a sequence, spread over it, are read to tell what they hold.
const SAMPLES: usize = 16;
/// Pascal VOC's label for borders and for regions that don't count.
pub const VOID_INDEX: u8 = 255;

/// What the values of mattes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatteKind {
    /// How much of the pixel is set.
    Grey,
    /// The same, from the pictures' alpha channel.
    Alpha,
    /// Numbers of classes. The set has those in the images that were read, without 0 and 255.
    Indices(BTreeSet<u8>),
}

/// The mask of one frame.
pub struct Matte {
    /// Width and height.
    pub size: FrameSize,
    /// `height × width`: 0 to 65535 of grey and alpha, and plain numbers of indices.
    pub values: Vec<u16>,
}

/// Masks one after another.
pub struct MatteSource {
    kind: MatteKind,
    size: FrameSize,
    pictures: Pictures,
}

enum Pictures {
    Images(Vec<PathBuf>),
    Video { source: Box<dyn VideoSource>, next: usize },
}

impl MatteSource {
    /// Opens a video, an image, a folder of images, or a glob of images.
    ///
    /// # Errors
    /// When it can't be read, or is a video with transparency, which OpenCV would leave out.
    pub fn open(path: &Path) -> Result<Self, VideoError> {
        let paths = if path.is_dir() {
            Some(ImageSource::open_folder(path)?.into_paths())
        } else if !path.exists() && images::is_glob(path) {
            Some(ImageSource::open_glob(path)?.into_paths())
        } else if images::has_image_name(path) {
            Some(vec![path.to_owned()])
        } else {
            None
        };
        if let Some(paths) = paths {
            let kind = kind_of(&paths)?;
            let first = paths.first().ok_or_else(|| VideoError::Missing(path.to_owned()))?;
            let size = read(first, &kind)?.size;
            return Ok(Self { kind, size, pictures: Pictures::Images(paths) });
        }
        let source = open(path)?;
        let info = source.info();
        if info.pixel_format.as_deref().is_some_and(has_alpha) {
            return Err(VideoError::Unreadable {
                path: path.to_owned(),
                cause: "it is a video with transparency, which can't be read as masks".to_owned(),
                remedy: "make grey of it with: ffmpeg -i FILE -vf alphaextract -c:v ffv1 MASKS.mkv"
                    .to_owned(),
            });
        }
        Ok(Self { kind: MatteKind::Grey, size: info.size, pictures: Pictures::Video { source, next: 0 } })
    }

    /// What its values are.
    pub fn kind(&self) -> &MatteKind {
        &self.kind
    }

    /// The size of the first one.
    pub fn size(&self) -> FrameSize {
        self.size
    }

    /// The mask of frame `index`, or `None` past the end. Reading in order is fastest.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn matte(&mut self, index: FrameIndex) -> Result<Option<Matte>, VideoError> {
        match &mut self.pictures {
            Pictures::Images(paths) => paths.get(index.get()).map(|path| read(path, &self.kind)).transpose(),
            Pictures::Video { source, next } => {
                if *next != index.get() {
                    source.seek(index)?;
                }
                *next = index.get() + 1;
                let Some(frame) = source.next_frame()? else { return Ok(None) };
                let pixels = frame.rgb().as_chunks::<3>().0.iter();
                let values = pixels.map(|&rgb| widened(brightest(rgb))).collect();
                Ok(Some(Matte { size: frame.size(), values }))
            }
        }
    }
}

/// Coloured masks count by their strongest channel; of grey all are the same.
fn brightest<T: Ord + Copy>([r, g, b]: [T; 3]) -> T {
    r.max(g).max(b)
}

/// 8 bits as 16: 255 is 65535.
fn widened(value: u8) -> u16 {
    u16::from(value) * 257
}

/// By FFmpeg's names of pixel formats.
fn has_alpha(name: &str) -> bool {
    ["yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16"]
        .iter()
        .any(|start| name.starts_with(start))
}

fn kind_of(paths: &[PathBuf]) -> Result<MatteKind, VideoError> {
    let step = paths.len().div_ceil(SAMPLES).max(1);
    let sampled = || paths.iter().step_by(step).chain(paths.last());
    let mut indices = BTreeSet::new();
    let mut all_indexed = true;
    for path in sampled() {
        match read_indices(path)? {
            Some(matte) => indices.extend(matte.values.iter().map(|&value| value as u8)),
            None => {
                all_indexed = false;
                break;
            }
        }
    }
    if all_indexed {
        indices.retain(|&index| index != 0 && index != VOID_INDEX);
        return Ok(MatteKind::Indices(indices));
    }
    // Opaque everywhere, transparency says nothing.
    for path in sampled() {
        let image = images::read_upright(path)?;
        if image.color().has_alpha() && image.into_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX) {
            return Ok(MatteKind::Alpha);
        }
    }
    Ok(MatteKind::Grey)
}

fn read(path: &Path, kind: &MatteKind) -> Result<Matte, VideoError> {
    if let MatteKind::Indices(_) = kind {
        let matte = read_indices(path)?;
        return matte.ok_or_else(|| {
            images::broken(path, "the other images have a palette of classes, and this one has none")
        });
    }
    let image = images::read_upright(path)?;
    let size = images::frame_size(path, (image.width(), image.height()))?;
    let values = match kind {
        MatteKind::Alpha => image.into_rgba16().pixels().map(|pixel| pixel.0[3]).collect(),
        _ => image.into_rgb16().pixels().map(|pixel| brightest(pixel.0)).collect(),
    };
    Ok(Matte { size, values })
}

/// The numbers in a PNG with a palette of colours; `None` of anything else. A palette of greys
/// is a way to write a grey picture.
fn read_indices(path: &Path) -> Result<Option<Matte>, VideoError> {
    let file = File::open(path).map_err(|error| VideoError::from_io(path, &error))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::IDENTITY);
    // What is no PNG is read by others, who say why they can't.
    let Ok(mut reader) = decoder.read_info() else { return Ok(None) };
    let info = reader.info();
    let is_grey = |palette: &[u8]| palette.as_chunks::<3>().0.iter().all(|[r, g, b]| r == g && g == b);
    if info.palette.as_deref().is_none_or(is_grey) || info.color_type != png::ColorType::Indexed {
        return Ok(None);
    }
    let size = images::frame_size(path, (info.width, info.height))?;
    let bits = info.bit_depth as usize;
    let mut bytes = vec![0; reader.output_buffer_size().unwrap_or_default()];
    let frame = reader.next_frame(&mut bytes).map_err(|error| images::broken(path, error))?;
    let row = |y: usize| &bytes[y * frame.line_size..][..frame.line_size];
    let value = |row: &[u8], x: usize| {
        // The leftmost pixel is in the highest bits.
        let shift = 8 - bits - x * bits % 8;
        u16::from(row[x * bits / 8] >> shift) & ((1 << bits) - 1)
    };
    let values = (0..size.height()).flat_map(|y| (0..size.width()).map(move |x| value(row(y), x)));
    Ok(Some(Matte { size, values: values.collect() }))
}
