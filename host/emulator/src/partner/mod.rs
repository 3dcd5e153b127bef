//! What SOAP has beside the login: queries in pages and describes for partner and enterprise clients, changes for partner
//! clients.
//!
//! Deliberately absent: `search`, `merge`, `convertLead` and `getUpdated`.

mod describe;
mod rows;
mod writes;

use crate::auth::Fault;
use crate::auth::soap_xml::{element, elements, unescape};
use crate::data::{Moments, QUERY_TIMEOUT, QueryMode, SoqlError};
use crate::rest::{Piece, batch_of, first_piece, name_pages, next_piece};
use crate::server::{ApiVersion, State};

/// Objects that one call may describe (SOAP API Developer Guide, "describeSObjects()").
const MOST_DESCRIBED: usize = 100;
/// Records that one call may retrieve (SOAP API Developer Guide, "retrieve()").
const MOST_RETRIEVED: usize = 2_000;

/// A call as it arrived.
pub(crate) struct Asked<'a> {
    pub(crate) envelope: &'a str,
    /// What is inside the envelope's body.
    pub(crate) body: &'a str,
    pub(crate) version: ApiVersion,
    pub(crate) enterprise: bool,
}

impl Asked<'_> {
    fn value(&self, name: &str) -> String {
        element(self.body, name).map(unescape).unwrap_or_default()
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        elements(self.body, name).map(|text| unescape(text.trim()))
    }

    /// The pages that `QueryOptions` asks for.
    fn batch(&self) -> u64 {
        let options = element(self.envelope, "QueryOptions").and_then(|options| element(options, "batchSize"));
        batch_of(options.and_then(|size| size.trim().parse().ok()))
    }

    fn query_result(&self, name: &str, piece: &Piece) -> String {
        format!(
            "<{name}Response><result xsi:type=\"QueryResult\">{}</result></{name}Response>",
            rows::result(piece, self.enterprise)
        )
    }
}

/// Answers one call of a session, as its user sees the org.
///
/// # Errors
/// The fault that goes on the wire.
pub(crate) fn read(state: &State, name: &str, asked: &Asked<'_>) -> Result<String, Fault> {
    match name {
        "query" => query(state, asked, name, QueryMode::Rest),
        "queryAll" => query(state, asked, name, QueryMode::RestAll),
        "queryMore" => {
            let locator = asked.value("queryLocator");
            let found = next_piece(state, locator.trim(), asked.version, Moments::Zulu);
            let lost = || Fault::of("InvalidQueryLocatorFault", "INVALID_QUERY_LOCATOR", "invalid query locator");
            Ok(asked.query_result(name, &found.ok_or_else(lost)?))
        }
        "retrieve" => retrieve(state, asked),
        "create" | "update" | "upsert" | "delete" => writes::write(state, name, asked),
        "describeGlobal" => Ok(describe::global(&state.org.describe_global(asked.version.number()))),
        "describeSObject" => {
            let object = asked.value("sObjectType");
            Ok(format!("<{name}Response>{}</{name}Response>", described(state, asked, object.trim())?))
        }
        "describeSObjects" => {
            let names: Vec<String> = asked.values("sObjectType").collect();
            if names.len() > MOST_DESCRIBED {
                let text = format!("number of objects to describe exceeds the maximum of {MOST_DESCRIBED}");
                return Err(Fault::unexpected("EXCEEDED_ID_LIMIT", text));
            }
            let found: String = names.iter().map(|object| described(state, asked, object)).collect::<Result<_, _>>()?;
            Ok(format!("<{name}Response>{found}</{name}Response>"))
        }
        other => {
            let message = format!(
                "this emulator answers login, logout, invalidateSessions, setPassword, getUserInfo, getServerTimestamp, \
                 query, queryAll, queryMore, retrieve, describeGlobal, describeSObject, describeSObjects, create, update, upsert, delete and \
                 undelete, \
                 not '{other}'"
            );
            Err(Fault::unexpected("INVALID_OPERATION", message))
        }
    }
}

fn described(state: &State, asked: &Asked<'_>, object: &str) -> Result<String, Fault> {
    let found = state.org.describe(object, asked.version.number());
    let missing =
        || Fault::of("InvalidSObjectFault", "INVALID_TYPE", format!("sObject type '{object}' is not supported."));
    let mut found = found.ok_or_else(|| missing().at(-1, -1))?;
    name_pages(&mut found, &state.base_url);
    Ok(describe::result(&found))
}

fn query(state: &State, asked: &Asked<'_>, name: &str, mode: QueryMode) -> Result<String, Fault> {
    let soql = asked.value("queryString");
    let prepared = state.org.prepare(&soql, mode).map_err(|error| refused(&error))?;
    if state.org.is_slow(&soql, mode, state.options.query_timeout_rows) {
        let (_, message) = QUERY_TIMEOUT.split_once(": ").unwrap_or_default();
        return Err(Fault::unexpected("QUERY_TIMEOUT", message));
    }
    let piece = match prepared.count_only() {
        Some(total) => Piece { total, locator: None, records: Vec::new() },
        None => first_piece(state, prepared, asked.batch(), asked.version, Moments::Zulu),
    };
    Ok(asked.query_result(name, &piece))
}

/// `retrieve`: records by their ids, in their order, nil for those that are not there.
fn retrieve(state: &State, asked: &Asked<'_>) -> Result<String, Fault> {
    let (fields, object) = (asked.value("fieldList"), asked.value("sObjectType"));
    let ids: Vec<String> = asked.values("ids").take(MOST_RETRIEVED).collect();
    let Some(object) = state.org.object_name(object.trim()) else {
        let text = format!("sObject type '{object}' is not supported.");
        return Err(Fault::of("InvalidSObjectFault", "INVALID_TYPE", text).at(-1, -1));
    };
    if let Some(wrong) = ids.iter().find(|id| !matches!(id.len(), 15 | 18)) {
        return Err(Fault::of("InvalidIdFault", "MALFORMED_ID", format!("malformed id {wrong}")));
    }
    let found: Result<String, Fault> = ids
        .iter()
        .map(|id| {
            if state.org.object_of(id).as_ref() != Some(&object) {
                return Ok("<result xsi:nil=\"true\"/>".to_owned());
            }
            let soql = format!("SELECT {fields} FROM {object} WHERE Id = '{id}'");
            let prepared = state.org.prepare(&soql, QueryMode::RestAll).map_err(|error| refused(&error))?;
            let piece = first_piece(state, prepared, asked.batch(), asked.version, Moments::Zulu);
            Ok(piece.records.iter().map(|record| rows::record("result", record, asked.enterprise)).collect())
        })
        .collect();
    Ok(format!("<retrieveResponse>{}</retrieveResponse>", found?))
}

/// The fault for a statement; row and column are those of the text, and -1 where it names none.
fn refused(error: &SoqlError) -> Fault {
    let element = match error.code {
        "MALFORMED_QUERY" => "MalformedQueryFault",
        "INVALID_FIELD" => "InvalidFieldFault",
        "INVALID_TYPE" => "InvalidSObjectFault",
        _ => return Fault::unexpected(error.code, error.message.clone()),
    };
    let place = error.message.split("ERROR at Row:").nth(1).and_then(|rest| {
        let (row, rest) = rest.split_once(":Column:")?;
        Some((row.parse().ok()?, rest.lines().next()?.parse().ok()?))
    });
    let (row, column) = place.unwrap_or((-1, -1));
    Fault::of(element, error.code, error.message.clone()).at(row, column)
}
