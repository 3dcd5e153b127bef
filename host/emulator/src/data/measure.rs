//! Aggregate functions: what each remembers of the values it has seen, and what it gives.

use std::collections::HashSet;

use super::number::Decimal;
use super::order::{Key, key};
use super::resolve::FieldPath;
use super::schema::FieldType;
use super::tables::Tables;

/// What a column of an aggregate result holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The value of that key of GROUP BY.
    Key(usize),
    /// 1 when that key is rolled up.
    Grouping(usize),
    Count,
    CountDistinct,
    Min,
    Max,
    Sum,
    Average,
}

impl Measure {
    /// The aggregate function of that name.
    pub fn named(name: &str) -> Option<Measure> {
        Some(match name.to_ascii_uppercase().as_str() {
            "COUNT" => Measure::Count,
            "COUNT_DISTINCT" => Measure::CountDistinct,
            "MIN" => Measure::Min,
            "MAX" => Measure::Max,
            "SUM" => Measure::Sum,
            "AVG" => Measure::Average,
            _ => return None,
        })
    }
}

/// Whether the name is that of an aggregate function.
pub fn is_aggregate(name: &str) -> bool {
    Measure::named(name).is_some()
}

/// Whether the function takes values of that type.
pub fn takes(measure: Measure, kind: FieldType) -> bool {
    kind.is_number() || !matches!(measure, Measure::Sum | Measure::Average)
}

/// The type of what the function gives for values of that type.
pub fn result_kind(measure: Measure, kind: FieldType) -> FieldType {
    match measure {
        Measure::Count | Measure::CountDistinct | Measure::Grouping(_) => FieldType::Int,
        Measure::Sum | Measure::Average => FieldType::Double,
        Measure::Key(_) | Measure::Min | Measure::Max => kind,
    }
}

/// What has been seen of one column in one group.
#[derive(Debug, Default)]
pub struct Seen {
    count: u64,
    sum: Option<Decimal>,
    least: Option<(Key, Vec<u8>)>,
    greatest: Option<(Key, Vec<u8>)>,
    distinct: HashSet<Vec<u8>>,
}

impl Seen {
    /// Takes a value in; nulls do not count.
    pub fn see(&mut self, tables: &Tables, measure: Measure, path: Option<&FieldPath>, text: &[u8]) {
        let Some(path) = path.filter(|_| !text.is_empty()) else { return };
        self.count += 1;
        match measure {
            Measure::CountDistinct => _ = self.distinct.insert(text.to_vec()),
            Measure::Sum | Measure::Average => {
                let value = std::str::from_utf8(text).ok().and_then(Decimal::parse).unwrap_or(Decimal::whole(0));
                self.sum = Some(self.sum.map_or(value, |sum| sum.add(value).unwrap_or(sum)));
            }
            Measure::Min | Measure::Max => {
                let key = key(path.kind, &path.picks(&tables.schema), text);
                if self.least.as_ref().is_none_or(|(least, _)| key < *least) {
                    self.least = Some((key.clone(), text.to_vec()));
                }
                if self.greatest.as_ref().is_none_or(|(greatest, _)| key > *greatest) {
                    self.greatest = Some((key, text.to_vec()));
                }
            }
            Measure::Key(_) | Measure::Grouping(_) | Measure::Count => {}
        }
    }

    /// The text of the result; empty for null.
    pub fn result(self, measure: Measure) -> Vec<u8> {
        let number = |value: f64| format!("{value:?}").into_bytes();
        match measure {
            Measure::Key(_) | Measure::Grouping(_) => Vec::new(),
            Measure::Count => self.count.to_string().into_bytes(),
            Measure::CountDistinct => self.distinct.len().to_string().into_bytes(),
            Measure::Min => self.least.map(|(_, text)| text).unwrap_or_default(),
            Measure::Max => self.greatest.map(|(_, text)| text).unwrap_or_default(),
            Measure::Sum => self.sum.map(|sum| number(sum.to_f64())).unwrap_or_default(),
            Measure::Average => self.sum.map(|sum| number(sum.to_f64() / self.count as f64)).unwrap_or_default(),
        }
    }
}
