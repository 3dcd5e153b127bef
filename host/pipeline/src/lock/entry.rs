//! One step of one pipeline, as it is pinned.

use forcepump_sandbox::Plugin;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::file::{Grant, HttpCredential, PipelineFile};
use crate::part::Step;

/// What a secret is written as.
const REFERENCES: [&str; 2] = ["env:", "file:"];

/// One entry of the lock file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// the pipeline's file name
    pub pipeline: String,
    /// where the step stands in it: `transform[0]`, `destination`
    pub step: String,
    /// the plugin, as the pipeline names it
    pub plugin: String,
    /// the name that it gives itself
    pub name: String,
    /// the version that it gives itself
    pub version: String,
    /// of the component, hex
    pub sha256: String,
    /// of the component, in bytes
    pub size: u64,
    /// it comes with the program, which vouches for its digest
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub built_in: bool,
    /// groups of host functions that it can reach
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
    /// what it asks for: capability and name
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<String>,
    /// the only columns that it may read; absent when it may read all
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// columns that it may not read
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withhold: Vec<String>,
    /// it may not read classified columns
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withhold_classified: bool,
    /// of a pipeline of several feeds: the objects whose rows go through it; empty for all
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
    /// what it is granted; last, because it is a table
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub grant: Grant,
}

fn is_nothing(grant: &Grant) -> bool {
    *grant == Grant::default()
}

/// A step with what the file says of its columns.
pub(crate) struct Watched<'a> {
    pub step: Step<'a>,
    columns: Option<&'a [String]>,
    withhold: &'a [String],
    withhold_classified: bool,
    objects: &'a [String],
}

/// The steps of a pipeline, in the order of the rows; those that the rows of one feed go through, or all.
pub(super) fn steps<'a>(file: &'a PipelineFile, feed: Option<&str>) -> Vec<Watched<'a>> {
    let served = file.transform.iter().enumerate().filter(|(_, step)| step.serves(feed));
    let transforms = served.map(|(index, step)| Watched {
        step: Step::transform(index, step),
        columns: step.columns.as_deref(),
        withhold: &step.withhold,
        withhold_classified: step.withhold_classified,
        objects: &step.objects,
    });
    let last = &file.destination;
    let destination = Watched {
        step: Step::destination(last),
        columns: last.columns.as_deref(),
        withhold: &last.withhold,
        withhold_classified: last.withhold_classified,
        objects: &[],
    };
    transforms.chain([destination]).collect()
}

impl Entry {
    /// What is to be pinned of a step.
    ///
    /// # Errors
    /// [`Error::Input`] when a credential is written as itself: a lock file is shared and holds references only.
    pub(super) fn of(pipeline: &str, watched: &Watched<'_>, plugin: &Plugin, built_in: bool) -> Result<Self, Error> {
        let step = &watched.step;
        check_references(&step.key, step.grant)?;
        let said = plugin.description();
        let mut asks: Vec<String> =
            said.needs.iter().map(|need| format!("{} {}", need.capability, need.name)).collect();
        asks.sort();
        asks.dedup();
        Ok(Self {
            pipeline: pipeline.to_owned(),
            step: step.key.clone(),
            plugin: step.plugin.to_owned(),
            name: said.name.clone(),
            version: said.version.clone(),
            sha256: plugin.digest().to_owned(),
            size: plugin.size_bytes() as u64,
            built_in,
            imports: imports(plugin),
            asks,
            columns: watched.columns.map(sorted),
            withhold: sorted(watched.withhold),
            withhold_classified: watched.withhold_classified,
            objects: sorted(watched.objects),
            grant: step.grant.clone(),
        })
    }
}

/// Groups of host functions that the component can reach, WASI's among them.
fn imports(plugin: &Plugin) -> Vec<String> {
    let capabilities = plugin.imports().iter().map(|capability| capability.as_str().to_owned());
    capabilities.chain(plugin.wasi_imports().iter().cloned()).collect()
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    names.dedup();
    names
}

fn check_references(key: &str, grant: &Grant) -> Result<(), Error> {
    for (name, http) in &grant.http {
        let secret = match &http.credential {
            Some(HttpCredential::Bearer(secret)) => secret,
            Some(HttpCredential::Basic { password, .. }) => password,
            Some(HttpCredential::Header { value, .. }) => value,
            None => continue,
        };
        if !REFERENCES.iter().any(|prefix| secret.starts_with(prefix)) {
            let text = "holds a secret itself; write a reference, \"env:NAME\" or \"file:PATH\"";
            return Err(Error::input(format!("{key}.grant.http.{name}.credential"), text));
        }
    }
    Ok(())
}
