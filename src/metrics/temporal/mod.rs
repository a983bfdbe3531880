//! T, the temporal stability of DAVIS 2016 (Perazzi et al., CVPR 2016): how much the shape of
//! an object's outline changes from one frame to the next, whatever its motion.
//!
//! Each mask's longest contour becomes a polygon with a vertex every few pixels
//! ([`contour`], [`polygon`]). Each vertex is described by where the others lie
//! ([`shape_context`]), and the two closed polygons are matched in order at the least cost
//! ([`matching`]). T is the mean cost of the matched pairs.
//!
//! The value follows `db_eval_t_stab` of the DAVIS 2016 code, oddities included: the
//! simplification works at half the tolerance that its name says, and a polygon counts its
//! first vertex twice.

mod contour;
mod matching;
mod polygon;
mod shape_context;
mod shortest_path;

use base::mask::Mask;

/// Shapes with more pairs of vertices than this are not matched: it would take seconds, and more than
/// a quarter of a gigabyte if all pairs are visited.
const MAX_PAIRS: usize = 1 << 23;

/// T of a mask and the next frame's: the mean shape-context matching cost, from 0 for equal
/// shapes to 1. Absent where a mask has no contour larger than about a pixel, and for outlines
/// of thousands of vertices (about 9,000 px long), since the work grows with the square.
pub fn temporal_stability(now: &Mask, next: &Mask) -> Option<f64> {
    let outline = |mask| polygon::longest(&contour::loops(mask)).map(|polygon| polygon::refine(&polygon));
    let (now, next) = (outline(now)?, outline(next)?);
    if now.len() * next.len() > MAX_PAIRS {
        return None;
    }
    let (now, next) = (shape_context::histograms(&now), shape_context::histograms(&next));
    let cost = |(a, b): (usize, usize)| shape_context::matching_cost(&now[a], &next[b]);
    Some(matching::mean_cost((now.len(), next.len()), cost))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::FrameSize;

    fn disc(centre_x: f64, centre_y: f64, radius: f64) -> Mask {
        let size = FrameSize::new(160, 120).unwrap();
        Mask::from_fn(size, |x, y| (x as f64 - centre_x).hypot(y as f64 - centre_y) <= radius)
    }

    #[test]
    fn a_shape_that_only_moves_is_stable() {
        let moved = temporal_stability(&disc(60.0, 50.0, 30.0), &disc(83.0, 61.0, 30.0)).unwrap();
        // Single precision rounds a vertex into another bin here and there.
        assert!(moved < 1e-3, "{moved}");
    }

    #[test]
    fn a_shape_that_changes_is_not() {
        let bitten = disc(60.0, 50.0, 30.0).and_not(&disc(85.0, 50.0, 14.0));
        let change = temporal_stability(&disc(60.0, 50.0, 30.0), &bitten).unwrap();
        assert!((0.05..1.0).contains(&change), "{change}");
    }

    #[test]
    fn no_contour_no_value() {
        let size = FrameSize::new(160, 120).unwrap();
        let dot = Mask::from_fn(size, |x, y| (x, y) == (9, 9));
        assert_eq!(temporal_stability(&Mask::empty(size), &disc(60.0, 50.0, 30.0)), None);
        assert_eq!(temporal_stability(&disc(60.0, 50.0, 30.0), &dot), None);
    }
}
