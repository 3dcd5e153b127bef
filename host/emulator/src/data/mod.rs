//! The org's rows: objects, records, and the evaluation of statements over them.

mod aggregate;
mod awkward;
mod character;
mod children;
mod chunks;
mod compare;
mod complete;
mod csv;
mod csv_read;
mod demo;
mod describe;
pub mod edit;
mod edit_value;
mod field_definitions;
mod filter;
mod function;
mod generate;
pub(crate) mod ids;
mod infer;
mod json;
mod load;
mod measure;
mod metadata;
mod moments;
mod number;
mod open;
mod order;
mod prepare;
mod refuse;
mod resolve;
mod schema;
mod schema_text;
mod semi_join;
mod slow;
mod stored;
mod tables;
mod type_of;
mod value;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value, json};

pub(crate) use character::Character;
pub use chunks::Chunk;
pub use json::Moments;
use json::{Shape, Style};
pub use load::DataError;
use prepare::{Output, Plan, Setting};
use resolve::{FieldPath, Resolver};
use schema::{FieldType, Schema};
use tables::{Table, Tables};

use crate::clock::Clock;
pub(crate) use slow::QUERY_TIMEOUT;

pub use crate::soql::SoqlError;
use crate::soql::ast::Path;

/// Two custom long text areas make rows wide, which come in small pages.
const WIDE_COLUMNS: usize = 2;
const LONG_TEXT_CHARS: u32 = 255;
const WIDE_ROWS: u64 = 200;

/// Where the rows of an org come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataSource {
    /// The demo org inside the binary.
    Demo,
    /// A folder of CSV files named after their objects.
    Folder(PathBuf),
}

/// Which resource a statement came in through: it decides what is refused and whether deleted rows show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryMode {
    /// `/query`
    Rest,
    /// `/queryAll`
    RestAll,
    /// Bulk 2.0 job with operation `query`
    Bulk2,
    /// Bulk 2.0 job with operation `queryAll`
    Bulk2All,
    /// Bulk 1.0 job
    Bulk1 {
        /// Operation `queryAll`.
        all: bool,
        /// Its content type is CSV, which cannot hold what nests.
        csv: bool,
    },
}

impl QueryMode {
    /// Whether rows in the recycle bin show.
    fn sees_deleted(self) -> bool {
        matches!(self, QueryMode::RestAll | QueryMode::Bulk2All | QueryMode::Bulk1 { all: true, .. })
    }
}

/// How result CSV is written; cells are always quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvDialect {
    /// The byte between cells.
    pub delimiter: u8,
    /// Rows end with CR LF instead of LF.
    pub crlf: bool,
}

/// Objects and rows of one emulated org; copies share the rows, with every change of them, and the clock.
#[derive(Debug, Clone)]
pub struct Org {
    /// Objects and fields that the caller sees.
    schema: Arc<Schema>,
    /// All of them.
    full: Arc<Schema>,
    held: Arc<RwLock<Arc<Vec<Arc<Table>>>>>,
    clock: Clock,
}

/// The rows of a result, in its order.
#[derive(Debug, Clone)]
enum Rows {
    Range(Range<u64>),
    List(Vec<u64>),
}

impl Rows {
    fn len(&self) -> u64 {
        match self {
            Rows::Range(range) => range.end.saturating_sub(range.start),
            Rows::List(list) => list.len() as u64,
        }
    }

    /// The row at that place of the result.
    fn at(&self, place: u64) -> Option<u64> {
        match self {
            Rows::Range(range) => range.start.checked_add(place).filter(|row| *row < range.end),
            Rows::List(list) => usize::try_from(place).ok().and_then(|place| list.get(place)).copied(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len()).filter_map(|place| self.at(place))
    }
}

impl Org {
    /// Opens the rows of `source`, and replaces those of the objects in `generate` by that many generated rows.
    ///
    /// # Errors
    /// When a file cannot be read or does not fit the object it is named after.
    pub fn open(source: &DataSource, generate: &[(String, u64)], seed: u64) -> Result<Org, DataError> {
        open::open(source, generate, seed).map(Org::of)
    }

    fn of(tables: Tables) -> Org {
        let Tables { schema, tables } = tables;
        Org { full: schema.clone(), schema, held: Arc::new(RwLock::new(tables)), clock: Clock::default() }
    }

    /// The rows as they are now; what is evaluated over them keeps them so.
    fn tables(&self) -> Arc<Tables> {
        let tables = Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner));
        Arc::new(Tables { schema: self.schema.clone(), tables })
    }

    /// The org's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// An object's name in its canonical spelling; `None` when there is no such object.
    pub fn object_name(&self, object: &str) -> Option<String> {
        self.schema.find(object).map(|index| self.schema.objects[index].name.clone())
    }

    /// An org without objects.
    pub(crate) fn empty() -> Org {
        Org::of(Tables { schema: Arc::default(), tables: Arc::default() })
    }

    /// The same rows without the named objects (`Case`) and fields (`Account.Phone`), as a user without access sees
    /// them. Names that the org does not have are passed over.
    pub fn hiding<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Org {
        let mut schema = Schema::clone(&self.schema);
        names.into_iter().for_each(|name| schema.hide(name));
        Org { schema: Arc::new(schema), ..self.clone() }
    }

    /// The same org with a character of its own.
    pub(crate) fn marked(self, character: &Character) -> Org {
        let mut tables = Tables::clone(&self.tables());
        character.mark(&mut tables);
        Org { held: Arc::new(RwLock::new(tables.tables)), ..self }
    }

    /// Whether an object (`Case`) or a field (`Account.Phone`) is there and can be hidden; says why not.
    pub(crate) fn check_hidden(&self, name: &str) -> Result<(), String> {
        self.schema.check_hidden(name)
    }

    /// `GET /sobjects`; the version goes into its paths.
    pub fn describe_global(&self, version: f32) -> Value {
        describe::global(&self.schema, version)
    }

    /// `GET /sobjects/X/describe`; `None` when there is no such object.
    pub fn describe(&self, object: &str, version: f32) -> Option<Value> {
        let index = self.schema.find(object)?;
        Some(describe::object(&self.schema, &self.schema.objects[index], version))
    }

    /// `GET /tooling/query` over `FieldDefinition`.
    ///
    /// # Errors
    /// The refusal as it goes on the wire.
    pub fn field_definitions(&self, soql: &str, api_version: &str) -> Result<Value, SoqlError> {
        field_definitions::query(&self.schema, soql, api_version)
    }

    /// Rows that are not deleted; `None` when there is no such object.
    pub fn object_rows(&self, object: &str) -> Option<u64> {
        let index = self.schema.find(object)?;
        Some(self.tables().tables[index].live_rows())
    }

    /// Parses, checks and evaluates one statement.
    ///
    /// # Errors
    /// The refusal as it goes on the wire.
    pub fn prepare(&self, soql: &str, mode: QueryMode) -> Result<Prepared, SoqlError> {
        let statement = crate::soql::parse(soql)?;
        let setting = Setting { tables: &self.tables(), mode, now: self.clock.now().naive_utc() };
        prepare::plan(setting, &statement, soql).map(|plan| Prepared { plan: Arc::new(plan) })
    }

    /// Whether the object has a record of this id, and it is in the recycle bin.
    pub(crate) fn is_deleted(&self, object: &str, id: &str) -> bool {
        let tables = self.tables();
        let Some((found, row)) = ids::normalise(id.as_bytes()).and_then(|id| tables.find(&id)) else { return false };
        let mut cell = Vec::new();
        if let (Some(index), Some(field)) = (self.schema.find(object), tables.object(found).field("IsDeleted"))
            && index == found
        {
            tables.cell(found, row, field, &mut cell);
        }
        cell == b"true"
    }

    /// The name of the object that has a record of this id.
    pub(crate) fn object_of(&self, id: &str) -> Option<String> {
        let (found, _) = self.tables().find(&ids::normalise(id.as_bytes())?)?;
        self.schema.objects.get(found).map(|object| object.name.clone())
    }

    /// One record with all its fields in the REST shape, by 15 or 18 character id; `api_version` is for example `62.0`.
    pub fn record(&self, object: &str, id: &str, api_version: &str) -> Option<Value> {
        let tables = self.tables();
        let (found, row) = tables.find(&ids::normalise(id.as_bytes())?)?;
        if self.schema.find(object) != Some(found) {
            return None;
        }
        let resolver = Resolver { schema: &self.schema, statement: "", object: found, alias: None, joins: &[] };
        let names = tables.object(found).fields.iter().map(|field| Path { parts: vec![field.name.clone()], at: 0 });
        let columns: Vec<FieldPath> = names.filter_map(|name| resolver.field(&name).ok()).collect();
        Some(Shape::of(&columns).record(&tables, &columns, row, (found, row), Style::rest(api_version)))
    }
}

/// A number as Java prints doubles.
pub(crate) fn java_text(value: f64) -> String {
    let mut out = Vec::new();
    number::java_f64(value, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// An evaluated statement: which rows, which columns. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Prepared {
    plan: Arc<Plan>,
}

impl Prepared {
    /// The object after FROM, in its canonical spelling.
    pub fn object(&self) -> &str {
        &self.plan.tables.object(self.plan.object).name
    }

    /// Rows in the result.
    pub fn total(&self) -> u64 {
        match &self.plan.output {
            Output::Count(_) => 0,
            Output::Groups { groups, .. } => groups.len() as u64,
            Output::Records { rows, .. } => rows.len(),
        }
    }

    /// The count, when the statement was `SELECT COUNT()`.
    pub fn count_only(&self) -> Option<u64> {
        match &self.plan.output {
            Output::Count(count) => Some(*count),
            _ => None,
        }
    }

    /// Appends the header line: names in their canonical spelling, parents dotted.
    pub fn csv_header(&self, dialect: &CsvDialect, out: &mut Vec<u8>) {
        match &self.plan.output {
            Output::Count(_) => {}
            Output::Groups { columns, .. } => {
                csv::header(columns.iter().map(|column| column.name.clone()), dialect, out)
            }
            Output::Records { columns, .. } => csv::header(columns.iter().map(FieldPath::dotted), dialect, out),
        }
    }

    /// Appends the lines of the rows in `range`; rows beyond the end are not there. Aggregates have no CSV form.
    pub fn csv_rows(&self, range: Range<u64>, dialect: &CsvDialect, out: &mut Vec<u8>) {
        if let Output::Records { columns, rows, .. } = &self.plan.output {
            let range = range.start..range.end.min(rows.len());
            csv::rows(&self.plan.tables, self.plan.object, columns, rows, range, dialect, out);
        }
    }

    /// About how many bytes the whole result is as CSV, judged by its first rows.
    pub fn csv_bytes(&self, dialect: &CsvDialect) -> u64 {
        const JUDGED_ROWS: u64 = 100;
        let judged = self.total().min(JUDGED_ROWS);
        let mut text = Vec::new();
        self.csv_rows(0..judged, dialect, &mut text);
        (text.len() as u64 * self.total()).checked_div(judged).unwrap_or(0)
    }

    /// Appends the records of the rows in `range` in the REST shape; `api_version` is for example `62.0`.
    pub fn json_rows(&self, range: Range<u64>, api_version: &str, out: &mut Vec<Value>) {
        self.records(range, Style::rest(api_version), out);
    }

    /// As [`Prepared::json_rows`], with datetimes in another form.
    pub fn bulk_rows(&self, range: Range<u64>, api_version: &str, moments: Moments, out: &mut Vec<Value>) {
        self.records(range, Style { version: api_version, moments, most_children: None }, out);
    }

    /// As [`Prepared::json_rows`], with at most so many children for each record, and datetimes in a form.
    pub fn json_page(
        &self,
        range: Range<u64>,
        api_version: &str,
        (most_children, moments): (u64, Moments),
        out: &mut Vec<Value>,
    ) {
        self.records(range, Style { version: api_version, moments, most_children: Some(most_children) }, out);
    }

    /// The children of the record at that place as a result of their own; `name` is their key in the record.
    pub fn children_of(&self, place: u64, name: &str) -> Option<Prepared> {
        let Output::Records { rows, children, .. } = &self.plan.output else { return None };
        let parent = rows.at(place)?;
        let (object, output) = children.iter().find_map(|children| children.as_result(name, parent))?;
        Some(Prepared { plan: Arc::new(Plan { tables: self.plan.tables.clone(), object, output, grouped: false }) })
    }

    /// Where a page ends that begins at `start` and holds `most` records: children count, and wide rows come in
    /// smaller pages (SOQL reference, "Changing the batch size in queries").
    pub fn page_end(&self, start: u64, most: u64) -> u64 {
        let Output::Records { columns, rows, children, .. } = &self.plan.output else {
            return self.total().min(start.saturating_add(most));
        };
        let long = |column: &&FieldPath| {
            let field = column.field(&self.plan.tables.schema);
            field.is_some_and(|field| {
                field.custom() && field.kind == FieldType::TextArea && field.length > LONG_TEXT_CHARS
            })
        };
        let wide = columns.iter().filter(long).count() >= WIDE_COLUMNS;
        let most = if wide { most.min(WIDE_ROWS) } else { most };
        let last = rows.len().min(start.saturating_add(most));
        if children.is_empty() {
            return last;
        }
        let mut held = 0_u64;
        for place in start..last {
            let of_row = rows.at(place).map_or(0, |row| children.iter().map(|children| children.count(row)).sum());
            held = held.saturating_add(1).saturating_add(of_row);
            if held >= most {
                return place + 1;
            }
        }
        last
    }

    fn records(&self, range: Range<u64>, style: Style<'_>, out: &mut Vec<Value>) {
        match &self.plan.output {
            Output::Count(_) => {}
            Output::Groups { columns, groups } => {
                let span = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(groups.len());
                let names = || columns.iter().map(|column| column.name.clone());
                for group in groups.get(span(range.start)..span(range.end)).unwrap_or_default() {
                    let mut record = Map::new();
                    record.insert("attributes".to_owned(), json!({"type": "AggregateResult"}));
                    record.extend(names().zip(group.iter().cloned()));
                    out.push(Value::Object(record));
                }
            }
            Output::Records { columns, shape, rows, children } => {
                let tables = &self.plan.tables;
                for row in (range.start..range.end.min(rows.len())).filter_map(|place| rows.at(place)) {
                    let mut record = shape.record(tables, columns, row, (self.plan.object, row), style);
                    if let Value::Object(record) = &mut record {
                        record.extend(children.iter().map(|children| children.of(tables, row, style)));
                    }
                    out.push(record);
                }
            }
        }
    }

    /// The body of the answer to `query?q=…&columns=true`.
    pub fn column_metadata(&self) -> Value {
        metadata::columns(&self.plan)
    }
}

#[cfg(test)]
mod tests;
