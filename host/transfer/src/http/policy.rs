//! Whether a request keeps to the grants, before anything is dialled.

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use url::Url;

use super::address::Reach;
use super::grant::Entry;
use super::headers;
use super::origin::Origin;
use super::{HttpError, Request, shown};

/// Longer URLs are refused by common servers.
const URL_MAX_BYTES: usize = 8 * 1024;

/// Bytes of a path that servers take apart after decoding, once or twice: dot, slash, backslash, NUL.
const ENCODED_TRICKS: [&str; 8] = ["%2e", "%2f", "%5c", "%00", "%252e", "%252f", "%255c", "%2500"];

/// A request that may be sent.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) url: Url,
    pub(crate) origin: Origin,
    pub(crate) headers: HeaderMap,
    pub(crate) reach: Reach,
    pub(crate) grant: String,
}

/// Holds a request against the grants.
pub(crate) fn admit(entries: &[Entry], request: &Request) -> Result<Admitted, HttpError> {
    let (url, origin) = checked_url(&request.url)?;
    let same_origin = entries.iter().filter(|entry| entry.origin == origin);
    if same_origin.clone().next().is_none() {
        return Err(HttpError::Denied(format!("http to {origin} is not granted{}", granted(entries))));
    }
    let entry = match &request.credential {
        Some(name) => with_credential(entries, name, &origin)?,
        None => same_origin.clone().find(|entry| misfit(entry, request, &url).is_none()).or(same_origin.clone().next()),
    };
    let Some(entry) = entry else { return Err(HttpError::UnknownCredential) };
    if let Some(why) = misfit(entry, request, &url) {
        return Err(HttpError::Denied(why));
    }
    if origin.literal().is_some_and(|address| !entry.reach.admits(address)) {
        return Err(HttpError::Denied(format!("the address {origin} is not public")));
    }
    let mut headers = headers::checked(&request.headers, same_origin)?;
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if let (Some(_), Some(credential)) = (&request.credential, &entry.credential) {
        let (name, value) = credential.header().ok_or(HttpError::UnknownCredential)?;
        headers.insert(name, value);
    }
    Ok(Admitted { url, origin, headers, reach: entry.reach, grant: entry.name.clone() })
}

/// The grant whose credential is named; it must be one for this very origin.
fn with_credential<'a>(entries: &'a [Entry], name: &str, origin: &Origin) -> Result<Option<&'a Entry>, HttpError> {
    let entry = entries.iter().find(|entry| entry.name == name && entry.credential.is_some());
    match entry {
        Some(entry) if entry.origin != *origin => Err(HttpError::Denied(format!(
            "the credential \"{}\" is bound to {}, and is not sent to {origin}",
            shown(name),
            entry.origin
        ))),
        entry => Ok(entry),
    }
}

/// What of the request goes beyond one grant, if anything.
fn misfit(entry: &Entry, request: &Request, url: &Url) -> Option<String> {
    let Entry { name, origin, .. } = entry;
    let name = shown(name);
    if !entry.methods.contains(&request.method) {
        let word = request.method.word();
        return Some(format!(
            "the method {word} is not granted for {origin}\nhint: add \"{word}\" to grant.http.{name}.methods"
        ));
    }
    if !entry.paths.iter().any(|prefix| is_below(prefix, url.path())) {
        let path = shown(url.path());
        let allowed = shown(&entry.paths.join(", "));
        return Some(format!("the path {path} is not granted for {origin}; grant.http.{name}.paths allows {allowed}"));
    }
    None
}

/// Whether `path` is `prefix` or below it, by whole segments.
fn is_below(prefix: &str, path: &str) -> bool {
    match path.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

fn granted(entries: &[Entry]) -> String {
    let list: Vec<String> = entries.iter().map(|e| format!("{} = {}", shown(&e.name), e.origin)).collect();
    if list.is_empty() { String::new() } else { format!("; granted are: {}", list.join(", ")) }
}

/// The URL in the one form in which it is judged and sent.
fn checked_url(text: &str) -> Result<(Url, Origin), HttpError> {
    let denied = |why: &str| HttpError::Denied(format!("url \"{}\" {why}", shown(&without_user_info(text))));
    if text.len() > URL_MAX_BYTES {
        return Err(denied(&format!("is longer than {URL_MAX_BYTES} bytes")));
    }
    // The url crate drops tabs and line breaks and turns backslashes: what was written would not be what is sent.
    if text.contains(|c: char| c.is_control() || c == ' ' || c == '\\') {
        return Err(denied("has a space, a control character or a backslash in it; percent-encode them"));
    }
    let mut url = Url::parse(text).map_err(|_| denied("is not an absolute URL"))?;
    let Some(origin) = Origin::of(&url) else { return Err(denied("has another scheme than https")) };
    if authority(text).contains('@') || !url.username().is_empty() || url.password().is_some() {
        return Err(denied("has user information in it\nhint: name a granted credential instead"));
    }
    check_path(path(text), &url).map_err(denied)?;
    url.set_fragment(None);
    url.set_host(Some(&origin.host)).map_err(|_| denied("has a host that cannot be asked"))?;
    Ok((url, origin))
}

/// Looks at the path as written (before the url crate resolves `%2e%2e`) and as it is sent.
fn check_path(written: &str, url: &Url) -> Result<(), &'static str> {
    for path in [written, url.path()] {
        let path = path.to_ascii_lowercase();
        if ENCODED_TRICKS.iter().any(|trick| path.contains(trick)) {
            return Err("has an encoded dot, slash or backslash in its path");
        }
        // Some servers drop what follows a semicolon before they resolve dots.
        if path.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | ".."))) {
            return Err("has \".\" or \"..\" in its path; write the path that is meant");
        }
    }
    Ok(())
}

/// What stands between `//` and the path, as written.
fn authority(text: &str) -> &str {
    let rest = text.split_once("//").map_or(text, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// The path as written.
fn path(text: &str) -> &str {
    let rest = text.split_once("//").map_or(text, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    rest.find('/').map_or("", |at| &rest[at..])
}

/// A password in a URL is not repeated in a message.
fn without_user_info(text: &str) -> String {
    match authority(text).rsplit_once('@') {
        Some((user_info, _)) => text.replacen(user_info, "…", 1),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_whole_segments() {
        for (prefix, path, fits) in [
            ("/", "/", true),
            ("/", "/anything", true),
            ("/v1", "/v1", true),
            ("/v1", "/v1/", true),
            ("/v1", "/v1/x", true),
            ("/v1", "/v10", false),
            ("/v1", "/v1;x", false),
            ("/v1", "//v1", false),
            ("/v1", "/V1", false),
            ("/v1/", "/v1", false),
            ("/v1/", "/v1/x", true),
        ] {
            assert_eq!(is_below(prefix, path), fits, "{prefix} {path}");
        }
    }

    #[test]
    fn odd_urls_do_not_get_as_far_as_the_grants() {
        for bad in [
            "",
            "api.example.com",
            "/v1",
            "//api.example.com/",
            "ftp://api.example.com/",
            "file:///etc/passwd",
            "data:text/plain,x",
            "https://",
            "https://user@api.example.com/",
            "https://user:pw@api.example.com/",
            "https://@api.example.com/",
            "https://api.example.com\\@evil.example/",
            "https:\\\\api.example.com/",
            "https://api.example.com/a b",
            "https://api.example.com/\r\nx: y",
            "htt\tps://api.example.com/",
            "https://api.example.com/v1/../admin",
            "https://api.example.com/v1/%2e%2e/admin",
            "https://api.example.com/v1/%2E./admin",
            "https://api.example.com/v1/.%2e/admin",
            "https://api.example.com/v1/..;/admin",
            "https://api.example.com/v1/..;a=b/admin",
            "https://api.example.com/v1%2fadmin",
            "https://api.example.com/v1%5cadmin",
            "https://api.example.com/v1/%252e%252e/admin",
            "https://api.example.com/v1/%00",
            "https://api.example.com:99999/",
            "https://[fe80::1%25eth0]/",
            "https://[::1/",
        ] {
            let error = checked_url(bad).expect_err(bad);
            assert!(matches!(error, HttpError::Denied(_)), "{bad}: {error}");
            assert!(!error.to_string().contains("pw"), "{error}");
        }
    }

    #[test]
    fn one_origin_has_one_form() {
        for same in [
            "https://api.example.com",
            "https://API.Example.COM/",
            "HTTPS://api.example.com:443/#x",
            "https://api.example.com./",
            "https://api.ex\u{ff41}mple.com/",
        ] {
            let (url, _) = checked_url(same).expect(same);
            assert_eq!(url.as_str(), "https://api.example.com/", "{same}");
        }
        for local in [
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.0.0.1./",
            "https://127。0。0。1/",
            "https://%31%32%37.1/",
        ] {
            let (_, origin) = checked_url(local).expect(local);
            assert_eq!(origin.host, "127.0.0.1", "{local}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_url_panics_and_none_keeps_dots(text in "https://a/\\PC{0,20}|\\PC{0,30}|https://[a-z.@:%0-9]{0,12}/[./%2eEfF5cC;a]{0,16}") {
            if let Ok((url, _)) = checked_url(&text) {
                let path = url.path();
                proptest::prop_assert!(path.split('/').all(|segment| segment != ".." && segment != "."));
                proptest::prop_assert!(url.username().is_empty() && url.fragment().is_none());
            }
        }
    }
}
