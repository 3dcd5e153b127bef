//! The first-party plugins as components, built and embedded.
