//! Clean-up of one hard mask by its connected components: hysteresis, specks, holes.
//!
//! Components are found from runs of set pixels in each row. Runs that touch from row to row are
//! joined by union-find, so the cost grows with the outline's length and not with the picture's
//! area. As usual, set pixels are 8-connected and the pixels of holes are 4-connected; otherwise a
//! diagonal line would be connected and still not enclose anything.

use base::frame::FrameSize;
use base::mask::Mask;

/// The components of `low` in which `high` has a pixel: hysteresis thresholding (Canny, 1986).
///
/// # Panics
/// When the sizes differ.
pub fn hysteresis(high: &Mask, low: &Mask) -> Mask {
    let components = Components::of(low, Connectivity::Eight);
    let mut keep = vec![false; components.runs.len()];
    for (i, run) in components.runs.iter().enumerate() {
        keep[components.roots[i]] |= run.any(high);
    }
    components.draw(low.size(), |root| keep[root])
}

/// The mask without its components of fewer than `min_area_px` pixels.
pub fn remove_specks(mask: Mask, min_area_px: u32) -> Mask {
    if min_area_px <= 1 {
        return mask;
    }
    let components = Components::of(&mask, Connectivity::Eight);
    let areas = components.areas();
    components.draw(mask.size(), |root| areas[root] >= u64::from(min_area_px))
}

/// The component with the most pixels, of equals the first from the top; empty for an empty mask.
pub fn largest_component(mask: &Mask) -> Mask {
    let components = Components::of(mask, Connectivity::Eight);
    let areas = components.areas();
    let largest = (0..areas.len()).max_by_key(|&root| (areas[root], usize::MAX - root));
    components.draw(mask.size(), |root| Some(root) == largest)
}

/// The mask with its holes of at most `max_area_px` pixels filled. What reaches the border is no hole.
pub fn fill_holes(mask: Mask, max_area_px: u32) -> Mask {
    if max_area_px == 0 {
        return mask;
    }
    let size = mask.size();
    let components = Components::of(&Mask::full(size).and_not(&mask), Connectivity::Four);
    let areas = components.areas();
    let mut is_hole: Vec<bool> = areas.iter().map(|&area| area <= u64::from(max_area_px)).collect();
    for (i, run) in components.runs.iter().enumerate() {
        let at_border = run.y == 0 || run.y + 1 == size.height() || run.start == 0 || run.end == size.width();
        is_hole[components.roots[i]] &= !at_border;
    }
    mask.or(&components.draw(size, |root| is_hole[root]))
}

/// How many neighbours a pixel is connected to.
#[derive(Clone, Copy, PartialEq)]
enum Connectivity {
    Four,
    Eight,
}

/// Set pixels `start..end` of row `y`.
#[derive(Clone, Copy, Debug)]
struct Run {
    y: usize,
    start: usize,
    end: usize,
}

impl Run {
    /// Calls `f` with each word that the run reaches into, and its bits there.
    fn words(self, mut f: impl FnMut(usize, u64)) {
        for word in self.start / 64..=(self.end - 1) / 64 {
            let from = self.start.saturating_sub(64 * word);
            let bits = (self.end - 64 * word).min(64) - from;
            f(word, u64::MAX >> (64 - bits) << from);
        }
    }

    fn any(self, mask: &Mask) -> bool {
        let row = mask.row(self.y);
        let mut any = false;
        self.words(|word, bits| any |= row[word] & bits != 0);
        any
    }
}

struct Components {
    runs: Vec<Run>,
    /// For each run, the index of the first run of its component.
    roots: Vec<usize>,
}

impl Components {
    fn of(mask: &Mask, connectivity: Connectivity) -> Self {
        let mut runs = Vec::new();
        let mut roots: Vec<usize> = Vec::new();
        let corner = usize::from(connectivity == Connectivity::Eight);
        let mut above = 0..0;
        for y in 0..mask.size().height() {
            let first = runs.len();
            runs_of(mask.row(y), mask.size().width(), |start, end| runs.push(Run { y, start, end }));
            roots.extend(first..runs.len());
            let mut candidate = above.start;
            for i in first..runs.len() {
                let Run { start, end, .. } = runs[i];
                while candidate < above.end && runs[candidate].end + corner <= start {
                    candidate += 1;
                }
                let touching = (candidate..above.end).take_while(|&j| runs[j].start < end + corner);
                for j in touching {
                    union(&mut roots, i, j);
                }
            }
            above = first..runs.len();
        }
        for i in 0..roots.len() {
            roots[i] = find(&mut roots, i);
        }
        Self { runs, roots }
    }

    /// The pixels of each component, at the index of its root; 0 elsewhere.
    fn areas(&self) -> Vec<u64> {
        let mut areas = vec![0; self.runs.len()];
        for (run, &root) in self.runs.iter().zip(&self.roots) {
            areas[root] += (run.end - run.start) as u64;
        }
        areas
    }

    /// The components that are kept.
    fn draw(&self, size: FrameSize, keep: impl Fn(usize) -> bool) -> Mask {
        let mut kept =
            self.runs.iter().zip(&self.roots).filter(|&(_, &root)| keep(root)).map(|(run, _)| run).peekable();
        Mask::from_fn_rows(size, |y, row| {
            while let Some(run) = kept.next_if(|run| run.y == y) {
                run.words(|word, bits| row[word] |= bits);
            }
        })
    }
}

/// Calls `f` with the start and end of each run of a row.
fn runs_of(row: &[u64], width: usize, mut f: impl FnMut(usize, usize)) {
    let mut open: Option<usize> = None;
    for (i, &word) in row.iter().enumerate() {
        let mut at = 0;
        while at < 64 {
            // Within a run, look for its end; outside, for the next start.
            let rest = if open.is_some() { !word } else { word } >> at;
            if rest == 0 {
                break;
            }
            at += rest.trailing_zeros();
            match open.take() {
                Some(start) => f(start, 64 * i + at as usize),
                None => open = Some(64 * i + at as usize),
            }
        }
    }
    debug_assert!(row.len() == width.div_ceil(64));
    if let Some(start) = open {
        f(start, width);
    }
}

fn find(roots: &mut [usize], mut run: usize) -> usize {
    while roots[run] != run {
        roots[run] = roots[roots[run]];
        run = roots[run];
    }
    run
}

fn union(roots: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(roots, a), find(roots, b));
    roots[a.max(b)] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From a picture of `#` and `.`.
    fn mask(picture: &str) -> Mask {
        let rows: Vec<&[u8]> = picture.split_whitespace().map(str::as_bytes).collect();
        let size = FrameSize::new(rows[0].len() as u32, rows.len() as u32).unwrap();
        Mask::from_fn(size, |x, y| rows[y][x] == b'#')
    }

    #[test]
    fn specks_go_and_corners_hold_parts_together() {
        let cleaned = remove_specks(mask("##....#. ..#...#. ........ #...#..."), 2);
        assert_eq!(cleaned, mask("##....#. ..#...#. ........ ........"));
    }

    #[test]
    fn holes_are_filled_up_to_their_size_and_never_at_the_border() {
        let ring = "######## #.##...# #.####.# ####.### .######. ########";
        assert_eq!(fill_holes(mask(ring), 2), mask("######## ####...# ######.# ######## .######. ########"));
        assert_eq!(fill_holes(mask(ring), 4), mask("######## ######## ######## ######## .######. ########"));
    }

    #[test]
    fn weak_pixels_stay_only_beside_strong_ones() {
        let low = mask("###..##. ........ .##....#");
        let high = mask("..#..... ........ .......#");
        assert_eq!(hysteresis(&high, &low), mask("###..... ........ .......#"));
    }

    /// Flood fill, pixel by pixel.
    fn reference(mask: &Mask, corners: bool) -> Vec<usize> {
        let (width, height) = (mask.size().width(), mask.size().height());
        let mut label = vec![usize::MAX; width * height];
        for start in 0..width * height {
            if !mask.get(start % width, start / width) || label[start] != usize::MAX {
                continue;
            }
            let mut stack = vec![start];
            while let Some(at) = stack.pop() {
                if label[at] != usize::MAX {
                    continue;
                }
                label[at] = start;
                let (x, y) = (at % width, at / width);
                for (dx, dy) in (-1..=1).flat_map(|dy: isize| (-1..=1).map(move |dx: isize| (dx, dy))) {
                    let (Some(x), Some(y)) = (x.checked_add_signed(dx), y.checked_add_signed(dy)) else {
                        continue;
                    };
                    if mask.get(x, y) && (corners || dx == 0 || dy == 0) {
                        stack.push(y * width + x);
                    }
                }
            }
        }
        label
    }

    proptest! {
        #[test]
        fn parts_are_those_of_a_flood_fill(
            (width, bits) in (1usize..150).prop_flat_map(|w| (Just(w), proptest::collection::vec(0u8..5, w * 7))),
            level in 1u8..5,
            corners in any::<bool>(),
        ) {
            let size = FrameSize::new(width as u32, 7).unwrap();
            let mask = Mask::from_fn(size, |x, y| bits[y * width + x] >= level);
            let components = Components::of(&mask, if corners { Connectivity::Eight } else { Connectivity::Four });
            let label = reference(&mask, corners);
            prop_assert_eq!(&components.draw(size, |_| true), &mask);
            for (i, a) in components.runs.iter().enumerate() {
                for (j, b) in components.runs.iter().enumerate() {
                    let same = label[a.y * width + a.start] == label[b.y * width + b.start];
                    prop_assert_eq!(same, components.roots[i] == components.roots[j]);
                }
            }
        }
    }
}
