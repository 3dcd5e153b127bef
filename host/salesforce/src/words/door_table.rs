//! Limits, sessions that are refused, and bare HTTP statuses: what no code of the API list tells.

use super::api_table::{AGAIN, REPORT, START_AGAIN};
use super::{Words, entry};

/// Limits that waiting, or asking for less, gets past.
pub(super) const LIMITS: &[Words] = &[
    entry(
        "",
        "concurrent",
        "too many long requests run at once in the org",
        "an org may have 25 that take 20 s or longer (Developer and trial orgs 5), of all its programs together",
        "run at another hour, or set limits.concurrency of the connection lower",
    ),
    entry(
        "",
        "query jobs",
        "the org's Bulk API 2.0 query jobs of 24 hours are used up",
        "",
        "wait until the window frees some (`forcepump org limits` shows DailyBulkV2QueryJobs), use api = \"rest\" for small objects, or ask Salesforce for more",
    ),
    entry(
        "",
        "result size",
        "the org's storage for results of Bulk API 2.0 is used up",
        "results count for 24 hours, also of jobs that were deleted",
        "wait until the window frees some (`forcepump org limits` shows DailyBulkV2QueryFileStorageMB), or read fewer columns",
    ),
    entry(
        "",
        "apibatchitems",
        "the org's Bulk API batches of 24 hours are used up",
        "every chunk of PK chunking is a batch",
        "wait until the window frees some (`forcepump org limits` shows DailyBulkApiBatches), or make pk_chunking's chunks larger",
    ),
    entry(
        "STORAGE_LIMIT_EXCEEDED",
        "",
        "the org's storage is full",
        "",
        "delete data, or buy storage: Setup > Storage Usage",
    ),
    entry(
        "EXCEEDED_QUOTA",
        "",
        "a quota of the org is used up",
        "",
        "wait until the window of 24 hours frees some: `forcepump org limits` and Setup > Company Information",
    ),
    entry(
        "",
        "",
        "the org's API calls of 24 hours are used up",
        "all programs of the org count together",
        "wait until the window frees some: Setup > Company Information > API Requests, Last 24 Hours; or ask Salesforce for more",
    ),
];

/// Sessions that are alive and not allowed, and refusals at the door.
pub(super) const SESSION: &[Words] = &[
    entry(
        "",
        "not attached to agent",
        "the connected app may not be used for this",
        "",
        "attach the app to the agent, or use another app",
    ),
    entry(
        "INVALID_AUTH_HEADER",
        "",
        "the token did not arrive as it should",
        "something between rewrites the header",
        "check any proxy between this machine and Salesforce",
    ),
    entry(
        "",
        "not valid for use with the",
        "the session is alive, but may not be used for the API",
        "the app lacks the scope \"api\", the user \"API Enabled\", the address is not in the login IP ranges, the session is not high-assurance, or API Access Control is on",
        "Setup > the app > OAuth Scopes > api; Setup > Permission Sets > System Permissions > API Enabled, and \"Use Any API Client\" with API Access Control; Setup > Session Settings > login IP ranges on every request",
    ),
    entry(
        "",
        "",
        "the session was refused, and a new login did not cure it",
        "the address changed during the session, a policy ends sessions at once, or the app lacks the scope \"api\" or the user \"API Enabled\"",
        "Setup > Session Settings > Lock sessions to the IP address; Setup > the app > OAuth Scopes > api; Setup > Permission Sets > System Permissions > API Enabled",
    ),
];

/// Statuses, for answers whose code says nothing.
pub(super) const STATUS: &[(u16, Words)] = &[
    (
        300,
        entry(
            "",
            "",
            "more than one record has this external id",
            "",
            "make the external id unique: Setup > Object Manager > the object > Fields",
        ),
    ),
    (
        301,
        entry(
            "",
            "",
            "the org is at another address",
            "it moved, or this is not its own host",
            "use the org's My Domain: Setup > My Domain",
        ),
    ),
    (
        302,
        entry(
            "",
            "",
            "the org is at another address",
            "it moved, or this is not its own host",
            "use the org's My Domain: Setup > My Domain",
        ),
    ),
    (
        403,
        entry(
            "",
            "",
            "Salesforce, or something between, refuses the request",
            "a permission is missing, or a firewall stands between",
            "Setup > Permission Sets > System Permissions > API Enabled; check any proxy",
        ),
    ),
    (
        404,
        entry(
            "",
            "",
            "what was asked for does not exist",
            "it was deleted, is older than 7 days (jobs), or the user may not see it",
            "run again; check the url of the connection",
        ),
    ),
    (405, entry("", "", "the resource does not do this", "something between rewrites the request", REPORT)),
    (
        406,
        entry(
            "",
            "",
            "the server refused the Accept header",
            "something between rewrites the request",
            "check any proxy between this machine and Salesforce",
        ),
    ),
    (409, entry("", "", "results are given only to the API version that created the job", "", START_AGAIN)),
    (
        410,
        entry(
            "",
            "",
            "this API version is retired",
            "",
            "raise api_version; `forcepump connection test` says what the org offers",
        ),
    ),
    (412, entry("", "", "the record changed meanwhile", "", START_AGAIN)),
    (
        414,
        entry(
            "",
            "",
            "the request is too long",
            "address and headers have 16384 bytes",
            "name fewer fields, shorten `where`, or use Bulk API",
        ),
    ),
    (
        415,
        entry(
            "",
            "",
            "Salesforce does not take this form of request",
            "something between rewrites the request",
            REPORT,
        ),
    ),
    (420, entry("", "", "the org is being started or moved", "", "try again in a few minutes")),
    (428, entry("", "", "Salesforce wants the request made on a condition", "", REPORT)),
    (
        429,
        entry(
            "",
            "",
            "too many requests",
            "",
            "run again in a minute, or set limits.requests_per_second of the connection lower",
        ),
    ),
    (
        431,
        entry(
            "",
            "",
            "the request is too long",
            "address and headers have 16384 bytes",
            "name fewer fields, shorten `where`, or use Bulk API",
        ),
    ),
    (500, entry("", "", "a fault inside Salesforce", "", AGAIN)),
    (502, entry("", "", "Salesforce, or something between, does not answer", "", AGAIN)),
    (503, entry("", "", "Salesforce is overloaded or in maintenance", "", AGAIN)),
    (504, entry("", "", "Salesforce, or something between, took too long", "", AGAIN)),
];
