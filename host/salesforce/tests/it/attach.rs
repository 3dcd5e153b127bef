//! Going on with a job of another process: what is committed does not come again, and everything else does.

use std::collections::BTreeSet;

use forcepump_emulator::Emulator;
use forcepump_emulator::options::{Options, ResultPagesShape};
use forcepump_salesforce::{
    Api, Client, Error, Extract, ExtractOptions, JobMemory, PartRef, PkChunking, ResolvedQuery, Result, Select, resolve,
};
use futures_util::StreamExt;

use crate::emulator::{CONTACTS, client, faults, org};
use crate::jobs::job;
use crate::server::{Answer, Seen, Server, options};

const SOQL: &str = "SELECT Id, Ext_Id__c FROM Contact";

async fn query(client: &Client, soql: &str) -> ResolvedQuery {
    resolve(client, &Select::parse(soql).unwrap()).await.unwrap()
}

/// A part that was read.
struct Read {
    unit: String,
    rows: Vec<String>,
    memory: String,
}

async fn read(extract: &Extract, part: &PartRef) -> Result<Read> {
    let mut body = extract.fetch(part).await?.body;
    let mut text = Vec::new();
    while let Some(chunk) = body.next().await {
        text.extend_from_slice(&chunk?);
    }
    let text = String::from_utf8(text).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with("\"Id\"")).map(str::to_owned).collect();
    Ok(Read { unit: part.unit(), rows, memory: extract.memory_of(part).expect("a part that was read has a memory") })
}

async fn read_all(extract: &Extract) -> Result<Vec<Read>> {
    extract.wait(|_| {}, std::future::pending()).await?;
    let mut parts = Vec::new();
    while let Some(part) = extract.next_part().await? {
        parts.push(read(extract, &part).await?);
    }
    Ok(parts)
}

/// As the state keeps it.
fn kept(extract: &Extract) -> JobMemory {
    serde_json::from_str(&serde_json::to_string(&extract.job_memory()).unwrap()).unwrap()
}

fn chunked(size: u32) -> ExtractOptions {
    let pk_chunking = Some(PkChunking { chunk_size: Some(size), ..PkChunking::default() });
    ExtractOptions { pk_chunking, ..ExtractOptions::of(Api::Bulk1) }
}

/// Every way to read, with parts of 100 rows or so.
fn ways() -> Vec<(&'static str, Options, ExtractOptions)> {
    let pages = |result_pages| Options { page_size: 100, result_pages, ..Options::default() };
    vec![
        ("listed", pages(ResultPagesShape::Guide), ExtractOptions::of(Api::Bulk2)),
        ("chain", pages(ResultPagesShape::NotFound), ExtractOptions::of(Api::Bulk2)),
        (
            "bounded chain",
            pages(ResultPagesShape::Guide),
            ExtractOptions { max_records: Some(90), ..ExtractOptions::of(Api::Bulk2) },
        ),
        ("files", pages(ResultPagesShape::Guide), ExtractOptions::of(Api::Bulk1)),
        ("chunks", Options::default(), chunked(100)),
        ("chunks of files", pages(ResultPagesShape::Guide), chunked(250)),
    ]
}

/// Some of the parts: none, all, the first ones, the last ones, every second, all but one.
fn subsets(parts: usize) -> Vec<BTreeSet<usize>> {
    let mut subsets: Vec<BTreeSet<usize>> = (0..=parts).map(|first| (0..first).collect()).collect();
    subsets.extend((1..parts).map(|from| (from..parts).collect::<BTreeSet<_>>()));
    subsets.extend([0, 1].map(|odd| (odd..parts).step_by(2).collect::<BTreeSet<_>>()));
    subsets.extend((0..parts).map(|left| (0..parts).filter(|part| *part != left).collect::<BTreeSet<_>>()));
    subsets
}

#[tokio::test]
async fn only_the_parts_that_are_not_committed_come_again() {
    for (name, org_options, extract_options) in ways() {
        let org = org(org_options).await;
        let first = client(&org, options());
        let query = query(&first, SOQL).await;
        let extract = Extract::create(&first, &query, &extract_options).await.unwrap();
        let memory = kept(&extract);
        let parts = read_all(&extract).await.unwrap();
        assert!(parts.len() > 3, "{name}");
        let units: BTreeSet<&str> = parts.iter().map(|part| part.unit.as_str()).collect();
        assert_eq!(units.len(), parts.len(), "{name}: names of parts are their own");
        for done in subsets(parts.len()) {
            let memories: Vec<String> = done.iter().map(|part| parts[*part].memory.clone()).collect();
            let later = client(&org, options());
            let attached = Extract::attach(&later, &query, &extract_options, &memory, &memories).unwrap();
            let rest = read_all(&attached).await.unwrap_or_else(|error| panic!("{name}, {done:?}: {error}"));
            assert_eq!(attached.announced().await, CONTACTS as u64, "{name}, {done:?}");
            let expected = (0..parts.len()).filter(|part| !done.contains(part));
            let mut expected: Vec<_> = expected.map(|part| (&parts[part].unit, &parts[part].rows)).collect();
            let mut found: Vec<_> = rest.iter().map(|part| (&part.unit, &part.rows)).collect();
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{name}, {done:?}");
        }
        extract.dispose().await.unwrap();
    }
}

#[tokio::test]
async fn a_job_that_still_runs_is_waited_for() {
    for options_of in [ExtractOptions::of(Api::Bulk2), ExtractOptions::of(Api::Bulk1), chunked(200)] {
        let org = org(Options { job_polls: 6, ..Options::default() }).await;
        let first = client(&org, options());
        let query = query(&first, SOQL).await;
        let memory = kept(&Extract::create(&first, &query, &options_of).await.unwrap());
        let attached = Extract::attach(&client(&org, options()), &query, &options_of, &memory, &[]).unwrap();
        let rows: usize = read_all(&attached).await.unwrap().iter().map(|part| part.rows.len()).sum();
        assert_eq!(rows, CONTACTS);
        attached.dispose().await.unwrap();
    }
}

/// Two runs of REST pages, with what another process remembers of the first.
async fn rest_half(org: &Emulator) -> (ResolvedQuery, JobMemory, Vec<Read>) {
    let client = client(org, options());
    let query = query(&client, "SELECT Id FROM Contact").await;
    let extract = Extract::create(&client, &query, &ExtractOptions::of(Api::Rest)).await.unwrap();
    assert_eq!(kept(&extract).total, None);
    let parts = read_all(&extract).await.unwrap();
    (query, kept(&extract), parts)
}

#[tokio::test]
async fn a_rest_query_goes_on_along_its_cursor() {
    let many = Options { generate: vec![("Contact".to_owned(), 101_000)], ..Options::default() };
    let org = Emulator::start(many).await.unwrap();
    let (query, memory, parts) = rest_half(&org).await;
    assert_eq!(parts.iter().map(|part| part.unit.as_str()).collect::<Vec<_>>(), ["p00000", "p00001", "p00002"]);
    let attach = |done: &[usize]| {
        let done: Vec<String> = done.iter().map(|part| parts[*part].memory.clone()).collect();
        Extract::attach(&client(&org, options()), &query, &ExtractOptions::of(Api::Rest), &memory, &done)
    };
    for (done, expected) in
        [(&[][..], &[0, 1, 2][..]), (&[0], &[1, 2]), (&[0, 2], &[1]), (&[0, 1], &[2]), (&[0, 1, 2], &[])]
    {
        let attached = attach(done).unwrap();
        let rest = read_all(&attached).await.unwrap();
        assert_eq!(attached.announced().await, 101_000);
        let units: Vec<&str> = rest.iter().map(|part| part.unit.as_str()).collect();
        assert_eq!(units, expected.iter().map(|part| parts[*part].unit.as_str()).collect::<Vec<_>>());
        assert!(rest.iter().zip(expected).all(|(part, number)| part.rows == parts[*number].rows), "{done:?}");
        assert_eq!(kept(&attached), memory);
    }
    let error = attach(&[1]).map(drop).unwrap_err();
    assert!(error.is_lost(), "the first page came with the query: {error}");
}

#[tokio::test]
async fn a_cursor_that_has_expired_is_lost() {
    let gone = "[[fault]]\non = { route = \"query-more\", nth = 52 }\ndo = { kind = \"cursor-expired\" }\n";
    let many = Options { generate: vec![("Contact".to_owned(), 101_000)], ..faults(gone) };
    let org = Emulator::start(many).await.unwrap();
    let (query, memory, parts) = rest_half(&org).await;
    let done = [parts[0].memory.clone()];
    let rest = ExtractOptions::of(Api::Rest);
    let attached = Extract::attach(&client(&org, options()), &query, &rest, &memory, &done).unwrap();
    let error = read_all(&attached).await.map(drop).unwrap_err();
    assert!(error.is_lost() && error.to_string().contains("cursor"), "{error}");
}

#[tokio::test]
async fn a_job_that_is_gone_is_lost_whoever_took_it() {
    let fault = |route: &str, kind: &str| {
        faults(&format!("[[fault]]\non = {{ route = \"{route}\", nth = 4 }}\ndo = {{ kind = \"{kind}\" }}\n"))
    };
    let bulk2 = ExtractOptions::of(Api::Bulk2);
    let bulk1 = ExtractOptions::of(Api::Bulk1);
    let table = [
        ("vanished", fault("bulk2-job", "job-vanish"), bulk2.clone()),
        ("aborted", Options { job_polls: 9, ..fault("bulk2-job", "job-aborted") }, bulk2.clone()),
        ("failed while nobody looked", Options { job_polls: 9, ..fault("bulk2-job", "job-failed") }, bulk2.clone()),
        ("results gone", Options { page_size: 100, ..fault("bulk2-results", "job-vanish") }, bulk2),
        ("batches gone", fault("bulk1-batches", "job-vanish"), bulk1.clone()),
        ("files gone", Options { page_size: 100, ..fault("bulk1-results", "job-vanish") }, bulk1),
    ];
    for (name, org_options, extract_options) in table {
        let waits = org_options.job_polls > 3;
        let org = org(org_options).await;
        let first = client(&org, options());
        let query = query(&first, SOQL).await;
        let extract = Extract::create(&first, &query, &extract_options).await.unwrap();
        let memory = kept(&extract);
        if !waits {
            extract.wait(|_| {}, std::future::pending()).await.unwrap();
        }
        let mut error = None;
        for _ in 0..4 {
            let attached = Extract::attach(&client(&org, options()), &query, &extract_options, &memory, &[]).unwrap();
            error = error.or(read_all(&attached).await.map(drop).err());
        }
        let error = error.unwrap_or_else(|| panic!("{name}: no error"));
        assert!(error.is_lost(), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_job_that_was_deleted_is_lost_and_its_disposal_is_no_error() {
    let org = org(Options::default()).await;
    let client = client(&org, options());
    let query = query(&client, SOQL).await;
    let extract = Extract::create(&client, &query, &ExtractOptions::of(Api::Bulk2)).await.unwrap();
    extract.wait(|_| {}, std::future::pending()).await.unwrap();
    extract.dispose().await.unwrap();
    let bulk2 = ExtractOptions::of(Api::Bulk2);
    let attached = Extract::attach(&client, &query, &bulk2, &kept(&extract), &[]).unwrap();
    assert!(attached.wait(|_| {}, std::future::pending()).await.unwrap_err().is_lost());
    attached.dispose().await.unwrap();
}

/// A job of Bulk 2.0 whose pages are told by a table: locator asked for, rows, next locator.
async fn pages(table: &'static [(&'static str, &'static str, &'static str)]) -> Server {
    Server::start(move |seen: &Seen, _| match seen.path.rsplit('/').next().unwrap_or_default() {
        "describe" => {
            Answer::json(200, r#"{"name":"Account","queryable":true,"fields":[{"name":"Id","type":"id","length":18}]}"#)
        }
        "resultPages" => Answer::error(404, "NOT_FOUND", "no"),
        "results" => {
            let asked = seen.query.strip_prefix("locator=").unwrap_or_default();
            let (_, rows, next) = table.iter().find(|(locator, ..)| *locator == asked).expect("a locator of the table");
            let lines: String = rows.chars().map(|row| format!("\"001{row}\"\n")).collect();
            let answer = Answer::new(200, "text/csv", format!("\"Id\"\n{lines}"));
            answer.with("sforce-locator", next).with("sforce-numberofrecords", &rows.len().to_string())
        }
        _ => job("JobComplete", r#","numberRecordsProcessed":6"#),
    })
    .await
}

async fn read_table(table: &'static [(&'static str, &'static str, &'static str)]) -> Result<Vec<Read>> {
    let server = pages(table).await;
    let client = server.client();
    let query = query(&client, "SELECT Id FROM Account").await;
    let extract = Extract::create(&client, &query, &ExtractOptions::of(Api::Bulk2)).await?;
    read_all(&extract).await
}

#[tokio::test]
async fn a_chain_that_leads_back_to_a_page_is_an_error_before_its_rows_come_again() {
    // the first page is asked for without a locator: its own is not known
    for table in [
        &[("", "ab", "A"), ("A", "ab", "B"), ("B", "cd", "null")][..],
        &[("", "ab", "B"), ("B", "cd", "A"), ("A", "ab", "null")],
        &[("", "ab", "B"), ("B", "cd", "C"), ("C", "cd", "D"), ("D", "ef", "null")],
    ] {
        let error = read_table(table).await.map(drop).unwrap_err();
        assert!(matches!(&error, Error::Protocol { detail, .. } if detail.contains("same rows as page")), "{error}");
    }
    let parts = read_table(&[("", "ab", "B"), ("B", "", "C"), ("C", "", "D"), ("D", "cd", "null")]).await.unwrap();
    assert_eq!(parts.len(), 4, "pages without rows are alike");
}

#[tokio::test]
async fn pages_that_are_cut_otherwise_than_they_were_are_lost() {
    let whole = read_table(&[("", "ab", "B"), ("B", "cd", "C"), ("C", "ef", "null")]).await.unwrap();
    let table = &[("", "ab", "X"), ("X", "cdef", "null")];
    let server = pages(table).await;
    let client = server.client();
    let query = query(&client, "SELECT Id FROM Account").await;
    let bulk2 = ExtractOptions::of(Api::Bulk2);
    let memory = kept(&Extract::create(&client, &query, &bulk2).await.unwrap());
    for done in [1, 2] {
        let done = [whole[done].memory.clone()];
        let attached = Extract::attach(&client, &query, &bulk2, &memory, &done).unwrap();
        let error = read_all(&attached).await.map(drop).unwrap_err();
        assert!(error.is_lost(), "{error}");
    }
}
