//! From loops of cracks to one polygon: simplified, the longest, clockwise, refined.

use super::contour::Corner;

/// `(column, row)` in pixels.
pub type Point = (f32, f32);

/// Of the simplification, in half pixels: it runs on a grid of twice the resolution, so the
/// DAVIS code's tolerance of 3 is one and a half pixels.
const TOLERANCE_HALF_PX: f64 = 3.0;
/// Straight lines are made of their ends first.
const STRAIGHT_HALF_PX: f64 = 0.1;
/// Sides longer than this are divided.
const MAX_SIDE_PX: f32 = 3.0;

/// The simplified loop with the most vertices (of equals the first), clockwise on the screen
/// or, where it bounds a hole, the other way around. The first vertex is repeated at the end.
/// `None` when no loop has more than a triangle's worth of vertices.
pub fn longest(loops: &[Vec<Corner>]) -> Option<Vec<Corner>> {
    let mut longest: Option<(usize, Vec<Corner>)> = None;
    for (index, corners) in loops.iter().enumerate() {
        let simple = simplify(&simplify(corners, STRAIGHT_HALF_PX), TOLERANCE_HALF_PX);
        let length = longest.as_ref().map_or(3, |(_, polygon)| polygon.len());
        if simple.len() > length {
            longest = Some((index, simple));
        }
    }
    let (index, mut polygon) = longest?;
    let others = loops.iter().enumerate().filter(|&(other, _)| other != index);
    let first = [loops[index][0], loops[index][1]];
    let is_hole = others.filter(|(_, corners)| surrounds(corners, first)).count() % 2 == 1;
    if is_clockwise(&polygon) == is_hole {
        polygon.reverse();
    }
    Some(polygon)
}

/// Divides long sides evenly, so that no side is longer than 3 pixels. Single precision, as
/// in the DAVIS code: where a vertex falls on a bin's edge, rounding decides.
pub fn refine(polygon: &[Corner]) -> Vec<Point> {
    let point = |&(row, column): &Corner| (column as f32, row as f32);
    let mut points: Vec<Point> = polygon.first().map(point).into_iter().collect();
    for side in polygon.windows(2) {
        let (from, to) = (point(&side[0]), point(&side[1]));
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = (dx * dx + dy * dy).sqrt();
        if length > MAX_SIDE_PX {
            let parts = (length / MAX_SIDE_PX).ceil();
            let step = (dx / parts, dy / parts);
            let mut at = from;
            for _ in 1..parts as usize {
                at = (at.0 + step.0, at.1 + step.1);
                points.push(at);
            }
        }
        points.push(to);
    }
    points
}

/// Ramer-Douglas-Peucker, after vertices closer than the tolerance to the last one kept were
/// dropped (as psimpl does it). Both ends stay.
fn simplify(corners: &[Corner], tolerance_half_px: f64) -> Vec<Corner> {
    if corners.len() < 3 {
        return corners.to_vec();
    }
    let tolerance_squared = tolerance_half_px * tolerance_half_px;
    let thinned = thin_out(corners, tolerance_squared);
    let mut keep = vec![false; thinned.len()];
    let last = thinned.len() - 1;
    (keep[0], keep[last]) = (true, true);
    let mut runs = vec![(0, last)];
    while let Some((start, end)) = runs.pop() {
        let (mut key, mut farthest) = (None, 0.0);
        for (at, &corner) in thinned.iter().enumerate().take(end).skip(start + 1) {
            let distance =
                distance_squared_to_side(half_px(thinned[start]), half_px(thinned[end]), half_px(corner));
            // Of equals the last.
            if distance >= farthest {
                (key, farthest) = (Some(at), distance);
            }
        }
        if let Some(key) = key.filter(|_| farthest > tolerance_squared) {
            keep[key] = true;
            runs.extend([(start, key), (key, end)]);
        }
    }
    thinned.into_iter().zip(keep).filter_map(|(corner, keep)| keep.then_some(corner)).collect()
}

fn thin_out(corners: &[Corner], tolerance_squared: f64) -> Vec<Corner> {
    let (Some(&first), Some(&last)) = (corners.first(), corners.last()) else { return Vec::new() };
    let mut kept = vec![first];
    let mut current = first;
    for &corner in &corners[1..corners.len() - 1] {
        if distance_squared(half_px(current), half_px(corner)) >= tolerance_squared {
            kept.push(corner);
            current = corner;
        }
    }
    kept.push(last);
    kept
}

/// `(row, column)` in half pixels, as the tolerances.
fn half_px((row, column): Corner) -> (f64, f64) {
    (2.0 * row as f64, 2.0 * column as f64)
}

fn distance_squared(a: (f64, f64), b: (f64, f64)) -> f64 {
    (a.0 - b.0) * (a.0 - b.0) + (a.1 - b.1) * (a.1 - b.1)
}

/// Written as psimpl does, since vertices of a pixel grid are often equally far and rounding
/// decides.
fn distance_squared_to_side(start: (f64, f64), end: (f64, f64), at: (f64, f64)) -> f64 {
    let side = (end.0 - start.0, end.1 - start.1);
    let along = (at.0 - start.0) * side.0 + (at.1 - start.1) * side.1;
    if along <= 0.0 {
        return distance_squared(start, at);
    }
    let length_squared = side.0 * side.0 + side.1 * side.1;
    if length_squared <= along {
        return distance_squared(end, at);
    }
    let fraction = along / length_squared;
    distance_squared((start.0 + side.0 * fraction, start.1 + side.1 * fraction), at)
}

/// Whether a closed loop of cracks goes around the crack between two corners, which is none
/// of its own.
fn surrounds(corners: &[Corner], crack: [Corner; 2]) -> bool {
    // In half pixels; a ray downwards, just right of the crack's middle, meets the loop's
    // horizontal cracks.
    let (row, column) = (crack[0].0 + crack[1].0, crack[0].1 + crack[1].1);
    let crossings = corners.windows(2).filter(|pair| {
        let left = 2 * pair[0].1.min(pair[1].1);
        pair[0].0 == pair[1].0 && 2 * pair[0].0 > row && (left..left + 2).contains(&column)
    });
    crossings.count() % 2 == 1
}

/// On the screen, where rows grow downwards.
fn is_clockwise(polygon: &[Corner]) -> bool {
    let part =
        |pair: &[Corner]| (pair[1].0 as i64 - pair[0].0 as i64) * (pair[1].1 as i64 + pair[0].1 as i64);
    polygon.windows(2).map(part).sum::<i64>() > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temporal::contour::loops;
    use base::frame::FrameSize;
    use base::mask::Mask;

    fn outline(is_set: impl FnMut(usize, usize) -> bool) -> Option<Vec<Corner>> {
        longest(&loops(&Mask::from_fn(FrameSize::new(40, 30).unwrap(), is_set)))
    }

    #[test]
    fn a_rectangle_is_its_corners_clockwise() {
        let polygon = outline(|x, y| (5..25).contains(&x) && (4..14).contains(&y)).unwrap();
        assert_eq!(polygon, [(4, 5), (4, 25), (14, 25), (14, 5), (4, 5)]);
    }

    #[test]
    fn a_hole_runs_the_other_way() {
        // The frame's outside has four corners; the hole, a plus, has twelve.
        let plus = |x: usize, y: usize| {
            (15..20).contains(&x) && (5..25).contains(&y) || (8..30).contains(&x) && (12..17).contains(&y)
        };
        let polygon = outline(|x, y| !plus(x, y)).unwrap();
        assert_eq!(polygon.len(), 13);
        assert!(!is_clockwise(&polygon));
        assert!(is_clockwise(&outline(plus).unwrap()));
    }

    #[test]
    fn specks_are_no_outline() {
        assert_eq!(outline(|_, _| false), None);
        assert_eq!(outline(|x, y| (x, y) == (3, 3)), None);
    }

    #[test]
    fn sides_are_divided_evenly() {
        let points = refine(&[(0, 0), (0, 8), (2, 8)]);
        let columns: Vec<f32> = points.iter().map(|point| point.0).collect();
        assert_eq!(columns.len(), 5);
        assert!((columns[1] - 8.0 / 3.0).abs() < 1e-6 && columns[3] == 8.0);
        assert_eq!(points[4], (8.0, 2.0));
    }
}
