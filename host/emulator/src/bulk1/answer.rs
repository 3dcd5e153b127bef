//! From a request to the answer: version, session, allowance, resource, errors in the right form.

use http::{Method, StatusCode};

use super::route::Resource;
use super::wire::{Failure, Form, expired};
use super::{batches, jobs, results};
use crate::auth::{self, Shut};
use crate::server::{ApiVersion, Call, OLDEST_VERSION, Reply, State, lock};

/// Answers one request below `/services/async`.
pub(crate) fn answer(state: &State, call: &Call, version: &str, resource: &Resource) -> Reply {
    let asked = Form::asked(call).unwrap_or(Form::Xml);
    let version = match served(version) {
        Ok(version) => version,
        Err(failure) => return failure.reply(asked),
    };
    let state = &match auth::enter(state, call.async_token()) {
        Ok(state) => state,
        Err(Shut::NoToken | Shut::Expired) => return expired(call),
        Err(shut @ Shut::Moved) => return shut.into(),
        Err(Shut::Unfit | Shut::Disabled) => {
            return Failure::new("FeatureNotEnabled", "Async API not enabled").reply(asked);
        }
        Err(Shut::PasswordExpired) => {
            let message = "The user's password has expired, you must call SetPassword before attempting any other \
                           API operations";
            return Failure::new("InvalidOperation", message).reply(asked);
        }
    };
    if state.count_call() > state.options.daily_api_requests {
        return Failure::new("ExceededQuota", "TotalRequests Limit exceeded.").reply(asked);
    }
    dispatch(state, call, version, resource).unwrap_or_else(|failure| failure.reply(error_form(state, call, resource)))
}

/// Errors about batches come in the form of their job, others in that of the request.
fn error_form(state: &State, call: &Call, resource: &Resource) -> Form {
    let id = match resource {
        Resource::Batches(job)
        | Resource::Batch { job, .. }
        | Resource::Request { job, .. }
        | Resource::Results { job, .. }
        | Resource::Result { job, .. } => Some(job),
        Resource::Jobs | Resource::Job(_) | Resource::Unknown => None,
    };
    let of_job =
        id.and_then(|id| lock(&state.classic_jobs).find(id, &state.options, &[], false).map(|job| job.content.form()));
    of_job.or_else(|| Form::asked(call)).unwrap_or(Form::Xml)
}

fn served(text: &str) -> Result<ApiVersion, Failure> {
    let invalid = || Failure::new("InvalidVersion", format!("Invalid API version: {text}"));
    let version = ApiVersion::parse(text).ok_or_else(invalid)?;
    if version.0 < OLDEST_VERSION {
        let gone = Failure::new("Gone", "The requested API version has been retired");
        return Err(Failure { status: StatusCode::GONE, ..gone });
    }
    if version.is_served() { Ok(version) } else { Err(invalid()) }
}

fn dispatch(state: &State, call: &Call, version: ApiVersion, resource: &Resource) -> Result<Reply, Failure> {
    let post = call.method == Method::POST;
    let get = matches!(call.method, Method::GET | Method::HEAD);
    match resource {
        Resource::Jobs if post => jobs::create(state, call, version),
        Resource::Job(id) if post => jobs::change(state, call, id),
        Resource::Job(id) if get => jobs::get(state, call, id),
        Resource::Batches(id) if post => batches::add(state, call, id, version),
        Resource::Batches(id) if get => batches::list(state, call, id, version),
        Resource::Batch { job, batch } if get => batches::get(state, call, (job, batch), version),
        Resource::Request { job, batch } if get => batches::request(state, call, (job, batch), version),
        Resource::Results { job, batch } if get => results::list(state, call, (job, batch), version),
        Resource::Result { job, batch, result } if get => results::result(state, call, (job, batch), result, version),
        Resource::Unknown => Err(Failure::new("InvalidUrl", "The requested resource does not exist")),
        _ => {
            let message = format!("HTTP Method '{}' not allowed", call.method);
            let failure = Failure::new("MethodNotAllowed", message);
            Err(Failure { status: StatusCode::METHOD_NOT_ALLOWED, ..failure })
        }
    }
}
