//! `connection`: the ways into orgs: made, listed, shown, tried, changed and removed.

mod login;
mod make;
mod prompts;
mod secrets;

use forcepump_pipeline::{
    ConnectionForgotten, Org, RevokedTokens, list_connections, remove_connection, reset_connection, show_connection,
};
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
        ConnectionCommand::Add(args) => return make::add(context, args).await,
        ConnectionCommand::Edit(args) => return make::edit(context, args).await,
        ConnectionCommand::Reconnect(args) => return make::reconnect(context, args).await,
        ConnectionCommand::Reset { name } => {
            let forgotten = reset_connection(connections, name.as_deref()).await?;
            return Ok(told(context, &forgotten));
        }
        ConnectionCommand::Remove { name } => {
            told(context, &remove_connection(connections, name).await?);
        }
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
            org.listen(output.listener());
            let found = org.test().await?;
            output.document(&found);
            output.words(&words::test(&found));
        }
    }
    Ok(Code::Ok)
}

/// Of tokens that could not be revoked: why, and where an admin can do it.
fn still_valid(what: &str, problem: &str) -> String {
    let why = problem.lines().next().unwrap_or_default();
    format!(
        "{what} may still be valid at the org: {why}\n\
         hint: revoke them there: Setup > Connected Apps OAuth Usage > the app > Revoke; the user can too, in Settings > Connections"
    )
}

/// Tokens that may still be valid at the org are no success of a reset.
fn told(context: &Context, forgotten: &ConnectionForgotten) -> Code {
    context.output.document(forgotten);
    context.output.words(&words::forgotten(forgotten));
    if let Some(problem) = &forgotten.problem {
        context.output.warning(&still_valid("the tokens", problem));
    }
    if forgotten.revoked == RevokedTokens::Failed { Code::Source } else { Code::Ok }
}
