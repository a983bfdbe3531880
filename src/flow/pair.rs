//! The flow between two neighbouring frames, in both directions, and where it is valid.

use std::ops::RangeInclusive;

use base::frame::FrameSize;
use base::mask::Mask;
use base::simd::vectorised;

use super::field::FlowField;
use super::{FlowError, consistency::forward_backward_consistent};

/// The flow from one frame to another, and the pixels where it is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    field: FlowField,
    valid: Mask,
    /// For each row.
    row_bounds: Vec<DisplacementBounds<i16>>,
}

/// Bounds of some vectors, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DisplacementBounds<T> {
    /// The least and the greatest dx.
    pub dx: [T; 2],
    /// The least and the greatest dy.
    pub dy: [T; 2],
}

impl DisplacementBounds<i16> {
    const NONE: Self = Self { dx: [i16::MAX, i16::MIN], dy: [i16::MAX, i16::MIN] };

    fn or(self, other: Self) -> Self {
        let wider = |a: [i16; 2], b: [i16; 2]| [a[0].min(b[0]), a[1].max(b[1])];
        Self { dx: wider(self.dx, other.dx), dy: wider(self.dy, other.dy) }
    }
}

impl Flow {
    /// A flow that is valid where `valid` is set.
    ///
    /// # Panics
    /// When the two sizes differ.
    pub fn new(mut field: FlowField, valid: Mask) -> Self {
        assert_eq!(field.size(), valid.size(), "a flow and its validity");
        field.mark_valid(&valid);
        let bounds = |y: usize| {
            let mut bounds = DisplacementBounds::NONE;
            widen(&mut bounds, field.row(y));
            bounds
        };
        let row_bounds = (0..field.size().height()).map(bounds).collect();
        Self { field, valid, row_bounds }
    }

    /// No motion, and valid everywhere.
    pub fn still(size: FrameSize) -> Self {
        Self::new(FlowField::zero(size), Mask::full(size))
    }

    /// A flow that is valid where the forward-backward check with `back` passes.
    ///
    /// # Panics
    /// When the two sizes differ.
    pub fn checked(field: FlowField, back: &FlowField) -> Self {
        assert_eq!(field.size(), back.size(), "flow there and back");
        let valid = forward_backward_consistent(&field, back);
        Self::new(field, valid)
    }

    /// The size of the flow's grid.
    pub fn size(&self) -> FrameSize {
        self.field.size()
    }

    /// The displacements.
    pub fn field(&self) -> &FlowField {
        &self.field
    }

    /// Where they are valid, on the same grid.
    pub fn valid(&self) -> &Mask {
        &self.valid
    }

    /// The bounds of the vectors in some rows.
    pub(super) fn bounds(&self, rows: RangeInclusive<usize>) -> DisplacementBounds<i32> {
        let DisplacementBounds { dx, dy } =
            self.row_bounds[rows].iter().fold(DisplacementBounds::NONE, |all, &row| all.or(row));
        DisplacementBounds { dx: dx.map(i32::from), dy: dy.map(i32::from) }
    }

    /// The share of pixels that are valid, in [0, 1].
    pub fn valid_share(&self) -> f64 {
        self.valid.count() as f64 / self.size().pixels() as f64
    }
}

vectorised! {
    fn widen(bounds: &mut DisplacementBounds<i16>, row: &[[i16; 2]]) {
        let ([mut left, mut right], [mut up, mut down]) = (bounds.dx, bounds.dy);
        for &[dx, dy] in row {
            (left, right, up, down) = (left.min(dx), right.max(dx), up.min(dy), down.max(dy));
        }
        (bounds.dx, bounds.dy) = ([left, right], [up, down]);
    }
}

/// The flow between frame t and frame t+1, and whether there is a cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowPair {
    forward: Flow,
    backward: Flow,
    cut: bool,
}

impl FlowPair {
    /// From the fields t→t+1 and t+1→t, each checked against the other.
    ///
    /// # Panics
    /// When their sizes differ.
    pub fn new(forward: FlowField, backward: FlowField, cut: bool) -> Self {
        let checked = Flow::checked(forward, &backward);
        let backward = Flow::checked(backward, checked.field());
        Self { forward: checked, backward, cut }
    }

    /// Flows with a validity of their own.
    pub fn from_flows(forward: Flow, backward: Flow) -> Self {
        Self { forward, backward, cut: false }
    }

    /// Between two frames without motion.
    pub fn still(size: FrameSize) -> Self {
        Self { forward: Flow::still(size), backward: Flow::still(size), cut: false }
    }

    /// The same flow, with or without a cut.
    pub fn with_cut(self, cut: bool) -> Self {
        Self { cut, ..self }
    }

    /// From frame t to frame t+1; it warps frame t+1 onto frame t.
    pub fn forward(&self) -> &Flow {
        &self.forward
    }

    /// From frame t+1 back to frame t; it warps frame t onto frame t+1.
    pub fn backward(&self) -> &Flow {
        &self.backward
    }

    /// Whether a new scene begins with frame t+1.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The flow's grid, which covers the whole picture.
    pub fn size(&self) -> FrameSize {
        self.forward.size()
    }

    /// The same with time reversed.
    pub fn reversed(&self) -> Self {
        Self { forward: self.backward.clone(), backward: self.forward.clone(), cut: self.cut }
    }

    /// On a coarser grid, checked again there.
    pub fn reduced(&self, grid: FrameSize) -> Self {
        let [forward, backward] = [&self.forward, &self.backward].map(|flow| flow.field.reduced(grid));
        Self::new(forward, backward, self.cut)
    }

    /// The approximate size in memory.
    pub fn bytes(&self) -> usize {
        2 * self.forward.field.bytes() + 16 * self.forward.valid.words().len()
    }

    /// For the store: version, cut, size, then both fields as planes that compress well. The validity
    /// is not written; it follows from the fields.
    pub fn to_bytes(&self) -> Vec<u8> {
        let size = self.size();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + 8 * size.pixels());
        bytes.extend([VERSION, u8::from(self.cut)]);
        bytes.extend((size.width() as u16).to_le_bytes());
        bytes.extend((size.height() as u16).to_le_bytes());
        self.forward.field.write_to(&mut bytes);
        self.backward.field.write_to(&mut bytes);
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`FlowError::Damaged`] for bytes that [`Self::to_bytes`] did not write.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FlowError> {
        let Some((&[version, cut, w0, w1, h0, h1], fields)) = bytes.split_first_chunk::<HEADER_BYTES>()
        else {
            return Err(FlowError::Damaged("it is too short"));
        };
        if version != VERSION || cut > 1 {
            return Err(FlowError::Damaged("another version of the program wrote it"));
        }
        let (width, height) = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
        let size =
            FrameSize::new(width.into(), height.into()).ok_or(FlowError::Damaged("its size is not one"))?;
        if fields.len() != 8 * size.pixels() {
            return Err(FlowError::Damaged("its length does not fit its size"));
        }
        let (forward, backward) = fields.split_at(4 * size.pixels());
        let (forward, backward) =
            (FlowField::read_from(size, forward)?, FlowField::read_from(size, backward)?);
        Ok(Self::new(forward, backward, cut == 1))
    }
}

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size() -> FrameSize {
        FrameSize::new(40, 30).unwrap()
    }

    #[test]
    fn a_shift_is_valid_until_it_leaves_the_picture() {
        let shift = |dx: f32| FlowField::from_fn(size(), move |_, _| [dx, 0.0]);
        let pair = FlowPair::new(shift(4.0), shift(-4.0), false);
        assert!(pair.forward().valid().get(35, 3));
        assert!(!pair.forward().valid().get(36, 3));
        assert!(!pair.backward().valid().get(3, 3));
        assert!(pair.backward().valid().get(4, 3));
    }

    #[test]
    fn the_check_is_the_formula() {
        let checked = |f: f32, b: f32| {
            let field = |v: f32| FlowField::from_fn(size(), move |_, _| [0.0, v]);
            Flow::checked(field(f), &field(b)).valid().get(20, 15)
        };
        // |f + b|² against 0.01 (|f|² + |b|²) + 0.5
        assert!(checked(0.0, 0.625)); // 0.391 ≤ 0.504
        assert!(!checked(0.0, 0.75)); // 0.5625 > 0.5056
        assert!(checked(10.0, -9.0)); // 1 ≤ 2.31
        assert!(!checked(10.0, -8.25)); // 3.06 > 2.18
    }

    #[test]
    fn on_a_smaller_grid_things_go_the_same_way() {
        let field =
            |dx: f32| FlowField::from_fn(size(), move |x, _| if x < 20 { [dx, -dx] } else { [0.0; 2] });
        let pair = FlowPair::new(field(4.0), field(-4.0), true);
        let small = pair.reduced(FrameSize::new(20, 10).unwrap());
        assert!(small.is_cut());
        assert_eq!(small.forward().field().vector(3, 5), [2.0, -1.3125]);
        assert_eq!(small.backward().field().vector(12, 5), [0.0, 0.0]);
    }

    #[test]
    fn damaged_bytes_are_errors() {
        let bytes = FlowPair::still(size()).to_bytes();
        assert!(FlowPair::from_bytes(&bytes[..bytes.len() - 1]).is_err());
        assert!(FlowPair::from_bytes(&bytes[..3]).is_err());
        let mut other = bytes;
        other[0] = 77;
        assert!(FlowPair::from_bytes(&other).is_err());
    }

    proptest! {
        #[test]
        fn bytes_survive_the_round_trip(
            steps in proptest::collection::vec(any::<[i16; 2]>(), 2 * 40 * 30),
            cut in any::<bool>(),
        ) {
            let (a, b) = steps.split_at(40 * 30);
            let field = |steps: &[[i16; 2]]| FlowField::from_steps(size(), steps.to_vec());
            let pair = FlowPair::new(field(a), field(b), cut);
            prop_assert_eq!(FlowPair::from_bytes(&pair.to_bytes()).unwrap(), pair);
        }
    }
}
