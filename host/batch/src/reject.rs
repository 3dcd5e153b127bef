//! Why one row was refused while its neighbours went on.

/// A row that a plugin or a transfer refused, by its place in the batch it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowReject {
    /// Row number within the batch, from 0.
    pub row: u32,
    /// Stable machine word, `[a-z0-9_]{1,48}`.
    pub code: String,
    /// One sentence for people.
    pub reason: String,
    /// Number of the column at fault, when one column is.
    pub column: Option<u32>,
}

/// The cell is no number, or no whole number where one is needed.
pub const BAD_NUMBER: &str = "bad_number";
/// The number is larger than the column's type can hold.
pub const NUMBER_OUT_OF_RANGE: &str = "number_out_of_range";
/// The number has more decimal places than the column holds; rounding would lose digits.
pub const TOO_MANY_DECIMALS: &str = "too_many_decimals";
/// The cell is neither `true` nor `false`.
pub const BAD_BOOLEAN: &str = "bad_boolean";
/// The cell is no date `YYYY-MM-DD` between the years 0001 and 9999.
pub const BAD_DATE: &str = "bad_date";
/// The cell is no instant such as `2024-04-16T19:00:00.000Z`.
pub const BAD_DATETIME: &str = "bad_datetime";
/// The cell is no time of day such as `19:00:00.000Z`.
pub const BAD_TIME: &str = "bad_time";
/// The row's bytes are not UTF-8.
pub const BAD_UTF8: &str = "bad_utf8";
/// The cell is empty in a column that cannot be null.
pub const MISSING_VALUE: &str = "missing_value";
