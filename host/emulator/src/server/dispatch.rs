//! From a request to the code that answers it: method, version, session, allowance, resource.

use http::{Method, StatusCode};

use super::call::Call;
use super::reply::Reply;
use super::route::{ApiVersion, OLDEST_VERSION, Resource, Route};
use super::state::State;
use crate::rest::Key;
use crate::{auth, bulk1, bulk2, rest};

/// Answers one request.
pub(crate) fn answer(state: &State, call: &Call, route: &Route) -> Reply {
    let reply = as_json(state, call, route);
    match rest::xml_root(call, route) {
        Some(root) => rest::as_xml(reply, root),
        None => reply,
    }
}

fn as_json(state: &State, call: &Call, route: &Route) -> Reply {
    if let Some(refused) = refuse_method(call, route) {
        return refused;
    }
    match route {
        Route::Authorize => auth::authorize(state, call),
        Route::Login => auth::login(state, call),
        Route::Home => auth::home(state, call),
        Route::Logout => auth::logout(state, call),
        Route::ChangePassword => auth::change_password(state, call),
        Route::Approval => auth::approval(state, call),
        Route::Connect => auth::connect(state, call),
        Route::ErrorPage => auth::error_page(call),
        Route::OpenidConfiguration => auth::configuration(state),
        Route::Keys => auth::keys(),
        Route::Token => auth::token(state, call),
        Route::Revoke => auth::revoke(state, call),
        Route::Introspect => auth::introspect(state, call),
        Route::Userinfo => auth::userinfo(state, call),
        Route::Identity { organization, user } => auth::identity(state, call, organization, user),
        Route::Soap { version, enterprise } => auth::soap(state, call, version, *enterprise),
        Route::Versions => rest::versions(),
        Route::Control if state.options.control && call.method == Method::POST => super::control::control(state, call),
        Route::Data { version, resource } => data(state, call, *version, resource),
        Route::Async { version, resource } => bulk1::answer(state, call, version, resource),
        Route::Control | Route::Unknown => Reply::not_found(),
    }
}

fn refuse_method(call: &Call, route: &Route) -> Option<Reply> {
    let allowed = route.methods();
    // The token endpoint has its own words for a wrong method.
    if allowed.is_empty() || *route == Route::Token || allowed.contains(&call.method.as_str()) {
        return None;
    }
    let message = format!("HTTP Method '{}' not allowed. Allowed are {}", call.method, allowed.join(","));
    Some(Reply::error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", &message))
}

fn data(state: &State, call: &Call, version: ApiVersion, resource: &Resource) -> Reply {
    if version.0 < OLDEST_VERSION {
        let message = "The requested API version has been retired";
        return Reply::error(StatusCode::GONE, "UNSUPPORTED_API_VERSION", message);
    }
    if !version.is_served() {
        return Reply::not_found();
    }
    let state = &match auth::enter(state, call.token()) {
        Ok(state) => state,
        Err(shut) => return shut.into(),
    };
    if state.count_call() > state.options.daily_api_requests {
        return Reply::error(StatusCode::FORBIDDEN, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
    }
    if let Some(refused) = refuse_media_type(call) {
        return refused;
    }
    self::resource(state, call, version, resource)
}

/// Bodies are JSON; those that do not say what they are, are taken for it.
fn refuse_media_type(call: &Call) -> Option<Reply> {
    let kind = call.media_type().filter(|kind| !call.body.is_empty() && !kind.ends_with("json"))?;
    let message = format!("The Content-Type {kind} of this request is not supported; use application/json");
    Some(Reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", &message))
}

/// Answers a request that is let in.
pub(crate) fn resource(state: &State, call: &Call, version: ApiVersion, resource: &Resource) -> Reply {
    match resource {
        Resource::Composite => rest::composite(state, call),
        Resource::CompositeBatch => rest::batch(state, call),
        Resource::CompositeTree(object) => rest::tree(state, call, object, version),
        Resource::Collections { object, key } => {
            rest::collections(state, call, object.as_deref(), key.as_deref(), version)
        }
        Resource::Root => rest::resources(state, version),
        Resource::Limits => rest::limits(state),
        Resource::RecordCount => rest::record_count(state, call),
        Resource::Sobjects => rest::sobjects(state, call, version),
        Resource::Sobject(object) if call.method == Method::POST => rest::create(state, call, object, version),
        Resource::Sobject(object) => rest::sobject(state, object, version),
        Resource::Describe(object) => rest::describe(state, call, object, version),
        Resource::Record { object, .. } if call.method == Method::POST => rest::create(state, call, object, version),
        Resource::Record { object, id } if call.method == Method::PATCH => rest::update(state, call, object, id),
        Resource::Record { object, id } if call.method == Method::DELETE => rest::delete(state, object, id),
        Resource::Record { object, id } => rest::record(state, call, object, id, version),
        Resource::RecordByKey { object, field, value } if call.method == Method::PATCH => {
            rest::upsert(state, call, Key { object, field, value }, version)
        }
        Resource::RecordByKey { object, field, value } if call.method == Method::DELETE => {
            rest::delete_by_key(state, Key { object, field, value }, version)
        }
        Resource::RecordByKey { object, field, value } => {
            rest::record_by_key(state, call, Key { object, field, value }, version)
        }
        Resource::Changes { object, deleted } => rest::changes(state, call, object, version, *deleted),
        Resource::Query { all } => rest::query(state, call, version, *all),
        Resource::Tooling => rest::tooling_resources(version),
        Resource::ToolingQuery => rest::tooling_query(state, call, version),
        Resource::QueryMore { locator } => rest::query_more(state, call, locator, version),
        Resource::Jobs if call.method == Method::POST => bulk2::create(state, call, version),
        Resource::Jobs => bulk2::list(state, call, version),
        Resource::Ingest if call.method == Method::POST => bulk2::refuse_ingest(),
        Resource::Ingest => bulk2::list(state, call, version),
        Resource::Job(id) if call.method == Method::PATCH => bulk2::abort(state, call, id),
        Resource::Job(id) if call.method == Method::DELETE => bulk2::delete(state, call, id),
        Resource::Job(id) => bulk2::get(state, call, id),
        Resource::JobResults(id) => bulk2::results(state, call, id, version),
        Resource::JobResultPages(id) => bulk2::result_pages(state, call, id, version),
        Resource::Unknown => Reply::not_found(),
    }
}
