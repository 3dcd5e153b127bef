//! What the operator got wrong, and a destination that is out of order: the right code, and words that lead out.

use std::path::Path;

use forcepump_emulator::Options;

use crate::harness::{Bench, Org};
use crate::orgs;
use crate::tables;

const HEAD: &str = "name = \"wrong\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nobject = \"Account\"\nfields = [\"Id\", \"Name\"]\n";
const CSV: &str =
    "[destination]\nplugin = \"csv\"\nmode = \"overwrite\"\n[destination.grant]\nfiles = { out = \"out\" }\n";
const SQLITE: &str = "[destination]\nplugin = \"sqlite\"\nmode = \"append\"\n[destination.config]\ntable = \"account\"\n[destination.grant]\nsql = { db = \"sqlite:out.db\" }\n";

fn mask(config: &str) -> String {
    format!("[[transform]]\nplugin = \"mask\"\n[transform.config]\n{config}\n")
}

/// A small org and a folder that leads to it.
fn bench() -> (Org, Bench) {
    let org = orgs::small(Options::default());
    let bench = Bench::on(&org);
    (org, bench)
}

/// `check` and `run` refuse the file with the same code, and the words are in what they say.
#[track_caller]
fn refused(bench: &Bench, text: &str, says: &[&str]) {
    bench.write("p.toml", text);
    for command in ["check", "run"] {
        let ran = bench.run(&[command, "p.toml"]).ends(2);
        for word in says {
            assert!(ran.stderr.contains(word), "{command}: `{word}` is not in: {}", ran.stderr);
        }
    }
    assert!(!bench.path("out").exists() && !bench.path("out.db").exists(), "nothing is made");
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_line() {
    let bench = Bench::new();
    refused(&bench, &format!("{HEAD}where = \"Name != null\n{CSV}"), &["p.toml:7:"]);
    refused(&bench, &format!("{HEAD}max_records = \"many\"\n{CSV}"), &["p.toml:7:15", "many"]);
    refused(
        &bench,
        &format!("{HEAD}{CSV}").replace("overwrite", "overwriet"),
        &["p.toml:9:", "overwriet", "overwrite"],
    );
}

#[test]
fn misspelt_keys_are_answered_with_the_nearest_everywhere() {
    let bench = Bench::new();
    let table = [
        (format!("{HEAD}max_record = 5\n{CSV}"), "did you mean `max_records`?"),
        (format!("{HEAD}{CSV}").replace("[destination.grant]", "[destination.grants]"), "did you mean `grant`?"),
        (format!("{HEAD}[[transfrom]]\nplugin = \"mask\"\n{CSV}"), "did you mean `transform`?"),
        (format!("{HEAD}{CSV}[destination.limits]\nmemory_mb = 5\n"), "did you mean `memory_mib`?"),
    ];
    for (text, says) in table {
        refused(&bench, &text, &[says]);
    }
}

#[test]
fn all_faults_of_a_file_are_told_at_once() {
    let bench = Bench::new();
    let text = format!("{HEAD}where = \"where Name != null\"\nbatch_rows = 0\n{CSV}").replace("overwrite", "merge");
    refused(&bench, &text, &["source.where", "source.batch_rows", "destination.keys"]);
}

#[test]
fn unknown_plugins_are_answered_with_the_nearest_and_the_way_to_ones_own() {
    let (_org, bench) = bench();
    let text = format!("{HEAD}{}{CSV}", mask("columns = {}").replace("mask", "maks"));
    refused(&bench, &text, &["transform[0].plugin", "did you mean `mask`?", "./maks.wasm"]);
    refused(
        &bench,
        &format!("{HEAD}{CSV}").replace("\"csv\"", "\"./mine.wasm\""),
        &["destination.plugin", "mine.wasm"],
    );
    refused(
        &bench,
        &format!("{HEAD}{CSV}").replace("\"csv\"", "\"mask\""),
        &["destination.plugin", "`mask` is no destination"],
    );
}

#[test]
fn a_file_that_is_no_plugin_is_the_plugins_fault() {
    let (_org, bench) = bench();
    bench.write("mine.wasm", "(module)");
    bench.write("p.toml", &format!("{HEAD}{CSV}").replace("\"csv\"", "\"./mine.wasm\""));
    let ran = bench.run(&["check", "p.toml"]).ends(6);
    assert!(ran.stderr.contains("mine.wasm"), "{}", ran.stderr);
}

#[test]
fn configuration_is_held_against_the_plugins_schema() {
    let (_org, bench) = bench();
    let with = |config: &str| format!("{HEAD}{}{CSV}", mask(config));
    refused(&bench, &with("columns = 7"), &["transform[0].config.columns", "object"]);
    refused(&bench, &with("colums = { Name = \"redact\" }"), &["transform[0].config", "colums"]);
    refused(&bench, &with("columns = { Name = \"shred\" }"), &["transform[0].config.columns.Name", "tokenise"]);
    refused(&bench, &with("columns = { Nmae = \"redact\" }"), &["transform[0].config.columns.Nmae", "Name"]);
    refused(&bench, &with("columns = { Name = \"hash\" }"), &["transform[0].config.salt", "salt"]);
    refused(
        &bench,
        &format!("{HEAD}{CSV}[destination.config]\ncompression = \"rar\"\n"),
        &["destination.config.compression", "gzip"],
    );
}

#[test]
fn a_filter_that_is_wrong_is_refused_with_its_place() {
    let (_org, bench) = bench();
    let with =
        |text: &str| format!("{HEAD}[[transform]]\nplugin = \"filter\"\n[transform.config]\nwhere = '{text}'\n{CSV}");
    refused(&bench, &with("Nmae = \"x\""), &["transform[0].config.where", "Nmae", "Name"]);
    refused(&bench, &with("Name = "), &["transform[0].config.where"]);
    refused(&bench, &with("Name > 5"), &["transform[0].config.where", "Name"]);
}

#[test]
fn what_is_not_granted_is_named() {
    let (_org, bench) = bench();
    let bare = |plugin: &str| format!("{HEAD}[destination]\nplugin = \"{plugin}\"\n");
    refused(&bench, &bare("csv"), &["destination.grant", "files", "out"]);
    refused(&bench, &bare("sqlite"), &["destination.grant", "sql", "db"]);
    refused(&bench, &format!("{HEAD}{SQLITE}").replace("{ db =", "{ other ="), &["destination.grant", "db"]);
    refused(
        &bench,
        &format!("{HEAD}{SQLITE}").replace("sqlite:out.db", "postgres://x"),
        &["destination.grant.sql.db", "sqlite:PATH"],
    );
}

#[test]
fn keys_must_be_columns_and_modes_must_fit() {
    let (_org, bench) = bench();
    let merge = SQLITE.replace("mode = \"append\"", "mode = \"merge\"\nkeys = [\"id\"]");
    refused(&bench, &format!("{HEAD}{merge}"), &["destination.keys", "did you mean `Id`?"]);
    bench.write("p.toml", &format!("{HEAD}{CSV}").replace("\"overwrite\"", "\"merge\"\nkeys = [\"Id\"]"));
    let ran = bench.run(&["run", "p.toml"]).ends(2);
    assert!(ran.stderr.contains("cannot be changed row by row"), "{}", ran.stderr);
}

#[test]
fn what_salesforce_does_not_know_is_answered_with_the_nearest() {
    let (org, bench) = bench();
    let text = format!("{HEAD}{CSV}");
    refused(&bench, &text.replace("\"Name\"", "\"Nmae\""), &["Nmae", "did you mean Name?"]);
    refused(&bench, &text.replace("\"Name\"", "\"Owner.Nmae\""), &["Owner.Nmae"]);
    refused(&bench, &text.replace("\"Account\"", "\"Acount\""), &["did you mean Account?"]);
    assert!(org.emulator().jobs().is_empty());
    bench.write("p.toml", &format!("{HEAD}where = \"Name ~ 5\"\n{CSV}"));
    let ran = bench.run(&["run", "p.toml"]).ends(2);
    assert!(ran.stderr.contains("MALFORMED_QUERY") || ran.stderr.contains("unexpected token"), "{}", ran.stderr);
}

#[test]
fn queries_that_bulk_cannot_serve_are_refused_before_a_job() {
    let (org, bench) = bench();
    let source = "name = \"q\"\n[source]\nconnection = \"org\"\napi = \"bulk2\"\nquery = ";
    for query in [
        "SELECT count() FROM Account",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT Name, count(Id) FROM Account GROUP BY Name",
    ] {
        bench.write("p.toml", &format!("{source}\"{query}\"\n{CSV}"));
        let ran = bench.run(&["check", "p.toml"]).ends(2);
        assert!(ran.stderr.starts_with("error: "), "{query}: {}", ran.stderr);
    }
    assert!(org.emulator().jobs().is_empty());
}

#[test]
fn connections_that_are_not_there_or_lack_a_secret_are_wrong_input() {
    let (_org, bench) = bench();
    refused(&bench, &format!("{HEAD}{CSV}").replace("\"org\"", "\"prod\""), &["`prod`", "it has: org"]);
    let connections = bench.read("connections.toml");
    bench.write("connections.toml", &connections.replace("env:FORCEPUMP_TEST_SECRET", "env:NOT_SET_ANYWHERE"));
    refused(&bench, &format!("{HEAD}{CSV}"), &["connection", "NOT_SET_ANYWHERE", "export"]);
    bench.write("connections.toml", &connections.replace("env:FORCEPUMP_TEST_SECRET", "file:gone.txt"));
    refused(&bench, &format!("{HEAD}{CSV}"), &["gone.txt"]);
    bench.write("connections.toml", &connections.replace("auth =", "auht ="));
    refused(&bench, &format!("{HEAD}{CSV}"), &["connections.toml:3:1", "did you mean `auth`?"]);
    bench.write("connections.toml", &connections.replace("http://127.0.0.1", "http://example.com"));
    refused(&bench, &format!("{HEAD}{CSV}"), &["https"]);
}

#[test]
fn a_secret_in_plain_text_is_refused_and_not_shown() {
    let (_org, bench) = bench();
    let connections = bench.read("connections.toml");
    bench.write("connections.toml", &connections.replace("env:FORCEPUMP_TEST_SECRET", "hunter2hunter2"));
    bench.write("p.toml", &format!("{HEAD}{CSV}"));
    for args in [["check", "p.toml", "--json"], ["run", "p.toml", "--quiet"]] {
        let ran = bench.run(&args).ends(2);
        assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
        assert!(format!("{ran:?}").contains("env:NAME"), "{ran:?}");
    }
}

#[test]
fn a_wrong_secret_is_the_sources_refusal_and_never_printed() {
    let (org, bench) = bench();
    bench.write("p.toml", &format!("{HEAD}{CSV}"));
    for args in [&["check", "p.toml"][..], &["run", "p.toml"], &["run", "p.toml", "--json"], &["preview", "p.toml"]] {
        let mut command = bench.command(args);
        command.env("FORCEPUMP_TEST_SECRET", "wr0ngSecret0fOurs");
        let ran = crate::harness::Ran::of(command.output().expect("the binary starts")).ends(4);
        let all = format!("{ran:?}");
        assert!(all.contains("the client_secret is wrong"), "{all}");
        assert!(!all.contains("wr0ngSecret0fOurs"), "{all}");
    }
    assert!(org.emulator().jobs().is_empty());
}

#[test]
fn secrets_are_in_no_output_and_no_file() {
    let (org, bench) = bench();
    bench.write("salt.txt", "saltThatNobodySees\n");
    bench.write(
        "p.toml",
        &format!("{HEAD}{}{CSV}", mask("salt = { secret = \"file:salt.txt\" }\ncolumns = { Name = \"tokenise\" }")),
    );
    let mut said = String::new();
    for args in [
        &["check", "p.toml"][..],
        &["plan", "p.toml"],
        &["plan", "p.toml", "--json"],
        &["preview", "p.toml"],
        &["run", "p.toml"],
        &["run", "p.toml", "--json"],
    ] {
        said.push_str(&format!("{:?}", bench.run(args).ends(0)));
    }
    assert!(said.contains("file:salt.txt"), "the reference is shown");
    let credentials = org.emulator().credentials();
    for secret in ["saltThatNobodySees", &credentials.client_secret, &credentials.access_token] {
        assert!(!said.contains(secret), "{secret} was printed");
        assert!(!files_hold(&bench.path("out"), secret), "{secret} is in a file");
        assert!(!files_hold(&bench.path(".forcepump"), secret), "{secret} is in a file");
    }
}

fn files_hold(folder: &Path, text: &str) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    entries.into_iter().any(|path| match path.is_dir() {
        true => files_hold(&path, text),
        false => String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).contains(text),
    })
}

#[test]
fn an_org_that_is_not_there_is_the_sources_fault() {
    let (org, bench) = bench();
    let connections = bench.read("connections.toml");
    bench.write("connections.toml", &format!("{connections}[org.http]\nmax_attempts = 1\n"));
    bench.write("p.toml", &format!("{HEAD}{CSV}"));
    org.stop();
    let ran = bench.run(&["run", "p.toml"]).ends(4);
    assert!(ran.stderr.contains("127.0.0.1") || ran.stderr.contains("refused"), "{}", ran.stderr);
}

#[test]
fn a_folder_that_cannot_be_made_is_the_destinations_fault() {
    let (org, bench) = bench();
    bench.write("out", "a file where the folder should be");
    bench.write("p.toml", &format!("{HEAD}{CSV}"));
    let ran = bench.run(&["run", "p.toml"]).ends(5);
    assert!(ran.stderr.contains("out"), "{}", ran.stderr);
    assert_eq!(bench.read("out"), "a file where the folder should be");
    assert!(org.emulator().jobs().is_empty(), "known before the job is made");
}

#[test]
fn a_folder_at_the_place_of_the_files_folder_is_no_file() {
    let (org, bench) = bench();
    std::fs::create_dir_all(bench.path("out")).expect("a folder");
    bench.write("out/Account", "a file where a folder should be");
    bench.write("p.toml", &format!("{HEAD}{CSV}"));
    let ran = bench.run(&["run", "p.toml"]).ends(5);
    assert!(ran.stderr.contains("Account"), "{}", ran.stderr);
    org.is_tidy();
}

#[test]
fn a_database_that_is_no_database_is_the_destinations_fault() {
    let (org, bench) = bench();
    bench.write("out.db", &"this is no database, and long enough to be sure of it. ".repeat(40));
    bench.write("p.toml", &format!("{HEAD}{SQLITE}"));
    let ran = bench.run(&["run", "p.toml"]).ends(5);
    assert!(ran.stderr.contains("out.db") || ran.stderr.contains("database"), "{}", ran.stderr);
    org.is_tidy();
}

#[test]
fn a_database_that_another_program_holds_is_the_destinations_fault() {
    let (org, bench) = bench();
    let holder = rusqlite::Connection::open(bench.path("out.db")).expect("a database");
    holder.execute_batch("CREATE TABLE other (x); BEGIN EXCLUSIVE").expect("a lock");
    bench.write("p.toml", &format!("{HEAD}{SQLITE}"));
    let ran = bench.run(&["run", "p.toml"]).ends(5);
    assert!(ran.stderr.contains("another writer holds the database"), "{}", ran.stderr);
    org.is_tidy();
    holder.execute_batch("ROLLBACK").expect("the lock goes");
    bench.run(&["run", "p.toml"]).ends(0);
    assert_eq!(tables::sqlite(&bench.path("out.db"), "account").rows.len(), orgs::SMALL_ROWS);
}

#[test]
fn a_row_that_the_database_refuses_is_a_reject_and_not_the_end() {
    let (org, bench) = bench();
    let db = rusqlite::Connection::open(bench.path("out.db")).expect("a database");
    db.execute_batch("CREATE TABLE account (Id TEXT, Name TEXT CHECK (Name <> 'Account, 7'))").expect("a table");
    drop(db);
    bench.write("p.toml", &format!("{HEAD}{SQLITE}"));
    let ran = bench.run(&["run", "p.toml", "--json"]).ends(3).json();
    assert_eq!((&ran["rows"]["written"], &ran["rows"]["rejected"]), (&39.into(), &1.into()));
    let rejects = bench.read(ran["rejects_file"].as_str().expect("a path"));
    assert!(rejects.lines().count() == 1 && rejects.contains("Account, 7"), "{rejects}");
    org.is_tidy();
}
