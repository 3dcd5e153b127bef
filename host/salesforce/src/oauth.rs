//! Token requests (OAuth 2.0) through the `oauth2` crate, and what their errors mean to a person.

use std::pin::Pin;
use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, StandardRevocableToken,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::credentials::{App, Credentials};
use crate::error::{Error, Result};
use crate::jwt;
use crate::soap_login::soap_login;
use crate::words::network::NoAnswer;
use crate::words::oauth::explain;
use crate::words::status::{self, Body};

/// RFC 7523, 2.1.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// A token answer is about 1 kB; more is not one.
const MAX_TOKEN_ANSWER_BYTES: usize = 256 * 1024;

/// A token and where it is valid.
pub(crate) struct Granted {
    pub(crate) access_token: SecretString,
    /// Re-read at every renewal: orgs move.
    pub(crate) instance_url: Option<String>,
    /// Only when the app rotates refresh tokens; the old one is dead from now on.
    pub(crate) rotated: Option<SecretString>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SalesforceFields {
    #[serde(default)]
    instance_url: Option<String>,
}

impl oauth2::ExtraTokenFields for SalesforceFields {}

type TokenAnswer = StandardTokenResponse<SalesforceFields, BasicTokenType>;
type OAuthClient = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;
type TokenClient = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;
type Failure = RequestTokenError<TokenHttpError, BasicErrorResponse>;

/// Asks for a token at `login_url`. One request, no retry: see [`crate::session`].
pub(crate) async fn request_token(http: &TokenHttp, login_url: &Url, credentials: &Credentials) -> Result<Granted> {
    if let Credentials::Soap { username, password, security_token } = credentials {
        return soap_login(http, login_url, username, password, security_token.as_ref()).await;
    }
    let token_url = token_url(login_url)?;
    let host = login_url.host_str().unwrap_or_default();
    let answer = match credentials {
        Credentials::AccessToken { token } => {
            return Ok(Granted { access_token: token.clone(), instance_url: None, rotated: None });
        }
        Credentials::Soap { .. } => return Err(Error::config("the SOAP login has no token endpoint")),
        Credentials::JwtBearer { client_id, username, audience, private_key } => {
            let assertion = jwt::assertion(client_id, username, audience, private_key)?;
            let form = [("grant_type", JWT_BEARER), ("assertion", &assertion)];
            return form_grant(http, login_url, &form).await;
        }
        Credentials::ClientPair { client_id, client_secret } => {
            let client = OAuthClient::new(ClientId::new(client_id.clone()))
                .set_auth_type(AuthType::RequestBody)
                .set_client_secret(ClientSecret::new(client_secret.expose_secret().to_owned()))
                .set_token_uri(token_url);
            client.exchange_client_credentials().request_async(http).await
        }
        Credentials::RefreshToken { app, refresh_token, .. } => {
            return refresh_grant(http, login_url, app, refresh_token).await;
        }
        Credentials::Stored { .. } => return Err(Error::config("the tokens of this connection are in the store")),
    };
    answer.map(granted).map_err(|failure| auth_error(host, failure))
}

/// A new access token, and with rotation a new refresh token. One request, never repeated here.
pub(crate) async fn refresh_grant(
    http: &TokenHttp,
    login_url: &Url,
    app: &App,
    refresh_token: &SecretString,
) -> Result<Granted> {
    let token = RefreshToken::new(refresh_token.expose_secret().to_owned());
    let answer = client(login_url, app)?.exchange_refresh_token(&token).request_async(http).await;
    answer.map(granted).map_err(|failure| auth_error(login_url.host_str().unwrap_or_default(), failure))
}

/// The tokens that an authorization code stands for; it is good for one exchange.
pub(crate) async fn code_grant(
    http: &TokenHttp,
    login_url: &Url,
    app: &App,
    code: &SecretString,
    redirect_uri: &RedirectUrl,
    verifier: Option<PkceCodeVerifier>,
) -> Result<Granted> {
    let client = client(login_url, app)?.set_redirect_uri(redirect_uri.clone());
    let mut exchange = client.exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()));
    if let Some(verifier) = verifier {
        exchange = exchange.set_pkce_verifier(verifier);
    }
    let answer = exchange.request_async(http).await;
    answer.map(granted).map_err(|failure| auth_error(login_url.host_str().unwrap_or_default(), failure))
}

/// A secret that is sent is checked, also where the app does not require one: none is sent unless there is one.
fn client(login_url: &Url, app: &App) -> Result<TokenClient> {
    let mut client = OAuthClient::new(ClientId::new(app.client_id.clone())).set_auth_type(AuthType::RequestBody);
    if let Some(secret) = &app.client_secret {
        client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
    }
    Ok(client.set_token_uri(token_url(login_url)?))
}

/// For the grants that the `oauth2` crate has no call for: JWT bearer (RFC 7523), and Salesforce's own device flow.
pub(crate) async fn form_grant(http: &TokenHttp, login_url: &Url, form: &[(&str, &str)]) -> Result<Granted> {
    form_answer::<TokenAnswer>(http, login_url, form).await.map(granted)
}

/// Posts a form to the token endpoint and reads its answer.
pub(crate) async fn form_answer<T: serde::de::DeserializeOwned>(
    http: &TokenHttp,
    login_url: &Url,
    form: &[(&str, &str)],
) -> Result<T> {
    let host = login_url.host_str().unwrap_or_default();
    let body = Url::parse_with_params("form:", form).ok().and_then(|url| url.query().map(str::to_owned));
    let mut request = HttpRequest::new(body.unwrap_or_default().into_bytes());
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() =
        token_url(login_url)?.as_str().parse().map_err(|_| Error::config("the token address is no URI"))?;
    let headers = request.headers_mut();
    headers.insert(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/x-www-form-urlencoded"));
    let answer = http.call(request).await.map_err(|error| error.into_error(host))?;
    if let Ok(refused) = serde_json::from_slice::<BasicErrorResponse>(answer.body()) {
        let description = refused.error_description().map(String::as_str).unwrap_or_default();
        return Err(explain(host, refused.error().as_ref(), description));
    }
    serde_json::from_slice(answer.body()).map_err(|error| unreadable(host, &error.to_string(), answer.body()))
}

fn token_url(login_url: &Url) -> Result<TokenUrl> {
    let text = format!("{}/services/oauth2/token", login_url.as_str().trim_end_matches('/'));
    TokenUrl::new(text).map_err(|e| Error::config(format!("{login_url}: no token address can be built: {e}")))
}

fn granted(answer: TokenAnswer) -> Granted {
    Granted {
        access_token: SecretString::from(answer.access_token().secret().to_owned()),
        instance_url: answer.extra_fields().instance_url.clone(),
        rotated: answer.refresh_token().map(|token| SecretString::from(token.secret().to_owned())),
    }
}

/// Never shows the body: on a strange answer it may hold a token.
fn auth_error(host: &str, failure: Failure) -> Error {
    match failure {
        RequestTokenError::ServerResponse(answer) => {
            let description = answer.error_description().map(String::as_str).unwrap_or_default();
            explain(host, answer.error().as_ref(), description)
        }
        RequestTokenError::Request(error) => error.into_error(host),
        RequestTokenError::Parse(error, body) => {
            unreadable(host, &format!("{} at {}", error.inner(), error.path()), &body)
        }
        RequestTokenError::Other(detail) => unreadable(host, &detail, &[]),
    }
}

fn unreadable(host: &str, detail: &str, body: &[u8]) -> Error {
    let what = if Body::of(body) == Body::Html { "an HTML page instead of a token" } else { "no token" };
    // serde's text may quote a value of the answer, which may be a token: only its shape is told
    let shape = if detail.contains("missing field") { ", a field is missing" } else { "" };
    status::not_a_login(host, &format!("the token endpoint answered with {what}{shape} ({} bytes)", body.len()))
}

/// Our reqwest client in the shape that `oauth2` wants.
pub(crate) struct TokenHttp {
    pub(crate) client: reqwest::Client,
    pub(crate) timeout: Duration,
}

/// Why a token request got no OAuth answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum TokenHttpError {
    #[error("no answer")]
    Transport(NoAnswer),
    #[error("http status {0}")]
    Status(u16, Body),
    #[error("answer larger than {MAX_TOKEN_ANSWER_BYTES} bytes")]
    TooLarge,
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

impl TokenHttpError {
    fn into_error(self, host: &str) -> Error {
        let what = format!("login at {host}");
        match self {
            Self::Transport(no_answer) => no_answer.into_error(what),
            Self::Timeout(waited) => Error::Stalled { what, waited },
            Self::Status(status, body) => status::explain(host, status, body),
            Self::TooLarge => Error::protocol(what, "the token answer is too large to be one"),
        }
    }
}

impl<'c> AsyncHttpClient<'c> for TokenHttp {
    type Error = TokenHttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, TokenHttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let whole = self.exchange(request);
            tokio::time::timeout(self.timeout, whole).await.map_err(|_| TokenHttpError::Timeout(self.timeout))?
        })
    }
}

impl TokenHttp {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, TokenHttpError> {
        let (parts, body) = request.into_parts();
        let sent = self.client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send();
        let mut response = sent.await.map_err(transport)?;
        let status = response.status().as_u16();
        if is_trouble(status) {
            let start = response.chunk().await.ok().flatten().unwrap_or_default();
            return Err(TokenHttpError::Status(status, Body::of(&start)));
        }
        let mut answer = http::Response::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = json_headers(response.headers());
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            answer.body_mut().extend_from_slice(&chunk);
            if answer.body().len() > MAX_TOKEN_ANSWER_BYTES {
                return Err(TokenHttpError::TooLarge);
            }
        }
        if response.status().is_success() {
            add_token_type(answer.body_mut());
        } else if serde_json::from_slice::<BasicErrorResponse>(answer.body()).is_err() {
            return Err(TokenHttpError::Status(status, Body::of(answer.body())));
        }
        Ok(answer)
    }
}

/// OAuth errors are 400 (and 401, 403 from gateways); a redirect or a 5xx is never one.
fn is_trouble(status: u16) -> bool {
    (300..400).contains(&status) || status >= 500 || matches!(status, 420 | 429)
}

/// `oauth2` insists on a token type, which old recorded answers lack; Salesforce knows one only.
fn add_token_type(body: &mut Vec<u8>) {
    if let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_slice(body)
        && fields.contains_key("access_token")
        && !fields.contains_key("token_type")
    {
        fields.insert("token_type".to_owned(), "Bearer".into());
        *body = serde_json::Value::Object(fields).to_string().into_bytes();
    }
}

/// `oauth2` insists on a JSON content type; Salesforce's body is JSON whatever a gateway makes of the header.
fn json_headers(received: &http::HeaderMap) -> http::HeaderMap {
    let mut headers = received.clone();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    headers
}

fn transport(error: reqwest::Error) -> TokenHttpError {
    TokenHttpError::Transport(NoAnswer::of(error))
}
