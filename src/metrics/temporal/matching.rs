//! Matches the vertices of two closed polygons in order, at the least cost.
//!
//! A match is a path through the matrix of costs that goes on by a row, a column or both at
//! each step (dynamic time warping). Since nobody knows which vertices belong together, a
//! first path from corner to corner finds a pair that surely does, and a second path starts
//! from there. Vertices that are matched twice keep their cheapest partner.

use super::shape_context::Costs;

type Pair = (usize, usize);

/// The mean cost of the matched pairs.
pub fn mean_cost(costs: &Costs) -> f64 {
    let anchor = cheapest(costs, &cheapest_path(costs, (0, 0)));
    // The anchor comes last, so that the path starts right after it.
    let origin = ((anchor.0 + 1) % costs.row_count(), (anchor.1 + 1) % costs.column_count());
    let path = cheapest_path(costs, origin);
    let partners = one_partner_each(path.into_iter().map(|pair| (pair, costs.at(pair.0, pair.1))));
    partners.iter().sum::<f64>() / partners.len() as f64
}

/// The cheapest pair on a path, of equals the one nearest its end. The path's start is out.
fn cheapest(costs: &Costs, path_from_end: &[Pair]) -> Pair {
    let without_start = path_from_end.split_last().map_or(path_from_end, |(_, rest)| rest);
    let (mut best, mut least) = (path_from_end[0], f64::INFINITY);
    for &pair in without_start {
        let cost = costs.at(pair.0, pair.1);
        if cost < least {
            (best, least) = (pair, cost);
        }
    }
    best
}

/// The cheapest path through the matrix, its rows and columns rolled so that `origin` comes
/// first; from the last pair back to the origin, whose own cost is free.
fn cheapest_path(costs: &Costs, origin: Pair) -> Vec<Pair> {
    #[derive(Clone, Copy)]
    enum From {
        Diagonal,
        Row,
        Column,
    }
    let (rows, columns) = (costs.row_count(), costs.column_count());
    let mut came = vec![From::Diagonal; rows * columns];
    let mut before = vec![f64::INFINITY; columns];
    let mut now = vec![0.0; columns];
    let mut cost = vec![0.0; columns];
    for row in 0..rows {
        costs.row((origin.0 + row) % rows, &mut cost);
        cost.rotate_left(origin.1);
        for column in 0..columns {
            let diagonal = column.checked_sub(1).map_or(f64::INFINITY, |left| before[left]);
            let left = column.checked_sub(1).map_or(f64::INFINITY, |left| now[left]);
            let mut best = (diagonal, From::Diagonal);
            for other in [(before[column], From::Row), (left, From::Column)] {
                if other.0 < best.0 {
                    best = other;
                }
            }
            if (row, column) == (0, 0) {
                now[0] = 0.0;
            } else {
                now[column] = best.0 + cost[column];
                came[row * columns + column] = best.1;
            }
        }
        std::mem::swap(&mut before, &mut now);
    }

    let (mut row, mut column) = (rows - 1, columns - 1);
    let mut path = Vec::with_capacity(rows + columns);
    loop {
        path.push(((origin.0 + row) % rows, (origin.1 + column) % columns));
        if (row, column) == (0, 0) {
            return path;
        }
        (row, column) = match came[row * columns + column] {
            From::Diagonal => (row - 1, column - 1),
            From::Row => (row - 1, column),
            From::Column => (row, column - 1),
        };
    }
}

/// The costs that are left when each row keeps its cheapest column, and then each column its
/// cheapest row. A row's or a column's pairs follow each other; of equals the first is kept.
fn one_partner_each(path: impl Iterator<Item = (Pair, f64)>) -> Vec<f64> {
    let mut by_row: Vec<(Pair, f64)> = Vec::new();
    for (pair, cost) in path {
        match by_row.last_mut().filter(|(last, _)| last.0 == pair.0) {
            None => by_row.push((pair, cost)),
            Some(last) if cost < last.1 => *last = (pair, cost),
            Some(_) => {}
        }
    }
    let mut by_column: Vec<(Pair, f64)> = Vec::new();
    for (pair, cost) in by_row {
        match by_column.last_mut().filter(|(last, _)| last.1 == pair.1) {
            None => by_column.push((pair, cost)),
            Some(last) if cost < last.1 => *last = (pair, cost),
            Some(_) => {}
        }
    }
    by_column.into_iter().map(|(_, cost)| cost).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::temporal::shape_context::histograms;

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
        let describe = |roll| histograms(&star(60, roll));
        let costs = Costs::new(describe(0), &describe(23));
        // Rolling also changes rounding in the mean distance, and with it a vertex or two.
        assert!(mean_cost(&costs) < 1e-3);
    }

    #[test]
    fn every_vertex_has_at_most_one_partner() {
        let pairs = [((0, 0), 0.5), ((0, 1), 0.2), ((1, 1), 0.1), ((2, 1), 0.3), ((2, 2), 0.4)];
        // Row 0 keeps column 1, row 2 keeps column 1; column 1 then keeps row 1 of the three.
        assert_eq!(one_partner_each(pairs.into_iter()), [0.1]);
    }
}
