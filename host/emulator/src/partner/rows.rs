//! Records as SOAP shows them.

use serde_json::{Map, Value};

use super::describe::escape;
use crate::rest::Piece;

/// The parts of an address in the order of the WSDL; a location has the first two.
const PARTS: [&str; 10] = [
    "latitude",
    "longitude",
    "city",
    "country",
    "countryCode",
    "geocodeAccuracy",
    "postalCode",
    "state",
    "stateCode",
    "street",
];

/// The inside of a `QueryResult`.
pub(super) fn result(piece: &Piece, enterprise: bool) -> String {
    let records: String = piece.records.iter().map(|one| record("records", one, enterprise)).collect();
    whole(piece.locator.as_deref(), &records, piece.total)
}

fn whole(locator: Option<&str>, records: &str, size: u64) -> String {
    let (done, locator) = match locator {
        Some(locator) => (false, format!("<queryLocator>{locator}</queryLocator>")),
        None => (true, "<queryLocator xsi:nil=\"true\"/>".to_owned()),
    };
    format!("<done>{done}</done>{locator}{records}<size>{size}</size>")
}

/// One record. A partner's has its type and its id first: an id that was selected comes twice, one that was not is nil.
pub(super) fn record(tag: &str, record: &Value, enterprise: bool) -> String {
    let kind = record.pointer("/attributes/type").and_then(Value::as_str).unwrap_or_default();
    let mut out = if enterprise { format!("<{tag} xsi:type=\"sf:{kind}\">") } else { partner(tag, kind, record) };
    for (name, value) in record.as_object().into_iter().flatten().filter(|(name, _)| *name != "attributes") {
        field(name, value, enterprise, &mut out);
    }
    out.push_str(&format!("</{tag}>"));
    out
}

fn partner(tag: &str, kind: &str, record: &Value) -> String {
    let id = match record.get("Id").and_then(Value::as_str) {
        Some(id) => format!("<sf:Id>{id}</sf:Id>"),
        None => "<sf:Id xsi:nil=\"true\"/>".to_owned(),
    };
    format!("<{tag} xsi:type=\"sf:sObject\"><sf:type>{kind}</sf:type>{id}")
}

fn field(name: &str, value: &Value, enterprise: bool, out: &mut String) {
    match value {
        Value::Null => out.push_str(&format!("<sf:{name} xsi:nil=\"true\"/>")),
        Value::Object(fields) if fields.contains_key("records") => out.push_str(&children(name, fields, enterprise)),
        Value::Object(fields) if fields.contains_key("attributes") => {
            out.push_str(&record(&format!("sf:{name}"), value, enterprise));
        }
        Value::Object(fields) => out.push_str(&compound(name, fields)),
        Value::String(text) => out.push_str(&format!("<sf:{name}>{}</sf:{name}>", escape(text))),
        other => out.push_str(&format!("<sf:{name}>{}</sf:{name}>", number(other))),
    }
}

/// Decimals as Java prints doubles, whole numbers and booleans as they are.
fn number(value: &Value) -> String {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(double) => crate::data::java_text(double),
        None => value.to_string(),
    }
}

/// An address or a place; the WSDL has the place first, and every part whether or not it is known.
fn compound(name: &str, fields: &Map<String, Value>) -> String {
    let address = fields.contains_key("city");
    let (kind, parts) = if address { ("address", &PARTS[..]) } else { ("location", &PARTS[..2]) };
    let parts: String = parts
        .iter()
        .map(|key| match fields.get(*key) {
            None | Some(Value::Null) => format!("<{key} xsi:nil=\"true\"/>"),
            Some(Value::String(text)) => format!("<{key}>{}</{key}>", escape(text)),
            Some(other) => format!("<{key}>{}</{key}>", number(other)),
        })
        .collect();
    format!("<sf:{name} xsi:type=\"{kind}\">{parts}</sf:{name}>")
}

fn children(name: &str, found: &Map<String, Value>, enterprise: bool) -> String {
    let records = found.get("records").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let records: String = records.iter().map(|one| record("records", one, enterprise)).collect();
    let next = found.get("nextRecordsUrl").and_then(Value::as_str).and_then(|url| url.rsplit('/').next());
    let size = found.get("totalSize").and_then(Value::as_u64).unwrap_or_default();
    format!("<sf:{name} xsi:type=\"QueryResult\">{}</sf:{name}>", whole(next, &records, size))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_of_both_kinds() {
        let found = json!({"attributes": {"type": "Account"}, "Id": "001", "Name": "A & B\u{2}", "Phone": null, "Size": 1.0e7,
            "Owner": {"attributes": {"type": "User"}, "Name": "X"}, "BillingAddress": {"city": "Bonn", "latitude": 50.5, "street": null},
            "Contacts": {"totalSize": 3, "done": false, "nextRecordsUrl": "/services/data/v62.0/query/01g-1",
                "records": [{"attributes": {"type": "Contact"}, "Id": "003"}]}});
        assert_eq!(
            record("records", &found, false),
            "<records xsi:type=\"sf:sObject\"><sf:type>Account</sf:type><sf:Id>001</sf:Id><sf:Id>001</sf:Id>\
             <sf:Name>A &amp; B</sf:Name><sf:Phone xsi:nil=\"true\"/><sf:Size>1.0E7</sf:Size>\
             <sf:Owner xsi:type=\"sf:sObject\"><sf:type>User</sf:type><sf:Id xsi:nil=\"true\"/><sf:Name>X</sf:Name></sf:Owner>\
             <sf:BillingAddress xsi:type=\"address\"><latitude>50.5</latitude><longitude xsi:nil=\"true\"/><city>Bonn</city>\
             <country xsi:nil=\"true\"/><countryCode xsi:nil=\"true\"/><geocodeAccuracy xsi:nil=\"true\"/>\
             <postalCode xsi:nil=\"true\"/><state xsi:nil=\"true\"/><stateCode xsi:nil=\"true\"/><street xsi:nil=\"true\"/>\
             </sf:BillingAddress>\
             <sf:Contacts xsi:type=\"QueryResult\"><done>false</done><queryLocator>01g-1</queryLocator>\
             <records xsi:type=\"sf:sObject\"><sf:type>Contact</sf:type><sf:Id>003</sf:Id><sf:Id>003</sf:Id></records>\
             <size>3</size></sf:Contacts></records>"
        );
        let found = json!({"attributes": {"type": "Account"}, "Name": "A"});
        assert_eq!(record("records", &found, true), "<records xsi:type=\"sf:Account\"><sf:Name>A</sf:Name></records>");
    }
}
