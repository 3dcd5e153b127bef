//! The kit as a plugin's author uses it, and the contract that it stands on.

mod columns;
mod contract;
