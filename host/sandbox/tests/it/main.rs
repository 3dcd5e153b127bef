//! The sandbox against real components: honest ones, and one with many attacks.

mod attacks;
mod honest;
mod loading;
mod support;
