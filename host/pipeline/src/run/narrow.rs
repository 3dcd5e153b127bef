//! A pass that wants some columns only: what has to be fetched for them, and which transforms its rows go past.
//!
//! Deleted rows are known by the keys alone, and a backfill brings the keys and some fields. A transform that makes none of
//! the wanted columns is left out: a filter must not keep a deleted row from being deleted, and what nobody wants need not
//! be fetched. A transform that makes one of them sees the rows as ever, so that a masked key is the same key again.

use std::collections::BTreeSet;

use arrow_schema::SchemaRef;
use forcepump_sandbox::Source;

use super::pass::Through;
use super::shared::Parts;
use crate::chain::{Chain, Use};
use crate::error::Error;
use crate::firewall::Gate;
use crate::link::Link;

/// The way of rows of which only some columns are wanted.
pub(crate) struct Narrow {
    /// for each transform: its rows go past it
    pub bypass: Vec<bool>,
    /// source columns that are needed, ascending
    pub needed: BTreeSet<u32>,
}

/// `wanted`: numbers of the chain's output columns.
pub(crate) fn narrow(uses: &[Use], wanted: &BTreeSet<u32>) -> Narrow {
    let mut bypass = vec![false; uses.len()];
    let mut needed = wanted.clone();
    for (stage, step) in uses.iter().enumerate().rev() {
        let of = |column: &u32| step.sources.get(*column as usize);
        let makes = needed.iter().any(|column| !matches!(of(column), Some(Source::Keep(_))));
        let kept = needed.iter().filter_map(|column| match of(column) {
            Some(Source::Keep(before)) => Some(*before),
            _ => None,
        });
        let kept: BTreeSet<u32> = kept.collect();
        needed = if makes { kept.into_iter().chain(step.reads.iter().copied()).collect() } else { kept };
        bypass[stage] = !makes;
    }
    Narrow { bypass, needed }
}

/// The columns behind the gate that one of the source columns may have become: kept, or made by a transform that reads it.
pub(crate) fn descendants(chain: &Chain, gate: &Gate, columns: &BTreeSet<u32>) -> BTreeSet<u32> {
    let last = chain.links.iter().fold(columns.clone(), |before, link| {
        let step = Use::from(&link.opened);
        let reads: BTreeSet<u32> = step.reads.iter().copied().filter(|column| before.contains(column)).collect();
        let made = made_from(link, &reads);
        let outputs = step.sources.iter().zip(0u32..);
        let becomes = outputs.filter(|(source, number)| match source {
            Source::Keep(column) => before.contains(column),
            _ => made.contains(number),
        });
        becomes.map(|(_, number)| number).collect()
    });
    let passes = gate.passes.iter().zip(0u32..);
    passes
        .filter(|(column, _)| u32::try_from(**column).is_ok_and(|column| last.contains(&column)))
        .map(|(_, number)| number)
        .collect()
}

/// What a transform made of the columns that it reads: those of the same names; where one has no such, any that it made.
fn made_from(link: &Link, reads: &BTreeSet<u32>) -> BTreeSet<u32> {
    let made = || {
        let outputs = link.opened.sources.iter().zip(0u32..);
        outputs.filter(|(source, _)| matches!(source, Source::Computed)).map(|(_, number)| number)
    };
    let same_name = |column: &u32| {
        let name = link.input.fields().get(*column as usize)?.name();
        made().find(|number| link.opened.output.fields().get(*number as usize).is_some_and(|f| f.name() == name))
    };
    let namesakes: Vec<Option<u32>> = reads.iter().map(same_name).collect();
    if namesakes.iter().any(Option::is_none) {
        return made().collect();
    }
    namesakes.into_iter().flatten().collect()
}

/// What a pass goes through that wants only these columns behind the gate. `beside`: source columns that are fetched
/// whatever becomes of them. `why`: what the pass is for, at which key of the file.
///
/// # Errors
/// [`Error::Input`] when a transform that makes one of the columns cannot make it of single rows.
pub(crate) fn through(
    (chain, gate, parts): (&Chain, &Gate, &Parts),
    full: &SchemaRef,
    wanted: &BTreeSet<u32>,
    beside: &[&str],
    (key, why): (&str, &str),
) -> Result<Through, Error> {
    let uses: Vec<Use> = chain.links.iter().map(|link| Use::from(&link.opened)).collect();
    let before: BTreeSet<u32> = wanted.iter().filter_map(|column| gate.before(*column)).collect();
    let Narrow { bypass, needed } = narrow(&uses, &before);
    for (part, _) in parts.transforms.iter().zip(&bypass).filter(|(_, bypassed)| !**bypassed) {
        let description = part.plugin.description();
        let fault = match (description.stateful, description.deterministic) {
            (true, _) => "keeps rows back or counts on those before",
            (false, false) => "says of itself that it is not deterministic",
            (false, true) => continue,
        };
        let text = format!(
            "{why} cannot be found again: the transform {} makes a column that they are known by or that is wanted, and it {fault}",
            part.name()
        );
        return Err(Error::input(key, text));
    }
    let mut kept: BTreeSet<usize> = needed.into_iter().map(|column| column as usize).collect();
    kept.extend(beside.iter().filter_map(|name| full.fields().iter().position(|field| field.name() == name)));
    Ok(Through::new(
        kept.into_iter().filter(|number| *number < full.fields().len()).collect(),
        full,
        bypass,
        gate.only(wanted),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: &[u32]) -> BTreeSet<u32> {
        numbers.iter().copied().collect()
    }

    #[test]
    fn only_transforms_that_make_a_wanted_column_are_gone_through() {
        let filter = Use { reads: vec![2], sources: vec![Source::Keep(0), Source::Keep(1), Source::Keep(2)] };
        let mask = Use { reads: vec![0, 2], sources: vec![Source::Computed, Source::Keep(1), Source::Computed] };
        let rename = Use { reads: vec![], sources: vec![Source::Keep(1), Source::Keep(0)] };
        let uses = [filter, mask, rename];
        // column 1 at the end is the masked column 0
        let key = narrow(&uses, &set(&[1]));
        assert_eq!((key.bypass, key.needed), (vec![true, false, true], set(&[0, 2])));
        // column 0 at the end was kept by all
        let kept = narrow(&uses, &set(&[0]));
        assert_eq!((kept.bypass, kept.needed), (vec![true, true, true], set(&[1])));
        let none = narrow(&[], &set(&[3]));
        assert_eq!((none.bypass.len(), none.needed), (0, set(&[3])));
    }

    #[test]
    fn a_column_with_one_value_is_made_too() {
        let shape = Use { reads: vec![], sources: vec![Source::Keep(0), Source::Constant] };
        let found = narrow(&[shape], &set(&[0, 1]));
        assert_eq!((found.bypass, found.needed), (vec![false], set(&[0])));
    }
}
