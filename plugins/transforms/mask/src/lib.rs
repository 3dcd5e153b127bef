//! Forcepump transform: mask.
