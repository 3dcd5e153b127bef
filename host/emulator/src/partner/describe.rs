//! Describes as SOAP shows them: the WSDL's elements are in the order of their names, as REST's keys are.

use serde_json::Value;

/// Keys of REST alone.
const NOT_IN_SOAP: [&str; 3] = ["urls", "sobjectDescribeOption", "attributes"];
/// What is there without a value too; everything else that is optional is left out then.
const NILLABLE: [&str; 5] =
    ["defaultImplementation", "implementedBy", "implementsInterfaces", "keyPrefix", "networkScopeFieldName"];
/// The pages of the user interface by their names in SOAP and in REST.
const PAGES: [(&str, &str); 3] =
    [("urlDetail", "uiDetailTemplate"), ("urlEdit", "uiEditTemplate"), ("urlNew", "uiNewRecord")];

/// `describeGlobal`.
pub(super) fn global(found: &Value) -> String {
    format!("<describeGlobalResponse>{}</describeGlobalResponse>", result(found))
}

/// One `result`, of a describe in its REST shape.
pub(super) fn result(found: &Value) -> String {
    let mut out = String::new();
    element("result", found, &mut out);
    out
}

fn element(name: &str, value: &Value, out: &mut String) {
    match value {
        Value::Null if NILLABLE.contains(&name) => out.push_str(&format!("<{name} xsi:nil=\"true\"/>")),
        Value::Null => {}
        Value::Array(entries) => entries.iter().for_each(|entry| element(name, entry, out)),
        Value::Object(fields) => {
            out.push_str(&format!("<{name}>"));
            for (key, value) in fields.iter().filter(|(key, _)| !NOT_IN_SOAP.contains(&key.as_str())) {
                element(key, value, out);
                // The WSDL has it, REST has not.
                if key == "hasSubtypes" {
                    out.push_str("<idEnabled>false</idEnabled>");
                }
            }
            if fields.contains_key("sobjectDescribeOption") {
                pages(fields.get("urls"), out);
            }
            out.push_str(&format!("</{name}>"));
        }
        Value::String(text) => out.push_str(&format!("<{name}>{}</{name}>", escape(text))),
        other => out.push_str(&format!("<{name}>{other}</{name}>")),
    }
}

/// The last elements of a describe.
fn pages(urls: Option<&Value>, out: &mut String) {
    for (name, key) in PAGES {
        match urls.and_then(|urls| urls.get(key)).and_then(Value::as_str) {
            Some(url) => out.push_str(&format!("<{name}>{}</{name}>", escape(url))),
            None => out.push_str(&format!("<{name} xsi:nil=\"true\"/>")),
        }
    }
}

/// Text between tags, without the characters that XML 1.0 does not know (section 2.2).
pub(super) fn escape(text: &str) -> String {
    let allowed = |c: &char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
    let kept: String = text.chars().filter(allowed).collect();
    crate::auth::soap_xml::escape(&kept).replace('\r', "&#xD;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_no_value_is_left_out() {
        let found = json!({"fields": [{"name": "Id", "mask": null, "length": 18}, {"name": "A<\u{0}\r"}], "keyPrefix": null,
            "hasSubtypes": false, "sobjectDescribeOption": "FULL", "urls": {"sobject": "/x", "uiNewRecord": "/001/e"}});
        assert_eq!(
            result(&found),
            "<result><fields><name>Id</name><length>18</length></fields><fields><name>A&lt;&#xD;</name></fields>\
             <keyPrefix xsi:nil=\"true\"/><hasSubtypes>false</hasSubtypes><idEnabled>false</idEnabled>\
             <urlDetail xsi:nil=\"true\"/><urlEdit xsi:nil=\"true\"/><urlNew>/001/e</urlNew></result>"
        );
    }
}
