//! The sandbox against real components: honest ones, and one with many attacks.

mod attacks;
mod carried;
mod honest;
mod http;
mod limits;
mod loading;
mod neighbours;
mod stateful;
mod support;
mod wasi;
mod withheld;
