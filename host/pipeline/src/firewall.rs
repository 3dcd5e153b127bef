//! The column firewall: which columns a plugin may not see, followed through every rename.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};
use forcepump_sandbox::{Opened, Source};

use crate::error::Error;
use crate::file::{Problem, nearest};

/// Field metadata by which describe's classification travels: set by the source, kept by every plugin that keeps the
/// column, and out of a plugin's reach.
const ENCRYPTED: &str = "sf.encrypted";
/// A classification that counts when it says anything.
const CLASSIFICATIONS: [&str; 2] = ["sf.complianceGroup", "sf.securityClassification"];

/// Withheld columns by their present name, each with the key of the step that withholds it.
pub(crate) type Withheld = BTreeMap<String, &'static str>;

/// What one step of the file says about columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// where the step stands in the file: `transform[0]`, `destination`
    key: String,
    /// the only columns that may be read
    only: Option<Vec<String>>,
    /// columns that may not be read
    withhold: Vec<String>,
    /// classified columns may not be read
    classified: bool,
}

impl Rules {
    pub(crate) fn new(key: &str, only: Option<&[String]>, withhold: &[String], classified: bool) -> Self {
        Self { key: key.to_owned(), only: only.map(<[_]>::to_vec), withhold: withhold.to_vec(), classified }
    }

    /// The columns of `input` that the plugin may not see.
    ///
    /// A column that was renamed on its way is withheld under each name that it had: a plugin that swaps names gets
    /// nothing past the next one.
    ///
    /// # Errors
    /// [`Error::Input`] for names that no column has, with the nearest one.
    pub(crate) fn withheld(&self, input: &Schema, lineage: &Lineage) -> Result<Withheld, Error> {
        let problems = self.unknown(input, lineage);
        if !problems.is_empty() {
            return Err(Error::Input(problems));
        }
        let columns = input.fields().iter().zip(&lineage.0);
        let why = |field: &Field, origin: &Origin| {
            let listed = |list: &[String]| list.iter().any(|name| name == field.name());
            let had = |name: &String| name == field.name() || origin.names.contains(name);
            if self.withhold.iter().any(had) {
                return Some("withhold");
            }
            if self.classified && is_classified(field) {
                return Some("withhold_classified");
            }
            self.only.as_deref().filter(|only| !listed(only)).map(|_| "columns")
        };
        Ok(columns.filter_map(|(field, origin)| Some((field.name().clone(), why(field, origin)?))).collect())
    }

    fn unknown(&self, input: &Schema, lineage: &Lineage) -> Vec<Problem> {
        let present = |name: &str| input.fields().iter().any(|field| field.name() == name);
        let only = self.only.iter().flatten().filter(|name| !present(name));
        let only = only.map(|name| self.unknown_name("columns", name, input, lineage));
        let withhold = self.withhold.iter().filter(|name| !present(name) && lineage.now(name, input).is_none());
        only.chain(withhold.map(|name| self.unknown_name("withhold", name, input, lineage))).collect()
    }

    fn unknown_name(&self, list: &str, name: &str, input: &Schema, lineage: &Lineage) -> Problem {
        let key = format!("{}.{list}", self.key);
        if let Some(now) = lineage.now(name, input) {
            return Problem::new(key, format!("the column `{name}` is called `{now}` where it comes in here"));
        }
        let names = || input.fields().iter().map(|field| field.name().as_str());
        let meant = nearest(name, names()).map_or_else(
            || format!("; there are {}", names().collect::<Vec<_>>().join(", ")),
            |near| format!("; did you mean `{near}`?"),
        );
        Problem::new(key, format!("no column `{name}` comes in here{meant}"))
    }

    /// Refuses a plugin that says itself that it reads what it may not see.
    ///
    /// # Errors
    /// [`Error::Input`] with every such column.
    pub(crate) fn check_reads(
        &self,
        plugin: &str,
        withheld: &Withheld,
        input: &Schema,
        reads: &[u32],
    ) -> Result<(), Error> {
        let names = reads.iter().filter_map(|number| input.fields().get(*number as usize)).map(|field| field.name());
        self.check_names(plugin, withheld, names)
    }

    /// The same, by the names of the columns.
    ///
    /// # Errors
    /// [`Error::Input`] with every such column.
    pub(crate) fn check_names<'a>(
        &self,
        plugin: &str,
        withheld: &Withheld,
        names: impl Iterator<Item = &'a String>,
    ) -> Result<(), Error> {
        let refused = names.filter_map(|name| Some((name, *withheld.get(name)?)));
        let problems: Vec<Problem> = refused.map(|(name, list)| self.refused(plugin, name, list)).collect();
        if problems.is_empty() { Ok(()) } else { Err(Error::Input(problems)) }
    }

    /// The refusal of a column that the plugin asks to read.
    fn refused(&self, plugin: &str, column: &str, list: &str) -> Problem {
        let way_out = match list {
            "columns" => format!("add `{column}` to `columns`"),
            "withhold" => format!("take `{column}` out of `withhold`"),
            _ => "name the columns under `withhold` in place of the switch".to_owned(),
        };
        Problem::new(
            format!("{}.{list}", self.key),
            format!(
                "plugin {plugin} reads the column `{column}`, which is withheld from it; {way_out}, or configure the plugin so that it does not read it"
            ),
        )
    }
}

fn is_classified(field: &Field) -> bool {
    let says = |key: &str| field.metadata().get(key).map_or("", |value| value.trim());
    says(ENCRYPTED) == "true" || CLASSIFICATIONS.iter().any(|key| !says(key).is_empty())
}

/// What each column of a schema was on its way from the source; empty for columns that a plugin made.
#[derive(Debug, Clone)]
pub(crate) struct Lineage(Vec<Origin>);

#[derive(Debug, Clone, Default)]
struct Origin {
    /// its number in the source, when it is nothing but that column
    source: Option<u32>,
    /// every name that it had, the present one included
    names: BTreeSet<String>,
}

impl Lineage {
    /// Of the source's own schema.
    pub(crate) fn source(schema: &Schema) -> Self {
        let numbered = schema.fields().iter().zip(0u32..);
        let origin = |(field, number): (&Arc<Field>, u32)| Origin {
            source: Some(number),
            names: BTreeSet::from([field.name().clone()]),
        };
        Self(numbered.map(origin).collect())
    }

    /// Of what comes out of a transform.
    pub(crate) fn after(&self, opened: &Opened) -> Self {
        let outputs = opened.output.fields().iter().zip(&opened.sources);
        let origin = |(field, source): (&Arc<Field>, &Source)| {
            let mut origin = match source {
                Source::Keep(column) => self.0.get(*column as usize).cloned().unwrap_or_default(),
                _ => Origin::default(),
            };
            origin.names.insert(field.name().clone());
            origin
        };
        Self(outputs.map(origin).collect())
    }

    /// The columns that are nothing but one of these source columns.
    pub(crate) fn still_of_source<'a>(
        &'a self,
        schema: &'a Schema,
        columns: &'a BTreeSet<u32>,
    ) -> impl Iterator<Item = &'a String> {
        let of = |origin: &Origin| origin.source.is_some_and(|number| columns.contains(&number));
        let named = schema.fields().iter().zip(&self.0);
        named.filter(move |(_, origin)| of(origin)).map(|(field, _)| field.name())
    }

    /// What the column of a former name is called now.
    fn now<'a>(&self, name: &str, schema: &'a Schema) -> Option<&'a str> {
        let mut named = schema.fields().iter().zip(&self.0);
        named.find(|(_, origin)| origin.names.contains(name)).map(|(field, _)| field.name().as_str())
    }
}

/// What stands before the destination: withheld columns do not reach it, because what a host function gives back (a
/// digest, a query of what was inserted) would let them in again.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    /// the columns that pass, by their number in the chain's output
    pub passes: Vec<usize>,
    /// the columns that do not
    pub withheld: Withheld,
    /// the schema behind the gate
    pub input: SchemaRef,
}

impl Gate {
    /// # Errors
    /// [`Error::Input`] for unknown names, and when nothing passes.
    pub(crate) fn new(rules: &Rules, output: &SchemaRef, lineage: &Lineage) -> Result<Self, Error> {
        let withheld = rules.withheld(output, lineage)?;
        let passes: Vec<usize> =
            (0..output.fields().len()).filter(|number| !withheld.contains_key(output.field(*number).name())).collect();
        let input = match passes.len() == output.fields().len() {
            true => Arc::clone(output),
            false => Arc::new(output.project(&passes).map_err(|error| Error::input(&rules.key, error.to_string()))?),
        };
        if passes.is_empty() {
            return Err(Error::input(&rules.key, "every column is withheld; nothing would reach the destination"));
        }
        Ok(Self { passes, withheld, input })
    }

    /// The same gate for only some of the columns behind it.
    pub(crate) fn only(&self, columns: &BTreeSet<u32>) -> Self {
        let numbers = columns.iter().map(|column| *column as usize).filter(|column| *column < self.passes.len());
        let (mut passes, mut fields) = (Vec::new(), Vec::new());
        for column in numbers {
            passes.push(self.passes[column]);
            fields.push(Arc::clone(&self.input.fields()[column]));
        }
        let input = Arc::new(Schema::new_with_metadata(fields, self.input.metadata().clone()));
        Self { passes, withheld: self.withheld.clone(), input }
    }

    /// The part of a batch that passes.
    pub(crate) fn project(&self, batch: &RecordBatch) -> Result<RecordBatch, arrow_schema::ArrowError> {
        if self.passes.len() == batch.num_columns() { Ok(batch.clone()) } else { batch.project(&self.passes) }
    }

    /// The number before the gate of a column behind it.
    pub(crate) fn before(&self, column: u32) -> Option<u32> {
        self.passes.get(column as usize).and_then(|number| u32::try_from(*number).ok())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow_schema::DataType;

    use super::*;

    fn schema(names: &[&str]) -> SchemaRef {
        Arc::new(Schema::new(names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>()))
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn keeps(output: &[(&str, u32)]) -> Opened {
        let names: Vec<&str> = output.iter().map(|(name, _)| *name).collect();
        let sources = output.iter().map(|(_, number)| Source::Keep(*number)).collect();
        Opened { output: schema(&names), sources, reads: Vec::new(), preferred_rows: 0 }
    }

    fn names(withheld: &Withheld) -> Vec<&str> {
        withheld.keys().map(String::as_str).collect()
    }

    #[test]
    fn what_is_not_listed_and_what_is_withheld_is_closed() {
        let input = schema(&["Id", "Name", "Email"]);
        let lineage = Lineage::source(&input);
        let only = list(&["Id", "Name"]);
        let found = Rules::new("t", Some(&only), &list(&["Name"]), false).withheld(&input, &lineage).unwrap();
        assert_eq!(found, Withheld::from([("Email".into(), "columns"), ("Name".into(), "withhold")]));
        let nothing: [String; 0] = [];
        let found = Rules::new("t", Some(&nothing), &[], false).withheld(&input, &lineage).unwrap();
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_plugin_that_swaps_names_gets_nothing_past_the_next() {
        let input = schema(&["Id", "Name", "Email"]);
        let swapped = keeps(&[("Name", 2), ("Email", 1), ("e", 2)]);
        let lineage = Lineage::source(&input).after(&swapped);
        let found = Rules::new("t", None, &list(&["Email"]), false).withheld(&swapped.output, &lineage).unwrap();
        assert_eq!(names(&found), ["Email", "Name", "e"]);
    }

    #[test]
    fn classification_follows_the_metadata() {
        let field = |name: &str, key: &str, value: &str| {
            Field::new(name, DataType::Utf8, true).with_metadata(HashMap::from([(key.to_owned(), value.to_owned())]))
        };
        let input = Schema::new(vec![
            field("a", "sf.encrypted", "true"),
            field("b", "sf.encrypted", "false"),
            field("c", "sf.complianceGroup", "PII;GDPR"),
            field("d", "sf.securityClassification", "Confidential"),
            field("e", "sf.securityClassification", " "),
            field("f", "sf.label", "secret"),
        ]);
        let rules = Rules::new("t", None, &[], true);
        let found = rules.withheld(&input, &Lineage::source(&input)).unwrap();
        assert_eq!(names(&found), ["a", "c", "d"]);
    }

    #[test]
    fn unknown_names_are_answered_with_the_nearest() {
        let input = schema(&["Id", "Email"]);
        let rules = Rules::new("transform[1]", Some(&list(&["Id"])), &list(&["Emial"]), false);
        let text = rules.withheld(&input, &Lineage::source(&input)).unwrap_err().to_string();
        assert!(text.contains("transform[1].withhold: no column `Emial`") && text.contains("mean `Email`?"), "{text}");
        let renamed = keeps(&[("Id", 0), ("mail", 1)]);
        let lineage = Lineage::source(&input).after(&renamed);
        let rules = Rules::new("transform[1]", Some(&list(&["Email"])), &[], false);
        let text = rules.withheld(&renamed.output, &lineage).unwrap_err().to_string();
        assert!(text.contains("`Email` is called `mail`"), "{text}");
    }

    #[test]
    fn a_plugin_that_reads_what_is_withheld_is_refused_with_the_way_out() {
        let input = schema(&["Id", "Email"]);
        let rules = Rules::new("transform[0]", None, &list(&["Email"]), false);
        let withheld = rules.withheld(&input, &Lineage::source(&input)).unwrap();
        assert!(rules.check_reads("mask", &withheld, &input, &[0]).is_ok());
        let text = rules.check_reads("mask", &withheld, &input, &[0, 1]).unwrap_err().to_string();
        assert!(text.contains("transform[0].withhold: plugin mask reads the column `Email`"), "{text}");
        assert!(text.contains("take `Email` out of `withhold`"), "{text}");
    }

    #[test]
    fn what_does_not_pass_the_gate_is_gone() {
        let output = schema(&["Id", "Email", "Name"]);
        let rules = Rules::new("destination", None, &list(&["Email"]), false);
        let gate = Gate::new(&rules, &output, &Lineage::source(&output)).unwrap();
        assert_eq!(gate.passes, [0, 2]);
        assert_eq!((gate.before(1), gate.before(2)), (Some(2), None));
        assert_eq!(gate.project(&RecordBatch::new_empty(output.clone())).unwrap().schema(), gate.input);
        let only = gate.only(&BTreeSet::from([1]));
        assert_eq!((only.passes.as_slice(), only.before(0)), (&[2][..], Some(2)));
        assert_eq!(only.project(&RecordBatch::new_empty(output.clone())).unwrap().schema(), only.input);
        let nothing: [String; 0] = [];
        let closed = Rules::new("destination", Some(&nothing), &[], false);
        assert!(Gate::new(&closed, &output, &Lineage::source(&output)).is_err());
    }
}
