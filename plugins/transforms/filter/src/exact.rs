//! Comparing scaled integers with fixed numbers, without rounding.

use crate::syntax::Op;
use forcepump_plugin_sdk::decimal::rescale;
use std::cmp::Ordering;

/// A fixed number on the scale of a column: the largest column value that is not above it, and
/// whether that is the number itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    floor: i128,
    exact: bool,
}

impl Bound {
    /// `digits` × 10^-`from` on a column with `to` digits behind the point.
    pub(crate) fn new(digits: i128, from: i32, to: i32) -> Self {
        if let Some(floor) = rescale(digits, from, to) {
            return Bound { floor, exact: true };
        }
        if to >= from {
            // Beyond what 128 bits hold, and so beyond every value of the column.
            return Bound { floor: if digits < 0 { i128::MIN } else { i128::MAX }, exact: false };
        }
        let floor = match 10i128.checked_pow(from.abs_diff(to)) {
            Some(factor) => digits.div_euclid(factor),
            None => -i128::from(digits < 0),
        };
        Bound { floor, exact: false }
    }

    /// The value itself, where the column has it.
    pub(crate) fn value(self) -> Option<i128> {
        self.exact.then_some(self.floor)
    }

    /// How a value of the column compares with the number.
    #[inline]
    pub(crate) fn compare(self, value: i128) -> Ordering {
        match value.cmp(&self.floor) {
            // Between the floor and the next value of the column lies the number.
            Ordering::Equal if !self.exact => Ordering::Less,
            order => order,
        }
    }

    #[inline]
    pub(crate) fn holds(self, op: Op, value: i128) -> bool {
        op.holds(self.compare(value))
    }
}

/// Compares values of two columns with different scales.
pub(crate) fn compare_scaled((left, left_scale): (i128, i32), (right, right_scale): (i128, i32)) -> Ordering {
    let scale = left_scale.max(right_scale);
    match (rescale(left, left_scale, scale), rescale(right, right_scale, scale)) {
        (Some(left), Some(right)) => left.cmp(&right),
        // Only the one that was scaled up can be out of range, and then it is the further from zero.
        (None, _) => {
            if left < 0 {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (_, None) => {
            if right < 0 {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_between_two_values_equals_neither() {
        // 1000.555 on a scale of 2.
        let bound = Bound::new(1_000_555, 3, 2);
        assert!(!bound.holds(Op::Equal, 100_055) && bound.holds(Op::Unequal, 100_055));
        assert!(bound.holds(Op::Less, 100_055) && bound.holds(Op::Greater, 100_056));
        assert!(bound.holds(Op::LessOrEqual, 100_055) && !bound.holds(Op::GreaterOrEqual, 100_055));
    }

    #[test]
    fn below_zero_the_floor_is_further_down() {
        // -0.5 on a scale of 0.
        let bound = Bound::new(-5, 1, 0);
        assert!(bound.holds(Op::Less, -1) && bound.holds(Op::Greater, 0));
        assert!(Bound::new(-1, 76, 0).holds(Op::Less, -1) && Bound::new(-1, 76, 0).holds(Op::Greater, 0));
    }

    #[test]
    fn a_huge_number_is_above_everything() {
        let bound = Bound::new(i128::MAX, 0, 2);
        assert!(bound.holds(Op::Less, i128::MAX) && !bound.holds(Op::Equal, i128::MAX));
        assert!(Bound::new(i128::MIN + 1, 0, 2).holds(Op::Greater, 0));
    }

    #[test]
    fn columns_of_two_scales_compare() {
        assert_eq!(compare_scaled((150, 2), (15, 1)), Ordering::Equal);
        assert_eq!(compare_scaled((i128::MAX, 0), (1, 2)), Ordering::Greater);
        assert_eq!(compare_scaled((1, 2), (i128::MIN + 1, 0)), Ordering::Greater);
    }
}
