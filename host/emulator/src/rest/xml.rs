//! REST's answers as XML, for callers that ask for it by `Accept` or by `.xml` at the end of the path.
//!
//! The shape of errors is published, and that of queries and versions in the guide's samples; what has no sample follows
//! them: a list is one element for each entry, `attributes` become attributes, null is `xsi:nil`.

use http::StatusCode;
use http::header::{CONTENT_TYPE, ETAG, HeaderValue};
use serde_json::{Map, Value};

use crate::server::{Call, Content, Form, Reply, Resource, Route, tag};

const XML: &str = "application/xml;charset=UTF-8";
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
const NIL: &str = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"";

/// The name of the root element, when the caller asks for XML and the resource has it; job resources answer JSON
/// whatever is asked for, their results are CSV.
pub(crate) fn xml_root(call: &Call, route: &Route) -> Option<&'static str> {
    if call.form() != Form::Xml {
        return None;
    }
    let resource = match route {
        Route::Versions => return Some("Versions"),
        Route::Data { resource, .. } => resource,
        _ => return None,
    };
    Some(match resource {
        Resource::Jobs
        | Resource::Ingest
        | Resource::Job(_)
        | Resource::JobResults(_)
        | Resource::JobResultPages(_) => {
            return None;
        }
        Resource::Root => "urls",
        Resource::Limits => "LimitsSnapshot",
        Resource::Sobjects => "DescribeGlobal",
        Resource::Describe(_) => "DescribeSObject",
        Resource::Query { .. } | Resource::QueryMore { .. } | Resource::ToolingQuery => "QueryResult",
        _ => "Result",
    })
}

/// The same answer as XML; one without a JSON body stays as it is.
pub(crate) fn as_xml(mut reply: Reply, root: &str) -> Reply {
    let value: Option<Value> = match &reply.content {
        Content::Bytes(bytes) => serde_json::from_slice(bytes).ok(),
        _ => None,
    };
    let Some(value) = value else { return reply };
    let failed = reply.status.as_u16() >= StatusCode::BAD_REQUEST.as_u16();
    let mut out = HEAD.to_owned();
    match &value {
        Value::Array(entries) if failed => list("Errors", "Error", entries, &mut out),
        Value::Array(entries) => list(root, root.strip_suffix('s').unwrap_or("Entry"), entries, &mut out),
        Value::Object(fields) if fields.contains_key("attributes") => {
            let kind = value.pointer("/attributes/type").and_then(Value::as_str).unwrap_or(root);
            element(kind, &value, &mut out);
        }
        _ => element(root, &value, &mut out),
    }
    if let Some(held) = reply.headers.get_mut(ETAG)
        && let Ok(tag) = HeaderValue::from_str(&tag(out.as_bytes()))
    {
        *held = tag;
    }
    reply.headers.insert(CONTENT_TYPE, HeaderValue::from_static(XML));
    reply.content = Content::Bytes(out.into_bytes());
    reply
}

fn list(root: &str, name: &str, entries: &[Value], out: &mut String) {
    out.push_str(&format!("<{root}>"));
    entries.iter().for_each(|entry| element(name, entry, out));
    out.push_str(&format!("</{root}>"));
}

fn element(name: &str, value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str(&format!("<{name}{NIL}/>")),
        Value::Array(entries) => entries.iter().for_each(|entry| element(name, entry, out)),
        Value::Object(fields) => object(name, fields, out),
        Value::String(text) => out.push_str(&format!("<{name}>{}</{name}>", escape(text))),
        other => out.push_str(&format!("<{name}>{other}</{name}>")),
    }
}

fn object(name: &str, fields: &Map<String, Value>, out: &mut String) {
    out.push_str(&format!("<{name}"));
    for (key, value) in fields.get("attributes").and_then(Value::as_object).into_iter().flatten() {
        if let Value::String(text) = value {
            out.push_str(&format!(" {key}=\"{}\"", escape(text)));
        }
    }
    out.push('>');
    for (key, value) in fields.iter().filter(|(key, _)| *key != "attributes") {
        // `Salesforce Chatter` is a key of the limits, and no name in XML.
        element(&key.replace(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')), "_"), value, out);
    }
    out.push_str(&format!("</{name}>"));
}

fn escape(text: &str) -> String {
    let allowed = |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
    let kept: String = text.chars().filter(allowed).collect();
    let kept = kept.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    kept.replace('\r', "&#xD;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(reply: Reply, root: &str) -> String {
        match as_xml(reply, root).content {
            Content::Bytes(bytes) => String::from_utf8_lossy(&bytes).replace(HEAD, ""),
            _ => String::new(),
        }
    }

    #[test]
    fn answers_become_elements() {
        let record =
            json!({"attributes": {"type": "Account", "url": "/a"}, "Name": "a<b\u{1}", "Fax": null, "Size": 1.5});
        let query = Reply::ok(&json!({"totalSize": 1, "done": true, "records": [record]}));
        assert_eq!(
            text(query, "QueryResult"),
            "<QueryResult><totalSize>1</totalSize><done>true</done><records type=\"Account\" url=\"/a\"><Name>a&lt;b</Name>\
             <Fax xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"/><Size>1.5</Size></records>\
             </QueryResult>"
        );
        let errors = Reply::bad_request("MALFORMED_QUERY", "unexpected token: \"q\"");
        assert_eq!(
            text(errors, "QueryResult"),
            "<Errors><Error><message>unexpected token: &quot;q&quot;</message><errorCode>MALFORMED_QUERY</errorCode>\
             </Error></Errors>"
        );
        let versions = Reply::ok(&json!([{"version": "62.0"}]));
        assert_eq!(text(versions, "Versions"), "<Versions><Version><version>62.0</version></Version></Versions>");
        assert_eq!(text(Reply::ok(&record), "Result").split('>').next(), Some("<Account type=\"Account\" url=\"/a\""));
        let limits = Reply::ok(&json!({"DailyApiRequests": {"Salesforce Chatter": {"Max": 1}}}));
        assert!(text(limits, "LimitsSnapshot").contains("<Salesforce_Chatter><Max>1</Max>"));
    }
}
