//! The contract's types and Arrow's, one way and the other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;
use std::sync::Arc;

use arrow_array::timezone::Tz;
use arrow_schema::{DataType as Arrow, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::bindings::forcepump::plugin::types as wit;
use crate::limits::{MAX_METADATA_BYTES, MAX_NAME_BYTES, MAX_OUTPUT_FIELDS};
use crate::text::{clean, has_control};

/// Bytes of the text that stands for an Arrow type outside the contract.
const MAX_OPAQUE_BYTES: usize = 1 << 10;

/// The Arrow type under which a column crosses the border: large, view and dictionary forms are
/// flattened, all others stay what they are.
pub fn flattened(data_type: &Arrow) -> Arrow {
    match data_type {
        Arrow::LargeUtf8 | Arrow::Utf8View => Arrow::Utf8,
        Arrow::LargeBinary | Arrow::BinaryView => Arrow::Binary,
        Arrow::Dictionary(_, values) => match flattened(values) {
            flat if is_opaque(&flat) => data_type.clone(),
            flat => flat,
        },
        other => other.clone(),
    }
}

/// Whether an Arrow type has no form in the contract.
pub fn is_opaque(data_type: &Arrow) -> bool {
    matches!(to_wit(data_type), wit::DataType::Opaque(_))
}

/// The contract's name for an Arrow type.
pub fn to_wit(data_type: &Arrow) -> wit::DataType {
    match data_type {
        Arrow::Null => wit::DataType::Null,
        Arrow::Boolean => wit::DataType::Boolean,
        Arrow::Int8 => wit::DataType::Int8,
        Arrow::Int16 => wit::DataType::Int16,
        Arrow::Int32 => wit::DataType::Int32,
        Arrow::Int64 => wit::DataType::Int64,
        Arrow::UInt8 => wit::DataType::Uint8,
        Arrow::UInt16 => wit::DataType::Uint16,
        Arrow::UInt32 => wit::DataType::Uint32,
        Arrow::UInt64 => wit::DataType::Uint64,
        Arrow::Float32 => wit::DataType::Float32,
        Arrow::Float64 => wit::DataType::Float64,
        Arrow::Utf8 => wit::DataType::Utf8,
        Arrow::Binary => wit::DataType::Binary,
        Arrow::Decimal128(precision, scale) => {
            wit::DataType::Decimal128(wit::DecimalShape { precision: *precision, scale: *scale })
        }
        Arrow::Date32 => wit::DataType::Date32,
        Arrow::Time64(unit @ (TimeUnit::Microsecond | TimeUnit::Nanosecond)) => {
            wit::DataType::Time64(unit_to_wit(*unit))
        }
        Arrow::Timestamp(unit, zone) => wit::DataType::Timestamp(wit::TimestampShape {
            unit: unit_to_wit(*unit),
            zone: zone.as_ref().map(ToString::to_string),
        }),
        other => wit::DataType::Opaque(clean(&other.to_string(), MAX_OPAQUE_BYTES)),
    }
}

/// Arrow types outside the contract that the input has, by their opaque text.
pub type OpaqueTypes = BTreeMap<String, Arrow>;

/// The opaque types of a schema.
pub fn opaque_types(schema: &Schema) -> OpaqueTypes {
    let mut found = OpaqueTypes::new();
    for field in schema.fields() {
        if let wit::DataType::Opaque(text) = to_wit(field.data_type()) {
            found.insert(text, field.data_type().clone());
        }
    }
    found
}

/// The Arrow type that a guest means; the error is the broken rule.
pub fn from_wit(data_type: &wit::DataType, opaque: &OpaqueTypes) -> Result<Arrow, String> {
    Ok(match data_type {
        wit::DataType::Null => Arrow::Null,
        wit::DataType::Boolean => Arrow::Boolean,
        wit::DataType::Int8 => Arrow::Int8,
        wit::DataType::Int16 => Arrow::Int16,
        wit::DataType::Int32 => Arrow::Int32,
        wit::DataType::Int64 => Arrow::Int64,
        wit::DataType::Uint8 => Arrow::UInt8,
        wit::DataType::Uint16 => Arrow::UInt16,
        wit::DataType::Uint32 => Arrow::UInt32,
        wit::DataType::Uint64 => Arrow::UInt64,
        wit::DataType::Float32 => Arrow::Float32,
        wit::DataType::Float64 => Arrow::Float64,
        wit::DataType::Utf8 => Arrow::Utf8,
        wit::DataType::Binary => Arrow::Binary,
        wit::DataType::Decimal128(shape) => decimal(*shape)?,
        wit::DataType::Date32 => Arrow::Date32,
        wit::DataType::Time64(unit) => time(*unit)?,
        wit::DataType::Timestamp(shape) => timestamp(shape)?,
        wit::DataType::Opaque(text) => opaque
            .get(text)
            .cloned()
            .ok_or_else(|| format!("`{}` is no opaque type of the input", clean(text, MAX_NAME_BYTES)))?,
    })
}

fn decimal(shape: wit::DecimalShape) -> Result<Arrow, String> {
    let wit::DecimalShape { precision, scale } = shape;
    let fits = (1..=38).contains(&precision) && scale.unsigned_abs() <= precision;
    if !fits {
        return Err(format!("decimal128({precision}, {scale}) is no decimal: 1 to 38 digits, scale within"));
    }
    Ok(Arrow::Decimal128(precision, scale))
}

fn time(unit: wit::TimeUnit) -> Result<Arrow, String> {
    match unit {
        wit::TimeUnit::Microsecond => Ok(Arrow::Time64(TimeUnit::Microsecond)),
        wit::TimeUnit::Nanosecond => Ok(Arrow::Time64(TimeUnit::Nanosecond)),
        _ => Err("time64 counts microseconds or nanoseconds".into()),
    }
}

fn timestamp(shape: &wit::TimestampShape) -> Result<Arrow, String> {
    let zone = match shape.zone.as_deref() {
        None => None,
        Some(zone) if zone == "UTC" || Tz::from_str(zone).is_ok() => Some(Arc::from(zone)),
        Some(zone) => {
            let zone = clean(zone, MAX_NAME_BYTES);
            return Err(format!("the zone `{zone}` is neither `UTC` nor an offset such as `+02:00`"));
        }
    };
    Ok(Arrow::Timestamp(unit_from_wit(shape.unit), zone))
}

fn unit_to_wit(unit: TimeUnit) -> wit::TimeUnit {
    match unit {
        TimeUnit::Second => wit::TimeUnit::Second,
        TimeUnit::Millisecond => wit::TimeUnit::Millisecond,
        TimeUnit::Microsecond => wit::TimeUnit::Microsecond,
        TimeUnit::Nanosecond => wit::TimeUnit::Nanosecond,
    }
}

fn unit_from_wit(unit: wit::TimeUnit) -> TimeUnit {
    match unit {
        wit::TimeUnit::Second => TimeUnit::Second,
        wit::TimeUnit::Millisecond => TimeUnit::Millisecond,
        wit::TimeUnit::Microsecond => TimeUnit::Microsecond,
        wit::TimeUnit::Nanosecond => TimeUnit::Nanosecond,
    }
}

/// A schema as the guest sees it.
pub fn schema_to_wit(schema: &Schema) -> wit::Schema {
    let mut metadata: Vec<(String, String)> =
        schema.metadata().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    metadata.sort();
    wit::Schema { fields: schema.fields().iter().map(|field| field_to_wit(field)).collect(), metadata }
}

fn field_to_wit(field: &Field) -> wit::Field {
    let mut metadata: Vec<(String, String)> =
        field.metadata().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    // A map has no order of its own, and a guest must see the same in every run.
    metadata.sort();
    wit::Field {
        name: field.name().clone(),
        data_type: to_wit(field.data_type()),
        nullable: field.is_nullable(),
        metadata,
    }
}

/// A field that a guest describes; the error is the broken rule.
pub fn field_from_wit(field: &wit::Field, opaque: &OpaqueTypes) -> Result<Field, String> {
    check_name(&field.name)?;
    let data_type = from_wit(&field.data_type, opaque).map_err(|rule| format!("the field `{}`: {rule}", field.name))?;
    let metadata: HashMap<String, String> = field.metadata.iter().cloned().collect();
    Ok(Field::new(&field.name, data_type, field.nullable).with_metadata(metadata))
}

fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > MAX_NAME_BYTES || has_control(name) {
        let name = clean(name, 64);
        return Err(format!("the column name `{name}` must have 1 to {MAX_NAME_BYTES} bytes and no control character"));
    }
    Ok(())
}

/// Rules on the fields of a schema that a guest gives: how many, how long, no name twice.
pub fn check_fields<'a>(fields: impl ExactSizeIterator<Item = &'a wit::Field>) -> Result<(), String> {
    if fields.len() > MAX_OUTPUT_FIELDS {
        return Err(format!("{} fields are more than {MAX_OUTPUT_FIELDS}", fields.len()));
    }
    let mut names = HashSet::with_capacity(fields.len());
    let mut bytes = 0usize;
    for field in fields {
        if !names.insert(field.name.as_str()) {
            return Err(format!("the column name `{}` comes twice", clean(&field.name, MAX_NAME_BYTES)));
        }
        bytes += field.metadata.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    }
    if bytes > MAX_METADATA_BYTES {
        return Err(format!("the metadata has more than {MAX_METADATA_BYTES} bytes"));
    }
    Ok(())
}

/// A schema that a guest gives; the error is the broken rule.
pub fn schema_from_wit(schema: &wit::Schema, opaque: &OpaqueTypes) -> Result<SchemaRef, String> {
    check_fields(schema.fields.iter())?;
    let fields: Fields = schema.fields.iter().map(|field| field_from_wit(field, opaque)).collect::<Result<_, _>>()?;
    let bytes: usize = schema.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > MAX_METADATA_BYTES {
        return Err(format!("the metadata has more than {MAX_METADATA_BYTES} bytes"));
    }
    let metadata: HashMap<String, String> = schema.metadata.iter().cloned().collect();
    Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
}

/// The input schema with its flattened types.
pub fn flattened_schema(schema: &Schema) -> SchemaRef {
    let fields: Fields = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_data_type(flattened(field.data_type())))
        .collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_survive_the_way_there_and_back() {
        let utc = Some(Arc::from("UTC"));
        for data_type in [
            Arrow::Null,
            Arrow::Boolean,
            Arrow::Int64,
            Arrow::UInt8,
            Arrow::Float64,
            Arrow::Utf8,
            Arrow::Binary,
            Arrow::Decimal128(38, 10),
            Arrow::Decimal128(5, -2),
            Arrow::Date32,
            Arrow::Time64(TimeUnit::Microsecond),
            Arrow::Timestamp(TimeUnit::Microsecond, utc),
            Arrow::Timestamp(TimeUnit::Second, Some(Arc::from("+02:00"))),
        ] {
            assert_eq!(from_wit(&to_wit(&data_type), &OpaqueTypes::new()), Ok(data_type));
        }
    }

    #[test]
    fn unknown_arrow_types_are_opaque_and_come_back_when_the_input_has_them() {
        let odd = Arrow::Duration(TimeUnit::Second);
        let schema = Schema::new(vec![Field::new("d", odd.clone(), true)]);
        let named = to_wit(&odd);
        assert!(matches!(named, wit::DataType::Opaque(_)));
        assert_eq!(from_wit(&named, &opaque_types(&schema)), Ok(odd));
        assert!(from_wit(&named, &OpaqueTypes::new()).is_err());
    }

    #[test]
    fn shapes_out_of_range_are_refused() {
        let none = OpaqueTypes::new();
        for (precision, scale) in [(0, 0), (39, 0), (5, 6), (5, -6), (38, -128)] {
            let shape = wit::DecimalShape { precision, scale };
            assert!(from_wit(&wit::DataType::Decimal128(shape), &none).is_err(), "{precision},{scale}");
        }
        assert!(from_wit(&wit::DataType::Time64(wit::TimeUnit::Second), &none).is_err());
        let zone = Some("Mars/Phobos".to_owned());
        let shape = wit::TimestampShape { unit: wit::TimeUnit::Second, zone };
        assert!(from_wit(&wit::DataType::Timestamp(shape), &none).is_err());
    }

    #[test]
    fn flat_forms() {
        let text = Arrow::Dictionary(Box::new(Arrow::Int32), Box::new(Arrow::LargeUtf8));
        assert_eq!(flattened(&text), Arrow::Utf8);
        assert_eq!(flattened(&Arrow::BinaryView), Arrow::Binary);
    }
}
