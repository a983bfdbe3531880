//! A region of the picture to leave out: a logo, a mirror, a screen on the wall.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{frame::FrameSize, mask::Mask};

/// Polygons inside which no mask has a pixel; usually there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Region(Vec<Polygon>);

impl Region {
    /// Its polygons, which may overlap.
    pub fn polygons(&self) -> &[Polygon] {
        &self.0
    }

    /// Its polygons, to be edited.
    pub fn polygons_mut(&mut self) -> &mut Vec<Polygon> {
        &mut self.0
    }

    /// Whether it has no polygons.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its pixels in a picture of `size`; `None` where there are no polygons.
    pub fn mask(&self, size: FrameSize) -> Option<Mask> {
        let masks = self.0.iter().map(|polygon| polygon.mask(size));
        masks.reduce(|all, mask| all.or(&mask))
    }
}

impl FromIterator<Polygon> for Region {
    fn from_iter<I: IntoIterator<Item = Polygon>>(polygons: I) -> Self {
        Self(polygons.into_iter().collect())
    }
}

/// Three or more corners `[x, y]` in pixels of the upright picture: (0, 0) is its upper left corner,
/// and (0.5, 0.5) the centre of its first pixel. Corners may lie outside the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<[f32; 2]>", into = "Vec<[f32; 2]>")]
pub struct Polygon(Vec<[f32; 2]>);

/// The corners make no polygon.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0} is no polygon; give three or more corners as x1,y1,x2,y2,x3,y3 in pixels")]
pub struct PolygonError(String);

impl Polygon {
    /// A polygon with these corners, in order.
    ///
    /// # Errors
    /// With fewer than three corners, or with a coordinate that is not finite.
    pub fn new(corners: Vec<[f32; 2]>) -> Result<Self, PolygonError> {
        if corners.len() < 3 {
            return Err(PolygonError(format!("a list of {} corners", corners.len())));
        }
        match corners.iter().flatten().find(|side| !side.is_finite()) {
            Some(side) => Err(PolygonError(format!("a list with {side}"))),
            None => Ok(Self(corners)),
        }
    }

    /// Its corners `[x, y]`, in order.
    pub fn corners(&self) -> &[[f32; 2]] {
        &self.0
    }

    /// Its pixels in a picture of `size`: those whose centre lies inside by the even-odd rule.
    pub fn mask(&self, size: FrameSize) -> Mask {
        let width = size.width();
        let mut crossings = Vec::new();
        Mask::from_fn_rows(size, |y, row| {
            crossings.clear();
            crossings.extend(self.crossings(y as f32 + 0.5));
            crossings.sort_by(f32::total_cmp);
            let first_pixel_after = |x: f32| ((x - 0.5).ceil().max(0.0) as usize).min(width);
            for pair in crossings.chunks_exact(2) {
                for x in first_pixel_after(pair[0])..first_pixel_after(pair[1]) {
                    row[x / 64] |= 1 << (x % 64);
                }
            }
        })
    }

    /// Where the outline crosses the horizontal line at `y`.
    fn crossings(&self, y: f32) -> impl Iterator<Item = f32> {
        let next = self.0.iter().cycle().skip(1);
        // A corner on the line belongs to the side below it: once, not twice.
        let crossing = self.0.iter().zip(next).filter(move |([_, y0], [_, y1])| (*y0 <= y) != (*y1 <= y));
        crossing.map(move |(&[x0, y0], &[x1, y1])| x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    }
}

impl TryFrom<Vec<[f32; 2]>> for Polygon {
    type Error = PolygonError;

    fn try_from(corners: Vec<[f32; 2]>) -> Result<Self, PolygonError> {
        Self::new(corners)
    }
}

impl From<Polygon> for Vec<[f32; 2]> {
    fn from(polygon: Polygon) -> Self {
        polygon.0
    }
}

/// `x1,y1,x2,y2,…`, as on the command line.
impl FromStr for Polygon {
    type Err = PolygonError;

    fn from_str(text: &str) -> Result<Self, PolygonError> {
        let sides: Option<Vec<f32>> = text.split(',').map(|side| side.trim().parse().ok()).collect();
        let sides = sides.filter(|sides| sides.len().is_multiple_of(2));
        let sides = sides.ok_or_else(|| PolygonError(format!("«{text}»")))?;
        Self::new(sides.chunks_exact(2).map(|corner| [corner[0], corner[1]]).collect())
    }
}

impl fmt::Display for Polygon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, side) in self.0.iter().flatten().enumerate() {
            write!(f, "{}{side}", if at > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size() -> FrameSize {
        FrameSize::new(70, 20).unwrap()
    }

    #[test]
    fn a_rectangle_has_its_pixels_and_what_lies_outside_the_picture_is_cut() {
        let mask = "2,3,66,3,66,5,2,5".parse::<Polygon>().unwrap().mask(size());
        assert_eq!(mask, Mask::from_fn(size(), |x, y| (2..66).contains(&x) && (3..5).contains(&y)));
        let beyond = "-9,-9,99,-9,99,99,-9,99".parse::<Polygon>().unwrap().mask(size());
        assert_eq!(beyond, Mask::full(size()));
    }

    #[test]
    fn what_is_no_polygon_is_refused_with_the_way_out() {
        for text in ["", "1,2,3", "1,2,3,4", "a,b,c,d,e,f", "1,2,3,4,5,NaN"] {
            let error = text.parse::<Polygon>().unwrap_err().to_string();
            assert!(error.contains("; give three or more corners"), "{error}");
        }
        assert!(serde_json::from_str::<Region>("[[[0,0],[1,1]]]").is_err());
        assert!(Region::default().mask(size()).is_none());
    }

    proptest! {
        #[test]
        fn words_and_json_survive_the_round_trip_and_neighbours_share_no_pixel(
            corners in proptest::collection::vec([-20f32..90.0, -20f32..40.0], 3..8), x in 1f32..69.0,
        ) {
            let polygon = Polygon::new(corners).unwrap();
            prop_assert_eq!(&polygon.to_string().parse::<Polygon>().unwrap(), &polygon);
            let region: Region = [polygon].into_iter().collect();
            let json = serde_json::to_string(&region).unwrap();
            prop_assert_eq!(serde_json::from_str::<Region>(&json).unwrap(), region);

            let part = |left: f32, right: f32| {
                Polygon::new(vec![[left, 0.0], [right, 0.0], [right, 20.0], [left, 20.0]]).unwrap().mask(size())
            };
            let (left, right) = (part(0.0, x), part(x, 70.0));
            prop_assert_eq!(left.intersection_count(&right), 0);
            prop_assert_eq!(left.or(&right), Mask::full(size()));
        }
    }
}
