//! `[[source.feeds]]`: several objects in one pipeline, and what is wrong with a list of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Action, ApiChoice, ChunkingChoice, Incremental, Mode, PipelineFile, Problem, Source, nearest, targets};

/// Feeds of one pipeline; each is planned, described and counted for itself.
pub const MAX_FEEDS: usize = 500;
/// Feeds that may be read at a time; each has workers, memory and a Salesforce job of its own.
pub const MAX_PARALLEL_FEEDS: u8 = 16;
/// Feeds read at a time when the file says nothing: while Salesforce works on one job, others move their rows.
const DEFAULT_PARALLEL_FEEDS: u8 = 3;

/// One object of a pipeline of several. What is left out is as `[source]` and `[destination]` say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// API name of the object, for example `Account`. An object is one feed only.
    pub object: String,
    /// Fields to read, as `source.fields`. An empty list: all readable fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// Condition in SOQL, in the place of `source.where`. An empty one: all rows.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// `false` reads everything in each run, `true` only what changed, or a table as `source.incremental`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incremental: Option<FeedIncremental>,
    /// In the place of `source.action`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// In the place of `source.api`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiChoice>,
    /// In the place of `source.pk_chunking`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pk_chunking: Option<ChunkingChoice>,
    /// In the place of `source.max_records`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_records: Option<u32>,
    /// How this feed is written, where that differs from `[destination]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<FeedDestination>,
}

/// Whether a feed is incremental, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum FeedIncremental {
    /// As `source.incremental` says or by default, or not at all.
    On(bool),
    /// With settings of its own.
    With(Incremental),
}

/// What a feed changes of `[destination]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedDestination {
    /// How rows meet what is already there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Columns that identify a row, for `merge`, `update` and `delete`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
    /// Keys of the plugin's configuration, in the place of those of the same name.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub config: toml::Table,
}

impl<'de> Deserialize<'de> for FeedIncremental {
    /// By hand, so that an unknown key of the table is still answered with the nearest known one.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = FeedIncremental;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false, or a table such as { overlap_minutes = 10 }")
            }

            fn visit_bool<E>(self, on: bool) -> Result<Self::Value, E> {
                Ok(FeedIncremental::On(on))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Incremental::deserialize(MapAccessDeserializer::new(map)).map(FeedIncremental::With)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Feed {
    /// A feed that is all as `[source]` says.
    fn of(object: &str) -> Self {
        Self { object: object.to_owned(), ..Self::default() }
    }
}

impl Source {
    /// Whether it names its objects in a list, be it of one.
    #[must_use]
    pub fn has_feeds(&self) -> bool {
        !self.objects.is_empty() || !self.feeds.is_empty()
    }

    /// Every feed in its order; none of a source that names one object or a query.
    #[must_use]
    pub fn all_feeds(&self) -> Vec<Feed> {
        self.objects.iter().map(|object| Feed::of(object)).chain(self.feeds.iter().cloned()).collect()
    }

    /// Feeds that are read at a time.
    #[must_use]
    pub fn feeds_at_a_time(&self) -> usize {
        usize::from(self.parallel_feeds.unwrap_or(DEFAULT_PARALLEL_FEEDS).clamp(1, MAX_PARALLEL_FEEDS))
    }
}

/// What is wrong with the list of feeds itself.
pub(super) fn check(file: &PipelineFile, problems: &mut Vec<Problem>) {
    let source = &file.source;
    for (key, given) in [("object", source.object.is_some()), ("query", source.query.is_some())] {
        if given {
            let text = format!("has both `{key}` and a list of objects; keep one of them");
            problems.push(Problem::new("source", text));
        }
    }
    let feeds = source.all_feeds();
    if feeds.len() > MAX_FEEDS {
        let text =
            format!("{} objects are more than the {MAX_FEEDS} of one pipeline; write several files", feeds.len());
        problems.push(Problem::new("source.objects", text));
    }
    if source.parallel_feeds.is_some_and(|feeds| !(1..=MAX_PARALLEL_FEEDS).contains(&feeds)) {
        problems.push(Problem::new("source.parallel_feeds", format!("must be 1 to {MAX_PARALLEL_FEEDS}")));
    }
    check_objects(source, &feeds, problems);
    check_steps(file, &feeds, problems);
    if problems.is_empty() {
        targets::check(file, problems);
    }
}

/// What only a pipeline of several feeds can have.
pub(super) fn refuse_without(file: &PipelineFile, problems: &mut Vec<Problem>) {
    if file.source.parallel_feeds.is_some() {
        let text = "goes with several objects: objects = [\"Account\", \"Contact\"]; leave it out";
        problems.push(Problem::new("source.parallel_feeds", text));
    }
    for (index, _) in file.transform.iter().enumerate().filter(|(_, step)| !step.objects.is_empty()) {
        let text = "goes with several objects in [source]; leave it out";
        problems.push(Problem::new(format!("transform[{index}].objects"), text));
    }
}

/// The key under which a feed stands.
pub(super) fn key_of(source: &Source, number: usize) -> String {
    match number.checked_sub(source.objects.len()) {
        None => format!("source.objects[{number}]"),
        Some(own) => format!("source.feeds[{own}]"),
    }
}

fn check_objects(source: &Source, feeds: &[Feed], problems: &mut Vec<Problem>) {
    for (number, feed) in feeds.iter().enumerate() {
        let key = key_of(source, number);
        let shown = feed.object.escape_debug();
        if !is_name(&feed.object) {
            let text = format!("`{shown}` is no API name of an object: letters, digits and _, for example \"Account\"");
            problems.push(Problem::new(key, text));
        } else if feeds[..number].iter().any(|before| before.object.eq_ignore_ascii_case(&feed.object)) {
            let text = format!("`{shown}` is named twice; an object is one feed: put both conditions into one `where`");
            problems.push(Problem::new(key, text));
        }
    }
}

fn is_name(object: &str) -> bool {
    object.starts_with(|c: char| c.is_ascii_alphabetic())
        && object.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn check_steps(file: &PipelineFile, feeds: &[Feed], problems: &mut Vec<Problem>) {
    let known = || feeds.iter().map(|feed| feed.object.as_str());
    for (index, step) in file.transform.iter().enumerate() {
        for object in step.objects.iter().filter(|object| !known().any(|name| name.eq_ignore_ascii_case(object))) {
            let meant = nearest(object, known()).map_or_else(
                || format!("; there are {}", known().collect::<Vec<_>>().join(", ")),
                |near| format!("; did you mean `{near}`?"),
            );
            let text = format!("no feed reads `{}`{meant}", object.escape_debug());
            problems.push(Problem::new(format!("transform[{index}].objects"), text));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{parse_pipeline, validate};

    fn problems(source: &str, rest: &str) -> Vec<String> {
        let text = format!(
            "name = 'a'\n[source]\nconnection = 'demo'\n{source}\n[destination]\nplugin = 'sqlite'\ngrant = {{ sql = {{ db = 'sqlite:x.db' }} }}\n{rest}"
        );
        let found = validate(&parse_pipeline(&text, Path::new("p.toml")).unwrap_or_else(|e| panic!("{e}")));
        found.into_iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect()
    }

    #[test]
    fn lists_and_tables_of_objects_are_taken() {
        for source in [
            "objects = ['Account']",
            "objects = ['Account', 'Contact']\nwhere = 'Name != null'\nparallel_feeds = 2\nincremental = {}",
            "objects = ['Account']\n[[source.feeds]]\nobject = 'Case'\nwhere = ''\nincremental = false",
            "[[source.feeds]]\nobject = 'ns__Case__c'\nincremental = { overlap_minutes = 0 }\nfields = ['Id']\ndestination = { mode = 'merge', keys = ['Id'], config = { table = 'cases' } }",
        ] {
            assert_eq!(problems(source, ""), Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_list_is_told_at_its_place() {
        for (source, rest, expected) in [
            ("object = 'A'\nobjects = ['B']", "", "source: has both `object` and a list"),
            ("query = 'SELECT Id FROM A'\nobjects = ['B']", "", "source: has both `query` and a list"),
            ("objects = ['A', 'a']", "", "source.objects[1]: `a` is named twice"),
            ("objects = ['A']\n[[source.feeds]]\nobject = 'A'", "", "source.feeds[0]: `A` is named twice"),
            ("objects = ['../A']", "", "source.objects[0]: `../A` is no API name"),
            ("objects = ['A', '']", "", "source.objects[1]: `` is no API name"),
            ("objects = ['A']\nparallel_feeds = 0", "", "source.parallel_feeds: must be 1 to 16"),
            ("object = 'A'\nparallel_feeds = 2", "", "source.parallel_feeds: goes with several"),
            ("objects = ['A']\napi_version = '1'", "", "source.api_version:"),
            ("objects = ['A', 'B']\nwhere = 'WHERE x = 1'", "", "source.where: starts with the word WHERE"),
            ("[[source.feeds]]\nobject = 'A'\nwhere = 'WHERE x = 1'", "", "source.feeds[0].where: starts"),
            (
                "[[source.feeds]]\nobject = 'A'\ndestination = { mode = 'merge' }",
                "",
                "source.feeds[0].destination.keys: is missing",
            ),
            (
                "objects = ['A']",
                "[[transform]]\nplugin = 'mask'\nobjects = ['B']",
                "transform[0].objects: no feed reads `B`",
            ),
            (
                "object = 'A'",
                "[[transform]]\nplugin = 'mask'\nobjects = ['A']",
                "transform[0].objects: goes with several",
            ),
        ] {
            let found = problems(source, rest);
            assert_eq!(found.len(), 1, "{source}: {found:?}");
            assert!(found[0].starts_with(expected), "{found:?}");
        }
    }

    #[test]
    fn unknown_keys_of_a_feed_are_answered_with_the_nearest_one() {
        for (lines, expected) in [
            ("feilds = ['Id']", "unknown key `feilds`; did you mean `fields`?"),
            ("incremental = { overlap_minuts = 3 }", "did you mean `overlap_minutes`?"),
            ("incremental = 3", "expected true, false, or a table"),
            ("destination = { table = 'x' }", "unknown key `table`"),
        ] {
            let text = format!(
                "name = 'a'\n[source]\nconnection = 'demo'\n[[source.feeds]]\nobject = 'A'\n{lines}\n[destination]\nplugin = 'csv'\n"
            );
            let error = parse_pipeline(&text, Path::new("p.toml")).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
