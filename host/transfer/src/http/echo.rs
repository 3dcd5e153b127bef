//! Finds credentials that a server sends back.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;
use percent_encoding::percent_decode;
use secrecy::{ExposeSecret, SecretBox, SecretString};

use super::grant::Entry;
use super::{HttpError, Response};

/// What no response may hold: each secret as it is and in the encodings that cannot be undone without knowing
/// where they begin. Those that can are undone in the response.
pub(crate) struct Secrets(Vec<Secret>);

struct Secret {
    grant: String,
    needles: Vec<SecretBox<Vec<u8>>>,
}

impl Secrets {
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let secrets = entries.iter().filter_map(|entry| {
            let credential = entry.credential.as_ref()?;
            let mut needles = needles(credential.secret());
            needles.extend(credential.basic_token().iter().flat_map(needles_of));
            Some(Secret { grant: entry.name.clone(), needles })
        });
        Self(secrets.collect())
    }

    /// Refuses a response that repeats a credential.
    pub(crate) fn check(&self, response: &Response) -> Result<(), HttpError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let headers: Vec<u8> = response
            .headers
            .iter()
            .flat_map(|(name, value)| [name.as_bytes(), b": ", value.as_bytes(), b"\n"].concat())
            .collect();
        for part in [&headers[..], &response.body] {
            if let Some(grant) = self.found_in(part) {
                return Err(HttpError::Denied(format!(
                    "the response repeats the credential of grant.http.{} and is withheld entirely\nhint: do not send \
                     the credential to addresses that answer with what they were sent",
                    super::shown(grant)
                )));
            }
        }
        Ok(())
    }

    fn found_in(&self, text: &[u8]) -> Option<&str> {
        let secrets = self.0.iter();
        let finders = secrets.flat_map(|secret| secret.needles.iter().map(move |needle| (secret, needle)));
        let finders: Vec<(&str, memmem::Finder<'_>)> = finders
            .map(|(secret, needle)| (secret.grant.as_str(), memmem::Finder::new(needle.expose_secret().as_slice())))
            .collect();
        in_views(text, &|view| finders.iter().find(|(_, finder)| finder.find(view).is_some()).map(|(grant, _)| *grant))
    }
}

fn needles_of(secret: &SecretString) -> Vec<SecretBox<Vec<u8>>> {
    needles(secret)
}

fn needles(secret: &SecretString) -> Vec<SecretBox<Vec<u8>>> {
    let raw = secret.expose_secret().as_bytes();
    let hex = |upper: bool| -> Vec<u8> {
        raw.iter().flat_map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") }.into_bytes()).collect()
    };
    let mut all = vec![raw.to_vec(), hex(false), hex(true)];
    for before in 0..3 {
        all.push(within_base64(raw, before, |bytes| STANDARD_NO_PAD.encode(bytes)));
        all.push(within_base64(raw, before, |bytes| URL_SAFE_NO_PAD.encode(bytes)));
    }
    all.sort();
    all.dedup();
    all.into_iter().map(|needle| SecretBox::new(Box::new(needle))).collect()
}

/// The characters of base64 that `raw` alone decides, when `before` bytes (modulo 3) come before it.
fn within_base64(raw: &[u8], before: usize, encode: impl Fn(&[u8]) -> String) -> Vec<u8> {
    let padded = [&[0; 3][..before], raw].concat();
    let text = encode(&padded);
    let first = (before * 8).div_ceil(6);
    let whole = padded.len() * 8 / 6;
    text.as_bytes().get(first..whole).unwrap_or_default().to_vec()
}

/// Looks at the text as it is, and with encodings undone where it has any; one view at a time, as each is a copy.
fn in_views<T>(text: &[u8], find: &impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    find(text).or_else(|| in_percent(text, find)).or_else(|| in_json(text, find)).or_else(|| {
        // base64 of e-mails is broken into lines
        let has_lines = memchr::memchr2(b'\n', b'\r', text).is_some();
        has_lines
            .then(|| text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect::<Vec<u8>>())
            .and_then(|v| find(&v))
    })
}

fn in_percent<T>(text: &[u8], find: &impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    memchr::memchr2(b'%', b'+', text)?;
    find(&percent_decode(text).collect::<Vec<u8>>()).or_else(|| {
        // as forms write a space
        let spaced: Vec<u8> = text.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
        find(&percent_decode(&spaced).collect::<Vec<u8>>())
    })
}

/// JSON, and JSON as a text within JSON, which servers that show requests like to give.
fn in_json<T>(text: &[u8], find: &impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    memchr::memchr(b'\\', text)?;
    let plain = json_unescaped(text);
    find(&plain).or_else(|| in_percent(&plain, find)).or_else(|| {
        memchr::memchr(b'\\', &plain)?;
        find(&json_unescaped(&plain))
    })
}

/// RFC 8259, 7; what is no escape stays as it is.
fn json_unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, after) = rest.split_at(at);
        plain.extend_from_slice(before);
        let after = after.get(1..).unwrap_or_default();
        let taken = escape(after, &mut plain);
        rest = after.get(taken..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    plain
}

/// Appends what an escape stands for; gives how many bytes after the backslash it took.
fn escape(after: &[u8], plain: &mut Vec<u8>) -> usize {
    let byte = match after.first() {
        Some(b'u') => {
            let letter = unicode(after.get(1..5));
            let mut utf8 = [0; 4];
            plain.extend_from_slice(letter.map_or(b"\\", |letter| letter.encode_utf8(&mut utf8).as_bytes()));
            return if letter.is_some() { 5 } else { 0 };
        }
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(other) => *other,
        None => b'\\',
    };
    plain.push(byte);
    1
}

fn unicode(digits: Option<&[u8]>) -> Option<char> {
    let digits = std::str::from_utf8(digits?).ok()?;
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::super::{Credential, Method, OriginGrant};
    use super::*;

    const SECRET: &str = "t0p/S3cr+t \"quoted\"=?~é";

    fn secrets(credential: Credential) -> Secrets {
        let grant = OriginGrant {
            name: "api".into(),
            origin: "https://api.example.com".into(),
            methods: vec![Method::Get],
            paths: vec!["/".into()],
            credential: Some(credential),
            private_addresses: false,
        };
        Secrets::of(&[Entry::check(grant).unwrap()])
    }

    fn is_found(secrets: &Secrets, body: &str) -> bool {
        let response = Response { status: 200, headers: Vec::new(), body: body.into() };
        let header = Response { status: 200, headers: vec![("x".into(), body.into())], body: Vec::new() };
        let (one, other) = (secrets.check(&response).is_err(), secrets.check(&header).is_err());
        assert_eq!(one, other, "{body}");
        one
    }

    #[test]
    fn a_secret_is_found_in_every_encoding() {
        let secrets = secrets(Credential::Bearer(SECRET.into()));
        let percent = percent_encoding::utf8_percent_encode(SECRET, percent_encoding::NON_ALPHANUMERIC).to_string();
        let unicode: String = SECRET.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
        let json = serde_json::to_string(SECRET).unwrap();
        let hex: String = SECRET.bytes().map(|b| format!("{b:02x}")).collect();
        let mut echoes = vec![
            SECRET.to_owned(),
            format!("Authorization: Bearer {SECRET}\r\n"),
            percent.clone(),
            percent.to_lowercase().replace("%20", "+").replace("s3cr", "S3cr"),
            json.clone(),
            json.replace('/', "\\/"),
            serde_json::to_string(&json).unwrap(),
            unicode,
            hex.to_uppercase(),
            hex,
        ];
        for before in ["", "a", "ab", "abc", "Bearer "] {
            let text = format!("{before}{SECRET} and more");
            let in_lines: Vec<String> =
                STANDARD.encode(&text).as_bytes().chunks(20).map(|c| String::from_utf8(c.to_vec()).unwrap()).collect();
            echoes.extend([STANDARD.encode(&text), URL_SAFE.encode(&text), in_lines.join("\r\n")]);
            echoes.push(STANDARD.encode(&text).replace('/', "%2F").replace('+', "%2B"));
        }
        for echo in echoes {
            assert!(is_found(&secrets, &format!("<<{echo}>>")), "{echo}");
        }
    }

    #[test]
    fn basic_is_found_as_password_and_as_token() {
        let basic = Credential::Basic { user: "me".into(), password: "hunter22".into() };
        let secrets = secrets(basic);
        for echo in ["hunter22", "Basic bWU6aHVudGVyMjI=", "bWU6aHVudGVyMjI%3D"] {
            assert!(is_found(&secrets, echo), "{echo}");
        }
    }

    #[test]
    fn other_text_passes() {
        let secrets = secrets(Credential::Header { name: "x-api-key".into(), value: "abcdef-123456".into() });
        for text in ["", "{\"ok\":true}", "abcdef", "100%", "\\", "\\u12", "%zz\\uzzzz", "abcdef-12345", "YWJjZGVm"] {
            assert!(!is_found(&secrets, text), "{text}");
        }
    }
}
