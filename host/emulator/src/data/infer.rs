//! A custom object that only a file describes: its fields' types are read off the values.

use std::path::Path;

use super::csv_read::CsvReader;
use super::load::DataError;
use super::number::Decimal;
use super::schema::{FieldDef, FieldType, ObjectDef};
use super::schema_text;
use super::value;

/// Longest text that stays a text field; longer ones become long text areas.
const TEXT_CHARS: usize = 255;
/// Length of a long text area.
const LONG_TEXT_CHARS: u32 = 131_072;
/// Digits of a number field.
const NUMBER_DIGITS: u8 = 18;

/// What the values of a column have in common.
struct Seen {
    values: usize,
    longest: usize,
    scale: i32,
    boolean: bool,
    number: bool,
    date: bool,
    moment: bool,
}

impl Seen {
    fn new() -> Seen {
        Seen { values: 0, longest: 0, scale: 0, boolean: true, number: true, date: true, moment: true }
    }

    fn see(&mut self, cell: &str) {
        if cell.is_empty() {
            return;
        }
        self.values += 1;
        self.longest = self.longest.max(cell.chars().count());
        self.boolean &= matches!(cell, "true" | "false");
        self.date &= value::date(cell).is_some();
        self.moment &= cell.contains('T') && value::moment(cell).is_some();
        // Leading zeros say that the digits are a name, not a number.
        let named = cell.len() > 1 && cell.starts_with('0') && !cell.starts_with("0.");
        match Decimal::parse(cell).filter(|_| !named) {
            Some(number) => {
                self.scale = self.scale.max(number.needed_scale());
                self.number &= number.whole_digits() as i32 + self.scale <= i32::from(NUMBER_DIGITS);
            }
            None => self.number = false,
        }
    }

    fn field(&self, name: &str) -> FieldDef {
        if self.values > 0 && self.boolean {
            let mut field = schema_text::plain(name, FieldType::Boolean, 0);
            (field.nillable, field.defaulted) = (false, true);
            return field;
        }
        if self.values > 0 && self.number {
            let mut field = schema_text::plain(name, FieldType::Double, 0);
            field.precision = NUMBER_DIGITS;
            field.scale = u8::try_from(self.scale).unwrap_or(0);
            return field;
        }
        match self {
            Seen { values: 1.., date: true, .. } => schema_text::plain(name, FieldType::Date, 0),
            Seen { values: 1.., moment: true, .. } => schema_text::plain(name, FieldType::DateTime, 0),
            Seen { longest, .. } if *longest > TEXT_CHARS => {
                schema_text::plain(name, FieldType::TextArea, LONG_TEXT_CHARS)
            }
            _ => schema_text::plain(name, FieldType::String, 255),
        }
    }
}

/// The object in a file; `number` makes its key prefix differ from all others, `parent_of` finds the object that
/// a relationship is named after.
pub fn object(
    name: &str,
    number: usize,
    path: &Path,
    text: &str,
    parent_of: impl Fn(&str) -> Option<String>,
) -> Result<ObjectDef, DataError> {
    let mut reader = CsvReader::new(text);
    let (mut header, mut cells) = (Vec::new(), Vec::new());
    let fault = |fault: super::csv_read::CsvFault| DataError::Csv {
        path: path.to_owned(),
        line: fault.line,
        problem: fault.problem.to_owned(),
    };
    reader.record(&mut header).map_err(fault)?;
    let mut seen: Vec<Seen> = header.iter().map(|_| Seen::new()).collect();
    while reader.record(&mut cells).map_err(fault)? {
        for (seen, cell) in seen.iter_mut().zip(&cells) {
            seen.see(cell);
        }
    }
    let label = name.trim_end_matches("__c").replace('_', " ");
    let prefix = format!("a{:02}", number % 100);
    let mut object = ObjectDef::new(name, &prefix, &label, &format!("{label}s"), Vec::new());
    schema_text::push_custom_head(&mut object);
    for (column, seen) in header.iter().zip(&seen) {
        if let Some((relationship, _)) = column.split_once('.') {
            let base = relationship.strip_suffix("__r").unwrap_or(relationship);
            if let Some(parent) = parent_of(base) {
                object.push(lookup(base, relationship, parent));
            }
        } else if object.field(column).is_none() {
            let mut field = seen.field(column);
            field.external_id = column.eq_ignore_ascii_case("Ext_Id__c");
            field.id_lookup = field.external_id;
            object.push(field);
        }
    }
    Ok(object)
}

fn lookup(base: &str, relationship: &str, parent: String) -> FieldDef {
    let mut field = schema_text::plain(&format!("{base}__c"), FieldType::Reference, 18);
    field.relationship = Some(relationship.to_owned());
    field.references = vec![parent];
    field
}
