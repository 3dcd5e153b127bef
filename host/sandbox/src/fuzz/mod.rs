//! Fuzz targets as plain functions over bytes: the checks of the border, run natively, with what must hold asserted.
//!
//! Each takes arbitrary bytes for the choices of a structured case, most of them well-formed, and says whether the case
//! was accepted: a target that accepts nothing tests nothing. `cargo xtask fuzz` runs them by the million, the unit
//! tests some thousands. A panic is a finding.

mod describe;
mod write;

use arbitrary::Unstructured;

pub use crate::transform::fuzz::process_result;
pub use describe::describe_json;
pub use write::data_write;

/// The choices of one case. Used up, it gives zeros: rare things must not be what zero stands for.
pub(crate) struct Choices<'a>(Unstructured<'a>);

impl<'a> Choices<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Choices(Unstructured::new(bytes))
    }

    /// A number below `end`; 0 when that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        match end.checked_sub(1) {
            Some(last) => self.0.int_in_range(0..=last).unwrap_or(0),
            None => 0,
        }
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) + 1 == times
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> Option<T> {
        of.get(self.below(of.len())).copied()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        // Used up, the rest stays zero.
        let _ = self.0.fill_buffer(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of each target in the normal tests; `cargo xtask fuzz` has more time.
    const CASES: u64 = 20_000;

    /// Runs a target; gives the share of accepted cases in per cent.
    fn accepted(target: fn(&[u8]) -> bool, cases: u64) -> u64 {
        let mut state = 7u64;
        let mut next = || {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        let mut accepted = 0;
        for _ in 0..cases {
            let words = next() % 40;
            let bytes: Vec<u8> = (0..words).flat_map(|_| next().to_le_bytes()).collect();
            accepted += u64::from(target(&bytes));
        }
        accepted * 100 / cases
    }

    #[test]
    fn columns_of_all_sorts() {
        let share = accepted(data_write, CASES);
        assert!((20..=90).contains(&share), "{share} %");
    }

    #[test]
    fn outcomes_of_all_sorts() {
        let share = accepted(process_result, CASES);
        assert!((20..=90).contains(&share), "{share} %");
    }

    #[test]
    fn descriptions_of_all_sorts() {
        let share = accepted(describe_json, CASES / 10);
        assert!((10..=90).contains(&share), "{share} %");
    }
}
