//! Forcepump destination: sqlite.
