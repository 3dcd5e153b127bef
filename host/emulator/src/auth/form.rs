//! Parameters of a form body: URL-encoded, or multipart as Salesforce's own tools send it.

use http::header::CONTENT_TYPE;

use crate::server::{Call, pairs};

/// Named parameters; the first of a name counts.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The parameters of a page: those of a form body, then those of the query.
    pub(super) fn of(call: &Call) -> Fields {
        let Fields(mut all) = fields(call);
        all.extend(call.query.iter().cloned());
        Fields(all)
    }

    /// Every parameter in its order.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The parameters in the body of `call`; none for any other content type, as Salesforce reads none.
pub(super) fn fields(call: &Call) -> Fields {
    match call.media_type().as_deref() {
        Some("application/x-www-form-urlencoded") => Fields(pairs(&call.body)),
        Some("multipart/form-data") => {
            let boundary = call.header(CONTENT_TYPE).and_then(boundary).unwrap_or_default();
            Fields(multipart(&String::from_utf8_lossy(&call.body), boundary))
        }
        _ => Fields(Vec::new()),
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    let value = content_type.split(';').map(str::trim).find_map(|part| part.strip_prefix("boundary="))?;
    Some(value.trim_matches('"'))
}

fn multipart(body: &str, boundary: &str) -> Vec<(String, String)> {
    if boundary.is_empty() {
        return Vec::new();
    }
    body.split(&format!("--{boundary}")).filter_map(multipart_field).collect()
}

fn multipart_field(part: &str) -> Option<(String, String)> {
    let (head, value) = part.split_once("\r\n\r\n")?;
    let (_, name) = head.split_once("name=\"")?;
    let (name, _) = name.split_once('"')?;
    Some((name.to_owned(), value.strip_suffix("\r\n").unwrap_or(value).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipart_fields() {
        let body = "--B\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\npassword\r\n--B\r\n\
                    Content-Disposition: form-data; name=\"x\"\r\n\r\na\r\nb\r\n--B--\r\n";
        let fields = multipart(body, "B");
        assert_eq!(fields, [("grant_type".into(), "password".into()), ("x".into(), "a\r\nb".into())]);
        assert_eq!(boundary("multipart/form-data; boundary=\"B\""), Some("B"));
        assert!(multipart("rubbish", "").is_empty());
    }
}
