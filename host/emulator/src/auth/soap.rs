//! SOAP `login()` of the partner and enterprise APIs, the calls around a session, and the faults.

use std::sync::Arc;

use http::StatusCode;

use super::denied::Denied;
use super::desk::Person;
use super::sessions::{Grant, Session};
use super::soap_xml::{element, elements, escape, unescape};
use super::tenant::Tenant;
use super::user::User;
use crate::partner;
use crate::server::{ApiVersion, Call, Reply, State, lock};

/// `login()` was removed with this version (Winter '26).
const FIRST_VERSION_WITHOUT_LOGIN: u16 = 65;
const XML: &str = "text/xml;charset=UTF-8";
/// Begin of a token in JWT format, which SOAP does not take.
const JWT_BEGIN: &str = "eyJ";
const WRONG: &str = "Invalid username, password, security token; or user locked out.";

/// A SOAP fault: code, text, and the detail element that the WSDL names for it.
pub(crate) struct Fault {
    code: &'static str,
    message: String,
    element: &'static str,
    /// Row and column in the statement, of the faults that have them.
    place: Option<(i64, i64)>,
}

impl Fault {
    fn login(code: &'static str, message: impl Into<String>) -> Fault {
        Fault { code, message: message.into(), element: "LoginFault", place: None }
    }

    pub(crate) fn unexpected(code: &'static str, message: impl Into<String>) -> Fault {
        Fault::of("UnexpectedErrorFault", code, message)
    }

    /// A fault with the detail element that the WSDL has for this call.
    pub(crate) fn of(element: &'static str, code: &'static str, message: impl Into<String>) -> Fault {
        Fault { code, message: message.into(), element, place: None }
    }

    /// The same fault at a place of the statement.
    pub(crate) fn at(self, row: i64, column: i64) -> Fault {
        Fault { place: Some((row, column)), ..self }
    }
}

/// Answers `/services/Soap/u/NN.N` and `/services/Soap/c/NN.N`; faults are HTTP 500.
pub(crate) fn soap(state: &State, call: &Call, version: &str, enterprise: bool) -> Reply {
    let kind = if enterprise { "enterprise" } else { "partner" };
    match answer(state, call, version, enterprise) {
        Ok((header, body)) => {
            let reply = Reply::text(StatusCode::OK, XML, envelope(kind, &header, &body));
            // A login was recorded plain though gzip was asked for.
            if header.is_empty() { reply.uncompressed() } else { reply }
        }
        Err(fault) => fault_reply(kind, &fault),
    }
}

/// A fault that the fault script puts in place of an answer.
pub(crate) fn soap_fault(code: &str, message: &str) -> Reply {
    let login = matches!(code, "INVALID_LOGIN" | "LOGIN_MUST_USE_SECURITY_TOKEN") || code.starts_with("LOGIN_DURING");
    let element = if login { "LoginFault" } else { "UnexpectedErrorFault" };
    let text = fault_envelope("partner", (code, message), element, None);
    Reply::text(StatusCode::INTERNAL_SERVER_ERROR, XML, text).uncompressed()
}

fn fault_reply(kind: &str, fault: &Fault) -> Reply {
    let text = fault_envelope(kind, (fault.code, &fault.message), fault.element, fault.place);
    Reply::text(StatusCode::INTERNAL_SERVER_ERROR, XML, text).uncompressed()
}

/// Header and body of the answer.
fn answer(state: &State, call: &Call, version: &str, enterprise: bool) -> Result<(String, String), Fault> {
    let version = ApiVersion::parse(version)
        .filter(ApiVersion::is_served)
        .ok_or_else(|| Fault::unexpected("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL"))?;
    let text = String::from_utf8_lossy(&call.body);
    let body = element(&text, "Body").unwrap_or_default();
    if let Some(login) = element(body, "login") {
        let value = |name: &str| element(login, name).map(unescape).unwrap_or_default();
        let body = log_in(state, version, enterprise, &value("username"), &value("password"))?;
        return Ok((String::new(), body));
    }
    let id = element(&text, "sessionId").map(|id| unescape(id.trim())).unwrap_or_default();
    let (tenant, session) = session(state, &id)?;
    if let Some(done) = without_rows(&tenant, &session, &id, body)? {
        return Ok((String::new(), done));
    }
    may_read(&tenant, &session)?;
    let limit = state.options.daily_api_requests;
    let calls = state.count_call();
    if calls > limit {
        return Err(Fault::unexpected("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."));
    }
    let header = format!(
        "<LimitInfoHeader><limitInfo><current>{calls}</current><limit>{limit}</limit><type>API REQUESTS</type>\
         </limitInfo></LimitInfoHeader>"
    );
    let user = &session.grant.user;
    let seen = state.seen_by(user.clone(), tenant.view(user));
    let asked = partner::Asked { envelope: &text, body, version, enterprise };
    let body = match operation(body) {
        "getUserInfo" => {
            format!("<getUserInfoResponse><result>{}</result></getUserInfoResponse>", user_info(&tenant, user))
        }
        "getServerTimestamp" => {
            let now = tenant.org.clock().now().format("%Y-%m-%dT%H:%M:%S%.3fZ");
            format!(
                "<getServerTimestampResponse><result><timestamp>{now}</timestamp></result></getServerTimestampResponse>"
            )
        }
        "undelete" => super::soap_rows::undelete(&tenant, user, body),
        name => partner::read(&seen, name, &asked)?,
    };
    Ok((header, body))
}

/// The name of the call in an envelope's body.
fn operation(body: &str) -> &str {
    let first = body.split('<').map(str::trim).find(|tag| !tag.is_empty() && !tag.starts_with('!'));
    super::soap_xml::local_name(first.unwrap_or_default().split('>').next().unwrap_or_default())
}

/// Whether a session may be used for more than its own end.
fn may_read(tenant: &Tenant, session: &Session) -> Result<(), Fault> {
    let access = tenant.access(&session.grant.user);
    if !access.active || !session.grant.has_api() || access.ip_restricted {
        return Err(illegal_session());
    }
    if !tenant.options.policy.api_enabled {
        let message = "API is not enabled for this Organization or Partner";
        return Err(Fault::unexpected("API_DISABLED_FOR_ORG", message));
    }
    if !access.api_enabled {
        return Err(Fault::unexpected("API_CURRENTLY_DISABLED", "API is disabled for this User"));
    }
    Ok(())
}

fn illegal_session() -> Fault {
    let message = "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session \
                   hash: This error usually occurs after a session expires or a user logs out.";
    Fault::unexpected("INVALID_SESSION_ID", message)
}

fn session(state: &State, id: &str) -> Result<(Arc<Tenant>, Session), Fault> {
    let found = state.tenants().iter().find_map(|tenant| {
        let session = lock(&tenant.sessions).touch(id)?;
        Some((tenant.clone(), session))
    });
    found.filter(|_| !id.starts_with(JWT_BEGIN)).ok_or_else(illegal_session)
}

/// The calls about passwords and sessions themselves, which are not counted; none: it is another one.
fn without_rows(tenant: &Tenant, session: &Session, id: &str, body: &str) -> Result<Option<String>, Fault> {
    let user = &session.grant.user;
    if let Some(call) = element(body, "setPassword") {
        return set_password(tenant, user, call).map(Some);
    }
    if session.grant.restricted {
        let message =
            "The user's password has expired, you must call SetPassword before attempting any other API operations";
        return Err(Fault::unexpected("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", message));
    }
    Ok(match operation(body) {
        "logout" => {
            lock(&tenant.sessions).revoke(id);
            Some("<logoutResponse/>".to_owned())
        }
        "invalidateSessions" => {
            let ended: String = elements(body, "sessionIds")
                .map(|id| {
                    lock(&tenant.sessions).revoke(&unescape(id.trim()));
                    "<result><success>true</success></result>"
                })
                .collect();
            Some(format!("<invalidateSessionsResponse>{ended}</invalidateSessionsResponse>"))
        }
        _ => None,
    })
}

fn set_password(tenant: &Tenant, user: &User, call: &str) -> Result<String, Fault> {
    let value = |name: &str| element(call, name).map(unescape).unwrap_or_default();
    if crate::ids::short(value("userId").trim()) != crate::ids::short(&user.id) {
        return Err(Fault::unexpected("INVALID_ID_FIELD", "invalid id"));
    }
    if value("password").is_empty() {
        return Err(Fault::unexpected("INVALID_NEW_PASSWORD", "Your password cannot be empty"));
    }
    tenant.set_password(user, &value("password"));
    Ok("<setPasswordResponse><result/></setPasswordResponse>".to_owned())
}

fn log_in(
    state: &State,
    version: ApiVersion,
    enterprise: bool,
    username: &str,
    password: &str,
) -> Result<String, Fault> {
    if version.0 >= FIRST_VERSION_WITHOUT_LOGIN {
        return Err(Fault::unexpected(
            "INVALID_OPERATION",
            format!(
                "The SOAP Login operation is not available in the API version specified ({version}). \
                 Refer to the documentation for supported versions."
            ),
        ));
    }
    let person = check(state, username, password)?;
    may_log_in(&person)?;
    let restricted = person.tenant.access(&person.user).password_expired;
    let grant = Grant { user: person.user.clone(), client_id: None, scopes: Vec::new(), restricted };
    let session = lock(&person.tenant.sessions).issue(&Arc::new(grant), None);
    Ok(login_response(&person, version, enterprise, &session, restricted))
}

fn check(state: &State, username: &str, password: &str) -> Result<Person, Fault> {
    for tenant in state.tenants() {
        if let Some(user) = tenant.by_password(username, password) {
            return Ok(Person { tenant: tenant.clone(), user: Arc::new(user) });
        }
        let without_token = tenant.user(username).map(|user| tenant.access(&user));
        if without_token.is_some_and(|access| password == access.password && access.active && !access.locked) {
            return Err(Fault::login(
                "LOGIN_MUST_USE_SECURITY_TOKEN",
                format!(
                    "{WRONG} Are you at a new location? When accessing Salesforce--either via a desktop client or \
                     the API--from outside of your company's trusted networks, you must add a security token to your \
                     password to log in."
                ),
            ));
        }
    }
    Err(Fault::login("INVALID_LOGIN", WRONG))
}

/// What may keep out a user whose password is right.
fn may_log_in(person: &Person) -> Result<(), Fault> {
    let (tenant, access) = (&person.tenant, person.tenant.access(&person.user));
    let policy = &tenant.options.policy;
    if !policy.active {
        return Err(Fault::login("ORG_LOCKED", "This organization has been locked"));
    }
    if !policy.soap_login {
        let message = "SOAP API login() is disabled by default in this org. \
                       Contact the org administrator to enable SOAP API login().";
        return Err(Fault::unexpected("INVALID_OPERATION", message));
    }
    if access.ip_restricted {
        return Err(Fault::login("LOGIN_DURING_RESTRICTED_DOMAIN", "cannot log in from current location"));
    }
    if !policy.api_enabled {
        return Err(Fault::login("API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"));
    }
    if !access.api_enabled {
        return Err(Fault::login("API_CURRENTLY_DISABLED", "API is disabled for this User"));
    }
    if !access.any_api_auth {
        let message = "The user doesn't have the Use Any API Auth permission that SOAP API login() needs";
        return Err(Fault::unexpected("INSUFFICIENT_ACCESS", message));
    }
    tenant.count_login(&person.user).map_err(|_: Denied| Fault::login("REQUEST_LIMIT_EXCEEDED", "Login Rate Exceeded"))
}

fn login_response(person: &Person, version: ApiVersion, enterprise: bool, session: &str, expired: bool) -> String {
    let (tenant, user) = (&person.tenant, &person.user);
    let base = tenant.instance_url();
    let letter = if enterprise { 'c' } else { 'u' };
    let url = |letter: char| format!("{base}/services/Soap/{letter}/{version}/{}", short(&tenant.id));
    format!(
        "<loginResponse><result><metadataServerUrl>{}</metadataServerUrl><passwordExpired>{expired}</passwordExpired>\
         <sandbox>{}</sandbox><serverUrl>{}</serverUrl><sessionId>{session}</sessionId><userId>{}</userId>\
         <userInfo>{}</userInfo></result></loginResponse>",
        url('m'),
        tenant.is_sandbox(),
        url(letter),
        user.id,
        user_info(tenant, user),
    )
}

fn short(id: &str) -> &str {
    crate::ids::short(id).unwrap_or(id)
}

/// The elements of `GetUserInfoResult` in the order of the WSDL.
fn user_info(tenant: &Tenant, user: &User) -> String {
    format!(
        "<accessibilityMode>false</accessibilityMode><chatterExternal>false</chatterExternal>\
         <currencySymbol>$</currencySymbol><orgAttachmentFileSizeLimit>5242880</orgAttachmentFileSizeLimit>\
         <orgDefaultCurrencyIsoCode>USD</orgDefaultCurrencyIsoCode>\
         <orgDefaultCurrencyLocale>en_US</orgDefaultCurrencyLocale>\
         <orgDisallowHtmlAttachments>false</orgDisallowHtmlAttachments>\
         <orgHasPersonAccounts>false</orgHasPersonAccounts><organizationId>{organization}</organizationId>\
         <organizationMultiCurrency>false</organizationMultiCurrency>\
         <organizationName>{organization_name}</organizationName><profileId>{profile}</profileId>\
         <roleId xsi:nil=\"true\"/><sessionSecondsValid>{seconds}</sessionSecondsValid>\
         <userDefaultCurrencyIsoCode xsi:nil=\"true\"/><userEmail>{email}</userEmail>\
         <userFullName>{name}</userFullName><userId>{id}</userId><userLanguage>en_US</userLanguage>\
         <userLocale>en_US</userLocale><userName>{username}</userName><userTimeZone>GMT</userTimeZone>\
         <userType>Standard</userType><userUiSkin>Theme3</userUiSkin>",
        organization = user.organization_id,
        organization_name = escape(&user.organization_name),
        profile = crate::ids::id18(*b"00e", 1),
        seconds = tenant.options.policy.session_seconds,
        email = escape(&user.email),
        name = escape(&user.full_name()),
        id = user.id,
        username = escape(&user.username),
    )
}

fn envelope(kind: &str, header: &str, body: &str) -> String {
    let header = if header.is_empty() { String::new() } else { format!("<soapenv:Header>{header}</soapenv:Header>") };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns=\"urn:{kind}.soap.sforce.com\" xmlns:sf=\"urn:sobject.{kind}.soap.sforce.com\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         {header}<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
}

fn fault_envelope(kind: &str, fault: (&str, &str), element: &str, place: Option<(i64, i64)>) -> String {
    let (code, message) = (escape(fault.0), escape(fault.1));
    let place = place.map(|(row, column)| format!("<sf:row>{row}</sf:row><sf:column>{column}</sf:column>"));
    let place = place.unwrap_or_default();
    // Login faults were recorded with the bare code, others with the prefix.
    let prefix = if element == "LoginFault" { "" } else { "sf:" };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:sf=\"urn:fault.{kind}.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <soapenv:Body><soapenv:Fault><faultcode>{prefix}{code}</faultcode>\
         <faultstring>{code}: {message}</faultstring>\
         <detail><sf:{element} xsi:type=\"sf:{element}\"><sf:exceptionCode>{code}</sf:exceptionCode>\
         <sf:exceptionMessage>{message}</sf:exceptionMessage>{place}</sf:{element}></detail>\
         </soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    )
}
