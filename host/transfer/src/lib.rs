//! What the host does for destinations: SQL connections and file sinks.
