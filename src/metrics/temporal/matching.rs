//! Matches the vertices of two closed polygons in order, at the least cost.
//!
//! A matching is a path through the matrix of costs whose steps go on by a row, a column or both
//! (dynamic time warping). Since it is not known where to begin on the closed polygons, a first path
//! from corner to corner finds a pair that matches well, and a second path starts there. Vertices
//! that are matched more than once keep their cheapest partner.

use super::shortest_path::{Pair, cheapest_path};

/// The mean cost of the matched pairs; `counts` are the numbers of the polygons' vertices.
pub fn mean_cost(counts: Pair, cost: impl Fn(Pair) -> f64) -> f64 {
    let anchor = cheapest(&cheapest_path(counts, &cost), &cost);
    // The anchor comes last, so that the second path starts right after it.
    let rolled = |pair: Pair| ((pair.0 + anchor.0 + 1) % counts.0, (pair.1 + anchor.1 + 1) % counts.1);
    let path = cheapest_path(counts, |pair| cost(rolled(pair)));
    let partners = one_partner_each(path.into_iter().map(|pair| (pair, cost(rolled(pair)))));
    partners.iter().sum::<f64>() / partners.len() as f64
}

/// The cheapest pair on a path, its start excluded; of equals the one nearest to the path's end.
fn cheapest(path_from_end: &[Pair], cost: impl Fn(Pair) -> f64) -> Pair {
    let (mut best, mut least) = (path_from_end[0], f64::INFINITY);
    for &pair in path_from_end.split_last().map_or(path_from_end, |(_, rest)| rest) {
        let cost = cost(pair);
        if cost < least {
            (best, least) = (pair, cost);
        }
    }
    best
}

/// The costs that remain when each row keeps its cheapest column, and then each column its cheapest
/// row; of equals the first. The pairs of a row or a column are consecutive.
fn one_partner_each(path: impl Iterator<Item = (Pair, f64)>) -> Vec<f64> {
    let by_row = keep_cheapest(path, |pair| pair.0);
    let by_column = keep_cheapest(by_row.into_iter(), |pair| pair.1);
    by_column.into_iter().map(|(_, cost)| cost).collect()
}

/// The cheapest of each run of pairs with the same key.
fn keep_cheapest(pairs: impl Iterator<Item = (Pair, f64)>, key: impl Fn(Pair) -> usize) -> Vec<(Pair, f64)> {
    let mut kept: Vec<(Pair, f64)> = Vec::new();
    for (pair, cost) in pairs {
        match kept.last_mut().filter(|(last, _)| key(*last) == key(pair)) {
            None => kept.push((pair, cost)),
            Some(last) if cost < last.1 => *last = (pair, cost),
            Some(_) => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temporal::shape_context::{histograms, matching_cost};

    /// A lopsided star, its vertices rolled by `roll`.
    fn star(points: usize, roll: usize) -> Vec<(f32, f32)> {
        let vertex = |at: usize| {
            let turn = at as f32 / points as f32;
            let radius = 20.0 + 8.0 * (3.0 * turn * std::f32::consts::TAU).sin() + 10.0 * turn;
            (radius * (turn * std::f32::consts::TAU).cos(), radius * (turn * std::f32::consts::TAU).sin())
        };
        (0..points).map(|at| vertex((at + roll) % points)).collect()
    }

    #[test]
    fn where_a_polygon_starts_does_not_matter() {
        let (here, there) = (histograms(&star(60, 0)), histograms(&star(60, 23)));
        // Rolling also changes rounding in the mean distance, and with it a vertex or two.
        assert!(mean_cost((60, 60), |(a, b)| matching_cost(&here[a], &there[b])) < 1e-3);
    }

    #[test]
    fn every_vertex_has_at_most_one_partner() {
        let pairs = [((0, 0), 0.5), ((0, 1), 0.2), ((1, 1), 0.1), ((2, 1), 0.3), ((2, 2), 0.4)];
        // Row 0 keeps column 1, row 2 keeps column 1; column 1 then keeps row 1 of the three.
        assert_eq!(one_partner_each(pairs.into_iter()), [0.1]);
    }
}
