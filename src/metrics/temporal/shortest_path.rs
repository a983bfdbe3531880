//! The cheapest way through a matrix of costs, from its first entry to its last.
//!
//! Dijkstra's search with a 4-ary heap that breaks ties in the same order as Boost's: a closed polygon
//! repeats its first vertex, so paths of equal cost are common, and the choice between them changes
//! the matching. Only the costs of entries near the path are computed.

/// A row and a column of the matrix: a vertex of the first polygon and one of the second.
pub type Pair = (usize, usize);

const CHILDREN: usize = 4;

/// An entry that has been reached. Its number is its index in [`Search::nodes`].
struct Node {
    /// `row · columns + column`
    entry: u32,
    parent: u32,
    /// Its index in the heap, while it is there.
    place: u32,
    cost: f64,
    /// The cost of the path to here, this entry's included.
    distance: f64,
}

struct Search<F> {
    columns: usize,
    cost: F,
    nodes: Vec<Node>,
    /// For each entry, its node's number plus one; 0 if it has not been reached.
    numbers: Vec<u32>,
    heap: Vec<u32>,
}

/// The cheapest path whose steps go on by a row, a column or both, listed from the last entry back to
/// (0, 0), whose own cost does not count. `counts` are the numbers of rows and columns; their product
/// must fit into 32 bits.
pub fn cheapest_path(counts: Pair, cost: impl Fn(Pair) -> f64) -> Vec<Pair> {
    let (rows, columns) = counts;
    let numbers = vec![0; rows * columns];
    let mut search = Search { columns, cost, nodes: Vec::new(), numbers, heap: Vec::new() };
    search.start();
    while let Some(number) = search.pop() {
        let (row, column) = search.pair(number);
        if (row + 1, column + 1) == counts {
            return search.way_back(number);
        }
        for next in [(row, column + 1), (row + 1, column), (row + 1, column + 1)] {
            if next.0 < rows && next.1 < columns {
                search.reach(next, number);
            }
        }
    }
    Vec::new()
}

impl<F: Fn(Pair) -> f64> Search<F> {
    fn start(&mut self) {
        self.nodes.push(Node { entry: 0, parent: 0, place: 0, cost: 0.0, distance: 0.0 });
        self.numbers[0] = 1;
        self.heap.push(0);
    }

    /// Offers a path to an entry by way of `parent`. It counts only if it is cheaper.
    fn reach(&mut self, pair: Pair, parent: u32) {
        let entry = pair.0 * self.columns + pair.1;
        if self.numbers[entry] == 0 {
            let (number, place) = (self.nodes.len() as u32, self.heap.len() as u32);
            let cost = (self.cost)(pair);
            self.nodes.push(Node { entry: entry as u32, parent, place, cost, distance: f64::INFINITY });
            self.numbers[entry] = number + 1;
            self.heap.push(number);
        }
        let before = self.nodes[parent as usize].distance;
        let node = &mut self.nodes[self.numbers[entry] as usize - 1];
        let distance = before + node.cost;
        // No cost is negative, so an entry that has left the heap is never improved.
        if distance < node.distance {
            (node.distance, node.parent) = (distance, parent);
            let place = node.place as usize;
            self.sift_up(place);
        }
    }

    fn pair(&self, number: u32) -> Pair {
        let entry = self.nodes[number as usize].entry as usize;
        (entry / self.columns, entry % self.columns)
    }

    /// Takes the nearest entry out of the heap.
    fn pop(&mut self) -> Option<u32> {
        let nearest = *self.heap.first()?;
        let last = self.heap.pop()?;
        if last != nearest {
            self.put(0, last);
            self.sift_down();
        }
        Some(nearest)
    }

    fn sift_up(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            if self.distance_at(place) >= self.distance_at(parent) {
                break;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    fn sift_down(&mut self) {
        let mut place = 0;
        loop {
            let children = CHILDREN * place + 1..(CHILDREN * (place + 1) + 1).min(self.heap.len());
            // Of equals, the first.
            let nearest = children.min_by(|&a, &b| self.distance_at(a).total_cmp(&self.distance_at(b)));
            match nearest {
                Some(child) if self.distance_at(child) < self.distance_at(place) => {
                    self.swap(place, child);
                    place = child;
                }
                _ => break,
            }
        }
    }

    fn distance_at(&self, place: usize) -> f64 {
        self.nodes[self.heap[place] as usize].distance
    }

    fn swap(&mut self, a: usize, b: usize) {
        let (at_a, at_b) = (self.heap[a], self.heap[b]);
        self.put(a, at_b);
        self.put(b, at_a);
    }

    fn put(&mut self, place: usize, number: u32) {
        self.heap[place] = number;
        self.nodes[number as usize].place = place as u32;
    }

    fn way_back(&self, mut number: u32) -> Vec<Pair> {
        let mut path = vec![self.pair(number)];
        while number != 0 {
            number = self.nodes[number as usize].parent;
            path.push(self.pair(number));
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_path_is_the_cheapest(
            (rows, columns, costs) in (1usize..9, 1usize..9).prop_flat_map(|(rows, columns)| {
                let costs = proptest::collection::vec(0u8..6, rows * columns);
                (Just(rows), Just(columns), costs)
            })
        ) {
            let cost = |(row, column): Pair| f64::from(costs[row * columns + column]);
            let path = cheapest_path((rows, columns), cost);
            prop_assert_eq!((path[0], path[path.len() - 1]), ((rows - 1, columns - 1), (0, 0)));
            for step in path.windows(2) {
                let (to, from) = (step[0], step[1]);
                prop_assert!(to != from && to.0 - from.0 <= 1 && to.1 - from.1 <= 1);
            }
            // Dynamic programming over the whole matrix.
            let mut least = vec![f64::INFINITY; rows * columns];
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
                let before = [(1, 1), (1, 0), (0, 1)].iter().filter_map(|&(up, left)| {
                    Some(least[row.checked_sub(up)? * columns + column.checked_sub(left)?])
                });
                let best = before.fold(f64::INFINITY, f64::min);
                least[row * columns + column] =
                    if (row, column) == (0, 0) { 0.0 } else { best + cost((row, column)) };
            }
            let total: f64 = path[..path.len() - 1].iter().map(|&pair| cost(pair)).sum();
            prop_assert_eq!(total, least[rows * columns - 1]);
        }
    }
}
