//! `query` and `queryAll` with paging by server-side cursors.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderName;
use serde::Serialize;
use serde_json::{Value, json};

use crate::data::{Moments, Prepared, QUERY_TIMEOUT, QueryMode};
use crate::faults::Action;
use crate::ids::{id18, serial_of, short};
use crate::server::{ApiVersion, Call, Reply, State, lock};

/// Key prefix of query cursors.
const CURSOR_PREFIX: [u8; 3] = *b"01g";
/// Rows of one page without `Sforce-Query-Options`, and the most there can be.
const DEFAULT_BATCH: u64 = 2_000;
/// Fewest rows that a client can ask for.
const SMALLEST_BATCH: u64 = 200;
/// Cursors kept, and for how long.
const KEPT_CURSORS: usize = 1_000;
const CURSOR_LIFE: TimeDelta = TimeDelta::days(2);
const QUERY_OPTIONS: HeaderName = HeaderName::from_static("sforce-query-options");

/// Open cursors of paged queries.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    open: HashMap<u64, Cursor>,
    order: VecDeque<u64>,
    made: u64,
}

#[derive(Debug, Clone)]
struct Cursor {
    id: String,
    prepared: Prepared,
    batch: u64,
    opened: DateTime<Utc>,
}

impl Cursors {
    fn open(&mut self, prepared: Prepared, batch: u64, now: DateTime<Utc>) -> Cursor {
        self.made += 1;
        let cursor = Cursor { id: id18(CURSOR_PREFIX, self.made), prepared, batch, opened: now };
        self.open.insert(self.made, cursor.clone());
        self.order.push_back(self.made);
        if self.order.len() > KEPT_CURSORS
            && let Some(oldest) = self.order.pop_front()
        {
            self.open.remove(&oldest);
        }
        cursor
    }

    /// The cursor and the offset in a locator such as `01g…AAA-2000`.
    fn find(&self, locator: &str, now: DateTime<Utc>) -> Option<(Cursor, u64)> {
        let (id, offset) = locator.split_once('-')?;
        let cursor = self.open.get(&serial_of(CURSOR_PREFIX, id)?)?;
        if now - cursor.opened > CURSOR_LIFE {
            return None;
        }
        let offset = offset.parse().ok()?;
        (short(&cursor.id) == short(id) && offset <= cursor.prepared.total()).then(|| (cursor.clone(), offset))
    }

    /// Forgets every cursor.
    pub(crate) fn lose(&mut self) {
        self.open.clear();
    }

    /// Forgets the cursor of a locator.
    fn close(&mut self, locator: &str) {
        if let Some(serial) = locator.split_once('-').and_then(|(id, _)| serial_of(CURSOR_PREFIX, id)) {
            self.open.remove(&serial);
        }
    }
}

/// One page; field order as on the wire.
#[derive(Serialize)]
struct Page {
    #[serde(rename = "totalSize")]
    total_size: u64,
    done: bool,
    #[serde(rename = "nextRecordsUrl", skip_serializing_if = "Option::is_none")]
    next_records_url: Option<String>,
    records: Vec<Value>,
}

/// `GET /query?q=` and `GET /queryAll?q=`.
pub(crate) fn query(state: &State, call: &Call, version: ApiVersion, all: bool) -> Reply {
    let mode = if all { QueryMode::RestAll } else { QueryMode::Rest };
    if let Some(soql) = call.param("explain") {
        return explain(state, soql, mode);
    }
    let Some(soql) = call.param("q") else {
        return Reply::bad_request("MALFORMED_QUERY", "A query string has to be specified");
    };
    if asks_field_definitions(soql) {
        return super::tooling::field_definitions(state, soql, version, false);
    }
    let prepared = match state.org.prepare(soql, mode) {
        Ok(prepared) => prepared,
        Err(error) => return error.into(),
    };
    if state.org.is_slow(soql, mode, state.options.query_timeout_rows) {
        let (code, message) = QUERY_TIMEOUT.split_once(": ").unwrap_or_default();
        return Reply::bad_request(code, message);
    }
    if call.param("columns") == Some("true") {
        return Reply::ok(&prepared.column_metadata());
    }
    if let Some(count) = prepared.count_only() {
        return Reply::ok(&Page { total_size: count, done: true, next_records_url: None, records: Vec::new() });
    }
    page(first_piece(state, prepared, batch_size(call), version, Moments::Offset), version)
}

/// `GET /query/LOCATOR`, below `queryAll` too.
pub(crate) fn query_more(state: &State, call: &Call, locator: &str, version: ApiVersion) -> Reply {
    let mut cursors = lock(&state.cursors);
    if call.fired.actions.contains(&Action::CursorExpired {}) {
        cursors.close(locator);
    }
    drop(cursors);
    match next_piece(state, locator, version, Moments::Offset) {
        Some(found) => page(found, version),
        None => Reply::bad_request("INVALID_QUERY_LOCATOR", "invalid query locator"),
    }
}

fn page(found: Piece, version: ApiVersion) -> Reply {
    let Piece { total, locator, records } = found;
    // Pages of queryAll name /query/ too.
    let next_records_url = locator.map(|locator| format!("/services/data/v{version}/query/{locator}"));
    Reply::ok(&Page { total_size: total, done: next_records_url.is_none(), next_records_url, records })
}

/// One page of a result, whichever API asks for it.
pub(crate) struct Piece {
    /// Rows of the whole result.
    pub(crate) total: u64,
    /// Where the next page is; none: this was the last.
    pub(crate) locator: Option<String>,
    pub(crate) records: Vec<Value>,
}

/// The first page of at most so many rows; what does not fit is kept for the locator.
pub(crate) fn first_piece(
    state: &State,
    prepared: Prepared,
    batch: u64,
    version: ApiVersion,
    moments: Moments,
) -> Piece {
    let fits = prepared.page_end(0, batch) >= prepared.total();
    let cursor = if fits {
        Cursor { id: String::new(), prepared, batch, opened: state.now() }
    } else {
        lock(&state.cursors).open(prepared, batch, state.now())
    };
    piece(state, &cursor, 0, version, moments)
}

/// The page that a locator names; none where its cursor has ended or never was.
pub(crate) fn next_piece(state: &State, locator: &str, version: ApiVersion, moments: Moments) -> Option<Piece> {
    let (cursor, offset) = lock(&state.cursors).find(locator, state.now())?;
    Some(piece(state, &cursor, offset, version, moments))
}

fn piece(state: &State, cursor: &Cursor, offset: u64, version: ApiVersion, moments: Moments) -> Piece {
    let total = cursor.prepared.total();
    let end = cursor.prepared.page_end(offset, cursor.batch);
    let mut records = Vec::with_capacity(usize::try_from(end - offset).unwrap_or(0));
    cursor.prepared.json_page(offset..end, &version.to_string(), (cursor.batch, moments), &mut records);
    for (place, record) in (offset..end).zip(&mut records) {
        link_children(state, cursor, place, record, version);
    }
    Piece { total, locator: (end < total).then(|| format!("{}-{end}", cursor.id)), records }
}

/// Children that do not all fit get a cursor of their own.
fn link_children(state: &State, cursor: &Cursor, place: u64, record: &mut Value, version: ApiVersion) {
    for (name, value) in record.as_object_mut().into_iter().flatten() {
        if value.get("done") != Some(&Value::Bool(false)) {
            continue;
        }
        let shown = value.get("records").and_then(Value::as_array).map_or(0, Vec::len);
        if let (Some(children), Value::Object(value)) = (cursor.prepared.children_of(place, name), value) {
            let opened = lock(&state.cursors).open(children, cursor.batch, state.now());
            let url = format!("/services/data/v{version}/query/{}-{shown}", opened.id);
            value.insert("nextRecordsUrl".to_owned(), url.into());
        }
    }
}

/// `Sforce-Query-Options: batchSize=N`.
fn batch_size(call: &Call) -> u64 {
    let size = |part: &str| {
        let (name, size) = part.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("batchSize") { size.trim().parse().ok() } else { None }
    };
    batch_of(call.header(QUERY_OPTIONS).and_then(|value| value.split([';', ',']).find_map(size)))
}

/// The rows of a page for what was asked for, held between 200 and 2000.
pub(crate) fn batch_of(asked: Option<u64>) -> u64 {
    asked.map_or(DEFAULT_BATCH, |asked| asked.clamp(SMALLEST_BATCH, DEFAULT_BATCH))
}

/// Whether the statement is over `FieldDefinition`, which is not stored as rows.
fn asks_field_definitions(soql: &str) -> bool {
    crate::soql::parse(soql).is_ok_and(|found| found.from.dotted().eq_ignore_ascii_case("FieldDefinition"))
}

/// The plan of a statement: always a table scan, which is what this emulator does.
fn explain(state: &State, soql: &str, mode: QueryMode) -> Reply {
    let prepared = match state.org.prepare(soql, mode) {
        Ok(prepared) => prepared,
        Err(error) => return error.into(),
    };
    let rows = state.org.object_rows(prepared.object()).unwrap_or(0);
    Reply::ok(&json!({
        "plans": [{
            "cardinality": prepared.total(),
            "fields": [],
            "leadingOperationType": "TableScan",
            "notes": [],
            "relativeCost": 1.0,
            "sobjectCardinality": rows,
            "sobjectType": prepared.object(),
        }],
        "sourceQuery": soql,
    }))
}
