//! A batch with every type of the contract, and its values as text.

use std::sync::Arc;

use arrow_array::types::{Int8Type, Int16Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array,
    Int64Array, NullArray, PrimitiveArray, RecordBatch, StringArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};

/// Text with all that CSV, JSON and SQL trip over.
pub const NASTY: &str = "a \"quoted\", 'single';\r\nsecond line\t\\ \u{1} é 🦀 %s {}";
/// The largest decimal of 38 digits.
pub const WIDEST: &str = "99999999999999999999999999999999999.999";

/// Three rows: ordinary values, extreme values, nulls.
pub fn every_type() -> RecordBatch {
    let decimal = |values: Vec<Option<i128>>, precision, scale| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).expect("decimal"))
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("none", Arc::new(NullArray::new(3))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("i8", Arc::new(PrimitiveArray::<Int8Type>::from(vec![Some(1), Some(i8::MIN), None]))),
        ("i16", Arc::new(PrimitiveArray::<Int16Type>::from(vec![Some(1), Some(i16::MIN), None]))),
        ("i32", Arc::new(Int32Array::from(vec![Some(1), Some(i32::MIN), None]))),
        ("i64", Arc::new(Int64Array::from(vec![Some(1), Some(i64::MIN), None]))),
        ("u8", Arc::new(PrimitiveArray::<UInt8Type>::from(vec![Some(1), Some(u8::MAX), None]))),
        ("u16", Arc::new(PrimitiveArray::<UInt16Type>::from(vec![Some(1), Some(u16::MAX), None]))),
        ("u32", Arc::new(PrimitiveArray::<UInt32Type>::from(vec![Some(1), Some(u32::MAX), None]))),
        ("u64", Arc::new(PrimitiveArray::<UInt64Type>::from(vec![Some(1), Some(u64::MAX), None]))),
        ("f32", Arc::new(Float32Array::from(vec![Some(1.5), Some(f32::MAX), None]))),
        ("f64", Arc::new(Float64Array::from(vec![Some(0.1), Some(-1e300), None]))),
        ("text", Arc::new(StringArray::from(vec![Some("plain"), Some(NASTY), None]))),
        ("bytes", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"abc"), Some(&[0, 255]), None]))),
        ("money", decimal(vec![Some(1250), Some(-999_999_999_999_999_999), None], 18, 2)),
        ("wide", decimal(vec![Some(1), Some(10i128.pow(38) - 1), None], 38, 3)),
        ("whole", decimal(vec![Some(7), Some(-7), None], 18, 0)),
        ("day", Arc::new(Date32Array::from(vec![Some(19_829), Some(-719_162), None]))),
        ("time", Arc::new(Time64MicrosecondArray::from(vec![Some(68_400_000_000), Some(86_399_999_999), None]))),
        (
            "instant",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_713_294_000_000_000), Some(-1), None]).with_timezone("UTC"),
            ),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .expect("batch")
}

/// Two columns: `id` counts from `first`, `name` is text.
pub fn plain(first: i64, rows: i64) -> RecordBatch {
    let id: ArrayRef = Arc::new((first..first + rows).map(Some).collect::<Int64Array>());
    let name: ArrayRef = Arc::new((first..first + rows).map(|n| Some(format!("name {n}"))).collect::<StringArray>());
    RecordBatch::try_from_iter([("id", id), ("name", name)]).expect("batch")
}
