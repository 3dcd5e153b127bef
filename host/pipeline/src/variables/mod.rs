//! Variables of a pipeline file: expressions that SQLite evaluates, and their safe way into SOQL.
//!
//! The notation is the one that the users of Integrate.io know: `$name` or `${name}`, values that are expressions,
//! `ExecuteSqlDatetime('connection', 'select …')`, and the predefined names of [`system::PREDEFINED`].

mod engine;
mod kept;
mod scan;
mod soql;
pub(crate) mod system;

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value;
use serde::Serialize;

use crate::error::Error;
use crate::file::{PipelineFile, Problem, nearest};
use engine::Engine;
pub(crate) use kept::KeptVariable;
use scan::{Dialect, Piece, pieces};
use system::{PREDEFINED, System};

/// Names that begin so are set by the program.
const SYSTEM_PREFIX: char = '_';

/// The variables of one run with their values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    values: BTreeMap<String, Value>,
    shown: Vec<ShownVariable>,
}

/// A variable, as a plan shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShownVariable {
    /// its name, without the dollar sign
    pub name: String,
    /// the expression, what `--set` gave, or what a predefined one means
    pub origin: String,
    /// its value; none for NULL
    pub value: Option<String>,
    /// set by the program
    pub predefined: bool,
}

impl Variables {
    /// Evaluates every variable of the file, in the order in which they need each other. `given` stands in the place of
    /// the file's expressions.
    ///
    /// # Errors
    /// [`Error::Input`] with `variables.NAME`: an expression that SQLite refuses, an unknown name, a circle.
    pub(crate) fn evaluate(
        file: &PipelineFile,
        folder: &Path,
        given: &BTreeMap<String, String>,
        system: &System,
    ) -> Result<Self, Error> {
        let mut problems = refuse_names(file, given);
        let mut variables = Self::default();
        for (name, value, meaning) in system.all() {
            variables.add(name, value, meaning, true);
        }
        let engine = Engine::new(&file.sql, folder)?;
        for name in file.variables.keys() {
            if let Err(problem) = variables.settle(name, file, given, &engine, &mut Vec::new()) {
                problems.push(problem);
            }
        }
        problems.dedup();
        if problems.is_empty() { Ok(variables) } else { Err(Error::Input(problems)) }
    }

    /// The text with each variable as a SOQL literal: a number, a moment, or text in quotes; inside quotes as text; after
    /// `IN` as a list.
    ///
    /// # Errors
    /// [`Error::Input`] at `key` for an unknown name, and for NULL outside quotes.
    pub(crate) fn in_soql(&self, key: &str, text: &str) -> Result<String, Error> {
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text, Dialect::Soql) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Variable { name, quoted } => {
                    let value = self.value(name).map_err(|message| Error::input(key, message))?;
                    let literal = match quoted {
                        true => soql::inside(value),
                        false if soql::wants_list(&out) => soql::list(value),
                        false => soql::literal(value),
                    };
                    out.push_str(&literal.map_err(|why| Error::input(key, format!("the variable `${name}` {why}")))?);
                }
            }
        }
        Ok(out)
    }

    /// All of them, the predefined ones first.
    pub(crate) fn shown(&self) -> &[ShownVariable] {
        &self.shown
    }

    fn value(&self, name: &str) -> Result<&Value, String> {
        self.values.get(name).ok_or_else(|| unknown(name, self.values.keys().map(String::as_str)))
    }

    fn add(&mut self, name: &str, value: Value, origin: &str, predefined: bool) {
        let (name, origin) = (name.to_owned(), origin.to_owned());
        self.shown.push(ShownVariable { name: name.clone(), origin, value: soql::text(&value), predefined });
        self.values.insert(name, value);
    }

    /// Evaluates one variable after those it needs; `path` are the names that led here.
    fn settle(
        &mut self,
        name: &str,
        file: &PipelineFile,
        given: &BTreeMap<String, String>,
        engine: &Engine,
        path: &mut Vec<String>,
    ) -> Result<(), Problem> {
        if self.values.contains_key(name) {
            return Ok(());
        }
        let key = format!("variables.{name}");
        if path.iter().any(|before| before == name) {
            let circle = path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(" → $");
            return Err(Problem::new(key, format!("needs itself: ${circle}")));
        }
        if let Some(text) = given.get(name) {
            self.add(name, given_value(text), "--set", false);
            return Ok(());
        }
        let Some(expression) = file.variables.get(name) else {
            let known = self.values.keys().chain(file.variables.keys()).map(String::as_str);
            let asker = path.last().map_or(key, |asker| format!("variables.{asker}"));
            return Err(Problem::new(asker, unknown(name, known)));
        };
        path.push(name.to_owned());
        for piece in pieces(expression, Dialect::Sql) {
            if let Piece::Variable { name: needed, .. } = piece {
                self.settle(needed, file, given, engine, path)?;
            }
        }
        path.pop();
        let value = engine.evaluate(expression, &self.values).map_err(|why| Problem::new(key, why))?;
        self.add(name, value, expression, false);
        Ok(())
    }
}

/// Names in the file and on the command line that cannot be, or that nobody knows.
fn refuse_names(file: &PipelineFile, given: &BTreeMap<String, String>) -> Vec<Problem> {
    let form =
        "a name is letters, digits and _, and begins with a letter; names that begin with _ are set by forcepump";
    let bad = |name: &&String| !scan::is_name(name) || name.starts_with(SYSTEM_PREFIX);
    let named = file.variables.keys().filter(bad);
    let mut problems: Vec<Problem> = named.map(|name| Problem::new(format!("variables.{name}"), form)).collect();
    for name in given.keys().filter(|name| !file.variables.contains_key(*name)) {
        let known = file.variables.keys().map(String::as_str);
        let text = match PREDEFINED.iter().any(|(predefined, _)| predefined == name) {
            true => format!("`${name}` is set by forcepump; give a value to a variable of the file: {}", listed(known)),
            false => unknown(name, known),
        };
        problems.push(Problem::new(format!("--set {name}"), text));
    }
    problems
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let meant =
        nearest(name, known.iter().copied()).map_or_else(String::new, |near| format!("; did you mean `${near}`?"));
    format!(
        "no variable is named `${name}`{meant}; there are {}\nhint: write it under [variables]; a dollar sign itself is written $$",
        listed(known.into_iter())
    )
}

/// Names for people, those of the file first.
fn listed<'a>(known: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = known.collect();
    names.sort_unstable_by_key(|name| (name.starts_with(SYSTEM_PREFIX), *name));
    names.dedup();
    match names.len() {
        0 => "none".to_owned(),
        _ => names.iter().map(|name| format!("${name}")).collect::<Vec<_>>().join(", "),
    }
}

/// What `--set` gave: a number where it is written as people write one, else text. `007` is a text, and so is a number of
/// more digits than can be kept.
fn given_value(text: &str) -> Value {
    /// Decimal digits that a double keeps.
    const MOST_DIGITS: usize = 15;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_decimal = all_digits(whole) && all_digits(fraction) && (whole == "0" || !whole.starts_with('0'));
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(number), _) if number.to_string() == text => Value::Integer(number),
        (_, Ok(number)) if is_decimal && whole.len() + fraction.len() <= MOST_DIGITS => Value::Real(number),
        _ => Value::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::parse_pipeline;

    fn file(rest: &str) -> PipelineFile {
        let text = format!(
            "name = 'x'\n[source]\nconnection = 'c'\nobject = 'Account'\n[destination]\nplugin = 'csv'\n{rest}"
        );
        parse_pipeline(&text, Path::new("x.toml")).unwrap()
    }

    fn variables(rest: &str, set: &[(&str, &str)], system: &System) -> Result<Variables, String> {
        let given = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Variables::evaluate(&file(rest), Path::new("."), &given, system).map_err(|error| error.to_string())
    }

    const LAST: &str = "[variables]\nlastsysmod = \"CASE WHEN (COALESCE($_PACKAGE_LAST_SUCCESSFUL_JOB_SUBMISSION_TIMESTAMP,'')=='') THEN '1900-01-01T00:00:00Z' ELSE $_PACKAGE_LAST_SUCCESSFUL_JOB_SUBMISSION_TIMESTAMP END\"\n";

    #[test]
    fn the_expression_of_integrate_io_works_as_it_stands() {
        let mut system = System::new("run 1", "x", 1_718_000_000_000_000);
        let condition = "SystemModstamp > $lastsysmod";
        let first = variables(LAST, &[], &system).unwrap().in_soql("source.where", condition).unwrap();
        assert_eq!(first, "SystemModstamp > 1900-01-01T00:00:00Z");
        system.last = Some(system::LastRun {
            id: "run 0".into(),
            submitted_at: 1_718_000_000_123_456,
            ended_at: 1_718_000_001_000_000,
        });
        let later = variables(LAST, &[], &system).unwrap().in_soql("source.where", condition).unwrap();
        assert_eq!(later, "SystemModstamp > 2024-06-10T06:13:20.123Z");
        let set = variables(LAST, &[("lastsysmod", "2020-02-02T00:00:00Z")], &system).unwrap();
        assert_eq!(set.in_soql("k", condition).unwrap(), "SystemModstamp > 2020-02-02T00:00:00Z");
    }

    #[test]
    fn variables_may_need_each_other_in_any_order_but_not_in_a_circle() {
        let system = System::new("r", "x", 0);
        let text = "[variables]\nb = \"$a + 1\"\na = \"20 * 2\"\nfull = \"0\"\nc = \"CASE WHEN $full==1 THEN 'all' ELSE 'some ${b}' END\"\n";
        let given = variables(text, &[], &system).unwrap();
        assert_eq!(
            given.in_soql("k", "X = $b AND Y = '$c' AND Z = $c").unwrap(),
            "X = 41 AND Y = 'some 41' AND Z = 'some 41'"
        );
        let circle = variables("[variables]\na = \"$b\"\nb = \"$a\"\n", &[], &system).unwrap_err();
        assert!(circle.contains("needs itself: $a → $b → $a"), "{circle}");
    }

    #[test]
    fn what_cannot_be_is_named() {
        let system = System::new("r", "x", 0);
        type Row = (&'static str, &'static [(&'static str, &'static str)], &'static str);
        let table: [Row; 7] = [
            ("[variables]\na = \"1\"\nb = \"$c\"\n", &[("d", "1")], "no variable is named `$d`; there are $a, $b\n"),
            ("[variables]\na = \"1\"\n", &[("_JOB_ID", "1")], "`$_JOB_ID` is set by forcepump"),
            ("[variables]\na = \"$nothing\"\n", &[], "variables.a: no variable is named `$nothing`"),
            ("[variables]\nlast = \"1 +\"\n", &[], "variables.last"),
            ("[variables]\n_mine = \"1\"\n", &[], "set by forcepump"),
            ("[variables]\ncountry = \"1\"\n", &[("contry", "1")], "did you mean `$country`?"),
            ("[variables]\na = \"ExecuteSqlDatetime('crm', 'select 1')\"\n", &[], "no database `crm`"),
        ];
        for (text, set, expected) in table {
            let error = variables(text, set, &system).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let null = variables("[variables]\na = \"NULL\"\n", &[], &system).unwrap().in_soql("source.where", "X = $a");
        assert!(null.unwrap_err().to_string().contains("is NULL"));
    }

    #[test]
    fn values_cannot_leave_their_quotes() {
        let system = System::new("r", "x", 0);
        let set = variables("[variables]\na = \"''\"\n", &[("a", "x' OR Name != '\\")], &system).unwrap();
        assert_eq!(set.in_soql("k", "N = $a").unwrap(), r"N = 'x\' OR Name != \'\\'");
        assert_eq!(set.in_soql("k", "N = '$a'").unwrap(), r"N = 'x\' OR Name != \'\\'");
        assert_eq!(set.in_soql("k", "N = 'US$$'").unwrap(), "N = 'US$'");
    }

    #[test]
    fn what_is_given_is_a_number_where_it_is_written_as_one() {
        for (given, expected) in [
            ("7", "7"),
            ("-7", "-7"),
            ("-0.50", "-0.5"),
            ("12.5", "12.5"),
            ("007", "'007'"),
            ("1e3", "'1e3'"),
            ("1.", "'1.'"),
            ("+1", "'+1'"),
            ("inf", "'inf'"),
            ("0.1234567890123456789", "'0.1234567890123456789'"),
        ] {
            assert_eq!(soql::literal(&given_value(given)).unwrap(), expected, "{given}");
        }
    }

    #[test]
    fn a_list_is_written_after_in() {
        let system = System::new("r", "x", 0);
        let text = "[variables]\nlist = \"json_array('Banking', 'O''Neil', 3)\"\none = \"'Energy'\"\nnone = \"json_array()\"\n";
        let variables = variables(text, &[], &system).unwrap();
        let soql =
            variables.in_soql("k", "Industry NOT  in\n$list AND Name IN ${one} AND P__c INCLUDES $one AND X = $one");
        assert_eq!(
            soql.unwrap(),
            "Industry NOT  in\n('Banking', 'O\\'Neil', 3) AND Name IN ('Energy') AND P__c INCLUDES ('Energy') AND X = 'Energy'"
        );
        // In brackets of their own each is one value; a name that ends so is no word.
        assert_eq!(
            variables.in_soql("k", "A IN ($one, $one) AND Origin = $one").unwrap(),
            "A IN ('Energy', 'Energy') AND Origin = 'Energy'"
        );
        let empty = variables.in_soql("source.where", "A IN $none").unwrap_err().to_string();
        assert!(empty.contains("an empty list"), "{empty}");
    }
}
