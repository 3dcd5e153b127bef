//! What is pinned against what is found: everything that differs, and what of it became wider.

use super::StepChange;
use super::entry::Entry;
use super::words;
use crate::file::{Grant, HttpGrant, Problem};

/// Every line that is new or gone, by step.
pub(super) fn changes(pinned: &[Entry], found: &[Entry]) -> Vec<StepChange> {
    let mut steps: Vec<&str> = found.iter().map(|entry| entry.step.as_str()).collect();
    steps.extend(pinned.iter().map(|entry| entry.step.as_str()).filter(|step| !is_step_of(step, found)));
    let lines_of = |entries: &[Entry], step: &str| {
        entries.iter().find(|entry| entry.step == step).map(words::lines).unwrap_or_default()
    };
    let change = |step: &str| {
        let (before, now) = (lines_of(pinned, step), lines_of(found, step));
        let gone = before.iter().filter(|line| !now.contains(line)).map(|line| format!("- {line}"));
        let new = now.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
        StepChange { step: step.to_owned(), lines: gone.chain(new).collect() }
    };
    steps.into_iter().map(change).filter(|change| !change.lines.is_empty()).collect()
}

fn is_step_of(step: &str, entries: &[Entry]) -> bool {
    entries.iter().any(|entry| entry.step == step)
}

/// What a run must not do without a review, each with its key.
pub(super) fn wider(pinned: &[Entry], found: &[Entry]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for entry in found {
        match pinned.iter().find(|pinned| pinned.step == entry.step) {
            Some(pinned) => compare(pinned, entry, &mut problems),
            None => problems.push(Problem::new(&entry.step, format!("not pinned: + plugin {}", entry.plugin))),
        }
    }
    // A step that is gone may have masked what the next ones see now.
    let gone = pinned.iter().filter(|pinned| !is_step_of(&pinned.step, found));
    problems.extend(
        gone.map(|pinned| {
            Problem::new(&pinned.step, format!("pinned, and no longer there: - plugin {}", pinned.plugin))
        }),
    );
    problems
}

fn compare(pinned: &Entry, found: &Entry, problems: &mut Vec<Problem>) {
    let mut tell = |key: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            problems.push(Problem::new(format!("{}.{key}", found.step), format!("not pinned:\n{}", lines.join("\n"))));
        }
    };
    if pinned.plugin != found.plugin || pinned.built_in != found.built_in {
        return tell("plugin", vec![format!("- {}", pinned.plugin), format!("+ {}", found.plugin)]);
    }
    tell("plugin", [new("imports", &pinned.imports, &found.imports), new("asks", &pinned.asks, &found.asks)].concat());
    if pinned.objects != found.objects {
        // Fewer is wider too: a mask that serves fewer objects lets the others through.
        tell("objects", vec![format!("- {}", words::serves(pinned)), format!("+ {}", words::serves(found))]);
    }
    tell("grant", wider_grant(&pinned.grant, &found.grant));
    let (key, lines) = looser_columns(pinned, found);
    tell(key, lines);
}

fn new(word: &str, pinned: &[String], found: &[String]) -> Vec<String> {
    found.iter().filter(|item| !pinned.contains(item)).map(|item| format!("+ {word} {item}")).collect()
}

fn wider_grant(pinned: &Grant, found: &Grant) -> Vec<String> {
    let mut only_new = Grant {
        clock: found.clock && !pinned.clock,
        random: found.random && !pinned.random,
        files: found.files.clone(),
        sql: found.sql.clone(),
        http: found.http.clone(),
    };
    only_new.files.retain(|name, path| pinned.files.get(name) != Some(path));
    only_new.sql.retain(|name, dsn| pinned.sql.get(name) != Some(dsn));
    only_new.http.retain(|name, http| !pinned.http.get(name).is_some_and(|pinned| covers(pinned, http)));
    // What a new value replaces is shown above it.
    let replaced = Grant {
        files: pinned.files.iter().filter(|(name, _)| only_new.files.contains_key(*name)).map(owned).collect(),
        sql: pinned.sql.iter().filter(|(name, _)| only_new.sql.contains_key(*name)).map(owned).collect(),
        http: pinned.http.iter().filter(|(name, _)| only_new.http.contains_key(*name)).map(owned).collect(),
        ..Grant::default()
    };
    let gone = words::grant(&replaced).into_iter().map(|line| format!("- {line}"));
    gone.chain(words::grant(&only_new).into_iter().map(|line| format!("+ {line}"))).collect()
}

fn owned<K: Clone, V: Clone>((key, value): (&K, &V)) -> (K, V) {
    (key.clone(), value.clone())
}

/// Whether all that `found` allows was allowed before.
fn covers(pinned: &HttpGrant, found: &HttpGrant) -> bool {
    let within = |path: &String| pinned.paths.iter().any(|allowed| begins(path, allowed));
    pinned.origin == found.origin
        && found.methods.iter().all(|method| pinned.methods.contains(method))
        && found.paths.iter().all(within)
        && (found.credential.is_none() || found.credential == pinned.credential)
        && (pinned.private_addresses || !found.private_addresses)
}

/// `/v1` covers `/v1` and `/v1/x`, not `/v10`; `/v1/` does not cover `/v1`.
fn begins(path: &str, allowed: &str) -> bool {
    path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || allowed.ends_with('/'))
}

/// The key at fault, and columns that may be read now and could not be before.
fn looser_columns<'a>(pinned: &Entry, found: &Entry) -> (&'a str, Vec<String>) {
    let mut lines = Vec::new();
    match (&pinned.columns, &found.columns) {
        (Some(_), None) => lines.push("+ reads every column that is not withheld".to_owned()),
        (Some(before), Some(now)) => {
            lines.extend(now.iter().filter(|name| !before.contains(name)).map(|name| format!("+ reads {name}")));
        }
        (None, _) => {}
    }
    if !lines.is_empty() {
        return ("columns", lines);
    }
    let out_of_reach = |name: &String| found.columns.as_ref().is_some_and(|columns| !columns.contains(name));
    let open = pinned.withhold.iter().filter(|name| !found.withhold.contains(name) && !out_of_reach(name));
    lines.extend(open.map(|name| format!("- withholds {name}")));
    if pinned.withhold_classified && !found.withhold_classified {
        lines.push("- withholds classified columns".to_owned());
    }
    ("withhold", lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{HttpCredential, Method};

    fn entry() -> Entry {
        let http = HttpGrant {
            origin: "https://api.example.com".into(),
            methods: vec![Method::Get, Method::Post],
            paths: vec!["/v1".into()],
            credential: Some(HttpCredential::Bearer("env:TOKEN".into())),
            private_addresses: false,
        };
        let grant = Grant {
            files: [("out".to_owned(), "results".to_owned())].into(),
            http: [("api".to_owned(), http)].into(),
            clock: true,
            ..Grant::default()
        };
        Entry {
            pipeline: "p.toml".into(),
            step: "transform[0]".into(),
            plugin: "./mine.wasm".into(),
            name: "mine".into(),
            version: "1.0.0".into(),
            sha256: "aa".into(),
            size: 1,
            built_in: false,
            imports: vec!["http".into()],
            asks: vec!["http api".into()],
            columns: Some(vec!["Id".into(), "Name".into()]),
            withhold: vec!["Name".into()],
            withhold_classified: true,
            objects: Vec::new(),
            grant,
        }
    }

    fn http(change: impl FnOnce(&mut HttpGrant)) -> Entry {
        let mut entry = entry();
        entry.grant.http.values_mut().next().map(change);
        entry
    }

    fn with(change: impl FnOnce(&mut Entry)) -> Entry {
        let mut entry = entry();
        change(&mut entry);
        entry
    }

    fn said(found: Entry) -> String {
        wider(&[entry()], &[found]).iter().map(|problem| format!("{} {}\n", problem.key, problem.message)).collect()
    }

    #[test]
    fn the_same_and_the_narrower_are_fine() {
        let narrower = [
            entry(),
            with(|entry| entry.grant = Grant::default()),
            with(|entry| entry.columns = Some(vec!["Id".into()])),
            with(|entry| entry.withhold.push("Id".into())),
            with(|entry| entry.asks.clear()),
            // what is not among the columns need not be withheld
            with(|entry| (entry.columns, entry.withhold) = (Some(vec!["Id".into()]), Vec::new())),
            http(|http| http.methods = vec![Method::Get]),
            http(|http| http.paths = vec!["/v1/accounts".into(), "/v1".into()]),
            http(|http| http.credential = None),
        ];
        for found in narrower {
            assert_eq!(said(found.clone()), "", "{found:?}");
        }
    }

    #[test]
    fn whatever_is_wider_is_told() {
        let cases = [
            (with(|entry| entry.imports.push("sql".into())), "transform[0].plugin not pinned:\n+ imports sql"),
            (with(|entry| entry.asks.push("sql db".into())), "+ asks sql db"),
            (with(|entry| entry.grant.random = true), "transform[0].grant not pinned:\n+ grants random"),
            (
                with(|entry| _ = entry.grant.files.insert("out".into(), "/etc".into())),
                "- grants files out = results\n+ grants files out = /etc",
            ),
            (http(|http| http.methods.push(Method::Delete)), "[get, post, delete] /v1"),
            (http(|http| http.paths = vec!["/v10".into()]), "+ grants http api"),
            (http(|http| http.paths.push("/".into())), "+ grants http api"),
            (http(|http| http.origin = "https://api.example.com.evil.org".into()), "+ grants http api"),
            (http(|http| http.private_addresses = true), "private addresses"),
            (http(|http| http.credential = Some(HttpCredential::Bearer("env:OTHER".into()))), "bearer env:OTHER"),
            (with(|entry| entry.columns = None), "transform[0].columns not pinned:\n+ reads every column"),
            (with(|entry| entry.columns = Some(vec!["Email".into()])), "+ reads Email"),
            (with(|entry| entry.withhold.clear()), "transform[0].withhold not pinned:\n- withholds Name"),
            (with(|entry| entry.withhold_classified = false), "- withholds classified columns"),
            (
                with(|entry| entry.objects.push("Contact".into())),
                "transform[0].objects not pinned:\n- serves every object\n+ serves Contact",
            ),
            (with(|entry| entry.plugin = "./other.wasm".into()), "- ./mine.wasm\n+ ./other.wasm"),
            (with(|entry| entry.step = "transform[1]".into()), "transform[1] not pinned: + plugin ./mine.wasm"),
        ];
        for (found, says) in cases {
            let said = said(found);
            assert!(said.contains(says), "{says} is not in: {said}");
        }
        assert!(wider(&[entry()], &[])[0].message.contains("no longer there"));
    }

    #[test]
    fn changes_show_both_sides_and_nothing_that_stayed() {
        assert!(changes(&[entry()], &[entry()]).is_empty());
        let found = with(|entry| (entry.sha256, entry.grant.clock) = ("bb".into(), false));
        let changed = &changes(&[entry()], &[found])[0];
        assert_eq!(changed.lines, ["- version 1.0.0, sha256 aa", "- grants clock", "+ version 1.0.0, sha256 bb"]);
        let added = &changes(&[], &[entry()])[0];
        assert!(added.lines.iter().all(|line| line.starts_with("+ ")), "{added:?}");
        let built_in = |sha: &str| with(|entry| (entry.built_in, entry.sha256) = (true, sha.into()));
        assert!(changes(&[built_in("aa")], &[built_in("bb")]).is_empty(), "the program vouches for its own");
    }
}
