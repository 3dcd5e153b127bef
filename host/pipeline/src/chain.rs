//! The transforms of a pipeline in a row: opened on a schema, asked what they read, keep and compute.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use forcepump_sandbox::{OpenRequest, Opened, Settings, Source, TransformInstance};

use crate::error::Error;
use crate::part::Part;

/// What every instance of a run is opened with.
#[derive(Clone)]
pub(crate) struct Opening {
    pub feed: String,
    pub run_id: String,
    pub as_of_micros: i64,
}

/// One opened transform.
pub(crate) struct Link {
    pub instance: TransformInstance,
    pub input: SchemaRef,
    pub opened: Opened,
}

/// Opens the transforms one after the other, each on the output of the one before.
///
/// `withheld`: source columns that no plugin may read; they stay withheld wherever they are kept.
pub(crate) async fn open(
    parts: &[Part],
    settings: impl Fn(&Part) -> Settings,
    source: &SchemaRef,
    mut withheld: BTreeSet<String>,
    opening: &Opening,
    lane: u32,
) -> Result<Vec<Link>, Error> {
    let mut links = Vec::with_capacity(parts.len());
    let mut input = Arc::clone(source);
    for part in parts {
        let failed = |error| part.transform_error(&error);
        let settings = Settings { withheld: withheld.clone(), ..settings(part) };
        let mut instance = part.plugin.transform(&settings).await.map_err(failed)?;
        let request = OpenRequest {
            config_json: part.config_json.clone(),
            input: Arc::clone(&input),
            feed: opening.feed.clone(),
            lane,
            run_id: opening.run_id.clone(),
            as_of_micros: opening.as_of_micros,
            saved: None,
        };
        let opened = instance.open(request).await.map_err(failed)?;
        withheld = still_withheld(&withheld, &input, &opened);
        let output = Arc::clone(&opened.output);
        links.push(Link { instance, input, opened });
        input = output;
    }
    Ok(links)
}

/// The output columns that are nothing but withheld input columns.
fn still_withheld(withheld: &BTreeSet<String>, input: &SchemaRef, opened: &Opened) -> BTreeSet<String> {
    let outputs = opened.output.fields().iter().zip(&opened.sources);
    let kept = outputs.filter_map(|(field, source)| match source {
        Source::Keep(column) => {
            let from = input.fields().get(*column as usize)?;
            withheld.contains(from.name()).then(|| field.name().clone())
        }
        _ => None,
    });
    kept.collect()
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
