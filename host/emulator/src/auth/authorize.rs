//! `/services/oauth2/authorize` and the approval page: from a client's wish to a code, a token or a refusal.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::denied::{Denied, OauthError, refused};
use super::desk::{Answer, Ask, Challenge, Person, Verdict};
use super::form::Fields;
use super::grants;
use super::scopes::{self, ScopeError};
use super::{login, pages, registry};
use crate::access::{App, Flow};
use crate::faults::{Action, Via};
use crate::server::{Call, Reply, State, lock};

/// Characters of a query value that stay as they are.
const VALUE: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A refusal, with the channel that it goes out through.
enum Refusal {
    /// A 400 whose body is the error alone.
    Body(OauthError),
    /// To the callback.
    Callback(Box<Ask>, OauthError),
    /// To the error page of the org.
    Page(Arc<super::Tenant>, Option<String>, OauthError),
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Reply {
        match refusal {
            Refusal::Body(error) => bare(&error),
            Refusal::Callback(ask, error) => login::redirect(&callback_error(&ask, &error)),
            Refusal::Page(tenant, state, error) => {
                let mut url = format!("{}{}?{}", tenant.instance_url(), pages::ERROR, parameters(&error));
                if let Some(state) = state {
                    url.push_str(&format!("&state={}", encoded(&state)));
                }
                login::redirect(&url)
            }
        }
    }
}

/// Recorded without a content type: browsers save a file named after the last part of the path.
fn bare(error: &OauthError) -> Reply {
    let text = format!("error={}&error_description={}", error.error, encoded(&error.error_description));
    let mut reply = Reply::text(StatusCode::BAD_REQUEST, "text/plain", text).uncompressed();
    reply.headers.remove(CONTENT_TYPE);
    reply
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, &VALUE).to_string()
}

fn parameters(error: &OauthError) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("error", &error.error).append_pair("error_description", &error.error_description);
    query.finish()
}

/// The callback with an error: in the query, or in the fragment where tokens would stand.
fn callback_error(ask: &Ask, error: &OauthError) -> String {
    let mut text = parameters(error);
    if let Some(state) = &ask.state {
        text.push_str(&format!("&state={}", encoded(state)));
    }
    with_parameters(ask, &text)
}

fn with_parameters(ask: &Ask, parameters: &str) -> String {
    let uri = &ask.redirect_uri;
    let mark = match ask.answer {
        Answer::Token { .. } => '#',
        _ if uri.contains('?') => '&',
        _ => '?',
    };
    format!("{uri}{mark}{parameters}")
}

/// `/services/oauth2/authorize`, by GET or POST.
pub(crate) fn authorize(state: &State, call: &Call) -> Reply {
    let fields = Fields::of(call);
    let ask = match read(state, &fields) {
        Ok(ask) => ask,
        Err(refusal) => return refusal.into(),
    };
    if let Some(refusal) = scripted(state, call, &ask) {
        return refusal.into();
    }
    let prompt: BTreeSet<&str> = fields.get("prompt").unwrap_or_default().split_whitespace().collect();
    let silent = prompt.contains("none") || fields.get("immediate") == Some("true");
    let fresh = prompt.contains("login") || prompt.contains("select_account");
    match login::person(state, call).filter(|_| !fresh) {
        Some(person) => decide(state, person, ask, silent, prompt.contains("consent")),
        None if silent => Refusal::Callback(Box::new(ask), unsuccessful()).into(),
        None => login::ask(&again(&fields), fields.get("login_hint"), fields.get("display")),
    }
}

fn unsuccessful() -> OauthError {
    refused("immediate_unsuccessful", "immediate authorization was not possible")
}

/// This request once more, without the wish for a login that has been fulfilled when it comes.
fn again(fields: &Fields) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in fields.all() {
        let kept = value.split_whitespace().filter(|word| !matches!(*word, "login" | "select_account"));
        let value = if name == "prompt" { kept.collect::<Vec<_>>().join(" ") } else { value.to_owned() };
        query.append_pair(name, &value);
    }
    format!("/services/oauth2/authorize?{}", query.finish())
}

/// Checks what can be checked before anybody logs in.
fn read(state: &State, fields: &Fields) -> Result<Ask, Refusal> {
    let body = |error: OauthError| Refusal::Body(error);
    let client_id = fields.get("client_id").unwrap_or_default();
    let app = registry::any_app(state, client_id).ok_or_else(|| body(Denied::UnknownClient.at_token()))?;
    let redirect_uri = fields.get("redirect_uri").filter(|uri| !uri.is_empty());
    let redirect_uri =
        redirect_uri.ok_or_else(|| body(refused("redirect_uri_missing", "redirect_uri not provided")))?;
    if !registry::is_callback(&app, redirect_uri) {
        return Err(body(refused("redirect_uri_mismatch", "redirect_uri must match configuration")));
    }
    let answer = match fields.get("response_type") {
        Some("token") => Answer::Token { id_token: false },
        Some("token id_token" | "id_token token") => Answer::Token { id_token: true },
        _ => Answer::Code,
    };
    let own = |name: &str| fields.get(name).map(str::to_owned);
    let ask = Ask {
        client_id: client_id.to_owned(),
        redirect_uri: redirect_uri.to_owned(),
        answer,
        scope: own("scope"),
        state: own("state"),
        nonce: own("nonce"),
        challenge: challenge(fields),
    };
    check(state, fields, &app, ask)
}

fn challenge(fields: &Fields) -> Option<Challenge> {
    let value = fields.get("code_challenge").filter(|value| !value.is_empty())?;
    // Without a method the challenge is taken for S256, as clients that send none rely on.
    Some(Challenge { value: value.to_owned(), plain: fields.get("code_challenge_method") == Some("plain") })
}

fn check(state: &State, fields: &Fields, app: &App, ask: Ask) -> Result<Ask, Refusal> {
    let to_callback = |ask, error, text| Err(Refusal::Callback(Box::new(ask), refused(error, text)));
    match fields.get("response_type") {
        Some("code" | "token" | "token id_token" | "id_token token") => {}
        None => return to_callback(ask, "invalid_request", "response_type not provided"),
        Some(_) => return to_callback(ask, "unsupported_response_type", "response type not supported"),
    }
    if !matches!(fields.get("code_challenge_method"), None | Some("" | "S256" | "plain")) {
        return to_callback(ask, "invalid_request", "code challenge method not supported");
    }
    if app.pkce_required || state.own().is_some_and(|tenant| tenant.options.policy.pkce_required) {
        check_challenge(&ask)?;
    }
    if scopes::granted(ask.scope.as_deref(), &app.scopes) == Err(ScopeError::Unknown) {
        return to_callback(ask, "invalid_scope", "the requested scope is invalid, unknown, or malformed");
    }
    Ok(ask)
}

fn check_challenge(ask: &Ask) -> Result<(), Refusal> {
    if ask.challenge.is_none() && ask.answer == Answer::Code {
        return Err(Refusal::Body(refused("invalid_request", "missing required code challenge")));
    }
    Ok(())
}

/// A refusal that the fault script puts here.
fn scripted(state: &State, call: &Call, ask: &Ask) -> Option<Refusal> {
    call.fired.actions.iter().find_map(|action| match action {
        Action::OauthError { error, description, via } => {
            let error = refused(error, description);
            Some(match via {
                Via::Json => return None,
                Via::Body => Refusal::Body(error),
                Via::Callback => Refusal::Callback(Box::new(ask.clone()), error),
                Via::Page => Refusal::Page(state.tenants().first()?.clone(), ask.state.clone(), error),
            })
        }
        _ => None,
    })
}

/// What a person who is logged in meets: a refusal, the approval page, or the answer at once.
pub(super) fn decide(state: &State, person: Person, ask: Ask, silent: bool, consent: bool) -> Reply {
    let (app, scopes) = match admit(state, &person, &ask) {
        Ok(found) => found,
        Err(refusal) => return refusal.into(),
    };
    let approved = person.tenant.approved(&person.user, &ask.client_id).unwrap_or_default();
    let known = app.admin_approved_only || scopes.iter().all(|scope| approved.contains(scope));
    let device = matches!(ask.answer, Answer::Device(_));
    if known && !consent && !device {
        return finish(state, person, ask, scopes);
    }
    if silent {
        return Refusal::Callback(Box::new(ask), unsuccessful()).into();
    }
    let source = lock(&state.desk).wait(person, ask, scopes);
    login::redirect(&format!("{}?source={}", pages::APPROVAL, encoded(&source)))
}

fn admit(state: &State, person: &Person, ask: &Ask) -> Result<(Arc<App>, Vec<String>), Refusal> {
    let page = |error| Refusal::Page(person.tenant.clone(), ask.state.clone(), error);
    let flow = match ask.answer {
        Answer::Code => Flow::WebServer,
        Answer::Token { .. } => Flow::UserAgent,
        Answer::Device(_) => Flow::Device,
    };
    let app = registry::app(state, &person.tenant, &ask.client_id).map_err(|denied| page(denied.at_authorize()))?;
    // At the login address of several orgs, only now is it known whose rules apply.
    if person.tenant.options.policy.pkce_required {
        check_challenge(ask)?;
    }
    person.tenant.admit(&person.user, &app, flow).map_err(|denied| match denied {
        Denied::NotInstalled | Denied::NotInThisOrg | Denied::ApiOnly => page(denied.at_authorize()),
        // A device has no callback; its user reads the page.
        _ if ask.redirect_uri.is_empty() => page(denied.at_authorize()),
        _ => Refusal::Callback(Box::new(ask.clone()), denied.at_authorize()),
    })?;
    let scopes = scopes::granted(ask.scope.as_deref(), &app.scopes);
    let scopes = scopes.map_err(|_| page(refused("invalid_scope", "the app does not have the requested scope")))?;
    Ok((app, scopes))
}

/// The approval page: shown by GET, answered by POST with `save` or `cancel`.
pub(crate) fn approval(state: &State, call: &Call) -> Reply {
    let fields = Fields::of(call);
    let source = fields.get("source").unwrap_or_default();
    let Some(person) = login::person(state, call) else {
        return login::ask(&format!("{}?source={}", pages::APPROVAL, encoded(source)), None, None);
    };
    let gone = || pages::notice("error", "Allow Access?", "This request is over. Start again in the application.");
    let own = lock(&state.desk).waiting(source).is_some_and(|(asked, ..)| asked.user.id == person.user.id);
    if !own {
        return gone();
    }
    if call.method == Method::POST {
        let Some((person, ask, scopes)) = lock(&state.desk).answered(source) else { return gone() };
        return if fields.get("save").is_some() { allow(state, person, ask, scopes) } else { deny(state, &ask) };
    }
    let desk = lock(&state.desk);
    let Some((_, ask, scopes)) = desk.waiting(source) else { return gone() };
    let name = registry::any_app(state, &ask.client_id).map(|app| app.name.clone()).unwrap_or_default();
    pages::approval(source, &name, &person.user.username, scopes)
}

fn allow(state: &State, person: Person, ask: Ask, scopes: Vec<String>) -> Reply {
    person.tenant.approve(&person.user, &ask.client_id, &scopes);
    finish(state, person, ask, scopes)
}

fn deny(state: &State, ask: &Ask) -> Reply {
    let error = refused("access_denied", "end-user denied authorization");
    if let Answer::Device(code) = &ask.answer {
        if let Some(device) = lock(&state.desk).device(code) {
            device.verdict = Verdict::Denied;
        }
        return pages::notice("result", "Access denied", "You denied access. You can close this page.");
    }
    login::redirect(&callback_error(ask, &error))
}

/// Answers the client that may come in.
fn finish(state: &State, person: Person, ask: Ask, scopes: Vec<String>) -> Reply {
    match &ask.answer {
        Answer::Code => {
            let code = lock(&state.desk).issue_code(person, ask.clone(), scopes);
            let state = ask.state.as_ref().map(|state| format!("&state={}", encoded(state))).unwrap_or_default();
            login::redirect(&with_parameters(&ask, &format!("code={}{state}", encoded(&code))))
        }
        Answer::Token { id_token } => {
            let mut fields = grants::fragment(state, &person, &ask, scopes, *id_token);
            fields.extend(ask.state.iter().map(|state| ("state".to_owned(), state.clone())));
            let text: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
            login::redirect(&with_parameters(&ask, &text.join("&")))
        }
        Answer::Device(code) => {
            if let Some(device) = lock(&state.desk).device(code) {
                device.verdict = Verdict::Allowed { person, scopes };
            }
            pages::notice(
                "result",
                "You're connected",
                "You've successfully connected your device. You can close this page.",
            )
        }
    }
}

/// The page at which a login ends that has no callback.
pub(crate) fn error_page(call: &Call) -> Reply {
    pages::error(call.param("error").unwrap_or_default())
}
