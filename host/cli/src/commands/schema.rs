//! `schema` and `completions`: texts for editors and shells.

use clap::CommandFactory;
use serde_json::json;

use super::{Context, Outcome};
use crate::args::{Cli, CompletionsArgs, SchemaArgs, SchemaFile};
use crate::exit::Code;
use crate::output::json_text;
use crate::render::types as words;

/// Prints the JSON Schema of a file, or the table of types.
pub fn schema(context: &Context, args: &SchemaArgs) -> Outcome {
    let schema = match args.file {
        SchemaFile::Pipeline => forcepump_pipeline::pipeline_schema(),
        SchemaFile::Connections => forcepump_pipeline::connections_schema(),
        SchemaFile::Types => return types(context),
    };
    context.output.raw(&json_text(&schema));
    Ok(Code::Ok)
}

fn types(context: &Context) -> Outcome {
    let types = forcepump_pipeline::published_types();
    context.output.document(&json!({ "types": types }));
    context.output.words(&words::types(&types));
    Ok(Code::Ok)
}

/// Prints a completion script.
pub fn completions(context: &Context, args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "forcepump", &mut script);
    context.output.raw(String::from_utf8_lossy(&script).trim_end());
    Ok(Code::Ok)
}
