//! Masks in the format of COCO's annotations, with run lengths as `pycocotools` packs them.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};

use serde_json::json;

use crate::{
    ExportError, ExportFrame, ExportTarget, Exporter, Report,
    boxes::{bounds, score},
    staging::Staging,
};
use base::mask::Mask;

/// `coco.json`: an image for each frame, and an annotation for each frame and class that is
/// not empty. Annotations go to the file as they come; of the images their rows are kept.
pub struct Coco {
    path: PathBuf,
    file: BufWriter<File>,
    video: String,
    images: Vec<serde_json::Value>,
    categories: Vec<serde_json::Value>,
    annotations: usize,
}

impl Coco {
    pub fn begin(target: &ExportTarget, staging: &mut Staging) -> Result<Self, ExportError> {
        let path = staging.file(target.names.file("{kind}", "coco", None, "json"))?;
        let file = File::create(&path).map_err(ExportError::on(&path))?;
        let categories = target
            .classes
            .iter()
            .map(|class| json!({ "id": class.index, "name": class.name, "supercategory": "object" }));
        let mut coco = Self {
            file: BufWriter::new(file),
            video: target.info.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            images: Vec::new(),
            categories: categories.collect(),
            annotations: 0,
            path,
        };
        coco.write("{\"annotations\": [")?;
        Ok(coco)
    }

    fn write(&mut self, text: &str) -> Result<(), ExportError> {
        self.file.write_all(text.as_bytes()).map_err(ExportError::on(&self.path))
    }
}

impl Exporter for Coco {
    fn frame(&mut self, frame: &ExportFrame) -> Result<(), ExportError> {
        let index = frame.index.get();
        for (at, pair) in frame.masks.iter().enumerate() {
            let mask = &pair.smoothed;
            let Some(bounds) = bounds(mask) else { continue };
            let soft = frame.soft.as_ref().and_then(|soft| soft.get(at));
            let size = mask.size();
            let annotation = json!({
                "id": self.annotations + 1,
                "image_id": index,
                "category_id": self.categories[at]["id"],
                "segmentation": { "size": [size.height(), size.width()], "counts": run_lengths(mask) },
                "area": mask.count(),
                "bbox": bounds,
                "iscrowd": 0,
                "score": score(mask, soft),
            });
            let comma = if self.annotations == 0 { "\n" } else { ",\n" };
            self.write(&format!("{comma}{annotation}"))?;
            self.annotations += 1;
        }
        let size = frame.masks.first().map(|pair| pair.smoothed.size());
        self.images.push(json!({
            "id": index,
            "file_name": format!("{index:06}.png"),
            "width": size.map(|size| size.width()),
            "height": size.map(|size| size.height()),
            "timestamp_secs": frame.timestamp.secs(),
        }));
        Ok(())
    }

    fn finish(mut self: Box<Self>, report: &Report) -> Result<Option<String>, ExportError> {
        let images = std::mem::take(&mut self.images);
        let (video, program) = (json!(self.video), json!(report.program));
        let categories = json!(self.categories);
        self.write(&format!("\n],\n\"categories\": {categories},\n\"info\": {{\"description\": {video}, \"contributor\": {program}}},\n\"images\": ["))?;
        for (at, image) in images.iter().enumerate() {
            let comma = if at == 0 { "\n" } else { ",\n" };
            self.write(&format!("{comma}{image}"))?;
        }
        self.write("\n]}\n")?;
        self.file.flush().map_err(ExportError::on(&self.path))?;
        Ok(None)
    }
}

/// Lengths of runs, unset first, down the columns from the left; each is written as its
/// difference to the one two before, five bits a letter (`rleToString` in COCO's `maskApi.c`).
pub fn run_lengths(mask: &Mask) -> String {
    let size = mask.size();
    let bytes = mask.to_bytes(1);
    let (mut runs, mut value, mut length) = (Vec::<i64>::new(), 0, 0);
    for x in 0..size.width() {
        for &pixel in bytes[x..].iter().step_by(size.width()) {
            if pixel != value {
                runs.push(length);
                (value, length) = (pixel, 0);
            }
            length += 1;
        }
    }
    runs.push(length);
    let mut text = String::new();
    for at in 0..runs.len() {
        let mut rest = if at > 2 { runs[at] - runs[at - 2] } else { runs[at] };
        loop {
            let five = (rest & 0x1f) as u8;
            rest >>= 5;
            // The sign is the highest of the five bits.
            let more = if five & 0x10 == 0 { rest != 0 } else { rest != -1 };
            text.push(char::from(48 + (five | if more { 0x20 } else { 0 })));
            if !more {
                break;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::FrameSize;

    /// From `pycocotools.mask.encode` of the same masks.
    #[test]
    fn runs_are_packed_as_pycocotools_packs_them() {
        let mask = |width: u32, height: u32, is_set: fn(usize, usize) -> bool| {
            Mask::from_fn(FrameSize::new(width, height).unwrap(), is_set)
        };
        assert_eq!(run_lengths(&mask(4, 3, |_, _| false)), "<");
        assert_eq!(run_lengths(&mask(4, 3, |_, _| true)), "0<");
        let ring = mask(70, 40, |x, y| {
            let (x, y) = (x as i32 - 35, y as i32 - 20);
            (50..200).contains(&(x * x + y * y))
        });
        assert_eq!(run_lengths(&ring), RING);
        assert_eq!(bounds(&ring), Some([21, 6, 29, 29]));
        assert_eq!(score(&ring, None), 1.0);
    }

    const RING: &str =
        r"kj03Q18J4M2N2N2N2NEA0>MH070K04ON02O000000O110NO40L120OO10000001N021L050I083B0?;2N2N2N2N3L6Hah0";
}
