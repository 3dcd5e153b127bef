//! Forcepump transform: shape.
