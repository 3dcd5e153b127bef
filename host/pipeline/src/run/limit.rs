//! How many rows of a run may be rejected.

use crate::file::{RejectLimit, parse_share};

/// Rows that must have been read before a share of them says anything.
const FEWEST_ROWS_OF_A_SHARE: u64 = 1_000;

/// The pipeline's `max_rejects`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    None,
    Rows(u64),
    /// in millionths of a percent
    Share(u64),
}

/// When the question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// a batch went through
    Batch,
    /// the rows of a unit are all there
    Unit,
    /// the run has read all
    End,
}

impl Limit {
    /// The file's word, which was validated before.
    pub(crate) fn new(limit: Option<&RejectLimit>) -> Self {
        match limit {
            None => Self::None,
            Some(RejectLimit::Rows(rows)) => Self::Rows(*rows),
            Some(RejectLimit::Share(text)) => parse_share(text).map_or(Self::Share(0), Self::Share),
        }
    }

    /// Whether too many of the rows read are rejected.
    pub(crate) fn is_over(self, rejected: u64, read: u64, when: When) -> bool {
        match self {
            Self::None => false,
            Self::Rows(most) => rejected > most,
            Self::Share(share) => {
                let due = match when {
                    When::Batch => false,
                    When::Unit => read >= FEWEST_ROWS_OF_A_SHARE,
                    When::End => true,
                };
                due && u128::from(rejected) * 100_000_000 > u128::from(read) * u128::from(share)
            }
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Rows(rows) => rows.fmt(f),
            Self::Share(share) => {
                let digits = format!("{:06}", share % 1_000_000);
                let digits = digits.trim_end_matches('0');
                let point = if digits.is_empty() { "" } else { "." };
                write!(f, "\"{}{point}{digits}%\"", share / 1_000_000)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_at_once() {
        let limit = Limit::new(Some(&RejectLimit::Rows(2)));
        assert!(!limit.is_over(2, 3, When::Batch));
        assert!(limit.is_over(3, 3, When::Batch));
        assert!(Limit::Rows(0).is_over(1, 1, When::Batch));
        assert!(!Limit::None.is_over(u64::MAX, 1, When::End));
    }

    #[test]
    fn limits_are_shown_as_they_are_written() {
        let shown = |text: &str| Limit::new(Some(&RejectLimit::Share(text.into()))).to_string();
        assert_eq!(["0.5%", "100%", "0.000001%"].map(shown), ["\"0.5%\"", "\"100%\"", "\"0.000001%\""]);
        assert_eq!(Limit::Rows(7).to_string(), "7");
    }

    #[test]
    fn a_share_waits_for_a_thousand_rows_or_the_end() {
        let limit = Limit::new(Some(&RejectLimit::Share("0.5%".into())));
        assert!(!limit.is_over(999, 999, When::Unit));
        assert!(limit.is_over(6, 1_000, When::Unit) && !limit.is_over(6, 1_000, When::Batch));
        assert!(!limit.is_over(5, 1_000, When::Unit));
        assert!(limit.is_over(1, 199, When::End) && !limit.is_over(1, 200, When::End));
        assert!(!Limit::Share(0).is_over(0, 0, When::End));
    }
}
