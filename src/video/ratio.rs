//! Fractions as containers hold them: 1001/30000 of a second, a pixel of 16:11.

use serde::Serialize;

/// A fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ratio {
    /// Numerator.
    pub num: u32,
    /// Denominator.
    pub den: u32,
}

/// What is given as a floating-point number is off by no more than this share of it.
const ROUNDING: f64 = 1e-12;

impl Ratio {
    /// 1/1.
    pub const ONE: Self = Self { num: 1, den: 1 };

    /// `num / den`, not reduced.
    pub const fn new(num: u32, den: u32) -> Self {
        Self { num, den }
    }

    /// The simplest fraction that rounds to `value`, by its continued fraction; `None` where
    /// that has more than 31 bits, and of what is not above 0.
    pub fn of(value: f64) -> Option<Self> {
        let (mut before, mut now) = ((0u64, 1u64), (1u64, 0u64));
        let mut rest = value;
        if value.is_nan() || value <= 0.0 {
            return None;
        }
        loop {
            let whole = rest.floor();
            if whole.is_nan() || whole >= f64::from(i32::MAX) {
                return None;
            }
            let next = (whole as u64 * now.0 + before.0, whole as u64 * now.1 + before.1);
            if next.0.max(next.1) > i32::MAX as u64 {
                return None;
            }
            (before, now) = (now, next);
            if (now.0 as f64 / now.1 as f64 - value).abs() <= value * ROUNDING {
                return Some(Self::new(now.0 as u32, now.1 as u32));
            }
            rest = 1.0 / (rest - whole);
        }
    }

    /// As a floating-point number.
    pub fn value(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }

    /// Reads `16:11`; `None` where either is 0.
    pub fn parse(text: &str) -> Option<Self> {
        let (num, den) = text.split_once(':')?;
        let ratio = Self::new(num.parse().ok()?, den.parse().ok()?);
        (ratio.num > 0 && ratio.den > 0).then_some(ratio)
    }

    /// `den / num`.
    pub const fn inverse(self) -> Self {
        Self { num: self.den, den: self.num }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_found_again_in_its_value() {
        for (num, den) in [(1, 25), (1001, 30000), (1, 90000), (1, 12800), (1, 1), (16, 11), (1, 1_000_000)] {
            let ratio = Ratio::new(num, den);
            assert_eq!(Ratio::of(ratio.value()), Some(ratio));
        }
        assert_eq!(Ratio::of(0.0), None);
        assert_eq!(Ratio::of(f64::NAN), None);
        assert_eq!(Ratio::of(1e-12), None);
        assert_eq!(Ratio::parse("0:1"), None);
    }
}
