//! One guest, many attacks; for tests of the sandbox, never shipped.
