//! Results of a batch: the list of them, and each by itself as CSV, JSON or XML.

use std::ops::Range;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use super::batches::{Names, with_batch};
use super::job::{Batch, BatchState, ContentType, Job, RESULT_PREFIX};
use super::wire::{self, Failure, Form, NAMESPACE, escape};
use crate::data::{CsvDialect, Moments, Prepared};
use crate::ids::{id18, serial_of};
use crate::options::JsonDates;
use crate::server::{ApiVersion, Blocks, Call, Content, CsvRows, Reply, State};

/// Result files of one batch at most, as the guide has it; the last one takes what is left.
const FILES_A_BATCH: u64 = 15;
/// Room for the numbers of a batch's files.
const SERIALS_A_BATCH: u64 = 100;
/// Rows of one block of JSON or XML.
const BLOCK_ROWS: u64 = 256;
/// The whole body of CSV results without rows.
const NOTHING: &str = "Records not found for this query";

/// Media type of results and requests.
pub(super) fn content_type(content: ContentType) -> &'static str {
    match content {
        ContentType::Csv => "text/csv; charset=UTF-8",
        ContentType::Xml => "application/xml",
        ContentType::Json => "application/json",
    }
}

/// Files of that many rows, each of `size` rows but the last.
fn files(rows: u64, size: u64) -> Vec<Range<u64>> {
    let size = size.max(1);
    let count = rows.div_ceil(size).clamp(1, FILES_A_BATCH);
    (0..count).map(|file| file * size..if file + 1 == count { rows } else { (file + 1) * size }).collect()
}

fn ready(batch: &Batch) -> Result<&Prepared, Failure> {
    match (batch.state, &batch.prepared) {
        (BatchState::Completed, Some(prepared)) => Ok(prepared),
        (BatchState::Queued | BatchState::InProgress, _) => Err(Failure::new("InvalidBatch", "Batch not completed")),
        _ => Err(Failure::new("InvalidBatch", "Records not processed")),
    }
}

/// `GET …/result`: ids of 15 characters, as recorded.
pub(super) fn list(state: &State, call: &Call, names: Names<'_>, version: ApiVersion) -> Result<Reply, Failure> {
    with_batch(state, call, names, version, false, |job, batch| {
        let count = files(ready(batch)?.total(), state.options.page_size).len() as u64;
        let id = |file: u64| {
            let id = id18(RESULT_PREFIX, batch.serial * SERIALS_A_BATCH + file);
            crate::ids::short(&id).unwrap_or(&id).to_owned()
        };
        let ids: Vec<String> = (0..count).map(id).collect();
        Ok(match job.content.form() {
            Form::Json => wire::json(StatusCode::OK, &ids),
            Form::Xml => {
                let each: String = ids.iter().map(|id| format!("<result>{id}</result>")).collect();
                wire::xml(StatusCode::OK, format!("<result-list xmlns=\"{NAMESPACE}\">{each}</result-list>"))
            }
        })
    })
}

/// `GET …/result/ID`.
pub(super) fn result(
    state: &State,
    call: &Call,
    names: Names<'_>,
    result: &str,
    version: ApiVersion,
) -> Result<Reply, Failure> {
    with_batch(state, call, names, version, false, |job, batch| {
        let prepared = ready(batch)?;
        let files = files(prepared.total(), state.options.page_size);
        let file = serial_of(RESULT_PREFIX, result)
            .and_then(|serial| serial.checked_sub(batch.serial * SERIALS_A_BATCH))
            .and_then(|file| files.get(usize::try_from(file).ok()?).cloned())
            .ok_or_else(|| Failure::new("InvalidBatch", format!("Invalid result id: {result}")))?;
        let mut reply = Reply::empty(StatusCode::OK);
        reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(job.content)));
        reply.content = body(job, prepared, file, state.options.json_dates);
        reply.compress = true;
        Ok(reply)
    })
}

fn body(job: &Job, prepared: &Prepared, rows: Range<u64>, dates: JsonDates) -> Content {
    let records = |shape: Shape| Records {
        prepared: prepared.clone(),
        version: job.version,
        shape,
        rows: rows.clone(),
        at: At::Start,
    };
    match job.content {
        ContentType::Csv if rows.is_empty() => Content::Bytes(NOTHING.as_bytes().to_vec()),
        ContentType::Csv => {
            let dialect = CsvDialect { delimiter: b',', crlf: job.crlf };
            Content::Csv(Box::new(CsvRows::new(prepared.clone(), dialect, rows, true)))
        }
        ContentType::Json => {
            let moments = match dates {
                JsonDates::Text => Moments::Epoch,
                JsonDates::Epoch => Moments::EpochDates,
            };
            Content::Made(Box::new(records(Shape::Json(moments))))
        }
        ContentType::Xml => Content::Made(Box::new(records(Shape::Xml))),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Json(Moments),
    Xml,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Rows,
    End,
}

/// Records made as the client reads.
#[derive(Debug)]
struct Records {
    prepared: Prepared,
    version: ApiVersion,
    shape: Shape,
    rows: Range<u64>,
    at: At,
}

impl Blocks for Records {
    fn next_block(&mut self) -> Option<Vec<u8>> {
        let mut out = String::new();
        match self.at {
            At::End => return None,
            At::Start => self.begin(&mut out),
            At::Rows => {}
        }
        let first = self.at == At::Start;
        let end = self.rows.end.min(self.rows.start.saturating_add(BLOCK_ROWS));
        let moments = if let Shape::Json(moments) = self.shape { moments } else { Moments::Zulu };
        let mut records = Vec::new();
        self.prepared.bulk_rows(self.rows.start..end, &self.version.to_string(), moments, &mut records);
        for (place, record) in records.iter().enumerate() {
            match self.shape {
                Shape::Json(_) => {
                    if !first || place > 0 {
                        out.push(',');
                    }
                    out.push_str(&record.to_string());
                }
                Shape::Xml => sobject("records", record, &mut out),
            }
        }
        self.rows.start = end;
        self.at = if self.rows.is_empty() { At::End } else { At::Rows };
        if self.at == At::End {
            out.push_str(if self.shape == Shape::Xml { "</queryResult>" } else { "]" });
        }
        Some(out.into_bytes())
    }
}

impl Records {
    fn begin(&self, out: &mut String) {
        match self.shape {
            Shape::Json(_) => out.push('['),
            Shape::Xml => out.push_str(&format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><queryResult xmlns=\"{NAMESPACE}\" \
                 xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"
            )),
        }
    }
}

/// A record: its type, its id, then what was selected; an id that was selected comes a second time.
fn sobject(tag: &str, record: &Value, out: &mut String) {
    let kind = record.pointer("/attributes/type").and_then(Value::as_str).unwrap_or_default();
    out.push_str(&format!("<{tag} xsi:type=\"sObject\"><type>{}</type>", escape(kind)));
    match record.get("Id") {
        Some(id) => element("Id", id, out),
        None => out.push_str("<Id xsi:nil=\"true\"/>"),
    }
    for (name, value) in record.as_object().into_iter().flatten().filter(|(name, _)| *name != "attributes") {
        element(name, value, out);
    }
    out.push_str(&format!("</{tag}>"));
}

fn element(name: &str, value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str(&format!("<{name} xsi:nil=\"true\"/>")),
        Value::Object(fields) if fields.contains_key("records") => children(name, value, out),
        Value::Object(_) => sobject(name, value, out),
        Value::String(text) => out.push_str(&format!("<{name}>{}</{name}>", escape(text))),
        other => out.push_str(&format!("<{name}>{}</{name}>", number(other))),
    }
}

/// Decimals as Java prints doubles, whole numbers and booleans as they are.
fn number(value: &Value) -> String {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(double) => crate::data::java_text(double),
        None => value.to_string(),
    }
}

fn children(name: &str, value: &Value, out: &mut String) {
    out.push_str(&format!("<{name} xsi:type=\"QueryResult\"><done>true</done><queryLocator xsi:nil=\"true\"/>"));
    let records = value.get("records").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for record in records {
        sobject("records", record, out);
    }
    out.push_str(&format!("<size>{}</size></{name}>", records.len()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_hold_every_row_once() {
        assert_eq!(files(0, 10), vec![0..0]);
        assert_eq!(files(25, 10), [0..10, 10..20, 20..25]);
        assert_eq!(files(100, 1).len(), 15);
        assert_eq!(files(100, 1).last(), Some(&(14..100)));
    }

    #[test]
    fn records_as_xml() {
        let record = json!({"attributes": {"type": "Account"}, "Id": "001", "Name": "a<b", "Amount": 1.0e7, "N": 5, "Gone": null,
            "Owner": {"attributes": {"type": "User"}, "Name": "Ada"}});
        let mut out = String::new();
        sobject("records", &record, &mut out);
        assert_eq!(
            out,
            "<records xsi:type=\"sObject\"><type>Account</type><Id>001</Id><Id>001</Id><Name>a&lt;b</Name><Amount>1.0E7</Amount>\
             <N>5</N><Gone xsi:nil=\"true\"/><Owner xsi:type=\"sObject\"><type>User</type><Id xsi:nil=\"true\"/><Name>Ada</Name>\
             </Owner></records>"
        );
    }
}
