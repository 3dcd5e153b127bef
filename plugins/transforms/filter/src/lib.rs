//! Forcepump transform: filter.
