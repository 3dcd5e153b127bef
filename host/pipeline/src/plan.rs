//! What a run would do, in words and numbers, without moving a row.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{Field, Schema};
use forcepump_salesforce::{Api, Explained, ExtractOptions, ResolvedQuery};
use forcepump_sandbox::Source as Origin;
use serde::Serialize;
use serde_json::Value;

use crate::capability;
use crate::choice::{self, Choice};
use crate::drift::{Drift, FieldChange};
use crate::error::Error;
use crate::estimate::{self, CallEstimate};
use crate::file::{Action, Deletes, DriftPolicies, Mode, PluginLimits, Source};
use crate::firewall::Gate;
use crate::incremental::ShownWindow;
use crate::link::Link;
use crate::part::Part;
use crate::report::SkippedField;
use crate::run::pass::DELETES;
use crate::run::shared::Parts;
use crate::run::special::{self, Planned};
use crate::run::start;
use crate::session::Session;
use crate::variables::ShownVariable;

/// The whole of a plan.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// the pipeline's name
    pub pipeline: String,
    /// the connection's name
    pub connection: String,
    /// host of the org
    pub org: String,
    /// which API moves the rows
    pub api: &'static str,
    /// why this one, when the pipeline file leaves the choice to us
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_why: String,
    /// its version
    pub api_version: String,
    /// API name of the object
    pub object: String,
    /// `query` or `queryAll`
    pub action: &'static str,
    /// the query as it will be sent, pruned
    pub soql: String,
    /// the query of the rows that are to be deleted in the destination, which is sent first
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletes_soql: Option<String>,
    /// what an incremental run reads
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<ShownWindow>,
    /// the variables with their values, when the pipeline uses any
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<ShownVariable>,
    /// columns of the query
    pub columns: Vec<PlanColumn>,
    /// columns left out because nothing reads or takes them
    pub pruned: Vec<String>,
    /// how Salesforce would find the rows that the conditions ask for; none without conditions, and when it does not say
    pub finds: Option<PlanFinds>,
    /// compound fields and `FIELDS()` that the query names, and the columns that each became
    pub expanded: Vec<Expanded>,
    /// fields of the object that no query returns
    pub skipped_fields: Vec<SkippedField>,
    /// the transforms in order
    pub transforms: Vec<PlanStep>,
    /// the destination
    pub destination: PlanStep,
    /// what becomes of fields that changed, when the pipeline file says it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftPolicies>,
    /// what changed in the org since the last whole run
    pub field_changes: Vec<FieldChange>,
    /// HTTP requests that a run needs
    pub expected_calls: String,
    /// how many that may be, against what the org has left
    pub calls: CallEstimate,
    /// what the operator should know
    pub notes: Vec<String>,
    /// of the notes, those about component files that no lock file pins
    #[serde(skip)]
    pub unpinned: Vec<String>,
}

/// How Salesforce would find the rows; its own estimate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanFinds {
    /// rows that it expects to return
    pub rows: u64,
    /// rows of the object
    pub of_rows: u64,
    /// `Index`, `TableScan`, `Sharing` or `Other`
    pub by: String,
    /// above 1 the conditions are not selective
    pub relative_cost: f64,
}

/// Something named in the query that became several columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expanded {
    /// as named: `BillingAddress`, `FIELDS(CUSTOM)`
    pub name: String,
    /// the columns, before any is pruned
    pub into: Vec<String>,
}

/// One column.
#[derive(Debug, Clone, Serialize)]
pub struct PlanColumn {
    /// its name
    pub name: String,
    /// describe's type, when it comes from Salesforce
    pub salesforce_type: Option<String>,
    /// the Arrow type
    pub arrow_type: String,
    /// whether it can be null
    pub nullable: bool,
}

/// One plugin.
#[derive(Debug, Serialize)]
pub struct PlanStep {
    /// the name it gives itself
    pub plugin: String,
    /// its version
    pub version: String,
    /// sha256 of the component, hex
    pub digest: String,
    /// its configuration as written, secrets still references
    pub config: Value,
    /// columns whose bytes enter the plugin
    pub reads: Vec<String>,
    /// columns that pass by it untouched
    pub keeps: Vec<String>,
    /// columns it makes
    pub computes: Vec<String>,
    /// columns with one value
    pub constants: Vec<String>,
    /// columns that end here
    pub drops: Vec<String>,
    /// columns that the firewall withholds from it; kept ones pass by, and none of them reaches a destination
    pub withheld: Vec<String>,
    /// what it asks for
    pub asks: Vec<String>,
    /// what it is granted
    pub grants: Vec<String>,
    /// limits that differ from the default
    pub limits: PluginLimits,
    /// columns that come out; of a destination: columns that reach it
    pub output: Vec<PlanColumn>,
    /// how a destination writes
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// the columns that identify a row
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

pub(crate) async fn plan(session: &Session) -> Result<Plan, Error> {
    let mut query = session.resolve().await?;
    let action = source_of(session).sees();
    let drift = Drift::of(session, &query).await?;
    drift.check()?;
    let (finds, unexplained) = explain(session, &query).await?;
    let parts = session.parts()?;
    let unpinned = session.unpinned()?;
    let opening = session.opening("plan", &query.object);
    let full = Arc::clone(&query.schema);
    let settled = start::settle(session, &parts, &full, &opening).await?;
    parts.destination.check_destination().await?;
    let deleted = about_deleted(source_of(session), &query);
    let deletes = deletes_soql(special::passes(session, &settled, &parts, &query)?);
    let all: Vec<u32> = (0..).take(settled.gate.input.fields().len()).collect();
    let kept = settled.kept_columns(&all, &full, session.window());
    query.keep_columns(&kept);
    let unfilled = drift.about_unfilled(session, &query);
    let choice = choice::choose(session, &query, action).await?;
    let calls = estimate(session, &choice, &query.object).await;
    let source = source_of(session);
    Ok(Plan {
        pipeline: session.pipeline().file.name.clone(),
        connection: session.connection_name().to_owned(),
        org: session.org().to_owned(),
        api: choice.options.api.words(),
        api_why: choice.why.clone(),
        api_version: session.client().api_version().to_owned(),
        object: query.object.clone(),
        action: match source.sees() {
            Action::Query => "query",
            Action::QueryAll => "queryAll",
        },
        columns: columns(&query.schema),
        pruned: start::pruned_names(&full, &kept).into_iter().collect(),
        finds,
        expanded: query.expanded.iter().map(|e| Expanded { name: e.name.clone(), into: e.into.clone() }).collect(),
        skipped_fields: query.skipped.iter().map(SkippedField::from).collect(),
        soql: query.soql,
        deletes_soql: deletes,
        variables: variables(session)?,
        window: session.window().map(|window| window.planned(source.incremental.as_ref())),
        transforms: parts.transforms.iter().zip(&settled.chain.links).map(transform_step).collect(),
        destination: destination_step(session, &parts, &settled.gate),
        drift: session.pipeline().file.drift.map(crate::file::Drift::policies),
        field_changes: drift.changes,
        expected_calls: expected_calls(&choice.options),
        notes: notes(session, &parts)
            .into_iter()
            .chain(deleted)
            .chain(unfilled)
            .chain(unexplained)
            .chain(choice_notes(&choice))
            .chain(calls.warning())
            .chain(unpinned.iter().cloned())
            .collect(),
        calls,
        unpinned,
    })
}

/// After the choice, so that all calls up to it are those that the run needs too.
async fn estimate(session: &Session, choice: &Choice, object: &str) -> CallEstimate {
    let client = session.client();
    let planning = client.calls_used();
    let rows = estimate::rows(client, object).await;
    CallEstimate::new(&choice.options, client.options(), rows, planning).against(client)
}

/// All of them with their values, for a pipeline that has variables of its own.
fn variables(session: &Session) -> Result<Vec<ShownVariable>, Error> {
    let source = &session.pipeline().file.source;
    let texts = [source.condition.as_deref(), source.query.as_deref()];
    let uses = texts.iter().flatten().any(|text| text.contains('$'));
    if session.pipeline().file.variables.is_empty() && !uses {
        return Ok(Vec::new());
    }
    Ok(session.variables()?.shown().to_vec())
}

/// Has the conditions looked at without a job: a wrong one fails here and not when the run begins.
async fn explain(session: &Session, query: &ResolvedQuery) -> Result<(Option<PlanFinds>, Option<String>), Error> {
    let all = source_of(session).sees() == Action::QueryAll;
    Ok(match session.client().explain(&query.select, all).await? {
        Explained::Nothing => (None, None),
        Explained::Unknown(why) => (None, Some(format!("the conditions were not looked at: {why}"))),
        Explained::Plan(plan) => {
            let by = plan.leading_operation_type;
            let (rows, of_rows, relative_cost) = (plan.cardinality, plan.sobject_cardinality, plan.relative_cost);
            (Some(PlanFinds { rows, of_rows, by, relative_cost }), None)
        }
    })
}

fn source_of(session: &Session) -> &Source {
    &session.pipeline().file.source
}

/// The query of the pass that reads deleted rows, as it is sent.
fn deletes_soql(passes: Vec<Planned>) -> Option<String> {
    let Planned { mut query, through, .. } = passes.into_iter().find(|pass| pass.prefix == DELETES)?;
    query.keep_columns(&through?.kept);
    Some(query.soql)
}

/// Deleted rows need both: an action that sees them, and the field that tells them from live ones. An incremental run says
/// what becomes of them.
fn about_deleted(source: &Source, query: &ResolvedQuery) -> Option<String> {
    const FIELD: &str = "IsDeleted";
    let words = query.select.rest.split(|c: char| !c.is_alphanumeric() && c != '_');
    let in_condition = words.into_iter().any(|word| word.eq_ignore_ascii_case(FIELD));
    let is_selected = query.schema.field_with_name(FIELD).is_ok();
    let has = query.visible.iter().any(|seen| seen.object == query.object && seen.field == FIELD);
    let deletes = source.incremental.as_ref().map(|incremental| incremental.deletes);
    match (source.sees(), deletes) {
        (Action::Query, _) if in_condition => Some(
            "the condition asks for IsDeleted, and action = \"query\" sees no deleted row; set action = \"query-all\""
                .to_owned(),
        ),
        (Action::QueryAll, _) if has && !is_selected && !in_condition => {
            Some("deleted rows are read too, and nothing tells them from the others; select IsDeleted".to_owned())
        }
        (_, Some(Deletes::Delete)) => Some(format!(
            "rows of {} that were deleted in the window are deleted in the destination by its keys; those deleted past the recycle bin are not seen",
            query.object
        )),
        (_, Some(Deletes::Flag)) => Some(format!(
            "rows of {} that were deleted in the window come with IsDeleted = true; those deleted past the recycle bin are not seen",
            query.object
        )),
        (Action::Query, Some(Deletes::Ignore)) if has => Some(
            "rows that are deleted in the org stay in the destination; source.incremental.deletes = \"delete\" or \"flag\" is the way to follow them"
                .to_owned(),
        ),
        _ => None,
    }
}

fn expected_calls(options: &ExtractOptions) -> String {
    let polls = "1 a poll (0.2 s apart at first, 5 s at most)";
    match options.api {
        Api::Rest => "1 login, 1 for every 2000 rows, more where records are wide".to_owned(),
        Api::Bulk1 => {
            format!(
                "1 login, 2 to create the job, {polls}, 2 a batch and 1 for every further file of it, 1 to close the job"
            )
        }
        Api::Bulk2 => {
            let pages = match options.max_records {
                Some(rows) => format!("1 a page of up to {rows} rows"),
                None => "1 for every 5 pages listed and 1 a page, whose size Salesforce chooses".to_owned(),
            };
            format!("1 login, 1 to create the job, {polls}, {pages}, 1 to delete the job")
        }
    }
}

fn choice_notes(choice: &Choice) -> Vec<String> {
    let mut notes = choice.notes.clone();
    if let Some(parent) = choice.options.pk_chunking.as_ref().and_then(|chunking| chunking.parent.as_ref()) {
        notes.push(format!("pk_chunking splits by the ids of {parent}"));
    }
    if choice.options.pk_chunking.is_some() {
        notes.push("each chunk counts as one of the org's Bulk API batches of 24 hours".to_owned());
    }
    notes
}

fn notes(session: &Session, parts: &Parts) -> Vec<String> {
    let mut notes = vec![
        "the destination is not prepared before the run, because that may make tables or files: it can still refuse, or \
         take fewer columns; what it does not take is not fetched"
            .to_owned(),
    ];
    if session.is_repeatable() {
        notes.push("repeatable: one worker, the clock stands still, random bytes are seeded".to_owned());
        notes.extend(parts.transforms.iter().chain([&parts.destination]).filter_map(unrepeatable));
    }
    notes
}

/// What a repeatable run cannot fix.
fn unrepeatable(part: &Part) -> Option<String> {
    let name = part.name();
    match (part.grant.http.is_empty(), part.plugin.description().deterministic) {
        (false, _) => Some(format!("plugin {name} may send requests, whose answers are not repeatable")),
        (true, false) => Some(format!("plugin {name} says of itself that it is not deterministic")),
        (true, true) => None,
    }
}

fn columns(schema: &Schema) -> Vec<PlanColumn> {
    schema.fields().iter().map(|field| column(field)).collect()
}

fn column(field: &Field) -> PlanColumn {
    PlanColumn {
        name: field.name().clone(),
        salesforce_type: field.metadata().get("sf.type").cloned(),
        arrow_type: field.data_type().to_string(),
        nullable: field.is_nullable(),
    }
}

fn step(part: &Part) -> PlanStep {
    let description = part.plugin.description();
    PlanStep {
        plugin: description.name.clone(),
        version: description.version.clone(),
        digest: part.plugin.digest().to_owned(),
        config: part.shown_config.clone(),
        reads: Vec::new(),
        keeps: Vec::new(),
        computes: Vec::new(),
        constants: Vec::new(),
        drops: Vec::new(),
        withheld: Vec::new(),
        asks: description.needs.iter().map(|need| format!("{} {}: {}", need.capability, need.name, need.why)).collect(),
        grants: capability::words(&part.grant),
        limits: part.limits.clone(),
        output: Vec::new(),
        mode: None,
        keys: Vec::new(),
    }
}

fn transform_step((part, link): (&Part, &Link)) -> PlanStep {
    let name = |number: &u32| link.input.fields().get(*number as usize).map(|field| field.name().clone());
    let outputs = || link.opened.output.fields().iter().zip(&link.opened.sources);
    let of = |wanted: fn(&Origin) -> bool| -> Vec<String> {
        outputs().filter(|(_, source)| wanted(source)).map(|(field, _)| field.name().clone()).collect()
    };
    let kept: BTreeSet<u32> = outputs()
        .filter_map(|(_, source)| match source {
            Origin::Keep(number) => Some(*number),
            _ => None,
        })
        .collect();
    let dropped = (0..).take(link.input.fields().len()).filter(|number: &u32| !kept.contains(number));
    PlanStep {
        reads: link.opened.reads.iter().filter_map(name).collect(),
        keeps: of(|source| matches!(source, Origin::Keep(_))),
        computes: of(|source| matches!(source, Origin::Computed)),
        constants: of(|source| matches!(source, Origin::Constant)),
        drops: dropped.filter_map(|number| name(&number)).collect(),
        withheld: link.withheld.keys().cloned().collect(),
        output: columns(&link.opened.output),
        ..step(part)
    }
}

fn destination_step(session: &Session, parts: &Parts, gate: &Gate) -> PlanStep {
    let file = &session.pipeline().file.destination;
    let columns = columns(&gate.input);
    PlanStep {
        withheld: gate.withheld.keys().cloned().collect(),
        reads: columns.iter().map(|column| column.name.clone()).collect(),
        output: columns,
        mode: Some(file.mode),
        keys: file.keys.clone(),
        ..step(&parts.destination)
    }
}
