//! Every rule by its text, and random buffers: never a panic, and what is taken reads back the same.

use proptest::prelude::*;

use super::*;
use crate::border::lend::lend;

fn parts<'a>(validity: Option<&'a [u8]>, offsets: &'a [u8], values: &'a [u8]) -> Parts<'a> {
    Parts { validity, offsets, values }
}

fn offsets(offsets: &[i32]) -> Vec<u8> {
    offsets.iter().flat_map(|offset| offset.to_le_bytes()).collect()
}

#[test]
fn each_rule_is_named() {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let late = 253_402_300_800_000_000i64.to_le_bytes();
    let decimal = 100_000i128.to_le_bytes();
    let [none, one, shrinking, long, split] = [&[0][..], &[1, 1], &[0, 2, 1], &[0, 2], &[0, 1, 2]].map(offsets);
    let cases: &[(DataType, u32, Parts<'_>, &str)] = &[
        (DataType::Int8, MAX_ROWS + 1, parts(None, &[], &[]), "rows are more than"),
        (DataType::Int8, 9, parts(Some(&[255]), &[], &[0; 9]), "validity has 1 bytes, 9 rows need 2"),
        (DataType::Int8, 1, parts(Some(&[3]), &[], &[0]), "validity has unused bits"),
        (DataType::Int32, 2, parts(None, &[], &[0; 7]), "values has 7 bytes, the rows need 8"),
        (DataType::Int32, 1, parts(None, &[0], &[0; 4]), "this type has none"),
        (DataType::Boolean, 9, parts(None, &[], &[0]), "values has 1 bytes, 9 rows need 2"),
        (DataType::Null, 1, parts(Some(&[1]), &[], &[]), "a row that is not null"),
        (DataType::Utf8, 1, parts(None, &none, b""), "offsets has 4 bytes"),
        (DataType::Utf8, 1, parts(None, &one, b"a"), "the first offset is 1"),
        (DataType::Utf8, 2, parts(None, &shrinking, b"a"), "the offsets shrink at row 1"),
        (DataType::Utf8, 1, parts(None, &long, b"a"), "the last offset is 2"),
        (DataType::Utf8, 1, parts(None, &long, b"a\xff"), "not UTF-8 at byte 1"),
        (DataType::Utf8, 2, parts(None, &split, "é".as_bytes()), "row 1 lies within"),
        (DataType::Decimal128(5, 2), 1, parts(None, &[], &decimal), "the value of row 0 is out of range"),
        (DataType::Date32, 1, parts(None, &[], &[255, 255, 255, 127]), "row 0 is out of range"),
        (utc, 1, parts(None, &[], &late), "row 0 is out of range"),
        (DataType::Duration(TimeUnit::Second), 1, parts(None, &[], &[0; 7]), "values has 7 bytes"),
        (DataType::Utf8View, 1, parts(None, &[], &[]), "opaque"),
    ];
    for (data_type, rows, parts, rule) in cases {
        let error = accept(data_type, *rows, *parts, &|_| None).expect_err(rule);
        assert!(error.contains(rule), "{data_type}: `{error}` does not name `{rule}`");
    }
}

#[test]
fn what_lies_under_a_null_is_not_looked_at() {
    let values = [i32::MAX.to_le_bytes(), 0i32.to_le_bytes()].concat();
    let array = accept(&DataType::Date32, 2, parts(Some(&[0b10]), &[], &values), &|_| None).expect("taken");
    assert_eq!(array.null_count(), 1);
}

fn types() -> impl Strategy<Value = DataType> {
    prop::sample::select(vec![
        DataType::Null,
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt16,
        DataType::Int32,
        DataType::Float64,
        DataType::Utf8,
        DataType::Binary,
        DataType::Decimal128(9, 2),
        DataType::Date32,
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Timestamp(TimeUnit::Nanosecond, Some("+02:00".into())),
    ])
}

/// Buffers that are often right and often wrong by a little.
fn buffers() -> impl Strategy<Value = (DataType, u32, Option<Vec<u8>>, Vec<u8>, Vec<u8>)> {
    (types(), 0u32..40, 0usize..6, 0usize..6).prop_flat_map(|(data_type, rows, off_by, wrong)| {
        let count = rows as usize;
        let near = move |length: usize| match off_by {
            0 => length + 1,
            1 => length.saturating_sub(1),
            _ => length,
        };
        let width = data_type.primitive_width().unwrap_or(0);
        let block = matches!(data_type, DataType::Utf8 | DataType::Binary);
        let bits = prop::collection::vec(any::<u8>(), near(count.div_ceil(8)));
        let values = match data_type {
            DataType::Boolean => near(count.div_ceil(8)),
            _ if block => count * 3,
            _ => near(count * width),
        };
        let byte = prop_oneof![4 => 0u8..128, 1 => any::<u8>(), 2 => Just(0)];
        let values = prop::collection::vec(byte, values);
        let steps = prop::collection::vec(-1i32..8, if block { near(count) } else { 0 });
        (Just(data_type), Just(rows), prop::option::of(bits), steps, values).prop_map(
            move |(data_type, rows, validity, steps, mut values)| {
                let mut ends = vec![];
                if block {
                    ends.push(i32::from(wrong == 0));
                    for step in steps {
                        let step = if wrong > 1 { step.max(0) } else { step };
                        ends.push(ends.last().copied().unwrap_or(0).saturating_add(step));
                    }
                    let last = ends.last().copied().unwrap_or(0);
                    if wrong > 2 {
                        values.resize(usize::try_from(last).unwrap_or(0), b'x');
                    }
                }
                let validity = validity.map(|mut bits| {
                    let unused = bits.len() * 8 - (rows as usize).min(bits.len() * 8);
                    if let Some(last) = bits.last_mut().filter(|_| wrong > 0 && unused < 8) {
                        *last &= 0xff >> unused;
                    }
                    bits
                });
                (data_type, rows, validity, offsets(&ends), values)
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn random_buffers_never_panic_and_read_back((data_type, rows, validity, offsets, values) in buffers()) {
        let given = Parts { validity: validity.as_deref(), offsets: &offsets, values: &values };
        if let Ok(array) = accept(&data_type, rows, given, &|_| None) {
            prop_assert_eq!(array.len(), rows as usize);
            prop_assert_eq!(array.data_type(), &data_type);
            prop_assert!(array.to_data().validate_full().is_ok());
            let lent = lend(&array).map_err(TestCaseError::fail)?.parts();
            let some_null = |bits: &Vec<u8>| bits.iter().map(|byte| byte.count_ones()).sum::<u32>() < rows;
            let same_nulls = lent.0 == validity.filter(some_null) || data_type == DataType::Null;
            prop_assert!(same_nulls);
            prop_assert_eq!((lent.1, lent.2), (offsets, values));
        }
    }
}
