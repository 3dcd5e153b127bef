//! Forcepump destination: parquet.
