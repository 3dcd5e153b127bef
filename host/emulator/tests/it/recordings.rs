//! The emulator's answers beside recorded ones: the same fields, JSON types and headers.
//!
//! `shapes.json` says which fields of which types each recording has; it is derived from the recordings and checked
//! against them where they are at hand. `FORCEPUMP_WRITE_SHAPES=1` derives it anew.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Org;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/oracles/recordings");
const SHAPES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/shapes.json");
const SELECT_BULK: &str = "cumulusci/cumulusci/tasks/bulkdata/tests/cassettes/TestSelect.test_select_similarity_select_and_insert_strategy_bulk.yaml";

/// Fields by their place, with the JSON types seen there.
type Shape = BTreeMap<String, BTreeSet<String>>;

/// How a recording is read.
#[derive(Clone, Copy)]
enum Source {
    /// A JSON file.
    Json(&'static str),
    /// The elements of an XML file, in their order.
    Xml(&'static str),
    /// The JSON text behind this beginning in a file of recorded exchanges.
    Within(&'static str, &'static str),
    /// Header names below this line in a file of recorded exchanges.
    Headers(&'static str, &'static str),
}

/// Name, recording, and what of it is otherwise here, each with the reason.
type Case = (&'static str, Source, &'static [(&'static str, &'static str)]);

const CASES: [Case; 12] = [
    ("bulk2-create", Source::Json("amp-labs/providers/salesforce/test/bulk/read-launch-job-account.json"), &[]),
    (
        "bulk2-job",
        Source::Json("amp-labs/providers/salesforce/test/bulk/info/success.json"),
        &[
            ("$.externalIdFieldName", "recorded of an upsert"),
            ("$.numberRecordsFailed", "recorded of an ingest job"),
            ("$.apiActiveProcessingTime", "recorded of an ingest job"),
            ("$.apexProcessingTime", "recorded of an ingest job"),
            ("$.isPkChunkingSupported", "came with version 61, the recording is of 60"),
        ],
    ),
    ("query", Source::Json("amp-labs/providers/salesforce/test/read-opportunity-with-account.json"), &[]),
    ("query-nulls", Source::Json("amp-labs/providers/salesforce/test/read-list-contacts.json"), &[]),
    (
        "query-children",
        Source::Json("amp-labs/providers/salesforce/test/read-opportunity-with-contacts.json"),
        &[("$.nextRecordsUrl", "the demo org has more rows than one page holds")],
    ),
    ("query-aggregate", Source::Json("restforce/spec/fixtures/sobject/query_aggregate_success_response.json"), &[]),
    ("query-empty", Source::Json("restforce/spec/fixtures/sobject/query_empty_response.json"), &[]),
    ("query-refused", Source::Json("amp-labs/providers/salesforce/test/unknown-object.json"), &[]),
    ("bulk1-batch-json", Source::Within(SELECT_BULK, "'{\"apexProcessingTime\""), &[]),
    (
        "bulk1-job-xml",
        Source::Xml("cumulusci/cumulusci/tests/shared_cassettes/vcr_string_templates/jobInfo_insert_xml.xml"),
        &[],
    ),
    (
        "bulk1-batches-xml",
        Source::Xml("cumulusci/cumulusci/tests/shared_cassettes/vcr_string_templates/batchInfoList_xml.xml"),
        &[],
    ),
    (
        "bulk1-headers",
        Source::Headers(SELECT_BULK, "batch/7519H000001XijGQAS"),
        &[
            ("set-cookie", "cookies of a browser, which no client of the API sends back"),
            ("connection", "HTTP/1.1 keeps connections alive without saying so"),
            ("content-length", "added by what recorded the exchange, beside Transfer-Encoding: chunked"),
            ("vary", "recorded on the other resources"),
            ("x-xss-protection", "recorded on the other resources"),
        ],
    ),
];

fn shape(value: &Value) -> Shape {
    let mut found = Shape::new();
    note(value, "$", &mut found);
    found
}

fn note(value: &Value, place: &str, found: &mut Shape) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    found.entry(place.to_owned()).or_default().insert(kind.to_owned());
    match value {
        Value::Array(items) => items.iter().for_each(|item| note(item, &format!("{place}[]"), found)),
        Value::Object(fields) => fields.iter().for_each(|(name, field)| note(field, &format!("{place}.{name}"), found)),
        _ => {}
    }
}

/// Start tags with their number, so that the order counts.
fn xml_shape(text: &str) -> Shape {
    let tags = text.split('<').skip(1).filter(|tag| !tag.starts_with(['/', '?', '!']));
    let name = |tag: &str| tag.split(['>', ' ', '\n', '/']).next().unwrap_or_default().to_owned();
    let each = tags.enumerate().map(|(number, tag)| (format!("{number:02} {}", name(tag)), BTreeSet::new()));
    each.collect()
}

fn names(names: impl Iterator<Item = String>) -> Shape {
    names.map(|name| (name.to_ascii_lowercase(), BTreeSet::new())).collect()
}

/// What a recording is like; `None` where it is not at hand.
fn recorded(source: Source) -> Option<Shape> {
    let read = |path: &str| std::fs::read_to_string(format!("{FOLDER}/{path}")).ok();
    match source {
        Source::Json(path) => Some(shape(&serde_json::from_str(&read(path)?).unwrap())),
        Source::Xml(path) => Some(xml_shape(&read(path)?)),
        Source::Within(path, begin) => {
            let text = read(path)?;
            let start = text.find(begin).unwrap() + 1;
            let json = text[start..].split('\'').next().unwrap();
            Some(shape(&serde_json::from_str(json).unwrap()))
        }
        Source::Headers(path, near) => {
            let text = read(path)?;
            let lines: Vec<&str> = text.lines().collect();
            let at = lines.iter().position(|line| line.contains(near)).unwrap();
            let start = lines[..at].iter().rposition(|line| line.trim() == "headers:").unwrap();
            let depth = |line: &str| line.len() - line.trim_start().len();
            let inside = lines[start + 1..].iter().take_while(|line| depth(line) > depth(lines[start]));
            let heads = inside.filter(|line| line.ends_with(':') && !line.trim_start().starts_with('-'));
            Some(names(heads.map(|line| line.trim().trim_end_matches(':').to_owned())))
        }
    }
}

/// The committed shapes, checked against the recordings where they are at hand.
fn shapes() -> BTreeMap<String, Shape> {
    let found: Vec<(&str, Option<Shape>)> = CASES.iter().map(|(name, source, _)| (*name, recorded(*source))).collect();
    if std::env::var_os("FORCEPUMP_WRITE_SHAPES").is_some() {
        let all: BTreeMap<&str, Shape> = found.iter().map(|(name, shape)| (*name, shape.clone().unwrap())).collect();
        std::fs::write(SHAPES, serde_json::to_string_pretty(&all).unwrap() + "\n").unwrap();
    }
    let committed: BTreeMap<String, Shape> = serde_json::from_str(&std::fs::read_to_string(SHAPES).unwrap()).unwrap();
    for (name, shape) in found {
        if let Some(shape) = shape {
            assert_eq!(Some(&shape), committed.get(name), "{name}: the committed shape is not that of the recording");
        }
    }
    committed
}

fn compare(name: &str, recorded: &Shape, ours: &Shape, intended: &[(&str, &str)]) {
    let known = |place: &str| intended.iter().any(|(known, _)| place == *known);
    for (place, kinds) in recorded {
        let Some(found) = ours.get(place) else {
            assert!(known(place), "{name}: {place} is recorded, and not here");
            continue;
        };
        let real =
            |kinds: &BTreeSet<String>| kinds.iter().filter(|kind| *kind != "null").cloned().collect::<BTreeSet<_>>();
        let (kinds, found) = (real(kinds), real(found));
        let fits = kinds.is_empty() || found.is_empty() || kinds == found;
        assert!(fits || known(place), "{name}: {place} is {kinds:?} in the recording, {found:?} here");
    }
    for place in ours.keys().filter(|place| !recorded.contains_key(*place)) {
        assert!(known(place), "{name}: {place} is here, and not recorded");
    }
    for (place, reason) in intended {
        let same = recorded.contains_key(*place) == ours.contains_key(*place);
        assert!(!same, "{name}: {place} is no difference any more, although \"{reason}\"");
    }
}

/// What the emulator answers to the same request.
async fn answered(org: &Org, name: &str) -> Shape {
    let soql = match name {
        "query" => "SELECT Id, Name, AccountId, Amount, StageName FROM Opportunity WHERE Amount != null LIMIT 2",
        "query-nulls" => "SELECT AccountId, Department, AssistantName, Description FROM Contact LIMIT 20",
        "query-children" => {
            "SELECT Id, Name, Amount, StageName, (SELECT Id, ContactId, Role FROM OpportunityContactRoles) FROM Opportunity"
        }
        "query-aggregate" => {
            "SELECT CampaignId, SUM(Amount) FROM Opportunity GROUP BY CampaignId ORDER BY CampaignId LIMIT 3"
        }
        "query-empty" => "SELECT Id FROM Account WHERE Name = 'nobody at all'",
        "query-refused" => "SELECT Id FROM Accout",
        _ => "SELECT Id FROM Account",
    };
    match name {
        "bulk2-create" => shape(&org.create(soql).await),
        "bulk2-job" => {
            let id = org.complete(soql).await;
            shape(&org.json(&format!("/jobs/query/{id}")).await)
        }
        "bulk1-batch-json" | "bulk1-job-xml" | "bulk1-batches-xml" | "bulk1-headers" => classic(org, name, soql).await,
        _ => {
            let answer = org.call(Method::GET, "/query").query(&[("q", soql)]).send().await.unwrap();
            shape(&answer.json().await.unwrap())
        }
    }
}

async fn classic(org: &Org, name: &str, soql: &str) -> Shape {
    let kind = if name == "bulk1-job-xml" || name == "bulk1-batches-xml" { "CSV" } else { "JSON" };
    let call = |method: Method, path: &str| org.raw(method, &format!("/services/async/62.0{path}"));
    let body = json!({"operation": "query", "object": "Account", "contentType": kind});
    let created = call(Method::POST, "/job").json(&body).send().await.unwrap();
    let job = created.headers()["location"].to_str().unwrap().trim_start_matches("/services/async/62.0").to_owned();
    let added = call(Method::POST, &format!("{job}/batch")).body(soql.to_owned()).send().await.unwrap();
    match name {
        "bulk1-headers" => names(added.headers().keys().map(|name| name.to_string())),
        "bulk1-batch-json" => shape(&added.json().await.unwrap()),
        "bulk1-job-xml" => {
            let answer = call(Method::GET, &job).header("content-type", "application/xml").send().await.unwrap();
            xml_shape(&answer.text().await.unwrap())
        }
        _ => xml_shape(&call(Method::GET, &format!("{job}/batch")).send().await.unwrap().text().await.unwrap()),
    }
}

#[tokio::test]
async fn answers_have_the_recorded_shapes() {
    let shapes = shapes();
    let org = Org::demo().await;
    for (name, _, intended) in CASES {
        compare(name, &shapes[name], &answered(&org, name).await, intended);
    }
}
