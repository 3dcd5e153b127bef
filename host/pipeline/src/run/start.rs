//! Everything before the first row: plugins opened, destination prepared, columns pruned.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use arrow_schema::SchemaRef;
use forcepump_batch::DecodeOptions;
use forcepump_sandbox::{Ending, Opened, Settings, Target, WriteMode};

use super::fingerprint;
use super::journal::Journal;
use super::lane::Lane;
use super::limit::Limit;
use super::pass::{Pass, Through};
use super::reader::Columns;
use super::rejects::RejectsFile;
use super::retried;
use super::shared::{Parts, Place, Shared};
use super::slices;
use super::special::{self, Planned};
use crate::cancel::Cancel;
use crate::capability;
use crate::chain::{self, Chain, Opening, Use, Way};
use crate::choice;
use crate::drift::Drift;
use crate::error::Error;
use crate::event::{Event, Observer};
use crate::file::Mode;
use crate::firewall::Gate;
use crate::incremental::Window;
use crate::part::Part;
use crate::report::SkippedField;
use crate::session::Session;
use crate::state::UnitRow;

/// Rows asked of a transform's `finish` at a time.
pub(crate) const FINISH_ROWS: u32 = 8_192;
/// CSV bytes of a batch at most, so that memory stays flat with very wide rows.
const BATCH_BYTES: usize = 2 << 20;
/// Workers at most when the pipeline says nothing, whatever a destination can take: each holds instances, buffers and a connection.
const MAX_LANES: u32 = 4;

/// All that a run needs once it is planned.
pub(crate) struct Ready {
    pub shared: Arc<Shared>,
    /// in the order in which they are moved
    pub passes: Vec<Arc<Pass>>,
    pub skipped: Vec<SkippedField>,
    pub drift: Drift,
    pub decode: DecodeOptions,
    pub lanes: u32,
    /// parts that are fetched at a time
    pub parts_at_a_time: usize,
    /// units that earlier processes of the run committed
    pub committed: Vec<UnitRow>,
    full: SchemaRef,
    agreed: Vec<Opened>,
}

/// What the plugins agreed to when they were opened to plan.
pub(crate) struct Settled {
    pub chain: Chain,
    pub gate: Gate,
    pub target: Target,
}

/// Opens the transforms with grants that open nothing, and settles what reaches the destination.
pub(crate) async fn settle(
    session: &Session,
    parts: &Parts,
    full: &SchemaRef,
    opening: &Opening,
) -> Result<Settled, Error> {
    slices::check(session, parts)?;
    let unfetched = BTreeSet::new();
    let transforms = &parts.transforms;
    let way =
        Way { parts: transforms, source: full, opening, lane: 0, unfetched: &unfetched, agreed: None, bypass: &[] };
    let chain = chain::open(&way, |part| part.settings.clone()).await?;
    let gate = Gate::new(&parts.destination.rules, &chain.output, &chain.lineage)?;
    let target = target(session, &parts.destination, &gate, opening)?;
    Ok(Settled { chain, gate, target })
}

impl Settled {
    /// The source columns to fetch when the destination takes these of the columns that reach it: what is read or
    /// taken, and the id, so that a rejected row can be named.
    pub(crate) fn kept_columns(&self, takes: &[u32], full: &SchemaRef, window: Option<&Window>) -> Vec<usize> {
        let uses: Vec<Use> = self.chain.links.iter().map(|link| Use::from(&link.opened)).collect();
        let takes: Vec<u32> = takes.iter().filter_map(|column| self.gate.before(*column)).collect();
        let cursor = window.filter(|window| window.remember_from < window.to).map(|window| window.field.as_str());
        kept_columns(&uses, &takes, full, cursor)
    }
}

/// Opens, prepares and prunes; nothing is sent to Salesforce but describes.
pub(crate) async fn prepare(
    session: &Session,
    observer: &Arc<dyn Observer>,
    journal: &Arc<Journal>,
    cancel: &Cancel,
) -> Result<Ready, Error> {
    let run_id = session.run_id();
    let query = session.resolve().await?;
    choice::check(&session.pipeline().file.source, &query.select)?;
    let drift = Drift::of(session, &query).await?;
    drift.check()?;
    for text in drift.warnings().chain(session.window().and_then(Window::warning)) {
        observer.event(Event::Warning(text));
    }
    let parts = Arc::new(session.parts()?);
    let opening = Opening { known_as: journal.known_as()?, ..session.opening(run_id, &query.object) };
    let full = Arc::clone(&query.schema);
    let settled = settle(session, &parts, &full, &opening).await?;
    let settings = open_settings(session, &parts.destination, observer)?;
    let mut passes = Vec::new();
    // The main pass is the last, and makes what the others go on with.
    for planned in special::passes(session, &settled, &parts, &query)?.into_iter().rev() {
        let _turn = session.writer().turn().await;
        passes.push(Arc::new(prepare_pass(session, (&parts.destination, &settings), &settled, planned).await?));
    }
    passes.reverse();
    if let Some(text) = passes.last().and_then(|main| drift.about_unfilled(session, &main.query)) {
        observer.event(Event::Warning(text));
    }
    let prepared = || passes.iter().map(|pass| &pass.prepared);
    let Settled { chain, gate: _, target } = settled;
    let opened = chain.links.iter().map(|link| link.opened.preferred_rows);
    let preferred = opened.chain(prepared().map(|prepared| prepared.preferred_rows)).max();
    if session.pipeline().feed().is_none() {
        // Of several feeds the run as a whole is planned before them.
        let fingerprint = fingerprint::fingerprint(session, &parts)?;
        journal.state().run_planned(run_id, &fingerprint, &fingerprint::plan(session)?)?;
    }
    let overlap = journal.begins(session, &query.object).await?;
    let stateful = parts.transforms.iter().any(|part| part.plugin.description().stateful);
    let folder = session.pipeline().folder();
    let committed = journal.units()?;
    let rejects = RejectsFile::going_on((folder, run_id), &query.object, parts.destination.name(), &committed)?;
    let asked = session.pipeline().file.source.parallel_pages;
    let most = asked.map_or_else(|| MAX_LANES.min(cores()), u32::from);
    let taken = prepared().map(|prepared| prepared.lanes).min().unwrap_or(1);
    let lanes = if stateful || session.is_repeatable() { 1 } else { taken.clamp(1, most) };
    Ok(Ready {
        skipped: query.skipped.iter().map(SkippedField::from).collect(),
        decode: DecodeOptions {
            batch_rows: session.batch_rows(preferred.unwrap_or(0)),
            batch_bytes: BATCH_BYTES,
            ..DecodeOptions::default()
        },
        lanes,
        parts_at_a_time: asked.map_or(lanes as usize, usize::from),
        drift,
        agreed: chain.links.into_iter().map(|link| link.opened).collect(),
        shared: Arc::new(Shared::new(
            parts,
            Place { target, output: chain.output, settings, writer: session.writer().clone() },
            opening,
            (Arc::clone(observer), cancel.clone()),
            (rejects, Limit::new(session.pipeline().file.max_rejects.as_ref())),
            (Arc::clone(journal), overlap),
        )),
        passes: retried::passes(session, passes),
        committed,
        full,
    })
}

/// Tells the destination of the end of a run of which no instance is left; `known_as`: as it knows the run.
///
/// # Errors
/// What [`prepare`] would fail on; what the destination says.
pub(crate) async fn conclude(
    session: &Session,
    known_as: String,
    tokens: &[String],
    how: Ending,
    observer: &Arc<dyn Observer>,
) -> Result<(), Error> {
    let query = session.resolve().await?;
    let parts = session.parts()?;
    let opening = Opening { known_as, ..session.opening(session.run_id(), &query.object) };
    let settled = settle(session, &parts, &query.schema, &opening).await?;
    let part = &parts.destination;
    let settings = open_settings(session, part, observer)?;
    let failed = |error| part.destination_error(&error);
    let _turn = session.writer().turn().await;
    let mut instance = part.plugin.destination(&settings).await.map_err(failed)?;
    instance.conclude(&settled.target, how, tokens).await.map_err(failed)
}

/// The destination's settings with its grants open.
fn open_settings(session: &Session, part: &Part, observer: &Arc<dyn Observer>) -> Result<Settings, Error> {
    let (folder, dry) = (session.pipeline().folder(), &part.settings.grants);
    let grants = capability::open("destination", &part.grant, &part.limits, folder, dry)?;
    Ok(part.live_settings(grants, observer))
}

/// Asks the destination for a pass's target, and leaves out what neither it nor a transform wants.
async fn prepare_pass(
    session: &Session,
    (part, settings): (&Part, &Settings),
    settled: &Settled,
    planned: Planned,
) -> Result<Pass, Error> {
    let Planned { prefix, mut query, action, target, through } = planned;
    let prepared = prepare_destination(part, settings, &target).await?;
    let through = match through {
        Some(through) => through,
        None => {
            let kept = settled.kept_columns(&prepared.takes, &query.schema, session.window());
            Through::new(kept, &query.schema, Vec::new(), settled.gate.clone())
        }
    };
    query.keep_columns(&through.kept);
    let (prefix, through) = (prefix.to_owned(), Arc::new(through));
    Ok(Pass { prefix, query, target, prepared, action, through, cut: None, root: None })
}

fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

async fn prepare_destination(
    part: &Part,
    settings: &Settings,
    target: &Target,
) -> Result<forcepump_sandbox::Prepared, Error> {
    let failed = |error| part.destination_error(&error);
    let mut instance = part.plugin.destination(settings).await.map_err(failed)?;
    instance.prepare(target).await.map_err(failed)
}

fn kept_columns(uses: &[Use], takes: &[u32], full: &SchemaRef, cursor: Option<&str>) -> Vec<usize> {
    let takes: BTreeSet<u32> = takes.iter().copied().collect();
    let mut kept: BTreeSet<usize> = chain::needed(uses, &takes).into_iter().map(|number| number as usize).collect();
    for name in ["Id"].into_iter().chain(cursor) {
        kept.extend(full.fields().iter().position(|field| field.name() == name));
    }
    if kept.is_empty() {
        kept.insert(0);
    }
    kept.into_iter().filter(|number| *number < full.fields().len()).collect()
}

pub(crate) fn pruned_names(full: &SchemaRef, kept: &[usize]) -> BTreeSet<String> {
    let gone = full.fields().iter().enumerate().filter(|(number, _)| kept.binary_search(number).is_err());
    gone.map(|(_, field)| field.name().clone()).collect()
}

/// What the destination is told of its target; the keys must be among the columns that reach it.
fn target(session: &Session, part: &Part, gate: &Gate, opening: &Opening) -> Result<Target, Error> {
    let step = &session.pipeline().file.destination;
    let keys = step.keys.iter().map(|key| key_number(key, gate)).collect::<Result<_, _>>()?;
    Ok(Target {
        config_json: part.config_json.clone(),
        input: Arc::clone(&gate.input),
        feed: opening.feed.clone(),
        run_id: opening.known_as.clone(),
        as_of_micros: opening.as_of_micros,
        mode: match step.mode {
            Mode::Append => WriteMode::Append,
            Mode::Overwrite => WriteMode::Overwrite,
            Mode::Merge => WriteMode::Merge,
            Mode::Update => WriteMode::Update,
            Mode::Delete => WriteMode::Delete,
        },
        keys,
    })
}

fn key_number(key: &str, gate: &Gate) -> Result<u32, Error> {
    if let Some(list) = gate.withheld.get(key) {
        let text = format!("the column `{key}` is a key, but `destination.{list}` withholds it from the destination");
        return Err(Error::input("destination.keys", text));
    }
    let names = || gate.input.fields().iter().map(|field| field.name().as_str());
    let found = names().position(|name| name == key);
    found.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| {
        let meant =
            crate::file::nearest(key, names()).map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        Error::input("destination.keys", format!("no column `{key}` reaches the destination{meant}"))
    })
}

/// Unique per run, and sorts by time. Destinations know a unit by it: two runs that began in one moment, be it in
/// containers whose processes have the same numbers, must not be taken for one.
pub(crate) fn new_run_id() -> String {
    let now = chrono::Utc::now();
    // The keys of a hash map are random.
    let random = RandomState::new().hash_one(()) & 0xffff;
    format!("{}-{:04x}{random:04x}", now.format("%Y%m%dT%H%M%S%3fZ"), std::process::id() & 0xffff)
}

impl Ready {
    /// The fetched columns and their places in the schema that the plugins were opened with.
    pub(crate) fn columns(&self, pass: &Pass) -> Columns {
        Columns::new(&self.full, &pass.through.kept, self.decode.batch_rows)
    }

    /// The units of a pass that earlier processes committed.
    pub(super) fn of_pass<'a>(&'a self, pass: &'a Pass) -> impl Iterator<Item = &'a UnitRow> {
        self.committed.iter().filter(|unit| unit.pass == pass.prefix)
    }

    /// The instances of one worker in a pass, which must agree to what the planned ones did.
    pub(crate) async fn lane(&self, pass: &Arc<Pass>, number: u32) -> Result<Lane, Error> {
        let shared = &self.shared;
        let live = |part: &Part| part.live_settings(part.settings.grants.clone(), &shared.observer);
        let way = Way {
            parts: &shared.parts.transforms,
            source: &self.full,
            opening: &shared.opening,
            lane: number,
            unfetched: &pass.through.unfetched,
            agreed: Some(&self.agreed),
            bypass: &pass.through.bypass,
        };
        let links = chain::open(&way, live).await?.links;
        Ok(Lane { number, pass: Arc::clone(pass), links, destination: shared.destination().await?, turn: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_moment_have_names_of_their_own() {
        let ids: BTreeSet<String> = (0..50).map(|_| new_run_id()).collect();
        let chars: BTreeSet<usize> = ids.iter().map(String::len).collect();
        assert!(ids.len() > 45 && chars.len() == 1, "{ids:?}");
    }
}
