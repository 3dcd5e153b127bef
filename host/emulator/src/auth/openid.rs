//! OpenID Connect: the discovery document, the keys, and the tokens that they sign.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::scopes;
use super::sessions::Grant;
use super::tenant::Tenant;
use crate::access::App;
use crate::server::{Reply, State};

/// The key that signs tokens: published, and good for nothing but this emulator.
const KEY: &str = include_str!("../../data/keys/signing.key");
/// Its name.
const KEY_ID: &str = "emulator-1";
/// Seconds for which an id token is good.
const ID_TOKEN_SECONDS: i64 = 120;

/// `/.well-known/openid-configuration`.
pub(crate) fn configuration(state: &State) -> Reply {
    let base = &state.base_url;
    let oauth = |name: &str| format!("{base}/services/oauth2/{name}");
    Reply::ok(&json!({
        "issuer": base,
        "authorization_endpoint": oauth("authorize"),
        "token_endpoint": oauth("token"),
        "revocation_endpoint": oauth("revoke"),
        "userinfo_endpoint": oauth("userinfo"),
        "jwks_uri": format!("{base}/id/keys"),
        "introspection_endpoint": oauth("introspect"),
        "scopes_supported": scopes::ALL.as_slice(),
        "response_types_supported": ["code", "token", "token id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "display_values_supported": ["page", "popup", "touch"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "claims_supported": [
            "active", "address", "email", "email_verified", "family_name", "given_name", "is_app_installed",
            "language", "locale", "name", "nickname", "organization_id", "phone_number", "phone_number_verified",
            "photos", "picture", "preferred_username", "profile", "sub", "updated_at", "urls", "user_id", "user_type",
            "zoneinfo",
        ],
    }))
}

/// `/id/keys`, the set of public keys.
pub(crate) fn keys() -> Reply {
    let (modulus, exponent) = public_parts().unwrap_or_default();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    Reply::ok(&json!({"keys": [{
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": KEY_ID,
        "n": encode(&modulus),
        "e": encode(&exponent),
    }]}))
}

/// An id token for the client; `at_hash` binds it to the access token.
pub(super) fn id_token(state: &State, app: &App, grant: &Grant, nonce: Option<String>, access_token: &str) -> String {
    let now = Utc::now().timestamp();
    let digest = Sha256::digest(access_token.as_bytes());
    let mut claims = json!({
        "at_hash": URL_SAFE_NO_PAD.encode(&digest[..digest.len() / 2]),
        "sub": grant.user.identity_url(&state.login_url),
        "aud": app.client_id,
        "iss": state.base_url,
        "exp": now + ID_TOKEN_SECONDS,
        "iat": now,
    });
    if let (Some(nonce), Some(claims)) = (nonce, claims.as_object_mut()) {
        claims.insert("nonce".to_owned(), nonce.into());
    }
    sign(&claims)
}

/// An access token in JWT format.
pub(super) fn access_token(state: &State, tenant: &Tenant, grant: &Grant, id: &str) -> String {
    let now = Utc::now().timestamp();
    let lifetime = i64::try_from(tenant.options.policy.session_seconds).unwrap_or(i64::MAX / 2);
    let claims = json!({
        "scp": grant.scopes.join(" "),
        "aud": [tenant.instance_url()],
        "sub": format!("uid:{}", grant.user.id),
        "nbf": now,
        "mty": "oauth",
        "sfi": id,
        "roles": [],
        "iss": state.login_url,
        "hsc": false,
        "exp": now.saturating_add(lifetime),
        "iat": now,
        "client_id": grant.client_id,
    });
    sign(&claims)
}

fn sign(claims: &Value) -> String {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(KEY_ID.to_owned());
    // The key is part of the program; the test below signs with it.
    let key = EncodingKey::from_rsa_pem(KEY.as_bytes());
    key.and_then(|key| jsonwebtoken::encode(&header, claims, &key)).unwrap_or_default()
}

/// Modulus and exponent of the key (RFC 8017, A.1.2: version, modulus, public exponent …).
fn public_parts() -> Option<(Vec<u8>, Vec<u8>)> {
    let text: String = KEY.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(text).ok()?;
    let (sequence, _) = value(&der)?;
    let (_version, rest) = value(sequence)?;
    let (modulus, rest) = value(rest)?;
    let (exponent, _) = value(rest)?;
    let unsigned = |bytes: &[u8]| bytes.strip_prefix(&[0]).unwrap_or(bytes).to_vec();
    Some((unsigned(modulus), unsigned(exponent)))
}

/// The content of the first DER value, and what follows it.
fn value(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, mut rest) = der.get(1..)?.split_first()?;
    let mut length = usize::from(*first);
    if length >= 0x80 {
        let (bytes, after) = rest.split_at_checked(length - 0x80)?;
        length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        rest = after;
    }
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{DecodingKey, crypto};

    #[test]
    fn the_published_key_verifies_what_is_signed() {
        let (modulus, exponent) = public_parts().unwrap();
        assert_eq!((modulus.len(), exponent.as_slice()), (256, [1, 0, 1].as_slice()));
        let token = sign(&json!({"sub": "x"}));
        let (message, signature) = token.rsplit_once('.').unwrap();
        let key = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
        assert!(crypto::verify(signature, message.as_bytes(), &key, Algorithm::RS256).unwrap());
    }
}
