//! Loads, grants, limits and calls plugin components.
