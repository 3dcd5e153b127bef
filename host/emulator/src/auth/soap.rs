//! SOAP `login()` of the partner and enterprise APIs, and the faults around it.

use http::StatusCode;

use crate::server::{ApiVersion, Call, Reply, State, lock};

use super::sessions::SESSION_SECONDS;

/// `login()` was removed with this version (Winter '26).
const FIRST_VERSION_WITHOUT_LOGIN: u16 = 65;
const XML: &str = "text/xml;charset=UTF-8";

/// A SOAP fault: code, text, and the detail element that the WSDL names for it.
struct Fault {
    code: &'static str,
    message: String,
    element: &'static str,
}

impl Fault {
    fn login(code: &'static str, message: impl Into<String>) -> Fault {
        Fault { code, message: message.into(), element: "LoginFault" }
    }

    fn unexpected(code: &'static str, message: impl Into<String>) -> Fault {
        Fault { code, message: message.into(), element: "UnexpectedErrorFault" }
    }
}

/// Answers `/services/Soap/u/NN.N` and `/services/Soap/c/NN.N`; faults are HTTP 500.
pub(crate) fn soap(state: &State, call: &Call, version: &str, enterprise: bool) -> Reply {
    let kind = if enterprise { "enterprise" } else { "partner" };
    match answer(state, call, version, enterprise) {
        Ok(body) => Reply::text(StatusCode::OK, XML, envelope(kind, &body)).uncompressed(),
        Err(fault) => Reply::text(StatusCode::INTERNAL_SERVER_ERROR, XML, fault_envelope(kind, &fault)).uncompressed(),
    }
}

fn answer(state: &State, call: &Call, version: &str, enterprise: bool) -> Result<String, Fault> {
    let version = ApiVersion::parse(version)
        .filter(ApiVersion::is_served)
        .ok_or_else(|| Fault::unexpected("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL"))?;
    let text = String::from_utf8_lossy(&call.body);
    let Some(login) = element(&text, "login") else {
        return Err(Fault::unexpected("INVALID_OPERATION", "this emulator answers the SOAP login operation only"));
    };
    if version.0 >= FIRST_VERSION_WITHOUT_LOGIN {
        return Err(Fault::unexpected(
            "INVALID_OPERATION",
            format!(
                "The SOAP Login operation is not available in the API version specified ({version}). \
                 Refer to the documentation for supported versions."
            ),
        ));
    }
    let value = |name: &str| element(login, name).map(unescape).unwrap_or_default();
    check(state, &value("username"), &value("password"))?;
    let session = lock(&state.sessions).issue();
    Ok(login_response(state, version, enterprise, &session))
}

fn check(state: &State, username: &str, password: &str) -> Result<(), Fault> {
    const WRONG: &str = "Invalid username, password, security token; or user locked out.";
    if super::oauth::password_fits(state, username, password) {
        return Ok(());
    }
    if username.eq_ignore_ascii_case(&state.user.username) && password == state.options.account.password {
        return Err(Fault::login(
            "LOGIN_MUST_USE_SECURITY_TOKEN",
            format!(
                "{WRONG} Are you at a new location? When accessing Salesforce--either via a desktop client or the \
                 API--from outside of your company's trusted networks, you must add a security token to your \
                 password to log in."
            ),
        ));
    }
    Err(Fault::login("INVALID_LOGIN", WRONG))
}

fn login_response(state: &State, version: ApiVersion, enterprise: bool, session: &str) -> String {
    let user = &state.user;
    let base = &state.base_url;
    let letter = if enterprise { 'c' } else { 'u' };
    let organization = &user.organization_id;
    let url = |letter: char| format!("{base}/services/Soap/{letter}/{version}/{}", short(organization));
    format!(
        "<loginResponse><result><metadataServerUrl>{}</metadataServerUrl><passwordExpired>false</passwordExpired>\
         <sandbox>false</sandbox><serverUrl>{}</serverUrl><sessionId>{session}</sessionId><userId>{}</userId>\
         {}</result></loginResponse>",
        url('m'),
        url(letter),
        user.id,
        user_info(state),
    )
}

fn short(id: &str) -> &str {
    crate::ids::short(id).unwrap_or(id)
}

/// The elements of `GetUserInfoResult` in the order of the WSDL.
fn user_info(state: &State) -> String {
    let user = &state.user;
    format!(
        "<userInfo><accessibilityMode>false</accessibilityMode><chatterExternal>false</chatterExternal>\
         <currencySymbol>$</currencySymbol><orgAttachmentFileSizeLimit>5242880</orgAttachmentFileSizeLimit>\
         <orgDefaultCurrencyIsoCode>USD</orgDefaultCurrencyIsoCode>\
         <orgDefaultCurrencyLocale>en_US</orgDefaultCurrencyLocale>\
         <orgDisallowHtmlAttachments>false</orgDisallowHtmlAttachments>\
         <orgHasPersonAccounts>false</orgHasPersonAccounts><organizationId>{organization}</organizationId>\
         <organizationMultiCurrency>false</organizationMultiCurrency>\
         <organizationName>{organization_name}</organizationName><profileId>{profile}</profileId>\
         <roleId xsi:nil=\"true\"/><sessionSecondsValid>{SESSION_SECONDS}</sessionSecondsValid>\
         <userDefaultCurrencyIsoCode xsi:nil=\"true\"/><userEmail>{email}</userEmail>\
         <userFullName>{name}</userFullName><userId>{id}</userId><userLanguage>en_US</userLanguage>\
         <userLocale>en_US</userLocale><userName>{username}</userName><userTimeZone>GMT</userTimeZone>\
         <userType>Standard</userType><userUiSkin>Theme3</userUiSkin></userInfo>",
        organization = user.organization_id,
        organization_name = escape(&user.organization_name),
        profile = crate::ids::id18(*b"00e", 1),
        email = escape(&user.email),
        name = escape(&user.full_name()),
        id = user.id,
        username = escape(&user.username),
    )
}

fn envelope(kind: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns=\"urn:{kind}.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
}

fn fault_envelope(kind: &str, fault: &Fault) -> String {
    let (code, element, message) = (fault.code, fault.element, escape(&fault.message));
    // Login faults were recorded with the bare code, others with the prefix.
    let prefix = if element == "LoginFault" { "" } else { "sf:" };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:sf=\"urn:fault.{kind}.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <soapenv:Body><soapenv:Fault><faultcode>{prefix}{code}</faultcode>\
         <faultstring>{code}: {message}</faultstring>\
         <detail><sf:{element} xsi:type=\"sf:{element}\"><sf:exceptionCode>{code}</sf:exceptionCode>\
         <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{element}></detail>\
         </soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    )
}

/// The inner text of the first element with this local name, whatever its prefix.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut from = 0;
    while let Some(at) = text[from..].find('<') {
        let tag = from + at + 1;
        let end = tag + text[tag..].find('>')?;
        if local_name(&text[tag..end]) == name {
            let inner = end + 1;
            return closing(&text[inner..], name).map(|length| &text[inner..inner + length]);
        }
        from = end + 1;
    }
    None
}

/// Where the closing tag with this local name begins.
fn closing(text: &str, name: &str) -> Option<usize> {
    text.match_indices("</").map(|(at, _)| at).find(|at| {
        let rest = &text[at + 2..];
        rest.find('>').is_some_and(|end| local_name(&rest[..end]) == name)
    })
}

fn local_name(tag: &str) -> &str {
    let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or(tag);
    name.rsplit(':').next().unwrap_or(name)
}

/// Text as XML content.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// XML content as text: the five named entities, numeric ones, CDATA.
fn unescape(text: &str) -> String {
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
    fn broken_text_is_no_panic() {
        for text in ["<", "<login", "<login>", "<login><username>é", "</login>", "&&;&#x110000;&#zz;"] {
            let _ = element(text, "login");
            let _ = unescape(text);
        }
        assert_eq!(unescape("a & b &lt;"), "a & b <");
    }
}
