//! `plugin list`, `plugin inspect` and `plugin pack`.

use std::path::Path;

use forcepump_pipeline::Host;
use forcepump_sandbox::Plugin;
use serde_json::json;

use super::{Context, Outcome};
use crate::args::PluginCommand;
use crate::exit::{Code, Failure};
use crate::render::plugin::{self as words, Origin};

/// Does what was asked with plugins.
pub fn plugin(context: &Context, command: &PluginCommand) -> Outcome {
    match command {
        PluginCommand::List => list(context),
        PluginCommand::Inspect { plugin } => inspect(context, plugin),
        PluginCommand::Pack { core, out } => pack(context, core, out),
    }
}

fn list(context: &Context) -> Outcome {
    let host = context.host()?;
    let mut plugins = Vec::new();
    for name in forcepump_plugin_bundle::names() {
        plugins.push(load(&host, name)?);
    }
    let documents: Vec<_> = plugins.iter().map(words::entry).collect();
    context.output.document(&json!({ "plugins": documents }));
    context.output.words(&words::list(&plugins));
    Ok(Code::Ok)
}

fn inspect(context: &Context, name: &str) -> Outcome {
    let host = context.host()?;
    let plugin = load(&host, name)?;
    let pinned = forcepump_pipeline::pinned_in(Path::new("."), name, plugin.digest())?;
    let origin = Origin { built_in: host.is_builtin(name), pinned };
    context.output.document(&words::document(&plugin, &origin));
    context.output.words(&words::words(&plugin, &origin));
    Ok(Code::Ok)
}

/// Paths are relative to where the command is run.
fn load(host: &Host, name: &str) -> Result<Plugin, Failure> {
    Ok(host.load_plugin("plugin", name, Path::new(""))?)
}

fn pack(context: &Context, core: &Path, out: &Path) -> Outcome {
    let module =
        std::fs::read(core).map_err(|error| Failure::input(format!("cannot read {}: {error}", core.display())))?;
    let component = forcepump_plugin_bundle::pack(&module)
        .map_err(|error| Failure::input(format!("{} cannot become a component: {error}", core.display())))?;
    std::fs::write(out, &component)
        .map_err(|error| Failure::host(format!("cannot write {}: {error}", out.display())))?;
    let bytes = component.len();
    context.output.document(&json!({ "component": out, "bytes": bytes }));
    context.output.words(&format!("{}: {bytes} bytes", out.display()));
    Ok(Code::Ok)
}
