//! XML answers in the shape of the JSON ones, so that each is read once.

use quick_xml::Reader;
use quick_xml::escape;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

/// Elements within elements; no answer of Salesforce comes near.
const MAX_DEPTH: usize = 16;

/// What is within the root element: an element with elements inside is an object, elements of one name are an array,
/// any other is a text. Prefixes and attributes are left out, a nil element is null.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn xml_to_json(text: &str) -> Result<Value, String> {
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event().map_err(|e| e.to_string())? {
            Event::Start(_) => return element(&mut reader, 0),
            Event::Empty(_) => return Ok(Value::String(String::new())),
            Event::Eof => return Err("no element".to_owned()),
            Event::Text(text) if !text.iter().all(u8::is_ascii_whitespace) => return Err("no XML".to_owned()),
            _ => {}
        }
    }
}

fn element(reader: &mut Reader<&[u8]>, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!("more than {MAX_DEPTH} elements within each other"));
    }
    let mut children = Map::new();
    let mut text = String::new();
    loop {
        match reader.read_event().map_err(|e| e.to_string())? {
            Event::Start(tag) => {
                let (name, nil) = (name(&tag), is_nil(&tag));
                let value = element(reader, depth + 1)?;
                add(&mut children, name, if nil { Value::Null } else { value });
            }
            Event::Empty(tag) => {
                let value = if is_nil(&tag) { Value::Null } else { Value::String(String::new()) };
                add(&mut children, name(&tag), value);
            }
            Event::Text(part) => text.push_str(&part.decode().map_err(|e| e.to_string())?),
            Event::CData(part) => text.push_str(&part.decode().map_err(|e| e.to_string())?),
            Event::GeneralRef(name) => {
                let name = name.decode().map_err(|e| e.to_string())?;
                text.push_str(&escape::unescape(&format!("&{name};")).map_err(|e| e.to_string())?);
            }
            Event::End(_) if children.is_empty() => return Ok(Value::String(text)),
            Event::End(_) => return Ok(Value::Object(children)),
            Event::Eof => return Err("the text ends too early".to_owned()),
            _ => {}
        }
    }
}

fn name(tag: &BytesStart<'_>) -> String {
    String::from_utf8_lossy(tag.local_name().as_ref()).into_owned()
}

fn is_nil(tag: &BytesStart<'_>) -> bool {
    let mut attributes = tag.attributes().flatten();
    attributes.any(|a| a.key.local_name().as_ref() == b"nil" && matches!(a.value.as_ref(), b"true" | b"1"))
}

fn add(children: &mut Map<String, Value>, name: String, value: Value) {
    match children.get_mut(&name) {
        Some(Value::Array(values)) => values.push(value),
        Some(first) => {
            let values = vec![first.take(), value];
            *first = Value::Array(values);
        }
        None => {
            children.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_are_objects_arrays_and_texts() {
        let text = "<?xml version=\"1.0\"?><batchInfoList\n   xmlns=\"u\"><batchInfo><id>1</id><m>a &lt;b&gt; &#65;</m></batchInfo>\
            <p:batchInfo><id>2</id><e/><n xsi:nil=\"true\"/></p:batchInfo></batchInfoList>";
        let expected = json!({"batchInfo": [{"id": "1", "m": "a <b> A"}, {"id": "2", "e": "", "n": null}]});
        assert_eq!(xml_to_json(text), Ok(expected));
        assert_eq!(xml_to_json("<result-list xmlns=\"u\"/>"), Ok(json!("")));
        assert_eq!(xml_to_json("<r><result>752</result></r>"), Ok(json!({"result": "752"})));
    }

    #[test]
    fn what_is_no_xml_is_an_error() {
        let deep = "<a>".repeat(100);
        for text in ["", "{}", "<a>", "<a><b></a>", "<a>&x;</a>", &deep] {
            assert!(xml_to_json(text).is_err(), "{text}");
        }
    }
}
