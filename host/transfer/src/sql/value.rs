//! One cell of a statement's parameters, and how a decimal becomes what SQLite can keep exactly.

use arrow_array::{Array, Date32Array, TimestampMicrosecondArray};
use forcepump_batch::text;
use rusqlite::types::Value as Stored;

use super::SqlError;

/// Digits that a double always shows as they were given (IEEE 754 binary64).
const DOUBLE_SAFE_LIMIT: u128 = 10u128.pow(15);
/// Largest whole number up to which a double holds every whole number.
const DOUBLE_WHOLE_LIMIT: u64 = 1 << 53;
/// Largest power of ten that a double holds exactly.
const DOUBLE_POWER_LIMIT: u32 = 22;

/// A statement parameter, case for case the contract's `value`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// Stored as 0 or 1.
    Boolean(bool),
    /// A whole number.
    Int(i64),
    /// A double; NaN is refused.
    Float(f64),
    /// Text.
    Text(String),
    /// A blob.
    Bytes(Vec<u8>),
    /// Exact decimal text, such as `12.50`. Becomes a number when a number holds it exactly, else stays text.
    Decimal(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since the epoch, UTC.
    Timestamp(i64),
}

impl Value {
    /// What SQLite is given for this parameter.
    pub(crate) fn to_stored(&self) -> Result<Stored, SqlError> {
        Ok(match self {
            Self::Null => Stored::Null,
            Self::Boolean(value) => Stored::Integer(i64::from(*value)),
            Self::Int(value) => Stored::Integer(*value),
            Self::Float(value) if value.is_nan() => {
                return Err(SqlError::database("22003", "a parameter is NaN, which sqlite cannot store"));
            }
            Self::Float(value) => Stored::Real(*value),
            Self::Text(value) => Stored::Text(value.clone()),
            Self::Bytes(value) => Stored::Blob(value.clone()),
            Self::Decimal(value) => stored_decimal(value)?,
            Self::Date(days) => Stored::Text(text_of(&Date32Array::from(vec![*days]))?),
            Self::Timestamp(micros) => {
                let array = TimestampMicrosecondArray::from(vec![*micros]).with_timezone("UTC");
                Stored::Text(text_of(&array)?)
            }
        })
    }
}

fn text_of(array: &dyn Array) -> Result<String, SqlError> {
    let mut out = Vec::new();
    text::write_value(array, 0, &mut out).map_err(|e| SqlError::database("0A000", e.to_string()))?;
    String::from_utf8(out).map_err(|_| SqlError::database("22021", "a parameter is not text"))
}

fn stored_decimal(text: &str) -> Result<Stored, SqlError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || digits.ends_with('.') {
        return Err(SqlError::database("22018", "a decimal parameter is no plain decimal number such as 12.50"));
    }
    let unscaled = format!("{whole}{fraction}").parse::<i128>().ok();
    let scale = i8::try_from(fraction.len()).ok();
    let exact = unscaled.zip(scale).and_then(|(value, scale)| {
        let value = if text.starts_with('-') { -value } else { value };
        Number::exact(value, scale, || text.to_owned())
    });
    Ok(match exact {
        Some(Number::Integer(value)) => Stored::Integer(value),
        Some(Number::Real(value)) => Stored::Real(value),
        None => Stored::Text(text.to_owned()),
    })
}

/// A number that SQLite keeps without loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    Real(f64),
}

impl Number {
    /// `unscaled / 10^scale` as SQLite's INTEGER or REAL, if one of them shows the same digits.
    /// `text` gives the decimal's text and is asked in rare cases only.
    pub(crate) fn exact(unscaled: i128, scale: i8, text: impl FnOnce() -> String) -> Option<Self> {
        if let Some(whole) = whole_part(unscaled, scale) {
            return Some(Self::Integer(whole));
        }
        let places = u32::try_from(scale).unwrap_or(u32::MAX);
        if unscaled.unsigned_abs() < DOUBLE_SAFE_LIMIT && places <= DOUBLE_POWER_LIMIT {
            // Both are exact doubles, so the quotient is the nearest one to the decimal.
            return Some(Self::Real(
                unscaled as f64 / 10u64.checked_pow(places).map_or_else(|| 10f64.powi(places as i32), |p| p as f64),
            ));
        }
        shows_same_digits(&text())
    }

    /// The same number in a column of REAL affinity, where whole numbers become doubles too.
    pub(crate) fn survives_as_real(self) -> bool {
        match self {
            Self::Integer(value) => value.unsigned_abs() <= DOUBLE_WHOLE_LIMIT,
            Self::Real(_) => true,
        }
    }
}

/// The value when it is whole and fits 64 bits.
fn whole_part(unscaled: i128, scale: i8) -> Option<i64> {
    let power = 10i128.checked_pow(u32::from(scale.unsigned_abs()))?;
    let whole = if scale <= 0 {
        unscaled.checked_mul(power)?
    } else {
        // 128-bit division is slow; nearly all values and powers fit 64 bits.
        match (i64::try_from(unscaled), i64::try_from(power)) {
            (Ok(value), Ok(power)) => i128::from((value % power == 0).then(|| value / power)?),
            _ => (unscaled % power == 0).then(|| unscaled / power)?,
        }
    };
    i64::try_from(whole).ok()
}

fn shows_same_digits(text: &str) -> Option<Number> {
    let value: f64 = text.parse().ok()?;
    let shown = value.to_string();
    let given = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    (shown == given).then_some(Number::Real(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(unscaled: i128, scale: i8) -> Option<Number> {
        let mut text = Vec::new();
        let array =
            arrow_array::Decimal128Array::from(vec![unscaled]).with_precision_and_scale(38, scale).expect("decimal");
        text::write_value(&array, 0, &mut text).expect("text");
        Number::exact(unscaled, scale, || String::from_utf8(text).expect("utf-8"))
    }

    #[test]
    fn numbers_that_are_kept_and_numbers_that_are_not() {
        assert_eq!(exact(1250, 2), Some(Number::Real(12.5)));
        assert_eq!(exact(1200, 2), Some(Number::Integer(12)));
        assert_eq!(exact(-7, 0), Some(Number::Integer(-7)));
        assert_eq!(exact(5, -3), Some(Number::Integer(5000)));
        assert_eq!(exact(1, 30), Some(Number::Real(1e-30)));
        assert_eq!(exact(i128::from(i64::MAX), 0), Some(Number::Integer(i64::MAX)));
        assert_eq!(exact(10i128.pow(20), 0), Some(Number::Real(1e20)));
        assert_eq!(exact(12_345_678_901_234_567_890, 0), None);
        assert_eq!(exact(123_456_789_012_345_678, 2), None);
        assert_eq!(exact(1_234_567_890_123_456, 2), Some(Number::Real(12_345_678_901_234.56)));
    }

    #[test]
    fn parameters() {
        let stored = |value: Value| value.to_stored().expect("stored");
        assert_eq!(stored(Value::Decimal("-12.50".to_owned())), Stored::Real(-12.5));
        assert_eq!(stored(Value::Decimal("3.00".to_owned())), Stored::Integer(3));
        let long = "1234567890123456789012345678901234567890.5".to_owned();
        assert_eq!(stored(Value::Decimal(long.clone())), Stored::Text(long));
        assert_eq!(stored(Value::Date(-1)), Stored::Text("1969-12-31".to_owned()));
        assert_eq!(stored(Value::Timestamp(0)), Stored::Text("1970-01-01T00:00:00.000Z".to_owned()));
        for bad in ["", "-", ".5", "5.", "1e3", "1,5", "NaN"] {
            assert!(Value::Decimal(bad.to_owned()).to_stored().is_err(), "{bad}");
        }
        assert!(Value::Float(f64::NAN).to_stored().is_err());
    }

    proptest! {
        #[test]
        fn what_is_kept_shows_the_same_digits(unscaled in any::<i64>(), scale in 0i8..=18) {
            let mut text = Vec::new();
            let array = arrow_array::Decimal128Array::from(vec![i128::from(unscaled)]).with_precision_and_scale(38, scale).expect("decimal");
            text::write_value(&array, 0, &mut text).expect("text");
            let text = String::from_utf8(text).expect("utf-8");
            let plain = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
            match Number::exact(i128::from(unscaled), scale, || text.clone()) {
                Some(Number::Integer(value)) => prop_assert_eq!(value.to_string(), plain),
                Some(Number::Real(value)) => prop_assert_eq!(value.to_string(), plain),
                None => prop_assert!(unscaled.unsigned_abs() as u128 >= DOUBLE_SAFE_LIMIT),
            }
        }
    }
}
