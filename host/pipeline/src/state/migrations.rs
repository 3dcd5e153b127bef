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
    // 3: what a run needs to go on where it stopped: its plan, its feeds, their jobs, and the units that are committed.
    "ALTER TABLE run ADD COLUMN fingerprint TEXT;    -- of what it was planned from; none: nothing was begun
    ALTER TABLE run ADD COLUMN plan TEXT;            -- as JSON: the file, the values given, the moment
    ALTER TABLE run ADD COLUMN resumable INTEGER NOT NULL DEFAULT 0; -- it ended unfinished and can go on
    ALTER TABLE run ADD COLUMN resumed INTEGER NOT NULL DEFAULT 0;   -- how often it went on
    CREATE TABLE feed (
        run TEXT NOT NULL,
        feed TEXT NOT NULL,             -- its name in the pipeline file
        object TEXT NOT NULL,           -- API name
        org TEXT NOT NULL,              -- organization id, 15 characters
        \"window\" TEXT,                 -- of an incremental one, as JSON
        concluded INTEGER NOT NULL DEFAULT 0, -- the destination did its last step
        PRIMARY KEY (run, feed)
    ) STRICT;
    CREATE TABLE job (
        run TEXT NOT NULL,
        feed TEXT NOT NULL,
        pass TEXT NOT NULL,             -- prefix of its units; empty: the main one
        api TEXT NOT NULL,              -- bulk2, bulk1 or rest
        id TEXT,                        -- none of a REST query
        soql TEXT NOT NULL,
        options TEXT NOT NULL,          -- as JSON
        memory TEXT NOT NULL,           -- what the extract has to know of it, as JSON
        created_at INTEGER NOT NULL,
        announced INTEGER,              -- rows of the whole result, once told
        done INTEGER NOT NULL DEFAULT 0, -- every unit is committed, and the total adds up
        PRIMARY KEY (run, feed, pass)
    ) STRICT;
    CREATE TABLE unit (
        run TEXT NOT NULL,
        feed TEXT NOT NULL,
        pass TEXT NOT NULL,
        unit TEXT NOT NULL,             -- its id, the pass's prefix included
        number INTEGER NOT NULL,        -- in the order of the commits, from 0
        read INTEGER NOT NULL,
        filtered INTEGER NOT NULL,
        added INTEGER NOT NULL,
        rejected INTEGER NOT NULL,
        written INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        token TEXT NOT NULL,            -- what the destination's commit gave
        part TEXT,                      -- what the extract has to know of the part
        rejects_bytes INTEGER NOT NULL, -- length of the rejects file after it
        min_id TEXT,
        max_id TEXT,
        ascending INTEGER NOT NULL,     -- its ids came in ascending order
        files TEXT,                     -- what the host wrote for it, as JSON
        read_hash BLOB,
        written_hash BLOB,
        standing INTEGER NOT NULL,      -- 0: committed, 1: committed, and to be read again, 2: perhaps committed, 3: denied, 4: begun
        committed_at INTEGER NOT NULL,
        PRIMARY KEY (run, feed, pass, unit)
    ) STRICT, WITHOUT ROWID;",
    // 4: the slices that passes are read in.
    "CREATE TABLE slice (
        run TEXT NOT NULL,
        feed TEXT NOT NULL,
        root TEXT NOT NULL,             -- the pass that was cut; empty: the main one
        name TEXT NOT NULL,             -- its own name as a pass
        cut TEXT NOT NULL,              -- what it holds, as JSON
        PRIMARY KEY (run, feed, name)
    ) STRICT;",
    // 5: where the host carried the rows of committed units.
    "CREATE TABLE unit_place (
        run TEXT NOT NULL,
        feed TEXT NOT NULL,
        unit TEXT NOT NULL,
        number INTEGER NOT NULL,        -- of the place among those of the unit, from 0
        kind TEXT NOT NULL,             -- file or table
        place TEXT NOT NULL,            -- granted folder, or database file, as the pipeline file has it
        name TEXT NOT NULL,             -- path below the folder, or table
        format TEXT NOT NULL,           -- of a file; of a table how rows met rows that were there
        compression TEXT,
        rows INTEGER NOT NULL,
        bytes INTEGER,
        sha256 TEXT,
        PRIMARY KEY (run, feed, unit, number)
    ) STRICT, WITHOUT ROWID;",
    // 6: how the feeds of a run of several ended.
    "CREATE TABLE feed_end (
        run TEXT NOT NULL,
        feed TEXT NOT NULL,
        report TEXT NOT NULL,           -- of the feed, as JSON
        PRIMARY KEY (run, feed)
    ) STRICT;",
    // 7: fields seen by each feed; the columns that runs read, and whether rows of former runs have values in them.
    "CREATE TABLE field_seen_by_feed (
        pipeline TEXT NOT NULL,
        org TEXT NOT NULL,
        feed TEXT NOT NULL,             -- the object that the feed reads; empty in rows of older programs
        object TEXT NOT NULL,
        field TEXT NOT NULL,            -- API name
        type TEXT NOT NULL,             -- Salesforce's word for it
        seen_at INTEGER NOT NULL,       -- microseconds since the epoch
        PRIMARY KEY (pipeline, org, feed, object, field)
    ) STRICT;
    INSERT INTO field_seen_by_feed SELECT pipeline, org, '', object, field, type, seen_at FROM field_seen;
    DROP TABLE field_seen;
    ALTER TABLE field_seen_by_feed RENAME TO field_seen;
    CREATE TABLE column_read (
        pipeline TEXT NOT NULL,
        org TEXT NOT NULL,
        feed TEXT NOT NULL,
        name TEXT NOT NULL,             -- as the query selects it
        since INTEGER NOT NULL,         -- end of the whole run that read it first, microseconds since the epoch
        whole INTEGER NOT NULL,         -- 1: the rows of former runs have it too
        PRIMARY KEY (pipeline, org, feed, name)
    ) STRICT;",
    // 8: what a run is.
    "ALTER TABLE run ADD COLUMN kind TEXT NOT NULL DEFAULT 'run'; -- run, or backfill",
    // 9: rejected rows that are tried again.
    "ALTER TABLE run ADD COLUMN retry_of TEXT;       -- the run whose rejected rows it reads again
    CREATE TABLE mended (
        run TEXT NOT NULL,              -- the first run of a chain of retries
        feed TEXT NOT NULL,             -- as the rejects file has it
        id TEXT NOT NULL,               -- of the row
        by TEXT NOT NULL,               -- the run in which it went through
        PRIMARY KEY (run, feed, id)
    ) STRICT, WITHOUT ROWID;",
    // 10: who refused the rows of a unit.
    "ALTER TABLE unit ADD COLUMN refused INTEGER NOT NULL DEFAULT 0; -- of the rejected rows: by the destination",
    // 11: what takes the place of what cannot go on.
    "ALTER TABLE feed ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0; -- how often it was begun anew within the run
    ALTER TABLE feed ADD COLUMN anew TEXT;           -- why it is being given up; none: it is not
    ALTER TABLE run ADD COLUMN given_up TEXT;        -- why it was given up",
];
