//! Two feeds must not write into one target: who does is told by name, before anything is sent.

use super::expand::{PATTERN, expand};
use super::{PipelineFile, Problem};

/// Where the rows of a feed go within what the destination is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    /// the key of the plugin's configuration that says it
    key: &'static str,
    /// in words
    what: &'static str,
    /// its value
    name: String,
}

/// Refuses two feeds with one target. Of a plugin of one's own nobody knows what its target is: it is told the feed's
/// name and can keep them apart.
pub(super) fn check(file: &PipelineFile, problems: &mut Vec<Problem>) {
    let feeds = file.source.all_feeds();
    let mut seen: Vec<(&str, Target)> = Vec::new();
    for feed in &feeds {
        let Some(target) = target_of(&expand(file, feed), &feed.object) else { return };
        match seen.iter().find(|(_, other)| other.name.eq_ignore_ascii_case(&target.name)) {
            Some((other, _)) => problems.push(same(other, &feed.object, &target)),
            None => seen.push((&feed.object, target)),
        }
    }
}

fn same(one: &str, other: &str, target: &Target) -> Problem {
    let Target { key, what, name } = target;
    let (shown, joint) = (name.escape_debug(), if *key == "url" { "?object=" } else { "_" });
    Problem::new(
        format!("destination.config.{key}"),
        format!(
            "`{one}` and `{other}` would go into the same {what} `{shown}`; put {PATTERN} into it, for example {key} = \"{shown}{joint}{PATTERN}\", or give each feed its own: destination = {{ config = {{ {key} = \"…\" }} }} under [[source.feeds]]"
        ),
    )
}

/// The target of a first-party destination; each takes the feed's name where it is not told.
fn target_of(file: &PipelineFile, object: &str) -> Option<Target> {
    let step = &file.destination;
    let text = |key: &str| step.config.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let named = |key: &'static str, what: &'static str| {
        let name = text(key).unwrap_or_else(|| object.to_owned());
        Some(Target { key, what, name })
    };
    match step.plugin.as_str() {
        "sqlite" => named("table", "table"),
        // The manifest of a folder is that of one feed.
        "csv" | "jsonl" | "parquet" => named("folder", "folder"),
        "http" => text("url").map(|name| Target { key: "url", what: "address", name }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{parse_pipeline, validate};

    fn problems(destination: &str, feeds: &str) -> Vec<String> {
        let text = format!(
            "name = 'a'\n[source]\nconnection = 'demo'\nobjects = ['Account', 'Contact']\n{feeds}\n[destination]\n{destination}"
        );
        let found = validate(&parse_pipeline(&text, Path::new("p.toml")).unwrap_or_else(|e| panic!("{e}")));
        found.into_iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect()
    }

    #[test]
    fn one_target_of_two_feeds_is_refused_by_name() {
        for (destination, feeds, expected) in [
            (
                "plugin = 'sqlite'\nconfig = { table = 't' }",
                "",
                "destination.config.table: `Account` and `Contact` would go",
            ),
            ("plugin = 'csv'\nconfig = { folder = '.' }", "", "destination.config.folder: `Account` and `Contact`"),
            (
                "plugin = 'http'\nconfig = { url = 'https://x.example/a' }",
                "",
                "url = \"https://x.example/a?object={object}\"",
            ),
            (
                "plugin = 'sqlite'",
                "[[source.feeds]]\nobject = 'Lead'\ndestination = { config = { table = 'contact' } }",
                "`Contact` and `Lead` would go into the same table `contact`",
            ),
        ] {
            let found = problems(destination, feeds);
            assert_eq!(found.len(), 1, "{destination}: {found:?}");
            assert!(found[0].contains(expected), "{found:?}");
        }
    }

    #[test]
    fn targets_of_their_own_are_taken() {
        for destination in [
            "plugin = 'sqlite'",
            "plugin = 'sqlite'\nconfig = { table = 'sf_{object}' }",
            "plugin = 'parquet'\nconfig = { compression = 'zstd' }",
            "plugin = 'jsonl'\nconfig = { folder = 'daily/{object}', name = 'rows' }",
            "plugin = './mine.wasm'\nconfig = { place = 'x' }",
        ] {
            assert_eq!(problems(destination, ""), Vec::<String>::new(), "{destination}");
        }
    }
}
