//! The three APIs: the same bytes by each, the one that suits, and another one when it refuses.

use forcepump_emulator::options::JsonDates;
use forcepump_emulator::{ClassicJobState, Options};
use serde_json::Value;

use crate::harness::{Bench, Org};
use crate::orgs::{self, SMALL_ROWS, script_of};
use crate::tables;

/// Every way to read.
const WAYS: [(&str, &str); 6] = [
    ("bulk2", "api = \"bulk2\""),
    ("bulk1", "api = \"bulk1\""),
    ("bulk1 json", "api = \"bulk1\"\nbulk1_format = \"json\""),
    ("bulk1 xml", "api = \"bulk1\"\nbulk1_format = \"xml\""),
    ("bulk1 chunks", "api = \"bulk1\"\npk_chunking = true"),
    ("rest", "api = \"rest\""),
];
const CSV: &str = "plugin = \"csv\"\nmode = \"overwrite\"\ngrant = { files = { out = \"out\" } }";
const SQLITE: &str = "plugin = \"sqlite\"\nmode = \"overwrite\"\nconfig = { table = \"t\" }\ngrant = { sql = { db = \"sqlite:out.db\" } }";

fn pipeline(source: &str, destination: &str) -> String {
    format!("name = \"apis\"\n[source]\nconnection = \"org\"\n{source}\n[destination]\n{destination}\n")
}

fn run(bench: &Bench, source: &str, destination: &str) -> Value {
    bench.write("p.toml", &pipeline(source, destination));
    bench.run(&["run", "p.toml", "--json"]).ends(0).json()
}

/// The bytes of the one file of a run.
fn bytes(bench: &Bench, source: &str, format: &str) -> Vec<u8> {
    let destination = CSV.replace("\"csv\"", &format!("\"{format}\""));
    let report = run(bench, source, &destination);
    let place = &report["results"][0];
    let files = place["files"].as_array().expect("files");
    assert_eq!(files.len(), 1, "{report:#}");
    let path = format!("{}/{}", place["path"].as_str().expect("a path"), files[0].as_str().expect("a name"));
    std::fs::read(bench.path(&path)).expect("a file")
}

/// The same source by every way into every format: the same bytes.
#[track_caller]
fn all_the_same(org: &Org, source: &str, ways: &[(&str, &str)]) {
    let bench = Bench::on(org);
    for format in ["csv", "jsonl", "parquet"] {
        let mut first: Option<Vec<u8>> = None;
        for (name, way) in ways {
            let found = bytes(&bench, &format!("{source}\n{way}"), format);
            let first = first.get_or_insert_with(|| found.clone());
            if format != "parquet" {
                let (first, found) = (String::from_utf8_lossy(first), String::from_utf8_lossy(&found));
                let differ = first.lines().zip(found.lines()).find(|(first, found)| first != found);
                assert_eq!(differ, None, "{name} into {format}");
            }
            assert!(*first == found, "{name} into {format}: {} and {} bytes", first.len(), found.len());
        }
    }
    org.is_tidy();
    assert!(
        org.emulator().classic_jobs().iter().all(|job| job.state == ClassicJobState::Closed),
        "every job is closed"
    );
}

#[test]
fn every_type_and_awkward_value_is_the_same_by_every_api() {
    for json_dates in [JsonDates::Text, JsonDates::Epoch] {
        let org = Org::with(Options { json_dates, ..Options::default() });
        let without_xml: Vec<_> = WAYS.into_iter().filter(|(name, _)| *name != "bulk1 xml").collect();
        all_the_same(&org, "object = \"Awkward__c\"", &without_xml);
        // XML has no way to write this one
        all_the_same(&org, "object = \"Awkward__c\"\nwhere = \"Text__c != 'nul\\\\u0000byte'\"", &WAYS);
    }
}

#[test]
fn parents_and_their_nulls_are_the_same_by_every_api() {
    let org = Org::demo();
    let source = "query = \"SELECT Id, LastName, Account.Name, Account.Owner.Name, Account.AnnualRevenue, Account.CreatedDate, Owner.Email, ReportsTo.Name FROM Contact WHERE LastName LIKE 'B%'\"";
    all_the_same(&org, source, &WAYS);
}

#[test]
fn deleted_rows_are_the_same_by_every_api() {
    let org = Org::demo();
    let source = "object = \"Account\"\nfields = [\"Id\", \"Name\", \"IsDeleted\"]\naction = \"query-all\"";
    all_the_same(&org, source, &WAYS);
    let bench = Bench::on(&org);
    let live = run(&bench, "object = \"Account\"\nfields = [\"Id\"]\napi = \"rest\"", CSV)["rows"]["written"].clone();
    assert_eq!(live.as_u64(), org.emulator().rows("Account"));
}

#[test]
fn a_result_without_rows_is_the_same_by_every_api() {
    all_the_same(
        &Org::demo(),
        "object = \"Empty__c\"\nfields = [\"Id\", \"Name\", \"Value__c\", \"Owner.Name\"]",
        &WAYS,
    );
}

#[test]
fn few_rows_come_by_rest_and_many_by_bulk() {
    let org = orgs::small(Options { generate: vec![("Contact".to_owned(), 2_500)], ..Options::default() });
    let bench = Bench::on(&org);
    let few = run(&bench, "object = \"Account\"\nfields = [\"Id\", \"Name\"]", SQLITE);
    assert_eq!((&few["api"], &few["job_id"]), (&"rest".into(), &Value::Null));
    assert_eq!(few["rows"]["written"], SMALL_ROWS);
    assert!(org.emulator().jobs().is_empty());
    let many = run(&bench, "object = \"Contact\"\nfields = [\"Id\"]", SQLITE);
    assert_eq!((&many["api"], &many["rows"]["written"]), (&"bulk2".into(), &2_500.into()));
    let filtered = run(&bench, "object = \"Contact\"\nfields = [\"Id\"]\nwhere = \"LastName LIKE 'Q%'\"", SQLITE);
    assert_eq!(filtered["api"], "rest", "the filter leaves few: {filtered:#}");
    let limited = run(&bench, "query = \"SELECT Id FROM Contact LIMIT 7\"", SQLITE);
    assert_eq!((&limited["api"], &limited["rows"]["written"]), (&"rest".into(), &7.into()));
    let bounded = run(&bench, "object = \"Account\"\nfields = [\"Id\"]\nmax_records = 10", SQLITE);
    assert_eq!(bounded["api"], "bulk2");
    let split = run(&bench, "object = \"Contact\"\nfields = [\"Id\"]\npk_chunking = { chunk_size = 600 }", SQLITE);
    assert_eq!((&split["api"], &split["rows"]["written"]), (&"bulk1".into(), &2_500.into()));
    let plan = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    assert!(plan.contains("Bulk API 1.0 query") && plan.contains("pk_chunking is asked for"), "{plan}");
}

#[test]
fn what_bulk_refuses_is_read_by_rest_and_remembered() {
    let refusal = r#"[[fault]]
on = { route = "bulk2-create", times = "always" }
do = { kind = "status", code = 400, error_code = "INVALIDENTITY", message = "Entity 'Contact' is not supported by the Bulk API." }
"#;
    let options =
        Options { generate: vec![("Contact".to_owned(), 4_500)], faults: script_of(refusal), ..Options::default() };
    let org = orgs::small(options);
    let bench = Bench::on(&org);
    let source = "object = \"Contact\"\nfields = [\"Id\", \"LastName\"]";
    bench.write("p.toml", &pipeline(source, SQLITE));
    let first = bench.run(&["run", "p.toml"]).ends(0);
    assert!(first.stderr.contains("Contact is read by REST query instead of Bulk API 2.0 query"), "{}", first.stderr);
    assert_eq!(tables::sqlite(&bench.path("out.db"), "t").rows.len(), 4_500);
    assert_eq!(org.asked("/jobs/query"), 1);
    let plan = bench.run(&["plan", "p.toml"]).ends(0).stdout;
    assert!(plan.contains("REST query") && plan.contains("Bulk API refused Contact on"), "{plan}");
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(org.asked("/jobs/query"), 1, "it is not asked in vain again");
    let fixed = bench_with(&bench, &format!("{source}\napi = \"bulk2\""), 2);
    assert!(fixed.contains("not supported by the Bulk API") && fixed.contains("api = \"rest\""), "{fixed}");
}

/// Runs a pipeline that must fail; gives what it says.
#[track_caller]
fn bench_with(bench: &Bench, source: &str, code: i32) -> String {
    bench.write("q.toml", &pipeline(source, SQLITE));
    bench.run(&["run", "q.toml"]).ends(code).stderr
}

#[test]
fn a_limit_of_bulk_2_leads_to_bulk_1_and_is_not_remembered() {
    let limit = "[[fault]]\non = { route = \"bulk2-create\" }\ndo = { kind = \"limit\", which = \"jobs\" }\n";
    let options =
        Options { generate: vec![("Contact".to_owned(), 2_500)], faults: script_of(limit), ..Options::default() };
    let org = orgs::small(options);
    let bench = Bench::on(&org);
    let source = "object = \"Contact\"\nfields = [\"Id\"]";
    let report = run(&bench, source, SQLITE);
    assert_eq!((&report["api"], &report["rows"]["written"]), (&"bulk1".into(), &2_500.into()));
    assert_eq!(run(&bench, source, SQLITE)["api"], "bulk2");
}

#[test]
fn what_an_api_cannot_do_is_refused_before_anything_is_made() {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    for (source, word) in [
        ("object = \"Account\"\napi = \"bulk2\"\npk_chunking = true", "source.pk_chunking"),
        ("object = \"Account\"\napi = \"rest\"\nmax_records = 5", "source.max_records"),
        ("query = \"SELECT Id FROM Account ORDER BY Name\"\npk_chunking = true", "ORDER BY"),
        ("query = \"SELECT Id FROM Account LIMIT 3\"\npk_chunking = true", "LIMIT"),
        ("object = \"Account\"\nwhere = \"OwnerId != null\"\npk_chunking = true", "OwnerId"),
        ("query = \"SELECT COUNT(Id) FROM Account\"\napi = \"rest\"", "aggregate"),
    ] {
        let said = bench_with(&bench, source, 2);
        assert!(said.contains(word), "{source}: {said}");
    }
    assert!(org.emulator().jobs().is_empty() && org.emulator().classic_jobs().is_empty());
    assert!(!bench.path("out.db").exists());
}

#[test]
fn an_object_that_no_guide_names_for_chunking_is_left_to_the_org() {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    let said = bench_with(&bench, "object = \"RecordType\"\npk_chunking = true", 4);
    for word in ["RecordType is not among", "not supported for PK chunking", "hint: leave pk_chunking out"] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn a_query_too_long_for_an_address_is_read_by_rest_all_the_same() {
    let org = Org::demo();
    let mut names: Vec<String> = (0..700).map(|i| format!("Name != 'nobody of that name, number {i}'")).collect();
    names.push("Name != null".to_owned());
    let filter = names.join(" AND ");
    let source = format!("object = \"Account\"\nfields = [\"Id\", \"Name\"]\nwhere = \"{filter}\"");
    all_the_same(&org, &source, &[WAYS[0], WAYS[5]]);
    assert_eq!(org.asked("/composite"), 3);
}

#[test]
fn rest_reads_run_after_run_of_pages() {
    let org = orgs::small(Options { generate: vec![("Contact".to_owned(), 104_000)], ..Options::default() });
    let bench = Bench::on(&org);
    let report = run(&bench, "object = \"Contact\"\nfields = [\"Id\"]\napi = \"rest\"", SQLITE);
    assert_eq!((&report["units"], &report["rows"]["written"]), (&3.into(), &104_000.into()));
    let mut ids: Vec<_> = tables::sqlite(&bench.path("out.db"), "t").column("Id").into_iter().flatten().collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 104_000);
    assert_eq!(org.asked("/query"), 104_000_usize.div_ceil(2_000), "each page once");
}

#[test]
fn chunks_are_written_while_others_still_run() {
    let late = "[[fault]]\non = { route = \"bulk1-batch\" }\ndo = { kind = \"late-chunks\", looks = 5 }\n";
    let options =
        Options { generate: vec![("Contact".to_owned(), 1_000)], faults: script_of(late), ..Options::default() };
    let org = orgs::small(options);
    let bench = Bench::on(&org);
    let source = "object = \"Contact\"\nfields = [\"Id\"]\npk_chunking = { chunk_size = 50 }";
    let report = run(&bench, source, SQLITE);
    assert_eq!((&report["rows"]["announced"], &report["rows"]["written"]), (&1_000.into(), &1_000.into()));
    let requests = org.emulator().requests();
    let place = |part: &str, last: bool| {
        let mut found = requests.iter().enumerate().filter(|(_, request)| request.path.ends_with(part));
        let found = if last { found.next_back() } else { found.next() };
        found.map(|(place, _)| place).expect("a request")
    };
    assert!(place("/result", false) < place("/batch", true), "results are fetched before the last look");
}

#[test]
fn a_preview_takes_one_call_or_the_api_that_is_asked_for() {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    for (_, way) in WAYS.into_iter().chain([("auto", "")]) {
        bench.write("p.toml", &pipeline(&format!("object = \"Account\"\nfields = [\"Id\", \"Name\"]\n{way}"), CSV));
        let shown = bench.run(&["preview", "p.toml", "-n", "3"]).ends(0).stdout;
        assert!(shown.contains("Account, 0") && shown.contains("Account, 2"), "{way}: {shown}");
        assert!(!shown.contains("Account, 3 \n") && shown.contains("3 rows"), "{way}: {shown}");
    }
    org.is_tidy();
}

#[test]
fn a_soap_session_serves_all_three() {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    let who = org.emulator().credentials();
    let connection = format!(
        "[org]\nurl = \"{}\"\nauth = \"soap\"\nusername = \"{}\"\npassword = \"env:PASSWORD\"\nsecurity_token = \"env:TOKEN\"\n",
        who.instance_url, who.username
    );
    bench.write("connections.toml", &connection);
    for (name, way) in WAYS {
        bench.write("p.toml", &pipeline(&format!("object = \"Account\"\nfields = [\"Id\", \"Name\"]\n{way}"), SQLITE));
        let mut command = bench.command(&["run", "p.toml"]);
        command.env("PASSWORD", &who.password).env("TOKEN", &who.security_token);
        crate::harness::Ran::of(command.output().expect("it runs")).ends(0);
        assert_eq!(tables::sqlite(&bench.path("out.db"), "t").rows.len(), SMALL_ROWS, "{name}");
    }
    assert_eq!(org.asked("/services/oauth2/token"), 0);
}
