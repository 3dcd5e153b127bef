//! Looks a column's values up on a server, and adds what it finds as a new column.

use std::collections::{BTreeMap, BTreeSet};

use forcepump_plugin_sdk::http::{HttpError, Request, Response, send_all};
use forcepump_plugin_sdk::{
    Batch, DataType, Derived, Description, Field, OpenRequest, Opened, Outcome, OutputField, PluginError, Transform,
    Utf8Builder, export_transform,
};

/// JSON Schema of [`Config`]; the host checks the pipeline's text against it.
const CONFIG_SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "required": ["column", "url", "member"],
  "properties": {
    "column": { "description": "the column whose values are looked up", "type": "string" },
    "url": { "description": "where; {} stands for the value, best in the query: a path with an encoded slash is refused", "type": "string", "pattern": "\\{\\}" },
    "member": { "description": "the member of the answered JSON object that is wanted", "type": "string" },
    "output": { "description": "name of the new column; default: the member's", "type": "string" },
    "credential": { "description": "name of the grant whose credential the host adds", "type": "string" }
  }
}"#;

/// The name by which the plugin asks for an origin.
const ORIGIN: &str = "lookup";
/// Values asked for in one call: the host lets a call make 256 requests.
const LOOKUPS_MAX_COUNT: usize = 200;
/// Values that are remembered; more are asked for again.
const KNOWN_MAX_COUNT: usize = 100_000;

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    column: String,
    url: String,
    member: String,
    output: Option<String>,
    credential: Option<String>,
}

/// What one instance keeps between batches: what it knows already, so that a value is asked for once.
#[derive(Debug)]
pub struct Enrich {
    config: Config,
    of: u32,
    known: BTreeMap<String, Option<String>>,
}

impl Transform for Enrich {
    fn describe() -> Description {
        Description::new("enrich", env!("CARGO_PKG_VERSION"), "adds what a server knows of a column's values")
            .config_schema(CONFIG_SCHEMA)
            .needs("http", ORIGIN, "the server that is asked")
            .not_deterministic()
    }

    fn open(request: OpenRequest) -> Result<(Self, Opened), PluginError> {
        let config: Config = request.config()?;
        let of = request.input.require("/column", &config.column)?;
        let name = config.output.clone().unwrap_or_else(|| config.member.clone());
        let mut output = OutputField::keep_all(&request.input);
        output.push(OutputField::computed(Field::new(name, DataType::Utf8, true)));
        Ok((Enrich { config, of, known: BTreeMap::new() }, Opened::new(output).reads([of])))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, PluginError> {
        let values = batch.as_text(self.of)?;
        if self.known.len() > KNOWN_MAX_COUNT {
            self.known.clear();
        }
        self.look_up(values.iter().flatten().collect())?;
        let mut found = Utf8Builder::with_capacity(values.len(), values.len() * 16);
        for value in values.iter() {
            found.push(value.and_then(|value| self.known.get(value)?.as_deref()));
        }
        Ok(Derived::all([found.finish()?]).into())
    }
}

impl Enrich {
    /// Asks for what is not known yet, side by side. What was answered stays known when another answer is a fault, so that
    /// the host's next try asks for less.
    fn look_up(&mut self, values: BTreeSet<&str>) -> Result<(), PluginError> {
        let unknown: Vec<&str> = values.into_iter().filter(|value| !self.known.contains_key(*value)).collect();
        let mut fault = None;
        for some in unknown.chunks(LOOKUPS_MAX_COUNT).take(1) {
            let requests: Vec<Request> = some.iter().map(|value| self.request(value)).collect();
            for (value, answer) in some.iter().zip(send_all(&requests)) {
                match self.read(answer) {
                    Ok(found) => drop(self.known.insert((*value).to_owned(), found)),
                    Err(error) => fault = fault.or(Some(error)),
                }
            }
        }
        match fault {
            Some(error) => Err(error),
            None if unknown.len() > LOOKUPS_MAX_COUNT => {
                Err(PluginError::retryable("more values than one call may ask for"))
            }
            None => Ok(()),
        }
    }

    fn request(&self, value: &str) -> Request {
        let request = Request::get(self.config.url.replace("{}", &percent_encoded(value)));
        match &self.config.credential {
            Some(name) => request.credential(name.as_str()),
            None => request,
        }
    }

    /// The wanted member; none when the server does not know the value.
    fn read(&self, answer: Result<Response, HttpError>) -> Result<Option<String>, PluginError> {
        let answer = answer?;
        if answer.status == 404 {
            return Ok(None);
        }
        let object: serde_json::Value = answer.success()?.json()?;
        Ok(match object.get(&self.config.member) {
            None | Some(serde_json::Value::Null) => None,
            Some(serde_json::Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        })
    }
}

/// A value as a part of a URL (RFC 3986, 2.3).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

export_transform!(Enrich);

#[cfg(test)]
mod tests {
    use super::*;
    use forcepump_plugin_sdk::testing::{Table, TransformRun, http};

    fn opened(table: &Table) -> TransformRun<Enrich> {
        let config =
            serde_json::json!({"column": "Country", "url": "https://geo.example/v1?of={}", "member": "capital"});
        TransformRun::open(&config, &table.schema).expect("opens")
    }

    #[test]
    fn a_value_is_asked_for_once_and_an_unknown_one_is_null() -> Result<(), PluginError> {
        http::serve(|request| {
            Ok(match request.url.as_str() {
                "https://geo.example/v1?of=France" => Response::new(200, r#"{"capital": "Paris"}"#),
                "https://geo.example/v1?of=C%C3%B4te%20d%27Or" => Response::new(200, r#"{"capital": 21}"#),
                _ => Response::new(404, ""),
            })
        });
        let rows = Table::new().text("Country", [Some("France"), None, Some("Côte d'Or"), Some("France"), Some("?")]);
        let mut run = opened(&rows);
        for _ in 0..2 {
            let out = run.process(&rows)?.table;
            let found = out.texts("capital");
            let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
            assert_eq!(found, [Some("Paris"), None, Some("21"), Some("Paris"), None]);
        }
        assert_eq!(http::take_requests().len(), 3);
        Ok(())
    }

    #[test]
    fn what_was_answered_is_not_asked_for_again() {
        let mut busy = true;
        http::serve(move |request| {
            let answer =
                if busy && request.url.ends_with("=b") { Response::new(503, "") } else { Response::new(404, "") };
            busy &= answer.status != 503;
            Ok(answer)
        });
        let rows = Table::new().text("Country", ["a", "b", "c"]);
        let mut run = opened(&rows);
        assert!(matches!(run.process(&rows), Err(PluginError::Retryable(_))));
        assert!(run.process(&rows).is_ok());
        assert_eq!(http::take_requests().len(), 4);
    }
}
