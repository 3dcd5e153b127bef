//! `rejects`: the rows that a run refused, as a table, counted, or exported. The file is read line by line.

use std::collections::BTreeMap;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;

use forcepump_pipeline::{DeadLetter, DeadRow};
use serde_json::{Value, json};

use super::place::state_folder;
use super::{Context, Outcome};
use crate::args::{RejectsArgs, RejectsFormat};
use crate::exit::{Code, Failure};
use crate::output::{clean, safe_json};
use crate::render::rejects::{self as words, CsvColumns};
use crate::render::table;

/// Rows of the table.
const SHOWN_ROWS: usize = 50;
/// Different plugins, codes and reasons that are counted apart; a reason may hold a value of its row.
const MAX_COUNTED: usize = 10_000;

/// Does what was asked with the rejects of a run.
pub fn rejects(context: &Context, args: &RejectsArgs) -> Outcome {
    let letter = DeadLetter::find(&state_folder(args.pipeline_folder.as_deref()), &args.run)?;
    let selected = Selected { letter, args, unread: Vec::new() };
    match (&args.export, args.format) {
        (Some(path), _) => export(context, selected, path),
        (None, Some(format)) => stream(context, selected, format),
        (None, None) if args.count => count(context, selected),
        (None, None) => show(context, selected),
    }
}

/// The rows of one file that pass the filters.
struct Selected<'a> {
    letter: DeadLetter,
    args: &'a RejectsArgs,
    /// lines that are no rejects
    unread: Vec<u64>,
}

impl Selected<'_> {
    fn each(&mut self, mut work: impl FnMut(DeadRow) -> Result<(), Failure>) -> Result<(), Failure> {
        self.unread.clear();
        for row in self.letter.rows()? {
            match row? {
                Err(number) => self.unread.push(number),
                Ok(row) if self.passes(&row) => work(row)?,
                Ok(_) => {}
            }
        }
        Ok(())
    }

    fn passes(&self, row: &DeadRow) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let feed = self.args.feed.as_deref();
        let is_open = self.args.all || self.letter.mended_by(&row.refusal).is_none();
        is_open
            && is(&self.args.code, &row.refusal.code)
            && is(&self.args.plugin, &row.refusal.stage)
            && feed.is_none_or(|feed| feed.eq_ignore_ascii_case(&row.refusal.feed))
    }

    fn warn(&self, context: &Context) {
        if let Some(first) = self.unread.first() {
            let (count, path) = (self.unread.len(), self.letter.path.display());
            context
                .output
                .warning(&format!("{count} lines of {path} are no rejects and left out, the first is line {first}"));
        }
    }
}

fn show(context: &Context, mut selected: Selected<'_>) -> Outcome {
    let mut shown = Vec::new();
    let mut total = 0;
    selected.each(|row| {
        total += 1;
        if shown.len() < SHOWN_ROWS {
            shown.push(row);
        }
        Ok(())
    })?;
    let DeadLetter { run, path, .. } = &selected.letter;
    if context.output.json {
        let lines = shown.iter().map(|row| serde_json::from_str(&row.line).unwrap_or(Value::Null));
        let rows: Vec<Value> = lines.collect();
        context.output.document(&json!({ "run": run, "file": path, "total": total, "rows": rows }));
    } else {
        context.output.words(&words::table(run, &shown, total, table::terminal_width()));
    }
    selected.warn(context);
    Ok(Code::Ok)
}

fn count(context: &Context, mut selected: Selected<'_>) -> Outcome {
    let mut counts: BTreeMap<[String; 3], u64> = BTreeMap::new();
    let mut others = 0;
    selected.each(|row| {
        let key = [row.refusal.stage, row.refusal.code, row.refusal.reason];
        if counts.len() < MAX_COUNTED || counts.contains_key(&key) {
            *counts.entry(key).or_default() += 1;
        } else {
            others += 1;
        }
        Ok(())
    })?;
    let mut counts: Vec<([String; 3], u64)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let total = counts.iter().map(|(_, count)| count).sum::<u64>() + others;
    let named = counts.iter().map(
        |([plugin, code, reason], rows)| json!({ "plugin": plugin, "code": code, "reason": reason, "rows": rows }),
    );
    let named: Vec<Value> = named.collect();
    let run = &selected.letter.run;
    context.output.document(&json!({ "run": run, "total": total, "counts": named, "other_rows": others }));
    context.output.words(&words::counts(run, &counts, total, others));
    selected.warn(context);
    Ok(Code::Ok)
}

fn export(context: &Context, mut selected: Selected<'_>, path: &Path) -> Outcome {
    let format = match path.extension().and_then(|end| end.to_str()) {
        Some(end) if end.eq_ignore_ascii_case("csv") => RejectsFormat::Csv,
        Some(end) if end.eq_ignore_ascii_case("jsonl") => RejectsFormat::Jsonl,
        _ => return Err(Failure::input(format!("{} must end in .csv or .jsonl", path.display()))),
    };
    let failed = |error: std::io::Error| Failure::host(format!("cannot write {}: {error}", path.display()));
    // Rows are customers' data: the file is this user's alone, and whole or not there.
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut aside = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let rows = write(&mut selected, format, &mut BufWriter::new(&mut aside), false, &failed)?;
    aside.persist(path).map_err(|error| failed(error.error))?;
    context.output.document(&json!({ "run": selected.letter.run, "file": path, "rows": rows }));
    context.output.words(&format!("{}: {}", path.display(), crate::render::numbers::rows(rows)));
    selected.warn(context);
    Ok(Code::Ok)
}

fn stream(context: &Context, mut selected: Selected<'_>, format: RejectsFormat) -> Outcome {
    let stdout = std::io::stdout();
    let on_terminal = stdout.is_terminal();
    let gone = |error: std::io::Error| Failure::host(format!("cannot write the rows: {error}"));
    write(&mut selected, format, &mut BufWriter::new(stdout.lock()), on_terminal, &gone)?;
    selected.warn(context);
    Ok(Code::Ok)
}

/// Every row; `escaped` for a terminal, which must not obey them.
fn write(
    selected: &mut Selected<'_>,
    format: RejectsFormat,
    to: &mut impl Write,
    escaped: bool,
    failed: &dyn Fn(std::io::Error) -> Failure,
) -> Result<u64, Failure> {
    let mut columns = CsvColumns::default();
    if format == RejectsFormat::Csv {
        // Stages differ in their columns: the header needs them all before the first row.
        selected.each(|row| {
            columns.add(&row.refusal);
            Ok(())
        })?;
        put(to, &columns.header(), escaped, clean).map_err(failed)?;
    }
    let mut rows = 0;
    selected.each(|row| {
        rows += 1;
        let written = match format {
            RejectsFormat::Csv => put(to, &columns.line(&row.refusal), escaped, clean),
            RejectsFormat::Jsonl => put(to, &row.line, escaped, safe_json),
        };
        written.map_err(failed)
    })?;
    to.flush().map_err(failed)?;
    Ok(rows)
}

fn put(to: &mut impl Write, line: &str, escaped: bool, escape: impl Fn(&str) -> String) -> std::io::Result<()> {
    if escaped { writeln!(to, "{}", escape(line)) } else { writeln!(to, "{line}") }
}
