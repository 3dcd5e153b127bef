//! Forcepump destination: jsonl.
