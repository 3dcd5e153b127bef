//! Forcepump destination: csv.
