//! Shape contexts (Belongie, Malik and Puzicha, PAMI 2002): what each vertex of a polygon
//! sees of the others, and what it costs to match two vertices.

use std::f64::consts::TAU;

use super::polygon::Point;

const ANGLES: usize = 12;
const RADII: usize = 5;
pub const BINS: usize = ANGLES * RADII;

/// The bins' outer radii, in mean distances: `logspace(log10(1/8), log10(2), 5)`.
const OUTER_RADII: [f64; RADII] = [0.125, 0.25, 0.5, 1.0, 2.0];

/// Keeps empty bins from dividing by zero; the value that the DAVIS code writes out.
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
            histogram[ring * ANGLES + sector(dx, dy)] += 1.0;
        }
        let count = histogram.iter().sum::<f64>() + EPSILON;
        histogram.map(|bin| bin / count)
    };
    points.iter().map(histogram).collect()
}

/// Which twelfth of the turn a direction lies in. Written as the DAVIS code does, since the
/// axes are the sectors' edges and rounding decides.
fn sector(dx: f64, dy: f64) -> usize {
    let angle = (dy.atan2(dx) % TAU + TAU) % TAU;
    ((angle / (TAU / ANGLES as f64)) as usize).min(ANGLES - 1)
}

/// The costs of matching each vertex of one polygon with each of another: half the
/// chi-squared distance of their histograms, in [0, 1]. Computed when asked for, since all of
/// them would be the square of an outline's length.
pub struct Costs {
    rows: Vec<Histogram>,
    /// Bin by bin, so that a row of costs is computed along memory.
    columns: Vec<Vec<f64>>,
    column_count: usize,
}

impl Costs {
    pub fn new(rows: Vec<Histogram>, columns: &[Histogram]) -> Self {
        let by_bin = (0..BINS).map(|bin| columns.iter().map(|histogram| histogram[bin]).collect()).collect();
        Self { rows, columns: by_bin, column_count: columns.len() }
    }

    pub fn row_count(&self) -> usize {
        self.rows.len()
    }

    pub fn column_count(&self) -> usize {
        self.column_count
    }

    /// Of one pair.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        let pairs = self.rows[row].iter().zip(&self.columns);
        0.5 * pairs.map(|(&a, columns)| chi_squared(a, columns[column])).sum::<f64>()
    }

    /// Of a vertex with all vertices of the other polygon.
    pub fn row(&self, row: usize, costs: &mut [f64]) {
        costs.fill(0.0);
        for (&a, columns) in self.rows[row].iter().zip(&self.columns) {
            for (cost, &b) in costs.iter_mut().zip(columns) {
                *cost += chi_squared(a, b);
            }
        }
        costs.iter_mut().for_each(|cost| *cost *= 0.5);
    }
}

fn chi_squared(a: f64, b: f64) -> f64 {
    (a - b) * (a - b) / (a + b + EPSILON)
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
        let costs = Costs::new(histograms(&square()), &histograms(&moved));
        let mut row = vec![0.0; costs.column_count()];
        for at in 0..costs.row_count() {
            assert_eq!(costs.at(at, at), 0.0);
            costs.row(at, &mut row);
            assert!(
                row.iter().enumerate().all(|(column, &cost)| (0.0..=1.0).contains(&cost)
                    && (cost - costs.at(at, column)).abs() < 1e-15)
            );
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
