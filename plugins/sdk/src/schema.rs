//! Looking columns up, and laying the output out.

use crate::{
    Column, DataType, DecimalShape, Derived, Emitted, Field, Opened, Outcome, OutputField, PluginError, Reject, Schema,
    Selection, Source, TimeUnit, TimestampShape, Value,
};

/// Names further away than this are no suggestion.
const SUGGESTION_MAX_EDITS: usize = 3;

impl DataType {
    /// Exact decimal.
    pub fn decimal(precision: u8, scale: i8) -> Self {
        DataType::Decimal128(DecimalShape { precision, scale })
    }

    /// Microseconds since the epoch, UTC: what Salesforce's date-times become.
    pub fn timestamp_utc() -> Self {
        DataType::Timestamp(TimestampShape { unit: TimeUnit::Microsecond, zone: Some("UTC".to_owned()) })
    }

    /// The type's name as people read it, e.g. "decimal(18, 2)".
    pub fn describe(&self) -> String {
        match self {
            DataType::Decimal128(shape) => format!("decimal({}, {})", shape.precision, shape.scale),
            DataType::Timestamp(TimestampShape { zone: Some(zone), .. }) => format!("timestamp({zone})"),
            DataType::Timestamp(_) => "timestamp".to_owned(),
            DataType::Time64(_) => "time".to_owned(),
            DataType::Date32 => "date".to_owned(),
            DataType::Utf8 => "text".to_owned(),
            DataType::Opaque(name) => name.clone(),
            other => {
                let name = format!("{other:?}");
                name.rsplit("::").next().unwrap_or(&name).to_lowercase()
            }
        }
    }
}

impl Field {
    /// A column without metadata.
    pub fn new(name: impl Into<String>, data_type: DataType, nullable: bool) -> Self {
        Field { name: name.into(), data_type, nullable, metadata: Vec::new() }
    }

    /// What the metadata says under `key`, e.g. "sf.type".
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

impl Schema {
    /// Columns without metadata.
    pub fn new(fields: Vec<Field>) -> Self {
        Schema { fields, metadata: Vec::new() }
    }

    /// The number of the column of that name; the exact name wins, then one that differs in case
    /// only, as Salesforce's names do not distinguish case.
    pub fn find(&self, name: &str) -> Option<u32> {
        let exact = self.fields.iter().position(|field| field.name == name);
        exact
            .or_else(|| self.fields.iter().position(|field| field.name.eq_ignore_ascii_case(name)))
            .map(|index| index as u32)
    }

    /// The number of the column of that name, which the configuration names at `pointer`.
    ///
    /// # Errors
    /// [`PluginError::Config`] with the nearest name that there is.
    pub fn require(&self, pointer: &str, name: &str) -> Result<u32, PluginError> {
        self.find(name).ok_or_else(|| PluginError::config(pointer, self.unknown(name)))
    }

    /// The column of that number.
    ///
    /// # Errors
    /// [`PluginError::Fatal`] when there is none.
    pub fn field(&self, column: u32) -> Result<&Field, PluginError> {
        self.fields.get(column as usize).ok_or_else(|| {
            PluginError::fatal(format!("there is no column {column}; the input has {}", self.fields.len()))
        })
    }

    /// A sentence that says that there is no such column, and which one was perhaps meant.
    pub fn unknown(&self, name: &str) -> String {
        match self.nearest(name) {
            Some(nearest) => format!("there is no column \"{name}\"; did you mean \"{nearest}\"?"),
            None => format!("there is no column \"{name}\"; the columns are {}", self.some_names()),
        }
    }

    /// The name that is the fewest edits away, when that is near enough to be meant.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let wanted = name.to_lowercase();
        self.fields
            .iter()
            .map(|field| (edits(&wanted, &field.name.to_lowercase()), field.name.as_str()))
            .min()
            .filter(|(distance, _)| *distance <= SUGGESTION_MAX_EDITS.min(wanted.chars().count() / 2))
            .map(|(_, name)| name)
    }

    fn some_names(&self) -> String {
        const SHOWN_NAMES: usize = 8;
        let names: Vec<&str> = self.fields.iter().take(SHOWN_NAMES).map(|field| field.name.as_str()).collect();
        let more = if self.fields.len() > SHOWN_NAMES { ", …" } else { "" };
        format!("{}{more}", names.join(", "))
    }
}

/// Levenshtein distance in characters.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, from) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (index, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[right.len()]
}

impl OutputField {
    /// Every input column, untouched.
    pub fn keep_all(input: &Schema) -> Vec<Self> {
        input.fields.iter().zip(0..).map(|(field, index)| Self::keep(index, field.clone())).collect()
    }

    /// An input column under the name of `field`.
    pub fn keep(column: u32, field: Field) -> Self {
        OutputField { field, source: Source::Keep(column) }
    }

    /// The same value in every row.
    pub fn constant(field: Field, value: Value) -> Self {
        OutputField { field, source: Source::Constant(value) }
    }

    /// A column that process delivers.
    pub fn computed(field: Field) -> Self {
        OutputField { field, source: Source::Computed }
    }
}

impl Opened {
    /// The columns that go out; nothing is read.
    pub fn new(output: Vec<OutputField>) -> Self {
        Opened { output, reads: Vec::new(), preferred_rows: 0 }
    }

    /// The input columns that process reads.
    #[must_use]
    pub fn reads(mut self, columns: impl IntoIterator<Item = u32>) -> Self {
        self.reads = columns.into_iter().collect();
        self.reads.sort_unstable();
        self.reads.dedup();
        self
    }

    /// Rows a batch that suit the plugin.
    #[must_use]
    pub fn preferred_rows(mut self, rows: u32) -> Self {
        self.preferred_rows = rows;
        self
    }
}

impl Derived {
    /// Every row goes on, with these computed columns.
    pub fn all(columns: impl IntoIterator<Item = Column>) -> Self {
        Self::selected(Selection::All, columns)
    }

    /// These rows go on, with these computed columns.
    pub fn selected(rows: Selection, columns: impl IntoIterator<Item = Column>) -> Self {
        Derived { rows, columns: columns.into_iter().collect(), rejects: Vec::new() }
    }

    /// Rows that are refused; none of them may be selected.
    #[must_use]
    pub fn rejects(mut self, rejects: Vec<Reject>) -> Self {
        self.rejects = rejects;
        self
    }
}

impl Emitted {
    /// Rows of the plugin's own: every output column, in order.
    pub fn new(rows: u32, columns: Vec<Column>) -> Self {
        Emitted { rows, columns }
    }
}

impl Outcome {
    /// No row of the batch goes on now; what is kept of it comes from `finish`.
    pub fn held_back() -> Self {
        Outcome::Replaced(Vec::new())
    }
}

impl From<Derived> for Outcome {
    fn from(derived: Derived) -> Self {
        Outcome::Derived(derived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        Schema::new(["Id", "Name", "Account.Name", "StageName"].map(|n| Field::new(n, DataType::Utf8, true)).to_vec())
    }

    #[test]
    fn names_are_found_exactly_then_without_case() {
        assert_eq!(schema().find("Account.Name"), Some(2));
        assert_eq!(schema().find("stagename"), Some(3));
        assert_eq!(schema().find("Stage"), None);
    }

    #[test]
    fn a_wrong_name_gets_the_nearest_one() {
        assert_eq!(schema().unknown("StageNmae"), "there is no column \"StageNmae\"; did you mean \"StageName\"?");
        assert_eq!(
            schema().unknown("Revenue"),
            "there is no column \"Revenue\"; the columns are Id, Name, Account.Name, StageName"
        );
    }

    #[test]
    fn types_are_named_for_people() {
        assert_eq!(DataType::decimal(18, 2).describe(), "decimal(18, 2)");
        assert_eq!(DataType::Int32.describe(), "int32");
        assert_eq!(DataType::timestamp_utc().describe(), "timestamp(UTC)");
    }
}
