//! Credentials: where they go, where they do not, and what comes back; and grants that cannot be kept.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use flate2::Compression;
use flate2::write::GzEncoder;
use forcepump_transfer::http::{Client, Credential, HttpError, HttpSetupError, Method, OriginGrant, Request};

use super::web::{Server, answer, denied, get, grant, ok};

const SECRET: &str = "s3cr3t/Value+42\"";

#[tokio::test]
async fn a_credential_goes_to_its_origin_only_and_only_when_it_is_named() {
    let (home, other) = (Server::start(|_| ok("home")), Server::start(|_| ok("other")));
    let bound = OriginGrant {
        name: "home".into(),
        paths: vec!["/v1".into()],
        methods: vec![Method::Get],
        credential: Some(Credential::Bearer(SECRET.into())),
        ..home.grant()
    };
    let wide = OriginGrant { name: "wide".into(), ..home.grant() };
    let client = Client::new(vec![bound, wide, grant("other", &other.origin())]).unwrap();
    let with = |name: &str, url: String| client.send(Request { credential: Some(name.into()), ..get(&url) });

    with("home", format!("{}/v1", home.origin())).await.unwrap();
    client.send(get(&format!("{}/v1", home.origin()))).await.unwrap();
    let tokens: Vec<Option<String>> = home.seen().iter().map(|seen| seen.header("authorization")).collect();
    assert_eq!(tokens, [Some(format!("Bearer {SECRET}")), None]);

    let text = denied(with("home", other.origin()).await);
    assert!(text.contains("bound to") && !text.contains(SECRET), "{text}");
    denied(with("home", format!("{}/v2", home.origin())).await);
    client.send(get(&format!("{}/v2", home.origin()))).await.unwrap();
    for unknown in ["nobody", "wide", ""] {
        assert_eq!(with(unknown, home.origin()).await, Err(HttpError::UnknownCredential), "{unknown}");
    }
    assert_eq!(other.seen().len(), 0);
}

#[tokio::test]
async fn basic_and_header_credentials_have_their_own_form() {
    let server = Server::start(|_| ok(""));
    let named = || Request { credential: Some("local".into()), ..get(&server.origin()) };
    let basic = Credential::Basic { user: "me".into(), password: SECRET.into() };
    server.client_with(basic).send(named()).await.unwrap();
    let header = Credential::Header { name: "X-Api-Key".into(), value: SECRET.into() };
    server.client_with(header).send(named()).await.unwrap();
    let seen = server.seen();
    let token = STANDARD.encode(format!("me:{SECRET}"));
    assert_eq!(seen[0].header("authorization"), Some(format!("Basic {token}")));
    assert_eq!((seen[1].header("x-api-key").as_deref(), seen[1].header("authorization")), (Some(SECRET), None));
}

#[tokio::test]
async fn an_echo_of_the_credential_is_withheld() {
    let percent = percent_encoding::utf8_percent_encode(SECRET, percent_encoding::NON_ALPHANUMERIC).to_string();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(format!("Authorization: Bearer {SECRET}").as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let body = |text: &str| (Vec::new(), text.as_bytes().to_vec());
    type Headers = Vec<(&'static str, String)>;
    let echoes: Vec<(Headers, Vec<u8>)> = vec![
        body(SECRET),
        body(&format!("{{\"headers\":{{\"Authorization\":{}}}}}", serde_json::to_string(SECRET).unwrap())),
        body(&STANDARD.encode(SECRET)),
        body(&STANDARD.encode(format!("Bearer {SECRET}"))),
        body(&URL_SAFE.encode(format!("GET / HTTP/1.1\r\nAuthorization: Bearer {SECRET}\r\n"))),
        body(&percent),
        body(&percent.to_lowercase().replace("value", "Value")),
        body(&SECRET.chars().map(|c| format!("\\u{:04X}", c as u32)).collect::<String>()),
        body(&SECRET.bytes().map(|b| format!("{b:02x}")).collect::<String>()),
        (vec![("x-echo", SECRET.to_owned())], Vec::new()),
        (vec![("location", format!("/?token={percent}"))], Vec::new()),
        (vec![("content-encoding", "gzip".to_owned())], gzip),
    ];
    for (headers, body) in echoes {
        let told = format!("{headers:?} {}", String::from_utf8_lossy(&body));
        let server = Server::start(move |_| {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            answer("200 OK", &headers, &body)
        });
        let client = server.client_with(Credential::Bearer(SECRET.into()));
        let request = Request { credential: Some("local".into()), ..get(&server.origin()) };
        let text = denied(client.send(request).await);
        assert!(
            text.contains("repeats the credential of grant.http.local") && !text.contains(SECRET),
            "{told}: {text}"
        );
        // a server that kept it for the next request is no way around
        denied(client.send(get(&server.origin())).await);
    }
}

#[test]
fn wrong_grants_are_told_by_name() {
    let https = |origin: &str| grant("api", origin);
    let with =
        |credential: Credential| OriginGrant { credential: Some(credential), ..https("https://api.example.com") };
    let public = |origin: &str| OriginGrant { private_addresses: false, ..https(origin) };
    for (wrong, words) in [
        (https("api.example.com"), "expected scheme, host and port"),
        (https("https://api.example.com/v1"), "expected scheme, host and port"),
        (https("https://me@api.example.com"), "expected scheme, host and port"),
        (https("https://*.example.com"), "expected scheme, host and port"),
        (https("ftp://api.example.com"), "expected scheme, host and port"),
        (https("http://api.example.com"), "loopback only"),
        (public("http://127.0.0.1:8080"), "private_addresses = true"),
        (public("https://10.0.0.1"), "private_addresses = true"),
        (public("https://[::ffff:10.0.0.1]"), "private_addresses = true"),
        (public("https://0x7f.1"), "private_addresses = true"),
        (OriginGrant { methods: Vec::new(), ..https("https://a.example") }, "`methods` is empty"),
        (OriginGrant { paths: Vec::new(), ..https("https://a.example") }, "`paths` is empty"),
        (OriginGrant { paths: vec!["v1".into()], ..https("https://a.example") }, "\"v1\""),
        (OriginGrant { paths: vec!["/a/../b".into()], ..https("https://a.example") }, "write it as \"/b\""),
        (OriginGrant { paths: vec!["//b".into()], ..https("https://a.example") }, "absolute path"),
        (with(Credential::Bearer("short".into())), "shorter than 6 bytes"),
        (with(Credential::Bearer("two\nlines".into())), "line break"),
        (with(Credential::Header { name: "host".into(), value: SECRET.into() }), "header \"host\""),
        (with(Credential::Basic { user: "a:b".into(), password: SECRET.into() }), "colon"),
    ] {
        let told = format!("{wrong:?}");
        match Client::new(vec![wrong]) {
            Err(HttpSetupError::Grant { name, reason }) => {
                assert!(name == "api" && reason.contains(words) && !reason.contains("two"), "{told}: {reason}");
            }
            other => panic!("{told}: {other:?}"),
        }
    }
    let twice = Client::new(vec![https("https://a.example"), https("https://b.example")]);
    assert_eq!(twice.unwrap_err(), HttpSetupError::TwiceNamed("api".into()));
}

#[test]
fn nothing_that_is_printed_shows_a_secret() {
    for credential in [
        Credential::Bearer(SECRET.into()),
        Credential::Basic { user: "me".into(), password: SECRET.into() },
        Credential::Header { name: "x".into(), value: SECRET.into() },
    ] {
        let grant = OriginGrant { credential: Some(credential), ..grant("api", "https://api.example.com") };
        let text = format!("{grant:?} {:?}", Client::new(vec![grant.clone()]).unwrap());
        assert!(text.contains("REDACTED") && !text.contains("s3cr3t"), "{text}");
    }
}
