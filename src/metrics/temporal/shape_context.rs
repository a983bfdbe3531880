//! Shape contexts (Belongie, Malik and Puzicha, PAMI 2002): where a polygon's other vertices lie as
//! seen from each vertex, and the cost of matching two vertices.

use std::f64::consts::TAU;

use super::polygon::Point;

const ANGLES: usize = 12;
const RADII: usize = 5;
pub const BINS: usize = ANGLES * RADII;

/// The bins' outer radii, in mean distances: `logspace(log10(1/8), log10(2), 5)`.
const OUTER_RADII: [f64; RADII] = [0.125, 0.25, 0.5, 1.0, 2.0];

/// Keeps empty bins from dividing by zero; the value in the DAVIS code.
const EPSILON: f64 = 2.2204e-16;

pub type Histogram = [f64; BINS];

/// For each vertex, the share of the vertices (itself included) in each bin of angle and of
/// distance, the distance measured in mean distances of the polygon. Vertices farther than
/// the last radius are not counted.
pub fn histograms(points: &[Point]) -> Vec<Histogram> {
    let offset =
        |from: &Point, to: &Point| (f64::from(to.0) - f64::from(from.0), f64::from(to.1) - f64::from(from.1));
    let distance = |(dx, dy): (f64, f64)| (dx * dx + dy * dy).sqrt();
    let total: f64 =
        points.iter().map(|from| points.iter().map(|to| distance(offset(from, to))).sum::<f64>()).sum();
    let mean_distance = total / points.len().pow(2) as f64;

    let histogram = |from: &Point| {
        let mut histogram = [0.0; BINS];
        for to in points {
            let (dx, dy) = offset(from, to);
            let radius = distance((dx, dy)) / mean_distance;
            let Some(ring) = OUTER_RADII.iter().position(|&outer| radius < outer) else { continue };
            histogram[(RADII - 1 - ring) * ANGLES + sector(dx, dy)] += 1.0;
        }
        let count = histogram.iter().sum::<f64>() + EPSILON;
        histogram.map(|bin| bin / count)
    };
    points.iter().map(histogram).collect()
}

/// Which twelfth of a turn a direction lies in. Written as in the DAVIS code, since the axes are the
/// sectors' edges and rounding decides.
fn sector(dx: f64, dy: f64) -> usize {
    let angle = (dy.atan2(dx) % TAU + TAU) % TAU;
    ((angle / (TAU / ANGLES as f64)) as usize).min(ANGLES - 1)
}

/// The cost of matching two vertices: half the chi-squared distance of their histograms, in [0, 1].
/// The bins are added up in eight lanes as in NumPy, so costs that are equal there are equal here and
/// the search takes the same path.
pub fn matching_cost(a: &Histogram, b: &Histogram) -> f64 {
    const LANES: usize = 8;
    let term = |(&a, &b): (&f64, &f64)| (a - b) * (a - b) / (a + b + EPSILON);
    let (chunks_a, rest_a) = a.as_chunks::<LANES>();
    let (chunks_b, rest_b) = b.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (a, b) in chunks_a.iter().zip(chunks_b) {
        for (lane, pair) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += term(pair);
        }
    }
    let [l0, l1, l2, l3, l4, l5, l6, l7] = lanes;
    let whole = ((l0 + l1) + (l2 + l3)) + ((l4 + l5) + (l6 + l7));
    0.5 * rest_a.iter().zip(rest_b).fold(whole, |sum, pair| sum + term(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square() -> Vec<Point> {
        (0..40)
            .map(|at| match (at / 10, (at % 10) as f32) {
                (0, along) => (along, 0.0),
                (1, along) => (10.0, along),
                (2, along) => (10.0 - along, 10.0),
                (_, along) => (0.0, 10.0 - along),
            })
            .collect()
    }

    #[test]
    fn a_histogram_is_of_shares() {
        for histogram in histograms(&square()) {
            assert!((histogram.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn equal_shapes_cost_nothing_wherever_they_are() {
        let moved: Vec<Point> = square().iter().map(|&(x, y)| (x + 17.0, y + 3.0)).collect();
        for (here, there) in histograms(&square()).iter().zip(&histograms(&moved)) {
            assert_eq!(matching_cost(here, there), 0.0);
        }
    }

    #[test]
    fn a_cost_is_half_the_chi_squared_distance() {
        let all = histograms(&square());
        let plain = |a: &Histogram, b: &Histogram| {
            let term = |(a, b): (&f64, &f64)| if a + b > 0.0 { (a - b).powi(2) / (a + b) } else { 0.0 };
            a.iter().zip(b).map(term).sum::<f64>() / 2.0
        };
        for (a, b) in all.iter().zip(all.iter().skip(7)) {
            assert!((matching_cost(a, b) - plain(a, b)).abs() < 1e-12);
            assert!((0.0..=1.0).contains(&matching_cost(a, b)));
        }
    }

    #[test]
    fn sectors_go_around_once() {
        let sectors: Vec<usize> = (0..12)
            .map(|hour| (f64::from(hour) / 12.0 * TAU + 0.1).sin_cos())
            .map(|(y, x)| sector(x, y))
            .collect();
        assert_eq!(sectors, (0..12).collect::<Vec<_>>());
    }
}
