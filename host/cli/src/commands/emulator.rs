//! `emulator`: a local Salesforce on loopback until a signal ends it.

use std::path::Path;

use forcepump_emulator::options::{Account, EmptyResultBody, ResultPagesShape};
use forcepump_emulator::{Credentials, Emulators, FaultScript, Options};

use super::{Context, Outcome};
use crate::args::{EmulatorArgs, PagesShape};
use crate::exit::{Code, Failure};
use crate::{interrupt, org};

/// Serves until Ctrl-C or SIGTERM; that end is the normal one.
pub async fn emulator(context: &Context, args: &EmulatorArgs) -> Outcome {
    let files = args.org.iter().map(|path| org_file(path)).collect::<Result<Vec<_>, _>>()?;
    if files.len() > 1 {
        return several(context, args.port, files).await;
    }
    let options = match files.into_iter().next() {
        Some(options) => Options { port: if args.port > 0 { args.port } else { options.port }, ..options },
        None => options(args)?,
    };
    let running = org::start(options).await?;
    print(context, running.credentials())?;
    context.output.note("serving until Ctrl-C");
    interrupt::signal().await;
    running.stop().await;
    Ok(Code::Ok)
}

/// Several orgs behind their login addresses; a line for each.
async fn several(context: &Context, port: u16, orgs: Vec<Options>) -> Outcome {
    let started = Emulators::start(Options { port, ..Options::default() }, orgs).await;
    let running = started.map_err(|error| Failure::input(error.to_string()))?;
    running.orgs().iter().try_for_each(|org| print(context, org.credentials()))?;
    let test = running.test_login_url().map(|url| format!(", those of sandboxes at {url}")).unwrap_or_default();
    context.output.note(&format!("users log in at {}{test}; serving until Ctrl-C", running.login_url()));
    interrupt::signal().await;
    running.stop().await;
    Ok(Code::Ok)
}

fn print(context: &Context, credentials: &Credentials) -> Result<(), Failure> {
    let line = serde_json::to_string(credentials);
    context.output.raw(&line.map_err(|error| Failure::host(format!("the credentials cannot be written: {error}")))?);
    Ok(())
}

fn org_file(path: &Path) -> Result<Options, Failure> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::input(format!("cannot read {shown}: {error}")))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    Options::from_toml(&text, folder).map_err(|error| Failure::input(format!("{shown}: {error}")))
}

fn options(args: &EmulatorArgs) -> Result<Options, Failure> {
    let base = Options::default();
    Ok(Options {
        port: args.port,
        data: args.data.clone(),
        generate: args.generate.clone(),
        seed: args.seed.unwrap_or(base.seed),
        page_size: args.page_size.unwrap_or(base.page_size),
        latency_ms: args.latency_ms,
        bandwidth: args.bandwidth,
        result_pages: shape(args.result_pages),
        empty_result_body: if args.empty_zero_bytes { EmptyResultBody::ZeroBytes } else { EmptyResultBody::Header },
        rotation: args.rotate_refresh_tokens,
        job_polls: args.job_polls.unwrap_or(base.job_polls),
        job_ms: args.job_ms,
        daily_api_requests: args.daily_api_requests.unwrap_or(base.daily_api_requests),
        daily_query_jobs: args.daily_query_jobs.unwrap_or(base.daily_query_jobs),
        daily_bulk_batches: args.daily_bulk_batches.unwrap_or(base.daily_bulk_batches),
        control: args.control,
        account: account(args)?,
        faults: args.faults.as_deref().map(faults).transpose()?.unwrap_or_default(),
        ..base
    })
}

fn account(args: &EmulatorArgs) -> Result<Account, Failure> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|error| Failure::input(format!("cannot read {}: {error}", path.display())))
    };
    let jwt_certificate = args.jwt_certificate.as_deref().map(read).transpose()?;
    Ok(Account { jwt_certificate, ..Account::default() })
}

fn shape(shape: PagesShape) -> ResultPagesShape {
    match shape {
        PagesShape::Guide => ResultPagesShape::Guide,
        PagesShape::Postman => ResultPagesShape::Postman,
        PagesShape::Chunks => ResultPagesShape::Chunks,
        PagesShape::NotFound => ResultPagesShape::NotFound,
    }
}

fn faults(path: &Path) -> Result<FaultScript, Failure> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::input(format!("cannot read {shown}: {error}")))?;
    FaultScript::parse(&text).map_err(|error| Failure::input(format!("{shown}: {error}")))
}
