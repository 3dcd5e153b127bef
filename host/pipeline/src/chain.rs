//! The transforms of a pipeline in a row: opened on a schema, asked what they read, keep and compute.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use forcepump_sandbox::{OpenRequest, Opened, Settings, Source};

use crate::error::Error;
use crate::firewall::Lineage;
use crate::link::{Link, same_answer};
use crate::part::Part;

/// What every instance of a run is opened with.
#[derive(Clone)]
pub(crate) struct Opening {
    pub feed: String,
    pub run_id: String,
    /// the run as the destination knows it; another one when the feed was begun anew
    pub known_as: String,
    /// the run id that transforms see; the same in every repeatable run
    pub shown_run_id: String,
    pub as_of_micros: i64,
}

/// The transforms of one lane, opened one after the other, and what comes out at the end.
pub(crate) struct Chain {
    pub links: Vec<Link>,
    pub output: SchemaRef,
    /// what the columns of the output were on their way
    pub lineage: Lineage,
}

/// What a chain is opened on.
pub(crate) struct Way<'a> {
    pub parts: &'a [Part],
    pub source: &'a SchemaRef,
    pub opening: &'a Opening,
    pub lane: u32,
    /// source columns that are not fetched; reading one is an error, not a null
    pub unfetched: &'a BTreeSet<u32>,
    /// what the transforms answered when the run was planned
    pub agreed: Option<&'a [Opened]>,
    /// for each transform: rows go past it; none where there is none
    pub bypass: &'a [bool],
}

/// Opens the transforms one after the other, each on the output of the one before and behind its firewall.
pub(crate) async fn open(way: &Way<'_>, settings: impl Fn(&Part) -> Settings) -> Result<Chain, Error> {
    let mut links: Vec<Link> = Vec::with_capacity(way.parts.len());
    let mut input = Arc::clone(way.source);
    let mut lineage = Lineage::source(&input);
    for (stage, part) in way.parts.iter().enumerate() {
        let withheld = part.rules.withheld(&input, &lineage)?;
        let bypassed = way.bypass.get(stage).copied().unwrap_or_default();
        let unfetched = lineage.still_of_source(&input, way.unfetched).filter(|_| !bypassed).cloned();
        let settings = Settings { withheld: withheld.keys().cloned().chain(unfetched).collect(), ..settings(part) };
        let request = OpenRequest {
            config_json: part.config_json.clone(),
            input: Arc::clone(&input),
            feed: way.opening.feed.clone(),
            lane: way.lane,
            run_id: way.opening.shown_run_id.clone(),
            as_of_micros: way.opening.as_of_micros,
            saved: None,
        };
        let link = Link::open(part, settings, request, withheld).await?;
        let link = if bypassed { link.bypassed() } else { link };
        part.rules.check_reads(part.name(), &link.withheld, &input, &link.opened.reads)?;
        if let Some(agreed) = way.agreed.and_then(|agreed| agreed.get(stage)) {
            same_answer(part, agreed, &link.opened)?;
        }
        lineage = lineage.after(&link.opened);
        input = Arc::clone(&link.opened.output);
        links.push(link);
    }
    Ok(Chain { links, output: input, lineage })
}

/// What one transform does with columns; apart from its instance, so that the rule below can be tested.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    pub reads: Vec<u32>,
    pub sources: Vec<Source>,
}

impl From<&Opened> for Use {
    fn from(opened: &Opened) -> Self {
        Self { reads: opened.reads.clone(), sources: opened.sources.clone() }
    }
}

/// The source columns that anything reads or that reach the destination, by number, ascending.
///
/// `takes`: the chain's output columns that the destination takes.
pub(crate) fn needed(uses: &[Use], takes: &BTreeSet<u32>) -> BTreeSet<u32> {
    uses.iter().rev().fold(takes.clone(), |wanted, step| {
        let kept = step.sources.iter().enumerate().filter_map(|(number, source)| match source {
            Source::Keep(column) if wanted.contains(&(number as u32)) => Some(*column),
            _ => None,
        });
        step.reads.iter().copied().chain(kept).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: &[u32]) -> BTreeSet<u32> {
        numbers.iter().copied().collect()
    }

    #[test]
    fn without_transforms_the_destination_decides() {
        assert_eq!(needed(&[], &set(&[0, 2])), set(&[0, 2]));
    }

    #[test]
    fn what_is_kept_and_taken_or_read_stays() {
        let first = Use { reads: vec![3], sources: vec![Source::Keep(0), Source::Keep(1), Source::Computed] };
        let second = Use { reads: vec![2], sources: vec![Source::Keep(1)] };
        // second keeps first's column 1 (source 1) and reads its column 2 (computed, from source 3)
        assert_eq!(needed(&[first.clone(), second], &set(&[0])), set(&[1, 3]));
        assert_eq!(needed(&[first], &set(&[0])), set(&[0, 3]));
    }
}
