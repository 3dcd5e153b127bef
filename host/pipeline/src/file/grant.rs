//! What a step grants its plugin, and the limits that it sets.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Capabilities given to one plugin. Nothing is granted by default.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Folders in which the plugin may create files: the name it asks for = folder (relative to this file).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Databases the plugin may use: the name it asks for = `sqlite:PATH` (relative to this file).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sql: BTreeMap<String, String>,
    /// Origins that the plugin may send requests to: the name it asks for = origin, methods, paths and credential.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub http: BTreeMap<String, HttpGrant>,
    /// The plugin may read the clock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clock: bool,
    /// The plugin may draw random bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub random: bool,
}

/// One origin that a plugin may send requests to.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpGrant {
    /// Scheme, host and port: `https://api.example.com`, `https://api.example.com:8443`. `http:` only for loopback.
    pub origin: String,
    /// Methods that may be used. Default: `get` and `head`.
    #[serde(default = "safe_methods")]
    pub methods: Vec<Method>,
    /// Beginnings of the paths that may be asked for, whole segments: `/v1` allows `/v1` and `/v1/x`, not `/v10`.
    /// Default: every path.
    #[serde(default = "every_path")]
    pub paths: Vec<String>,
    /// What the host adds to requests that name this origin as their credential; the plugin never sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<HttpCredential>,
    /// Allows addresses of private networks, of this machine and of its link. Default: public addresses only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private_addresses: bool,
}

fn safe_methods() -> Vec<Method> {
    vec![Method::Get, Method::Head]
}

fn every_path() -> Vec<String> {
    vec!["/".to_owned()]
}

/// Method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Reads.
    Get,
    /// Reads the headers only.
    Head,
    /// Sends something new.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

/// A credential by reference: `env:NAME` or `file:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum HttpCredential {
    /// `Authorization: Bearer VALUE`.
    Bearer(String),
    /// `Authorization: Basic …`.
    Basic {
        /// user name, as it is
        user: String,
        /// reference of the password
        password: String,
    },
    /// A header of another name.
    Header {
        /// for example `x-api-key`
        name: String,
        /// reference of the value
        value: String,
    },
}

/// Limits of one plugin; what is absent keeps the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginLimits {
    /// Linear memory, in MiB. Default: 256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub memory_mib: Option<u32>,
    /// Time of one call, in milliseconds. Default: 10,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600000))]
    pub call_ms: Option<u32>,
    /// Bytes a plugin may hand over in one call, in MiB. Default: 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2048))]
    pub output_mib: Option<u32>,
    /// Output rows for each input row of a batch. Default: 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65536))]
    pub fan_out: Option<u32>,
    /// Rows that one call may give back. Default: 16,777,216.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16777216))]
    pub rows: Option<u32>,
    /// Log lines a second; more are dropped and counted. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100000))]
    pub log_lines_per_second: Option<u32>,
    /// Requests over HTTP a second; more are put off. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub http_calls_per_second: Option<u32>,
    /// Bytes of one HTTP response, in MiB. Default: 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub http_response_mib: Option<u32>,
    /// Bytes that the plugin may write to each granted folder in one run, in MiB. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub files_mib: Option<u64>,
    /// WebAssembly instructions of one call, near enough, for a limit that does not depend on the machine; counting
    /// costs speed. Default: not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub fuel: Option<u64>,
}
