//! `org`: what is in an org, for people at a terminal.

use forcepump_pipeline::{ObjectFilter, Org};
use serde_json::json;

use super::{Context, Outcome};
use crate::args::{OrgArgs, OrgCommand};
use crate::exit::{Code, Failure};
use crate::org::DemoOrg;
use crate::render::org as words;
use crate::render::table;

/// Looks at an org.
pub async fn org(context: &Context, args: &OrgArgs) -> Outcome {
    let connections = context.global.connections.as_deref();
    let name = args.connection.as_deref();
    let demo = if Org::needs_demo(connections, name)? { Some(DemoOrg::start().await?) } else { None };
    let org = Org::open(connections, name, demo.as_ref().map(DemoOrg::access).as_ref())?;
    let output = context.output;
    org.listen(output.listener());
    let width = table::terminal_width();
    match &args.command {
        OrgCommand::Objects { part, custom, queryable } => {
            let filter = ObjectFilter { part: part.clone(), custom: *custom, queryable: *queryable };
            let objects = org.objects(&filter).await?;
            output.document(&json!({ "objects": objects }));
            output.words(&words::objects(&objects));
        }
        OrgCommand::Describe { object } => {
            let describe = org.describe(object).await?;
            output.document(&describe);
            output.words(&words::describe(&describe));
        }
        OrgCommand::Limits => {
            let limits = org.limits().await?;
            let calls = org.calls();
            output.document(&json!({ "limits": limits, "calls": calls }));
            output.words(&words::limits(&limits, calls.as_ref()));
        }
        OrgCommand::Query { rows: 0, .. } => return Err(Failure::input("-n must be at least 1")),
        OrgCommand::Query { soql, all, rows } => {
            let found = org.query(soql, *all, *rows).await?;
            output.document(&found);
            output.words(&words::rows(&found, *rows, width));
        }
    }
    Ok(Code::Ok)
}
