//! The commands: each takes its arguments, does its work through the pipeline crate, and answers with a code.

mod backfill;
mod connection;
mod doctor;
mod emulator;
mod explain;
mod history;
mod lock;
mod org;
mod place;
mod plugin;
mod rejects;
mod retry;
pub mod run;
mod schema;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use forcepump_pipeline::file::Drift;
use forcepump_pipeline::{Host, Pipeline, Session};

use crate::args::{Cli, Command, Global, SetArgs};
use crate::exit::{Code, Failure};
use crate::org::DemoOrg;
use crate::output::Output;
use crate::{demo, interrupt};

/// How a command ends.
pub type Outcome = Result<Code, Failure>;

/// What every command is given.
pub struct Context {
    /// options of every command
    pub global: Global,
    /// the way to talk
    pub output: Output,
}

/// Reads the arguments, runs the command, and says how it ended.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let code = match Cli::try_parse_from(&args) {
        Ok(cli) => execute(cli),
        Err(error) => usage(&error, &args),
    };
    ExitCode::from(code.number())
}

fn execute(cli: Cli) -> Code {
    let output = Output::new(&cli.global);
    let context = Context { global: cli.global, output };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(dispatch(&context, cli.command));
            runtime.block_on(settled());
            outcome
        }
        Err(error) => Err(Failure::host(format!("cannot start the runtime: {error}"))),
    };
    let code = outcome.unwrap_or_else(|failure| {
        output.failure(&failure);
        failure.code()
    });
    match Output::unwritten() {
        Some(error) => unwritten(output, code, &error),
        None => code,
    }
}

/// A result that did not reach its reader is no success, whatever the work came to.
fn unwritten(output: Output, code: Code, error: &std::io::Error) -> Code {
    output.error(&format!(
        "standard output could not be written: {error}\nhint: the command itself ended with exit code {}; `forcepump show` has the report of a run",
        code.number()
    ));
    if code == Code::Ok { Code::Host } else { code }
}

async fn dispatch(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Run(args) => run::run(context, &args).await,
        Command::Resume(args) => run::resume(context, &args).await,
        Command::Backfill(args) => backfill::backfill(context, &args).await,
        Command::Demo(args) => demo::demo(context, &args).await,
        Command::Emulator(args) => emulator::emulator(context, &args).await,
        Command::Check(args) => interruptible(explain::check(context, &args)).await,
        Command::Plan(args) => interruptible(explain::plan(context, &args)).await,
        Command::Preview(args) => explain::preview(context, &args).await,
        Command::Connection(command) => interruptible(connection::connection(context, &command)).await,
        Command::Doctor(args) => interruptible(doctor::doctor(context, &args)).await,
        Command::Org(args) => interruptible(org::org(context, &args)).await,
        Command::Lock(args) => lock::lock(context, &args),
        Command::Runs(args) => history::runs(context, &args),
        Command::Show(args) => history::show(context, &args),
        Command::Verify(args) => interruptible(verify::verify(context, &args)).await,
        Command::RetryRejects(args) => retry::retry(context, &args).await,
        Command::Rejects(args) => rejects::rejects(context, &args),
        Command::Plugin(command) => plugin::plugin(context, &command),
        Command::Schema(args) => schema::schema(context, &args),
        Command::Completions(args) => schema::completions(context, &args),
    }
}

/// A login that is under way is left to its end, which its time-out bounds: a refresh token that rotates is lost when
/// its answer is not waited for. A further signal ends the process all the same.
async fn settled() {
    tokio::select! {
        () = forcepump_pipeline::logins_settled() => {}
        () = interrupt::signal() => {}
    }
}

/// For commands that leave nothing behind: a signal ends them where they are.
async fn interruptible(work: impl Future<Output = Outcome>) -> Outcome {
    tokio::select! {
        // first, so that a signal is ours before the work begins: a prompt that is interrupted can still tidy the terminal
        biased;
        () = interrupt::signal() => Err(Failure::interrupted()),
        outcome = work => outcome,
    }
}

/// Help and version are results; anything else that clap says is wrong input.
fn usage(error: &clap::Error, args: &[OsString]) -> Code {
    let json = args.iter().any(|arg| arg == "--json");
    let output = Output { json, quiet: false };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            output.raw(error.to_string().trim_end());
            Code::Ok
        }
        _ if json => {
            let text = error.to_string();
            output.failure(&Failure::input(text.trim_start_matches("error: ").trim_end()));
            Code::Input
        }
        _ => {
            output.usage(error.to_string().trim_end());
            Code::Input
        }
    }
}

/// A pipeline ready to be explained or run, and the embedded org that it may talk to.
pub struct Opened {
    /// the session
    pub session: Session,
    /// kept alive for as long as the session
    _org: Option<DemoOrg>,
}

impl Opened {
    /// The session, and what has to live as long.
    pub fn into_parts(self) -> (Session, impl Sized) {
        (self.session, self._org)
    }
}

impl Context {
    /// The plugins and their engine.
    pub fn host(&self) -> Result<Host, Failure> {
        let cache = self.global.cache_dir.clone().or_else(default_cache_dir);
        let names: Vec<&str> = forcepump_plugin_bundle::names().collect();
        Ok(Host::new(forcepump_plugin_bundle::get, &names, cache)?)
    }

    /// Opens a pipeline; its demo connection gets an embedded org of its own.
    pub async fn open(&self, host: &Host, mut pipeline: Pipeline, set: &SetArgs) -> Result<Opened, Failure> {
        if let Some(policy) = set.drift {
            pipeline.file.drift = Some(Drift::All(policy));
        }
        let connections = self.global.connections.as_deref();
        let org = match Session::needs_demo(&pipeline, connections)? {
            true => Some(DemoOrg::start().await?),
            false => None,
        };
        let access = org.as_ref().map(DemoOrg::access);
        let session = Session::open(host, pipeline, connections, access.as_ref())?
            .locked(self.global.locked)
            .with_variables(set.values());
        session.listen(self.output.listener());
        Ok(Opened { session, _org: org })
    }
}

fn default_cache_dir() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("forcepump"))
}
