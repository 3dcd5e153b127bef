//! SOAP `login()`: user name, password and security token for a session (Partner WSDL).
//!
//! Salesforce removed it from API 65.0 on and retires it for older versions in Summer '27 (SOAP API guide, "login()").

use quick_xml::events::Event;
use quick_xml::{Reader, escape};
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderName};
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};
use crate::oauth::{Granted, TokenHttp};
use crate::place::parse_url;
use crate::words::network::NoAnswer;
use crate::words::soap::{Login, explain};
use crate::words::status::{self, Body};

/// The newest version that has the operation.
const LOGIN_API_VERSION: &str = "64.0";
/// An answer has about 3 kB; more is not one.
const MAX_ANSWER_BYTES: usize = 256 << 10;
const SOAP_ACTION: HeaderName = HeaderName::from_static("soapaction");

/// Logs in once; no retry, see [`crate::session`]. The password reaches nothing but the body of the request.
pub(crate) async fn soap_login(
    http: &TokenHttp,
    login_url: &Url,
    username: &str,
    password: &SecretString,
    security_token: Option<&SecretString>,
) -> Result<Granted> {
    let host = login_url.host_str().unwrap_or_default();
    let mut url = login_url.clone();
    url.set_path(&format!("/services/Soap/u/{LOGIN_API_VERSION}"));
    let body = envelope(username, password, security_token);
    let sent = http.client.post(url).header(CONTENT_TYPE, "text/xml; charset=UTF-8").header(SOAP_ACTION, "login");
    let exchange = async {
        let mut response = sent.body(body).send().await.map_err(|error| transport(host, error))?;
        let status = response.status().as_u16();
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transport(host, error))? {
            text.extend_from_slice(&chunk);
            if text.len() > MAX_ANSWER_BYTES {
                return Err(Error::protocol(format!("login at {host}"), "the SOAP answer is too large to be one"));
            }
        }
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    };
    let answer = tokio::time::timeout(http.timeout, exchange).await;
    let what = format!("login at {host}");
    let (status, text) = answer.map_err(|_| Error::Stalled { what, waited: http.timeout })??;
    granted(&Login { host, username }, status, &text)
}

fn transport(host: &str, error: reqwest::Error) -> Error {
    NoAnswer::of(error).into_error(format!("login at {host}"))
}

fn envelope(username: &str, password: &SecretString, security_token: Option<&SecretString>) -> String {
    let token = security_token.map(ExposeSecret::expose_secret).unwrap_or_default();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <env:Envelope xmlns:env=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:urn=\"urn:partner.soap.sforce.com\">\
         <env:Body><urn:login><urn:username>{}</urn:username><urn:password>{}{}</urn:password></urn:login></env:Body>\
         </env:Envelope>",
        escape::escape(username),
        escape::escape(password.expose_secret()),
        escape::escape(token),
    )
}

/// A session, or a fault in words. The text of the answer is never quoted: it holds a session id.
fn granted(login: &Login<'_>, status: u16, text: &str) -> Result<Granted> {
    let host = login.host;
    let unreadable = |what: &str| match status {
        200..=299 => status::not_a_login(host, &format!("{what} ({} bytes)", text.len())),
        _ => status::explain(host, status, Body::of(text.as_bytes())),
    };
    let found = elements(text, &["faultcode", "faultstring", "sessionId", "serverUrl", "passwordExpired"])
        .ok_or_else(|| unreadable("the answer is not the expected XML"))?;
    let [fault_code, fault_text, session, server, expired] = found;
    if let Some(code) = fault_code {
        let code = code.rsplit(':').next().unwrap_or_default().to_owned();
        return Err(explain(login, &code, fault_text.as_deref().unwrap_or_default()));
    }
    if expired.as_deref() == Some("true") {
        return Err(explain(login, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", "the password has expired"));
    }
    let (Some(session), Some(server)) = (session.filter(|id| !id.is_empty()), server) else {
        return Err(unreadable("the answer has no session"));
    };
    let instance = parse_url("serverUrl of the login answer", &server)?;
    let instance_url = Some(instance.to_string());
    Ok(Granted { access_token: SecretString::from(session), instance_url, rotated: None })
}

/// The texts of the first elements of these local names; none when the text is not XML.
fn elements<const N: usize>(text: &str, names: &[&str; N]) -> Option<[Option<String>; N]> {
    let mut found = [const { None }; N];
    let mut reader = Reader::from_str(text);
    let mut inside: Option<usize> = None;
    let mut seen_any = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                seen_any = true;
                let local = tag.local_name();
                inside = names.iter().position(|name| name.as_bytes() == local.as_ref());
                if let Some(index) = inside.filter(|index| found[*index].is_none()) {
                    found[index] = Some(String::new());
                } else {
                    inside = None;
                }
            }
            Event::Text(part) => push(&mut found, inside, &part.decode().ok()?),
            Event::CData(part) => push(&mut found, inside, &part.decode().ok()?),
            Event::GeneralRef(name) => {
                let name = name.decode().ok()?;
                let text = escape::unescape(&format!("&{name};")).ok()?.into_owned();
                push(&mut found, inside, &text);
            }
            Event::End(_) => inside = None,
            Event::Eof => return seen_any.then_some(found),
            _ => {}
        }
    }
}

fn push<const N: usize>(found: &mut [Option<String>; N], inside: Option<usize>, text: &str) {
    if let Some(Some(value)) = inside.map(|index| &mut found[index]) {
        value.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: Login<'static> = Login { host: "login.salesforce.com", username: "ada@acme.com" };

    #[test]
    fn what_breaks_naive_clients_is_escaped() {
        let body = envelope("a&b@x", &SecretString::from("p<w>\"&"), Some(&SecretString::from("tok'en")));
        assert!(body.contains("a&amp;b@x") && body.contains("p&lt;w&gt;&quot;&amp;tok&apos;en"), "{body}");
    }

    #[test]
    fn a_session_is_read_whatever_the_prefixes() {
        let text = "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"u\"><s:Body><loginResponse><result>\
            <metadataServerUrl>https://x.my.salesforce.com/services/Soap/m/64.0/00D</metadataServerUrl>\
            <passwordExpired>false</passwordExpired><serverUrl>https://x.my.salesforce.com/services/Soap/u/64.0/00D</serverUrl>\
            <sessionId>00D!A&amp;Q.x_</sessionId></result></loginResponse></s:Body></s:Envelope>";
        let granted = granted(&LOGIN, 200, text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(granted.access_token.expose_secret(), "00D!A&Q.x_");
        assert_eq!(granted.instance_url.as_deref(), Some("https://x.my.salesforce.com/"));
    }

    #[test]
    fn faults_and_strange_answers_are_refused_without_their_text() {
        let fault = |code: &str| {
            format!(
                "<e:Envelope xmlns:e=\"u\"><e:Body><e:Fault><faultcode>{code}</faultcode><faultstring>INVALID_LOGIN: Invalid \
                 username, password, security token; or user locked out.</faultstring></e:Fault></e:Body></e:Envelope>"
            )
        };
        for code in ["INVALID_LOGIN", "sf:INVALID_LOGIN"] {
            let error = granted(&LOGIN, 500, &fault(code)).map(drop).unwrap_err().to_string();
            assert!(error.contains("security token") && error.contains("INVALID_LOGIN"), "{error}");
        }
        let expired = "<r><passwordExpired>true</passwordExpired><sessionId>s3cr3t</sessionId></r>";
        let error = granted(&LOGIN, 200, expired).map(drop).unwrap_err().to_string();
        assert!(error.contains("expired") && !error.contains("s3cr3t"), "{error}");
        for text in ["", "<html>", "<html><body>s3cr3t</body></html>", "{\"a\": \"s3cr3t\"}", "<a><b></a>"] {
            let error = granted(&LOGIN, 503, text).map(drop).unwrap_err();
            assert!(!error.to_string().contains("s3cr3t") && error.is_retryable(), "{text}: {error}");
        }
    }
}
