//! Which API a source asks for, and rules over it that need no org.

use forcepump_batch::ResultFormat;
use forcepump_salesforce::{Api, PkChunking};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, Source};

/// By which API rows are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ApiChoice {
    /// The one that suits object and number of rows: REST for few rows, else Bulk API 2.0.
    #[default]
    Auto,
    /// Bulk API 2.0.
    Bulk2,
    /// Bulk API 1.0.
    Bulk1,
    /// REST query, 2,000 rows a call.
    Rest,
}

/// Whether and how a query is split by ranges of ids (PK chunking).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ChunkingChoice {
    /// As Salesforce does by default, or not at all.
    On(bool),
    /// With settings of its own.
    With(ChunkingSettings),
}

/// How a query is split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChunkingSettings {
    /// Ids in one chunk, at most 250,000. Default: Salesforce's 100,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 250000))]
    pub chunk_size: Option<u32>,
    /// The object that a share or history belongs to, for example `Account` for `AccountShare`. Default: as the name
    /// tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The id to begin with. Default: the first there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_row: Option<String>,
}

/// Format of the results of Bulk API 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bulk1Format {
    /// CSV.
    Csv,
    /// JSON.
    Json,
    /// XML.
    Xml,
}

impl Source {
    /// The API that the file fixes; none: it leaves the choice to us.
    pub(crate) fn fixed_api(&self) -> Option<Api> {
        match self.api {
            ApiChoice::Auto => None,
            ApiChoice::Bulk2 => Some(Api::Bulk2),
            ApiChoice::Bulk1 => Some(Api::Bulk1),
            ApiChoice::Rest => Some(Api::Rest),
        }
    }

    /// How the query is split, if it is.
    pub(crate) fn chunking(&self) -> Option<PkChunking> {
        match self.pk_chunking.as_ref()? {
            ChunkingChoice::On(false) => None,
            ChunkingChoice::On(true) => Some(PkChunking::default()),
            ChunkingChoice::With(settings) => Some(PkChunking {
                chunk_size: settings.chunk_size,
                parent: settings.parent.clone(),
                start_row: settings.start_row.clone(),
            }),
        }
    }

    /// Format of results where the API leaves a choice.
    pub(crate) fn result_format(&self) -> ResultFormat {
        match self.bulk1_format {
            Some(Bulk1Format::Json) => ResultFormat::Json,
            Some(Bulk1Format::Xml) => ResultFormat::Xml,
            Some(Bulk1Format::Csv) | None => ResultFormat::Csv,
        }
    }
}

/// What the chosen API cannot do, each with the reason and the way out.
pub(super) fn check(source: &Source, problems: &mut Vec<Problem>) {
    let chunking = source.chunking();
    if let Some(chunking) = &chunking {
        let faults = chunking.faults().into_iter();
        problems.extend(faults.map(|(key, text)| Problem::new(format!("source.pk_chunking.{key}"), text)));
        match source.api {
            ApiChoice::Bulk2 => problems.push(Problem::new(
                "source.pk_chunking",
                "is not possible with api = \"bulk2\": Bulk API 2.0 splits large queries by itself and takes no orders on it; use api = \"bulk1\", or leave pk_chunking out",
            )),
            ApiChoice::Rest => problems.push(Problem::new(
                "source.pk_chunking",
                "is not possible with api = \"rest\", which reads one page after the other; use api = \"bulk1\", or leave pk_chunking out",
            )),
            ApiChoice::Auto | ApiChoice::Bulk1 => {}
        }
    }
    if source.max_records.is_some() {
        check_max_records(source, chunking.is_some(), problems);
    }
    let may_be_bulk1 = source.api == ApiChoice::Bulk1 || (source.api == ApiChoice::Auto && chunking.is_some());
    if source.bulk1_format.is_some() && !may_be_bulk1 {
        problems.push(Problem::new(
            "source.bulk1_format",
            "goes with api = \"bulk1\"; the other APIs have one format each. Leave it out, or set api = \"bulk1\"",
        ));
    }
}

fn check_max_records(source: &Source, chunked: bool, problems: &mut Vec<Problem>) {
    let why = match source.api {
        ApiChoice::Rest => "is not possible with api = \"rest\": its pages have at most 2,000 rows, Salesforce chooses",
        ApiChoice::Bulk1 => {
            "is not possible with api = \"bulk1\": the size of its files is Salesforce's choice; pk_chunking = { chunk_size = … } bounds the rows of a chunk"
        }
        ApiChoice::Auto if chunked => "does not go with pk_chunking, whose chunk_size bounds the rows of a chunk",
        ApiChoice::Auto | ApiChoice::Bulk2 => return,
    };
    problems.push(Problem::new("source.max_records", format!("{why}. Leave it out, or use api = \"bulk2\"")));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{parse_pipeline, validate};

    fn problems(lines: &str) -> Vec<String> {
        let text = format!(
            "name = 'a'\n[source]\nconnection = 'demo'\nobject = 'Account'\n{lines}\n[destination]\nplugin = 'csv'\n"
        );
        let found = validate(&parse_pipeline(&text, Path::new("p.toml")).unwrap());
        found.into_iter().map(|problem| format!("{}: {}", problem.key, problem.message)).collect()
    }

    #[test]
    fn what_an_api_cannot_do_is_refused_with_the_way_out() {
        for (lines, key) in [
            ("api = 'bulk2'\npk_chunking = true", "source.pk_chunking"),
            ("api = 'rest'\npk_chunking = { chunk_size = 1000 }", "source.pk_chunking"),
            ("api = 'rest'\nmax_records = 10", "source.max_records"),
            ("api = 'bulk1'\nmax_records = 10", "source.max_records"),
            ("pk_chunking = true\nmax_records = 10", "source.max_records"),
            ("bulk1_format = 'json'", "source.bulk1_format"),
            ("api = 'rest'\nbulk1_format = 'csv'", "source.bulk1_format"),
            ("pk_chunking = { chunk_size = 0 }", "source.pk_chunking.chunk_size"),
            ("pk_chunking = { chunk_size = 250001 }", "source.pk_chunking.chunk_size"),
            ("pk_chunking = { start_row = 'x' }", "source.pk_chunking.start_row"),
            ("pk_chunking = { parent = 'a b' }", "source.pk_chunking.parent"),
        ] {
            let found = problems(lines);
            assert_eq!(found.len(), 1, "{lines}: {found:?}");
            assert!(found[0].starts_with(&format!("{key}: ")), "{found:?}");
        }
    }

    #[test]
    fn what_fits_together_is_taken() {
        for lines in [
            "",
            "api = 'auto'",
            "api = 'bulk2'\nmax_records = 10\npk_chunking = false",
            "api = 'bulk1'\nbulk1_format = 'xml'",
            "pk_chunking = true\nbulk1_format = 'json'",
            "api = 'bulk1'\npk_chunking = { chunk_size = 250000, parent = 'Account', start_row = '00130000000xEftMGH' }",
        ] {
            assert_eq!(problems(lines), Vec::<String>::new(), "{lines}");
        }
        let unknown =
            "name = 'a'\n[source]\nconnection = 'd'\nobject = 'A'\napi = 'soap'\n[destination]\nplugin = 'csv'\n";
        assert!(parse_pipeline(unknown, Path::new("p.toml")).is_err());
    }
}
