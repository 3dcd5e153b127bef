//! The `forcepump` command: reads arguments, runs, says what happened, and picks the exit code.

mod args;
mod commands;
mod demo;
mod exit;
mod interrupt;
mod memory;
mod org;
mod output;
mod progress;
mod render;
mod terminal;

fn main() -> std::process::ExitCode {
    memory::share_arenas();
    commands::main(std::env::args_os())
}
