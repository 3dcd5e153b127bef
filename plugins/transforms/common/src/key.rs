//! Keys of several columns as bytes: equal exactly when every value is.
//!
//! A null is the byte 0. A value of fixed width is the byte 1 and its bytes; one of any length is its length plus 1
//! as a varint, and its bytes. Every column says where it ends, so two different keys never have the same bytes.

use forcepump_plugin_sdk::data::Refused;
use forcepump_plugin_sdk::{DataType, Field, PluginError, Schema};

use crate::column::{ColumnBuilder, Kind, Loaded};
use crate::saved::{Reader, put_varint};

/// The columns of a key.
#[derive(Debug, Clone)]
pub struct KeyColumns {
    columns: Vec<(u32, Field, Kind)>,
}

/// The key columns of one batch.
#[derive(Debug)]
pub struct Key {
    columns: Vec<Loaded>,
    fixed: Vec<bool>,
}

impl KeyColumns {
    /// Looks the names up, which the configuration lists at `pointer`.
    ///
    /// # Errors
    /// [`PluginError::Config`] for a name that is unknown, comes twice, or is of a type that does not cross.
    pub fn settle(names: &[String], input: &Schema, pointer: &str) -> Result<Self, PluginError> {
        let mut columns: Vec<(u32, Field, Kind)> = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            let at = format!("{pointer}/{index}");
            let number = input.require(&at, name)?;
            if columns.iter().any(|(known, ..)| *known == number) {
                return Err(PluginError::config(at, format!("column \"{name}\" is listed twice")));
            }
            let field = input.field(number)?.clone();
            let Some(kind) = Kind::of(&field.data_type) else {
                let text = format!("column \"{name}\" is {}, which cannot be compared", field.data_type.describe());
                return Err(PluginError::config(at, text));
            };
            columns.push((number, field, kind));
        }
        Ok(KeyColumns { columns })
    }

    /// Numbers of the columns in the input.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.columns.iter().map(|(number, ..)| *number)
    }

    /// Names and types of the columns.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.columns.iter().map(|(_, field, _)| field)
    }

    /// Reads the columns of the current batch.
    ///
    /// # Errors
    /// What the host says.
    pub fn read(&self) -> Result<Key, Refused> {
        let columns = self.columns.iter().map(|(number, _, kind)| Loaded::read(*number, *kind));
        let fixed = self.columns.iter().map(|(.., kind)| *kind != Kind::Block);
        Ok(Key { columns: columns.collect::<Result<_, _>>()?, fixed: fixed.collect() })
    }

    /// The values of a key, one for each column; none for null.
    pub fn values<'a>(&self, key: &'a [u8]) -> Vec<Option<&'a [u8]>> {
        let mut rest = Reader::new(key);
        self.columns.iter().map(|(.., kind)| value(&mut rest, *kind)).collect()
    }

    /// An empty builder for each column.
    pub fn builders(&self) -> Vec<ColumnBuilder> {
        self.columns.iter().map(|(.., kind)| ColumnBuilder::new(*kind)).collect()
    }

    /// Names and types in words: two states fit together when these are the same.
    pub fn shape(&self) -> String {
        let words = |field: &Field| format!("{:?}:{:?}", field.name, shown(&field.data_type));
        self.fields().map(words).collect::<Vec<_>>().join(",")
    }
}

/// A type without room for doubt: people's words leave the unit of a time out.
fn shown(data_type: &DataType) -> String {
    match data_type {
        DataType::Time64(unit) => format!("time {unit:?}"),
        DataType::Timestamp(shape) => format!("timestamp {:?} {:?}", shape.unit, shape.zone),
        other => other.describe(),
    }
}

fn value<'a>(rest: &mut Reader<'a>, kind: Kind) -> Option<&'a [u8]> {
    let mark = rest.varint()?;
    let len = match (mark, kind) {
        (0, _) | (_, Kind::Null) => return None,
        (_, Kind::Bits) => 1,
        (_, Kind::Fixed(width) | Kind::Float(width)) => width,
        (mark, Kind::Block) => mark - 1,
    };
    rest.take(len)
}

impl Key {
    /// Appends the key of a row to `out`; tells whether a value is null.
    #[inline]
    pub fn append(&self, row: usize, out: &mut Vec<u8>) -> bool {
        let mut has_null = false;
        for (column, fixed) in self.columns.iter().zip(&self.fixed) {
            match column.get(row) {
                None => {
                    out.push(0);
                    has_null = true;
                }
                Some(bytes) => {
                    put_varint(if *fixed { 1 } else { bytes.len() + 1 }, out);
                    out.extend_from_slice(bytes);
                }
            }
        }
        has_null
    }
}
