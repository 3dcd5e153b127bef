//! Bodies of job requests, as XML or JSON.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

use super::wire::{Failure, Form};

/// The fields of a `jobInfo` as they were sent; all of them text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct JobRequest {
    pub(super) operation: Option<String>,
    pub(super) object: Option<String>,
    pub(super) state: Option<String>,
    pub(super) concurrency_mode: Option<String>,
    pub(super) content_type: Option<String>,
}

impl JobRequest {
    /// Reads a body in either form.
    pub(super) fn read(body: &[u8], form: Form) -> Result<JobRequest, Failure> {
        match form {
            Form::Xml => JobRequest::from_xml(body),
            Form::Json => JobRequest::from_json(body),
        }
    }

    fn set(&mut self, name: &str, value: String) {
        let field = match name {
            "operation" => &mut self.operation,
            "object" => &mut self.object,
            "state" => &mut self.state,
            "concurrencyMode" => &mut self.concurrency_mode,
            "contentType" => &mut self.content_type,
            _ => return,
        };
        *field = Some(value).filter(|value| !value.is_empty());
    }

    /// Numbers are taken for text: some clients send `"concurrencyMode": 0`.
    fn from_json(body: &[u8]) -> Result<JobRequest, Failure> {
        let wrong = |message: String| Failure::new("ClientInputError", message);
        let value: Value = serde_json::from_slice(body).map_err(|error| wrong(format!("Invalid JSON: {error}")))?;
        let Value::Object(fields) = value else { return Err(wrong("Invalid JSON: expected an object".to_owned())) };
        let mut found = JobRequest::default();
        for (name, value) in fields {
            match value {
                Value::String(text) => found.set(&name, text),
                Value::Number(number) => found.set(&name, number.to_string()),
                _ => {}
            }
        }
        Ok(found)
    }

    /// Elements below `jobInfo`, whatever their prefix.
    fn from_xml(body: &[u8]) -> Result<JobRequest, Failure> {
        let wrong = |message: &str| Failure::new("InvalidXML", message);
        let text = String::from_utf8_lossy(body);
        let mut reader = Reader::from_str(text.trim());
        let mut found = JobRequest::default();
        let (mut path, mut value): (Vec<String>, String) = (Vec::new(), String::new());
        let mut rooted = false;
        loop {
            match reader.read_event().map_err(|error| wrong(&error.to_string()))? {
                Event::Start(start) => {
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    if path.is_empty() && name != "jobInfo" {
                        return Err(wrong(&format!("Expected the element jobInfo, found {name}")));
                    }
                    rooted = true;
                    value.clear();
                    path.push(name);
                }
                Event::Text(part) => value.push_str(part.decode().unwrap_or_default().trim()),
                Event::End(_) => {
                    if let (Some(name), 1) = (path.pop(), path.len()) {
                        found.set(&name, std::mem::take(&mut value));
                    }
                }
                Event::Eof if rooted && path.is_empty() => return Ok(found),
                Event::Eof => return Err(wrong("Unexpected end of the document")),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let xml = JobRequest::read(
            b"\n<?xml version=\"1.0\"?><n:jobInfo xmlns:n=\"x\"><n:operation>query</n:operation><n:object> Account </n:object>\
              <n:concurrencyMode></n:concurrencyMode><n:contentType>CSV</n:contentType><n:extra><n:state>no</n:state></n:extra></n:jobInfo>",
            Form::Xml,
        );
        let json = br#"{"operation":"query","object":"Account","contentType":"CSV","externalIdFieldName":null}"#;
        assert_eq!(xml.unwrap_or_default(), JobRequest::read(json, Form::Json).unwrap_or_default());
        let json = JobRequest::read(br#"{"concurrencyMode":0}"#, Form::Json).unwrap_or_default();
        assert_eq!(json.concurrency_mode.as_deref(), Some("0"));
    }

    #[test]
    fn what_is_no_job_is_refused() {
        for body in ["", "<jobInfo>", "<batchInfo/>", "<error></error>", "{}", "<jobInfo><a></jobInfo>"] {
            assert_eq!(JobRequest::read(body.as_bytes(), Form::Xml).map_err(|failure| failure.code), Err("InvalidXML"));
        }
        for body in ["", "[]", "{", "1"] {
            let refused = JobRequest::read(body.as_bytes(), Form::Json).map_err(|failure| failure.code);
            assert_eq!(refused, Err("ClientInputError"), "{body}");
        }
    }
}
