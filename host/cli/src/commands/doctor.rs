//! `doctor`: a connection examined from its file to its org, on one screen.

use forcepump_pipeline::{Org, diagnose};

use super::{Context, Outcome};
use crate::args::DoctorArgs;
use crate::exit::Code;
use crate::org::DemoOrg;
use crate::render::doctor as words;

/// Examines, and fails when runs would.
pub async fn doctor(context: &Context, args: &DoctorArgs) -> Outcome {
    let (connections, output) = (context.global.connections.as_deref(), context.output);
    let name = args.connection.as_deref();
    let demo = if Org::needs_demo(connections, name)? { Some(DemoOrg::start().await?) } else { None };
    let access = demo.as_ref().map(DemoOrg::access);
    let found = diagnose(connections, name, args.object.as_deref(), access.as_ref(), output.listener()).await?;
    output.document(&found);
    output.words(&words::diagnosis(&found));
    Ok(if found.has_failed() { Code::Source } else { Code::Ok })
}
