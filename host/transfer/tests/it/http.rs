//! Requests to granted origins: what works, and what no grant, no server and no name makes work.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use forcepump_transfer::http::{Client, Credential, HttpError, Method, OriginGrant, Request};

use super::web::{Names, Reply, Server, answer, denied, get, grant, ok};

#[tokio::test]
async fn a_granted_request_arrives_as_it_was_given() {
    let server = Server::start(|_| answer("201 Created", &[("X-Id", "7")], b"made"));
    let request = Request {
        method: Method::Post,
        headers: vec![("Content-Type".into(), "text/plain".into()), ("x-own".into(), "é".into())],
        body: b"hello".to_vec(),
        ..get(&format!("{}/v1/things?a=b%20c#part", server.origin()))
    };
    let response = server.client().send(request).await.unwrap();
    assert_eq!((response.status, &response.body[..]), (201, &b"made"[..]));
    assert!(response.headers.contains(&("x-id".into(), "7".into())), "{:?}", response.headers);
    let seen = &server.seen()[0];
    assert_eq!((seen.head[0].as_str(), &seen.body[..]), ("POST /v1/things?a=b%20c HTTP/1.1", &b"hello"[..]));
    let header = |name: &str| seen.header(name).unwrap_or_default();
    assert_eq!((header("content-type"), header("x-own")), ("text/plain".into(), "é".into()));
    assert_eq!((header("accept-encoding"), header("host")), ("identity".into(), server.address.to_string()));
    for absent in ["authorization", "cookie", "referer"] {
        assert_eq!(seen.header(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn every_method_is_sent_as_it_is_named() {
    let server =
        Server::start(|seen| if seen.head[0].starts_with("HEAD") { answer("204 No", &[], b"") } else { ok("") });
    let client = server.client();
    for method in super::web::ALL_METHODS {
        client.send(Request { method, ..get(&server.origin()) }).await.unwrap();
    }
    let words: Vec<String> = server.seen().iter().map(|s| s.head[0].split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(words, ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
    assert_eq!(server.seen()[2].header("content-length").as_deref(), Some("0"));
}

#[tokio::test]
async fn urls_beside_the_grant_are_denied_before_anything_is_dialled() {
    let server = Server::start(|_| ok("never"));
    let port = server.address.port();
    let client = Client::new(vec![OriginGrant { paths: vec!["/v1".into()], ..server.grant() }]).unwrap();
    let mut urls: Vec<String> = [
        "/",
        "/v10",
        "/v1/../v2",
        "/v1/%2e%2e/v2",
        "/v1/..%2fv2",
        "/v1%2f..%2fv2",
        "/v1/..;/v2",
        "/v1%5c..%5cv2",
        "//v1",
        "/V1",
        "/v1/%252e%252e/v2",
    ]
    .map(|path| format!("http://127.0.0.1:{port}{path}"))
    .to_vec();
    urls.extend([
        format!("http://user:pw@127.0.0.1:{port}/v1"),
        format!("http://127.0.0.1@evil.example:{port}/v1"),
        format!("https://127.0.0.1:{port}/v1"),
        format!("http://127.0.0.1:{}/v1", port ^ 1),
        "http://127.0.0.1/v1".to_owned(),
        format!("http://127.0.0.2:{port}/v1"),
        format!("http://localhost:{port}/v1"),
        format!("http://[::1]:{port}/v1"),
        format!("http://[::ffff:127.0.0.1]:{port}/v1"),
        format!("http://[64:ff9b::7f00:1]:{port}/v1"),
        format!("http://0:{port}/v1"),
        format!("http://127.0.0.1.evil.example:{port}/v1"),
        format!("ftp://127.0.0.1:{port}/v1"),
        format!("http://127.0.0.1:{port}\\v1"),
        "file:///etc/passwd".to_owned(),
        "/v1".to_owned(),
    ]);
    for url in urls {
        let text = denied(client.send(get(&url)).await);
        assert!(!text.contains("pw"), "{text}");
    }
    assert_eq!(server.seen().len(), 0);
}

/// Other ways to write the granted address are the granted address, and so meet the same rules of the path.
#[tokio::test]
async fn odd_forms_of_the_granted_address_gain_nothing() {
    let server = Server::start(|_| ok("here"));
    let port = server.address.port();
    let client = Client::new(vec![OriginGrant { paths: vec!["/v1".into()], ..server.grant() }]).unwrap();
    for host in ["2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001", "127.1", "127.0.0.1."] {
        assert_eq!(client.send(get(&format!("http://{host}:{port}/v1"))).await.unwrap().body, b"here", "{host}");
        denied(client.send(get(&format!("http://{host}:{port}/v2"))).await);
    }
    let elsewhere = Client::new(vec![grant("api", "https://api.example.com")]).unwrap();
    for host in ["2130706433", "0x7f000001", "017700000001", "127.1", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[::1]"] {
        denied(elsewhere.send(get(&format!("https://{host}:{port}/"))).await);
    }
}

#[tokio::test]
async fn methods_and_names_are_told_when_they_are_not_granted() {
    let client = Client::new(vec![OriginGrant {
        methods: vec![Method::Get],
        paths: vec!["/v1".into()],
        ..grant("api", "https://api.example.com")
    }])
    .unwrap();
    let post = Request { method: Method::Post, ..get("https://api.example.com/v1") };
    assert_eq!(
        denied(client.send(post).await),
        "the method post is not granted for https://api.example.com\nhint: add \"post\" to grant.http.api.methods"
    );
    assert_eq!(
        denied(client.send(get("https://api.example.com/v2")).await),
        "the path /v2 is not granted for https://api.example.com; grant.http.api.paths allows /v1"
    );
    assert_eq!(
        denied(client.send(get("https://evil.example/")).await),
        "http to https://evil.example is not granted; granted are: api = https://api.example.com"
    );
}

#[tokio::test]
async fn a_redirect_comes_back_and_is_not_followed() {
    let server = Server::start(|_| answer("302 Found", &[("Location", "http://127.0.0.1:1/else")], b""));
    let response = server.client().send(get(&server.origin())).await.unwrap();
    assert_eq!(response.status, 302);
    assert!(response.headers.iter().any(|(name, _)| name == "location"));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn names_of_inner_addresses_are_not_dialled() {
    let server = Server::start(|_| ok("never"));
    let origin = format!("https://api.example.com:{}", server.address.port());
    for answer in [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "64:ff9b::7f00:1",
        "fd00::1",
        "fe80::1",
        "2002:7f00:1::",
        "2001:db8::1",
        "198.18.0.1",
        "224.0.0.1",
    ] {
        let client = Client::with_resolver(vec![grant("api", &origin)], Names::new(&[&[answer]])).unwrap();
        let text = denied(client.send(get(&origin)).await);
        assert!(text.contains("grant.http.api") && !text.contains(answer), "{text}");
    }
    assert_eq!(server.seen().len(), 0);
}

/// The direction from public to loopback, without the outside world, is a test of `dial.rs`; here the name turns from
/// the one address that it may have to others, while the connection of the first request is over.
#[tokio::test]
async fn a_name_that_changes_its_answer_is_judged_again_at_each_dial() {
    let server = Server::start(|_| ok("once"));
    let origin = format!("http://api.localhost:{}", server.address.port());
    let answers: [&[&str]; 3] = [&["127.0.0.1"], &["10.0.0.1", "169.254.169.254"], &["10.0.0.1", "127.0.0.1"]];
    let client = Client::with_resolver(vec![grant("api", &origin)], Names::new(&answers)).unwrap();
    assert_eq!(client.send(get(&origin)).await.unwrap().body, b"once");
    denied(client.send(get(&origin)).await);
    assert_eq!(client.send(get(&origin)).await.unwrap().body, b"once", "what is left after the check is dialled");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_name_without_address_and_a_closed_port_are_connection_errors() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Client::new(vec![grant("api", &format!("http://{closed}"))]).unwrap();
    let refused = client.send(get(&format!("http://{closed}"))).await;
    assert_eq!(refused, Err(HttpError::Connect("refused".into())));
    let client = Client::with_resolver(vec![grant("api", "https://none.example")], Names::new(&[&[]])).unwrap();
    let unknown = client.send(get("https://none.example")).await;
    assert_eq!(unknown, Err(HttpError::Connect("the name cannot be resolved".into())));
}

#[tokio::test]
async fn headers_of_the_host_are_refused() {
    let server = Server::start(|_| ok("never"));
    let client = server.client_with(Credential::Header { name: "X-Api-Key".into(), value: "s3cr3t".into() });
    for name in [
        "Authorization",
        "cookie",
        "HOST",
        "accept-encoding",
        "connection",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "keep-alive",
        "forwarded",
        "x-forwarded-for",
        "X-Forwarded-Host",
        "proxy-authorization",
        "proxy-x",
        "sec-fetch-site",
        "x-api-key",
        "x-http-method-override",
        "x-original-url",
        "",
        "a b",
        "a:b",
        "a\r\nx",
        "ä",
    ] {
        let request = Request { headers: vec![(name.into(), "1".into())], ..get(&server.origin()) };
        denied(client.send(request).await);
    }
    for value in ["a\r\nhost: evil", "a\nb", "a\rb", "a\0b", "\u{7f}"] {
        let request = Request { headers: vec![("x-own".into(), value.into())], ..get(&server.origin()) };
        denied(client.send(request).await);
    }
    let many = Request { headers: vec![("x-own".into(), "1".into()); 101], ..get(&server.origin()) };
    denied(client.send(many).await);
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn bodies_are_cut_off_at_the_limit() {
    let gzip = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; 32 << 20]).unwrap();
        encoder.finish().unwrap()
    };
    let server = Server::start(move |seen| match seen.head[0].split(' ').nth(1).unwrap() {
        "/bomb" => answer("200 OK", &[("content-encoding", "gzip")], &gzip),
        "/endless" => Reply::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 64 << 10]),
        "/chunks" => {
            Reply::Endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(), b"4\r\nabcd\r\n".to_vec())
        }
        "/liar" => Reply::Hold(b"HTTP/1.1 200 OK\r\ncontent-length: 1099511627776\r\n\r\n".to_vec()),
        "/headers" => Reply::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"x-more: and more\r\n".to_vec()),
        "/wide" => answer("200 OK", &[("x-wide", &"w".repeat(70_000))], b""),
        _ => ok(&"x".repeat(1000)),
    });
    let client = server.client();
    let ask = |path: &str, limit: u64| {
        let timeout = Duration::from_millis(if path == "/liar" { 100 } else { 20_000 });
        let request = Request { max_response_bytes: limit, timeout, ..get(&format!("{}{path}", server.origin())) };
        client.send(request)
    };
    for path in ["/bomb", "/endless", "/chunks"] {
        assert_eq!(ask(path, 100_000).await, Err(HttpError::TooLarge(100_000)), "{path}");
    }
    assert_eq!(ask("/liar", u64::MAX).await, Err(HttpError::Timeout));
    assert!(matches!(ask("/headers", 1000).await, Err(HttpError::Protocol(_))));
    assert_eq!(ask("/wide", 1000).await, Err(HttpError::TooLarge(65_536)));
    assert_eq!(ask("/fits", 1000).await.unwrap().body.len(), 1000);
    assert_eq!(ask("/fits", 999).await, Err(HttpError::TooLarge(999)));
}

#[tokio::test]
async fn an_encoded_body_is_decoded_and_its_headers_say_so() {
    let server = Server::start(|_| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(b"plain again").unwrap();
        answer("200 OK", &[("Content-Encoding", "gzip")], &encoder.finish().unwrap())
    });
    let response = server.client().send(get(&server.origin())).await.unwrap();
    assert_eq!(response.body, b"plain again");
    assert!(!response.headers.iter().any(|(name, _)| name == "content-encoding" || name == "content-length"));
    let other = Server::start(|_| answer("200 OK", &[("content-encoding", "br")], b"x"));
    assert!(matches!(other.client().send(get(&other.origin())).await, Err(HttpError::Protocol(_))));
}

#[tokio::test]
async fn slow_cut_and_foreign_answers_are_errors() {
    let server = Server::start(|seen| match seen.head[0].split(' ').nth(1).unwrap() {
        "/silent" => Reply::Hold(Vec::new()),
        "/slow" => Reply::Hold(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfive!".to_vec()),
        "/cut" => Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfive!".to_vec()),
        "/shut" => Reply::Bytes(Vec::new()),
        _ => Reply::Bytes(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
    });
    let client = server.client();
    for (path, timeout_ms) in [("/silent", 100), ("/slow", 100)] {
        let timeout = Duration::from_millis(timeout_ms);
        let result = client.send(Request { timeout, ..get(&format!("{}{path}", server.origin())) }).await;
        assert_eq!(result, Err(HttpError::Timeout), "{path}");
    }
    for path in ["/cut", "/shut", "/ssh"] {
        let result = client.send(get(&format!("{}{path}", server.origin()))).await;
        assert!(matches!(result, Err(HttpError::Protocol(_) | HttpError::Connect(_))), "{path} {result:?}");
        assert!(!format!("{result:?}").contains("OpenSSH"), "{result:?}");
    }
}
