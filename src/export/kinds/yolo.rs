//! Masks as polygons, the way YOLO's segmentation training reads them.

use std::{fs, path::PathBuf};

use opencv::{
    core::{Mat, Point, Vec4i, Vector},
    imgproc,
};

use crate::{
    ExportError, ExportFrame, ExportTarget, Exporter, Report, names::SequenceNames, staging::Staging,
};
use base::files::PartFile;
use base::mask::Mask;

/// `yolo/000000.txt`: a line for each connected part, `class x y x y …` in shares of the
/// picture's width and height; and `yolo.yaml` with the names. A frame without any mask has an
/// empty file. Parts of one or two pixels have no polygon and are left out.
pub struct Yolo {
    files: SequenceNames,
    names: PathBuf,
    classes: Vec<String>,
}

impl Yolo {
    pub fn begin(target: &ExportTarget, staging: &mut Staging) -> Result<Self, ExportError> {
        Ok(Self {
            files: staging.sequence(target.names.sequence("yolo", None, "txt"))?,
            names: staging.file(target.names.file("{kind}", "yolo", None, "yaml"))?,
            classes: target.classes.iter().map(|class| class.name.clone()).collect(),
        })
    }
}

impl Exporter for Yolo {
    fn frame(&mut self, frame: &ExportFrame) -> Result<(), ExportError> {
        let mut text = String::new();
        for (class, pair) in frame.masks.iter().enumerate() {
            let size = pair.smoothed.size();
            for polygon in polygons(&pair.smoothed)? {
                text += &class.to_string();
                for point in polygon {
                    // Of the pixel's centre: cut to whole pixels, as trainers do, it is the pixel
                    // again whatever was rounded, and it stays in place in a scaled picture.
                    let share = |pixel: i32, side: usize| (f64::from(pixel) + 0.5) / side as f64;
                    let (x, y) = (share(point.x, size.width()), share(point.y, size.height()));
                    text += &format!(" {x:.6} {y:.6}");
                }
                text.push('\n');
            }
        }
        let path = self.files.path(frame.index.get());
        PartFile::write(&path, |part| fs::write(part, &text)).map_err(ExportError::on(&path))
    }

    fn finish(self: Box<Self>, _: &Report) -> Result<Option<String>, ExportError> {
        let mut text = String::from("names:\n");
        for (class, name) in self.classes.iter().enumerate() {
            // A JSON string is a YAML string.
            text += &format!("  {class}: {}\n", serde_json::Value::from(name.as_str()));
        }
        fs::write(&self.names, text).map_err(ExportError::on(&self.names))?;
        Ok(None)
    }
}

/// The outlines of the connected parts, through the centres of their border pixels, as
/// `cv2.findContours` gives them and `cv2.fillPoly` fills them. A hole is joined to the outline
/// by a cut as thin as a line.
fn polygons(mask: &Mask) -> opencv::Result<Vec<Vec<Point>>> {
    let size = mask.size();
    let bytes = mask.to_bytes(u8::MAX);
    let image = Mat::new_rows_cols_with_bytes::<u8>(size.height() as i32, size.width() as i32, &bytes)?;
    let mut contours = Vector::<Vector<Point>>::new();
    let mut hierarchy = Vector::<Vec4i>::new();
    imgproc::find_contours_with_hierarchy_def(
        &image,
        &mut contours,
        &mut hierarchy,
        imgproc::RETR_CCOMP,
        imgproc::CHAIN_APPROX_SIMPLE,
    )?;
    let contours: Vec<Vec<Point>> = contours.iter().map(|contour| contour.iter().collect()).collect();
    // Next, previous, first child, parent: −1 is none.
    let parents: Vec<i32> = hierarchy.iter().map(|links| links[3]).collect();
    let mut polygons = Vec::new();
    for (outer, outline) in contours.iter().enumerate().filter(|(at, _)| parents[*at] < 0) {
        let mut polygon = outline.clone();
        let holes = (0..contours.len()).filter(|&at| parents[at] == outer as i32);
        holes.for_each(|at| splice_hole(&mut polygon, &contours[at]));
        if polygon.len() > 2 {
            polygons.push(polygon);
        }
    }
    Ok(polygons)
}

/// Goes from the polygon's point nearest to the hole to it, around it, and back.
fn splice_hole(polygon: &mut Vec<Point>, hole: &[Point]) {
    let distance = |a: &Point, b: &Point| {
        let (x, y) = (i64::from(a.x - b.x), i64::from(a.y - b.y));
        x * x + y * y
    };
    let pairs = polygon
        .iter()
        .enumerate()
        .flat_map(|(at, a)| hole.iter().enumerate().map(move |(there, b)| (distance(a, b), at, there)));
    let Some((_, at, there)) = pairs.min() else { return };
    let around = hole[there..].iter().chain(&hole[..=there]).copied();
    let detour: Vec<Point> = around.chain([polygon[at]]).collect();
    polygon.splice(at + 1..at + 1, detour);
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::FrameSize;
    use opencv::prelude::*;

    #[test]
    fn filled_polygons_are_the_mask_again() {
        let size = FrameSize::new(90, 60).unwrap();
        let mask = Mask::from_fn(size, |x, y| {
            let far = |cx: usize, cy: usize| x.abs_diff(cx).pow(2) + y.abs_diff(cy).pow(2);
            (far(30, 30) < 500 && far(30, 30) > 120 || far(70, 20) < 150) && far(40, 15) > 20
        });
        let polygons = polygons(&mask).unwrap();
        assert_eq!(polygons.len(), 2);
        let mut canvas =
            Mat::new_rows_cols_with_default(60, 90, opencv::core::CV_8UC1, opencv::core::Scalar::all(0.0))
                .unwrap();
        for polygon in polygons {
            let polygon: Vector<Point> = polygon.into_iter().collect();
            let all = Vector::<Vector<Point>>::from_iter([polygon]);
            imgproc::fill_poly_def(&mut canvas, &all, opencv::core::Scalar::all(1.0)).unwrap();
        }
        let filled = Mask::from_bytes(size, canvas.data_bytes().unwrap());
        let same = filled.intersection_count(&mask) as f64 / filled.union_count(&mask) as f64;
        // The borders of holes are in the mask and outside of the polygon's hole.
        assert!(same > 0.97, "{same}");
    }
}
