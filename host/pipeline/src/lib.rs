//! Pipeline file to plan to run.
