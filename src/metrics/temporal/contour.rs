//! A mask's contours as closed loops along the cracks between pixels.
//!
//! A crack is the unit edge between a set and an unset pixel; outside the picture nothing is
//! set. Most corners join two cracks. A junction, where two set pixels meet at a corner only,
//! joins four: there a contour always turns, and a loop is cut off each time a junction comes
//! up again. The order in which junctions and cracks are taken is that of the DAVIS code,
//! since it decides which loops come out.

use std::collections::BTreeSet;

use base::mask::Mask;

/// A corner between pixels, `(row, column)`, from (0, 0) to (height, width).
pub type Corner = (usize, usize);

/// The four directions from a corner, in the order in which a junction's cracks are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Left,
    Down,
    Right,
}

const DIRECTIONS: [Direction; 4] = [Direction::Up, Direction::Left, Direction::Down, Direction::Right];

/// A run of cracks from one junction to another, or back to its own.
struct Piece {
    junctions: [usize; 2],
    /// From the first junction to the second, both included.
    corners: Vec<Corner>,
}

/// The loops of all contours. Each starts and ends at the same corner; neither orientation nor nesting
/// is normalised.
pub fn loops(mask: &Mask) -> Vec<Vec<Corner>> {
    Tracer::new(mask).trace().close()
}

/// Walks along cracks and remembers where it was.
struct Tracer<'a> {
    mask: &'a Mask,
    /// One flag for each crack and corner: row `2·row`, column `2·column` is a corner, a
    /// crack lies between two corners.
    walked: Vec<bool>,
    junctions: Vec<Corner>,
    pieces: Vec<Piece>,
}

impl<'a> Tracer<'a> {
    fn new(mask: &'a Mask) -> Self {
        let (rows, columns) = (2 * mask.size().height() + 1, 2 * mask.size().width() + 1);
        Self { mask, walked: vec![false; rows * columns], junctions: Vec::new(), pieces: Vec::new() }
    }

    /// All cracks, as pieces.
    fn trace(mut self) -> Pieces {
        let (height, width) = (self.mask.size().height(), self.mask.size().width());
        let corners = (1..height).flat_map(|row| (1..width).map(move |column| (row, column)));
        self.junctions = corners.filter(|&corner| self.is_junction(corner)).collect();
        for junction in (0..self.junctions.len()).rev() {
            for direction in DIRECTIONS {
                self.follow(junction, direction);
            }
        }
        // The remaining loops have no junction: they start at the top of their first vertical crack.
        for row in 0..height {
            for column in 0..=width {
                let corner = (row, column);
                if self.is_crack(corner, Direction::Down)
                    && !self.walked[self.crack_index(corner, Direction::Down)]
                {
                    self.junctions.push(corner);
                    self.follow(self.junctions.len() - 1, Direction::Down);
                }
            }
        }
        Pieces { junctions: self.junctions.len(), pieces: self.pieces }
    }

    /// Adds the piece that leaves a junction by `direction`, unless it was walked before.
    fn follow(&mut self, junction: usize, mut direction: Direction) {
        let start = self.junctions[junction];
        if self.walked[self.crack_index(start, direction)] {
            return;
        }
        let mut corners = vec![start];
        let mut corner = start;
        let end = loop {
            let index = self.crack_index(corner, direction);
            self.walked[index] = true;
            corner = neighbour(corner, direction);
            corners.push(corner);
            if corner == start || self.is_junction(corner) {
                break corner;
            }
            // A corner that is no junction joins two cracks, and one of them is walked.
            let onward = DIRECTIONS.into_iter().find(|&direction| {
                self.is_crack(corner, direction) && !self.walked[self.crack_index(corner, direction)]
            });
            match onward {
                Some(onward) => direction = onward,
                None => break corner,
            }
        };
        let end = if end == start { junction } else { self.junctions.partition_point(|&at| at < end) };
        self.pieces.push(Piece { junctions: [junction, end], corners });
    }

    /// Whether two set pixels meet at this corner and nowhere else around it.
    fn is_junction(&self, (row, column): Corner) -> bool {
        let set = |row, column| self.is_set(row, column);
        let here = set(row, column);
        here != set(row, column.wrapping_sub(1))
            && here != set(row.wrapping_sub(1), column)
            && here == set(row.wrapping_sub(1), column.wrapping_sub(1))
    }

    fn is_crack(&self, (row, column): Corner, direction: Direction) -> bool {
        let (above, left) = (row.wrapping_sub(1), column.wrapping_sub(1));
        let pixels = match direction {
            Direction::Up => [(above, left), (above, column)],
            Direction::Down => [(row, left), (row, column)],
            Direction::Left => [(above, left), (row, left)],
            Direction::Right => [(above, column), (row, column)],
        };
        let [a, b] = pixels.map(|(row, column)| self.is_set(row, column));
        a != b
    }

    /// Outside the picture, a wrapped −1 included, nothing is set.
    fn is_set(&self, row: usize, column: usize) -> bool {
        self.mask.get(column, row)
    }

    fn crack_index(&self, (row, column): Corner, direction: Direction) -> usize {
        let (row, column) = (2 * row, 2 * column);
        let (row, column) = match direction {
            Direction::Up => (row.wrapping_sub(1), column),
            Direction::Down => (row + 1, column),
            Direction::Left => (row, column.wrapping_sub(1)),
            Direction::Right => (row, column + 1),
        };
        row * (2 * self.mask.size().width() + 1) + column
    }
}

fn neighbour((row, column): Corner, direction: Direction) -> Corner {
    match direction {
        Direction::Up => (row - 1, column),
        Direction::Down => (row + 1, column),
        Direction::Left => (row, column - 1),
        Direction::Right => (row, column + 1),
    }
}

/// Pieces of contours, to be joined to loops.
struct Pieces {
    junctions: usize,
    pieces: Vec<Piece>,
}

impl Pieces {
    fn close(self) -> Vec<Vec<Corner>> {
        // Pieces not yet used, at each junction.
        let mut open = vec![BTreeSet::new(); self.junctions];
        for (index, piece) in self.pieces.iter().enumerate() {
            for junction in piece.junctions {
                open[junction].insert(index);
            }
        }
        let mut loops = Vec::new();
        for start in (0..self.junctions).rev() {
            while let Some(&first) = open[start].first() {
                self.walk(start, first, &mut open, &mut loops);
            }
        }
        loops
    }

    /// Walks from `start` by the piece `first` until every loop on the way is closed.
    fn walk(&self, start: usize, first: usize, open: &mut [BTreeSet<usize>], loops: &mut Vec<Vec<Corner>>) {
        // Each junction on the way with the piece by which it was left; no junction twice.
        let mut path: Vec<(usize, usize)> = Vec::new();
        let (mut junction, mut next) = (start, Some(first));
        while let Some(piece) = next {
            for end in self.pieces[piece].junctions {
                open[end].remove(&piece);
            }
            path.push((junction, piece));
            junction = self.pieces[piece].other_end(junction);
            if let Some(seen) = path.iter().position(|&(before, _)| before == junction) {
                loops.push(self.join(&path[seen..]));
                path.truncate(seen);
            }
            // After a loop was cut off, the walk goes on from the piece that led to it.
            next = path.last().and_then(|&(_, arrived)| {
                let from = self.pieces[arrived].first_corner(junction);
                let is_open_turn =
                    |piece: &&usize| is_turn(from, self.pieces[**piece].first_corner(junction));
                open[junction].iter().find(is_open_turn).copied()
            });
        }
    }

    fn join(&self, path: &[(usize, usize)]) -> Vec<Corner> {
        let mut corners: Vec<Corner> = Vec::new();
        for &(junction, piece) in path {
            let Piece { junctions, corners: run } = &self.pieces[piece];
            // Where a run starts the one before has ended.
            corners.pop();
            if junctions[0] == junction {
                corners.extend(run);
            } else {
                corners.extend(run.iter().rev());
            }
        }
        corners
    }
}

impl Piece {
    fn other_end(&self, junction: usize) -> usize {
        if self.junctions[0] == junction { self.junctions[1] } else { self.junctions[0] }
    }

    /// The corner next to the junction.
    fn first_corner(&self, junction: usize) -> Corner {
        if self.junctions[0] == junction { self.corners[1] } else { self.corners[self.corners.len() - 2] }
    }
}

/// Whether two neighbours of a junction do not lie opposite each other.
fn is_turn(from: Corner, to: Corner) -> bool {
    from.0 != to.0 && from.1 != to.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::frame::FrameSize;
    use proptest::prelude::*;

    fn mask(rows: &[&str]) -> Mask {
        let size = FrameSize::new(rows[0].len() as u32, rows.len() as u32).unwrap();
        Mask::from_fn(size, |x, y| rows[y].as_bytes()[x] == b'#')
    }

    /// Twice the signed area.
    fn doubled_area(corners: &[Corner]) -> i64 {
        let cross =
            |pair: &[Corner]| pair[0].0 as i64 * pair[1].1 as i64 - pair[1].0 as i64 * pair[0].1 as i64;
        corners.windows(2).map(cross).sum()
    }

    #[test]
    fn a_pixel_is_walked_down_its_left_side_first() {
        assert_eq!(loops(&mask(&["#"])), [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]]);
    }

    #[test]
    fn a_ring_has_an_outside_and_a_hole() {
        let areas: Vec<i64> =
            loops(&mask(&["###", "#.#", "###"])).iter().map(|l| doubled_area(l).abs()).collect();
        assert_eq!(areas, [2, 18]);
    }

    #[test]
    fn pixels_that_touch_at_a_corner_are_two_loops() {
        let loops = loops(&mask(&["#.", ".#"]));
        assert_eq!(loops.len(), 2);
        assert!(loops.iter().all(|corners| corners.len() == 5 && corners[0] == (1, 1)));
    }

    proptest! {
        #[test]
        fn loops_are_closed_and_use_every_crack_once(bits in proptest::collection::vec(0u8..2, 35)) {
            let mask = Mask::from_bytes(FrameSize::new(7, 5).unwrap(), &bits);
            let loops = loops(&mask);
            let mut walked = BTreeSet::new();
            for corners in &loops {
                prop_assert_eq!(corners.first(), corners.last());
                // No corner comes up twice in a loop.
                let distinct: BTreeSet<_> = corners.iter().collect();
                prop_assert_eq!(distinct.len() + 1, corners.len());
                for pair in corners.windows(2) {
                    prop_assert!(walked.insert((pair[0].min(pair[1]), pair[0].max(pair[1]))));
                }
            }
            let tracer = Tracer::new(&mask);
            let cracks = (0..=5).flat_map(|row| (0..=7).map(move |column| (row, column)))
                .map(|corner| [Direction::Down, Direction::Right].into_iter()
                    .filter(|&direction| tracer.is_crack(corner, direction)).count());
            prop_assert_eq!(walked.len(), cracks.sum::<usize>());
        }
    }
}
