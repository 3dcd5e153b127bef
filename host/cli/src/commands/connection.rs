//! `connection`: the ways into orgs, listed, shown and tried.

use forcepump_pipeline::{Org, list_connections, show_connection};
use serde_json::json;

use super::{Context, Outcome};
use crate::args::ConnectionCommand;
use crate::exit::Code;
use crate::org::DemoOrg;
use crate::render::connection as words;

/// Does what was asked with connections.
pub async fn connection(context: &Context, command: &ConnectionCommand) -> Outcome {
    let connections = context.global.connections.as_deref();
    let output = context.output;
    match command {
        ConnectionCommand::List => {
            let (file, found) = list_connections(connections)?;
            output.document(&json!({ "file": file, "connections": found }));
            output.words(&words::list(&file, &found));
        }
        ConnectionCommand::Show { name } => {
            let found = show_connection(connections, name.as_deref())?;
            output.document(&found);
            output.words(&words::show(&found));
        }
        ConnectionCommand::Test { name } => {
            let name = name.as_deref();
            let demo = if Org::needs_demo(connections, name)? { Some(DemoOrg::start().await?) } else { None };
            let org = Org::open(connections, name, demo.as_ref().map(DemoOrg::access).as_ref())?;
            let found = org.test().await?;
            output.document(&found);
            output.words(&words::test(&found));
        }
    }
    Ok(Code::Ok)
}
