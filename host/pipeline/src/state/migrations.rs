//! The tables of the state, step by step.

/// Step n leads from version n to version n + 1 (`PRAGMA user_version`).
pub(super) const MIGRATIONS: &[&str] = &[
    // 0: what an org refused to give by an API, so that the next run does not ask in vain;
    //    the fields that the last whole run of a pipeline could see.
    "CREATE TABLE org_refusal (
        org TEXT NOT NULL,              -- organization id, 15 characters
        object TEXT NOT NULL,           -- API name
        api TEXT NOT NULL,              -- bulk2, bulk1 or rest
        reason TEXT NOT NULL,           -- what Salesforce said
        seen_at INTEGER NOT NULL,       -- microseconds since the epoch
        PRIMARY KEY (org, object, api)
    ) STRICT;
    CREATE TABLE field_seen (
        pipeline TEXT NOT NULL,         -- name of the pipeline
        org TEXT NOT NULL,
        object TEXT NOT NULL,
        field TEXT NOT NULL,            -- API name
        type TEXT NOT NULL,             -- Salesforce's word for it
        seen_at INTEGER NOT NULL,
        PRIMARY KEY (pipeline, org, object, field)
    ) STRICT;",
    // 1: runs.
    "CREATE TABLE run (
        id TEXT PRIMARY KEY,
        pipeline TEXT NOT NULL,         -- name of the pipeline
        file TEXT NOT NULL,             -- the pipeline file, as it was given
        started_at INTEGER NOT NULL,    -- microseconds since the epoch
        ended_at INTEGER,               -- none: under way, or killed
        state TEXT NOT NULL,            -- running, or the report's word
        report TEXT                     -- the report as JSON
    ) STRICT;
    CREATE INDEX run_of_pipeline ON run (pipeline, started_at);",
    // 2: cursors of incremental runs, and the rows that the next window may meet again.
    "CREATE TABLE cursor (
        pipeline TEXT NOT NULL,
        org TEXT NOT NULL,
        object TEXT NOT NULL,
        field TEXT NOT NULL,            -- API name of the cursor field
        value INTEGER NOT NULL,         -- end of the last complete run's window, microseconds since the epoch
        run TEXT NOT NULL,              -- that run
        PRIMARY KEY (pipeline, org, object)
    ) STRICT;
    CREATE TABLE overlap (
        run TEXT NOT NULL,
        hash BLOB NOT NULL,             -- 16 bytes of SHA-256 over id and cursor value
        PRIMARY KEY (run, hash)
    ) STRICT, WITHOUT ROWID;",
];
