//! Just enough XML: elements by local name, escaped text.

use std::ops::Range;

/// The inner text of the first element with this local name, whatever its prefix.
pub(crate) fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.get(place(text, name)?)
}

/// Where the inner text of that element is.
fn place(text: &str, name: &str) -> Option<Range<usize>> {
    let mut from = 0;
    while let Some(at) = text[from..].find('<') {
        let tag = from + at + 1;
        let end = tag + text[tag..].find('>')?;
        if local_name(&text[tag..end]) == name {
            let inner = end + 1;
            if text[tag..end].ends_with('/') {
                return Some(inner..inner);
            }
            return closing(&text[inner..], name).map(|length| inner..inner + length);
        }
        from = end + 1;
    }
    None
}

/// The inner texts of all elements with this local name, in their order.
pub(crate) fn elements<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let place = place(rest, name)?;
        let inner = rest.get(place.clone())?;
        rest = rest.get(place.end..)?;
        Some(inner)
    })
}

/// As [`elements`], with the start tag of each, without its brackets.
pub(crate) fn tagged<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let place = place(rest, name)?;
        let before = rest.get(..place.start)?;
        let tag = before.rsplit('<').next().unwrap_or_default();
        let inner = rest.get(place.clone())?;
        rest = rest.get(place.end..)?;
        Some((tag.trim_end_matches('>'), inner))
    })
}

/// The elements directly inside: local name, inner text, and whether they are marked as nil.
pub(crate) fn children(text: &str) -> Vec<(&str, &str, bool)> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find('<') {
        let Some(length) = rest[at..].find('>') else { break };
        let tag = &rest[at + 1..at + length];
        let name = local_name(tag);
        let after = &rest[at + length + 1..];
        if tag.starts_with(['!', '?', '/']) || name.is_empty() {
            rest = after;
            continue;
        }
        let inner = if tag.ends_with('/') { Some(0) } else { closing(after, name) };
        let Some(inner) = inner else { break };
        out.push((name, &after[..inner], tag.contains("nil=\"true\"") || tag.contains("nil=\"1\"")));
        let end = if tag.ends_with('/') { Some(0) } else { after[inner..].find('>').map(|end| inner + end + 1) };
        let Some(end) = end else { break };
        rest = &after[end..];
    }
    out
}

/// Where the closing tag with this local name begins.
fn closing(text: &str, name: &str) -> Option<usize> {
    text.match_indices("</").map(|(at, _)| at).find(|at| {
        let rest = &text[at + 2..];
        rest.find('>').is_some_and(|end| local_name(&rest[..end]) == name)
    })
}

pub(crate) fn local_name(tag: &str) -> &str {
    let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or(tag);
    name.rsplit(':').next().unwrap_or(name)
}

/// Text as XML content.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// XML content as text: the five named entities, numeric ones, CDATA.
pub(crate) fn unescape(text: &str) -> String {
    if let Some(plain) = text.trim().strip_prefix("<![CDATA[").and_then(|t| t.strip_suffix("]]>")) {
        return plain.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match rest.find(';').and_then(|end| entity(&rest[1..end]).map(|c| (c, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_or_passed_over(text in "(<|>|/|:|&|;|#|login|username|é|\\s|.){0,40}") {
            if let Some(login) = element(&text, "login") {
                let _ = element(login, "username").map(unescape);
            }
            let _ = children(&text);
            prop_assert_eq!(unescape(&escape(&text)), text);
        }
    }

    #[test]
    fn elements_are_found_whatever_their_prefix() {
        for text in [
            "<e:Envelope><e:Body><n1:login xmlns:n1=\"u\"><n1:username>a&amp;b</n1:username></n1:login></e:Body></e:Envelope>",
            "<?xml version=\"1.0\"?><Envelope><login><username>a&#38;b</username></login></Envelope>",
            "<s:login><username><![CDATA[a&b]]></username></s:login>",
        ] {
            let login = element(text, "login").unwrap();
            assert_eq!(unescape(element(login, "username").unwrap()), "a&b");
            assert!(element(login, "password").is_none());
        }
    }

    #[test]
    fn children_are_those_directly_inside() {
        let text =
            "<!-- x --><a:type>Account</a:type><b xsi:nil=\"true\"/><c><type>no</type></c> <Name>A &amp; B</Name><d>";
        let expected = [
            ("type", "Account", false),
            ("b", "", true),
            ("c", "<type>no</type>", false),
            ("Name", "A &amp; B", false),
        ];
        assert_eq!(children(text), expected);
    }

    #[test]
    fn an_element_may_close_itself() {
        let text = "<n:login xmlns:n=\"u\"/><ids/><ids>a</ids>";
        assert_eq!(element(text, "login"), Some(""));
        assert_eq!(elements(text, "ids").collect::<Vec<_>>(), ["", "a"]);
    }

    #[test]
    fn broken_text_is_no_panic() {
        for text in ["<", "<login", "<login>", "<login><username>é", "</login>", "&&;&#x110000;&#zz;"] {
            let _ = element(text, "login");
            let _ = unescape(text);
        }
        assert_eq!(unescape("a & b &lt;"), "a & b <");
    }
}
