//! `demo`: three pipelines against the embedded org, their first rows, a summary, and a folder to go on with.

mod folder;
mod story;

use std::path::Path;

use forcepump_pipeline::{Cancel, DemoAccess, Head, Host, Pipeline, RunReport, Session, head};
use serde_json::json;

use crate::args::DemoArgs;
use crate::commands::{Context, Outcome, run};
use crate::exit::{Code, Failure};
use crate::interrupt;
use crate::org::DemoOrg;
use crate::output::Output;
use crate::render::preview::NULL_TEXT;
use crate::render::{summary, table};
use folder::Folder;
use story::{STEPS, Step};

/// Rows of each result that are shown.
const SHOWN_ROWS: usize = 5;
/// The only column of a text file that is read back.
const LINE_COLUMN: &str = "line";

/// Runs the demo.
pub async fn demo(context: &Context, args: &DemoArgs) -> Outcome {
    let folder = Folder::prepare(&args.dir, args.force)?;
    let cancel = Cancel::new();
    interrupt::watch(&cancel, context.output);
    let host = context.host()?;
    let org = DemoOrg::start().await?;
    let stage = Stage { host: &host, folder: &folder, access: org.access(), cancel, output: context.output };
    context.output.words(&story::opening(&args.dir, &stage.access.url));
    let mut reports = Vec::new();
    for step in &STEPS {
        let report = stage.play(step).await?;
        let code = Code::of_report(&report);
        reports.push((step.label.to_owned(), report));
        if !matches!(code, Code::Ok | Code::Rejects) {
            break;
        }
    }
    Ok(close(context.output, &args.dir, &reports))
}

fn close(output: Output, dir: &Path, reports: &[(String, RunReport)]) -> Code {
    let runs: Vec<&RunReport> = reports.iter().map(|(_, report)| report).collect();
    output.document(&json!({ "folder": dir, "runs": runs }));
    output.words(&format!("\nSummary\n{}", summary::comparison(reports)));
    let worst = runs.iter().map(|report| Code::of_report(report)).find(|code| *code != Code::Ok);
    match worst {
        None | Some(Code::Rejects) => output.words(&story::closing(dir)),
        Some(_) => {
            if let Some(error) = runs.iter().find_map(|report| report.error.as_ref()) {
                output.error(&error.message);
            }
        }
    }
    worst.unwrap_or(Code::Ok)
}

struct Stage<'a> {
    host: &'a Host,
    folder: &'a Folder,
    access: DemoAccess,
    cancel: Cancel,
    output: Output,
}

impl Stage<'_> {
    async fn play(&self, step: &Step) -> Result<RunReport, Failure> {
        self.output.words(&story::heading(step));
        if let Some(swap) = &step.swap {
            self.folder.swap(step.file, swap)?;
            self.output.words(&story::swapped(step.file, swap));
        }
        let pipeline = Pipeline::load(&self.folder.path(step.file))?;
        let connections = self.folder.path(folder::CONNECTIONS);
        let session = Session::open(self.host, pipeline, Some(&connections), Some(&self.access))?;
        let report = run::observed(&session, step.label, &self.cancel, self.output).await;
        self.output.words(&summary::summary(&report));
        self.show_first_rows(&report)?;
        Ok(report)
    }

    fn show_first_rows(&self, report: &RunReport) -> Result<(), Failure> {
        for place in &report.results {
            for part in head(place, SHOWN_ROWS)? {
                self.output.words(&format!("\n{}\n{}", story::first_rows(&part.title), shown(&part)));
            }
        }
        Ok(())
    }
}

/// A table, or the lines of a text file as they are.
fn shown(part: &Head) -> String {
    let width = table::terminal_width();
    if part.columns == [LINE_COLUMN] {
        let lines = part.rows.iter().flatten().flatten();
        return lines.map(|line| table::line(line, width)).collect::<Vec<_>>().join("\n");
    }
    let cells = |row: &Vec<Option<String>>| {
        row.iter().map(|cell| cell.clone().unwrap_or_else(|| NULL_TEXT.to_owned())).collect()
    };
    table::cut(&part.columns, &part.rows.iter().map(cells).collect::<Vec<_>>(), width)
}
