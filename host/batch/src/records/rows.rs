//! Records into batches: rows that fit go into the columns, the others become rejects.

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;

use super::cells::{Cell, Fault};
use super::names::Node;
use crate::csv::column::{Column, Misfit};
use crate::csv::decode::new_columns;
use crate::csv::page::check_options;
use crate::csv::refuse::shorten;
use crate::{DecodeError, DecodeOptions, DecodeReject, DecodedBatch};

/// The batch under construction, and what is known of the page so far.
pub(super) struct Rows {
    pub(super) names: Node,
    pub(super) records: u64,
    schema: SchemaRef,
    options: DecodeOptions,
    format: &'static str,
    columns: Vec<Column>,
    rows: usize,
    batch_first: u64,
    batch_bytes: usize,
    rejects: Vec<DecodeReject>,
    spent: bool,
}

impl Rows {
    pub(super) fn new(schema: SchemaRef, options: DecodeOptions, format: &'static str) -> Result<Self, DecodeError> {
        check_options(&options)?;
        let columns = new_columns(&schema)?;
        let names = Node::of(&schema);
        Ok(Self {
            names,
            records: 0,
            schema,
            options,
            format,
            columns,
            rows: 0,
            batch_first: 0,
            batch_bytes: 0,
            rejects: Vec::new(),
            spent: false,
        })
    }

    /// A value for each column, none known yet.
    pub(super) fn no_cells<'a>(&self) -> Vec<Cell<'a>> {
        vec![Cell::Absent; self.columns.len()]
    }

    /// The name of a column.
    pub(super) fn name(&self, column: usize) -> String {
        self.schema.fields().get(column).map_or_else(String::new, |field| field.name().clone())
    }

    /// Takes a record of so many bytes. `lossy`: bytes that are no text were replaced in it.
    pub(super) fn take(
        &mut self,
        cells: &[Cell<'_>],
        lossy: bool,
        bytes: usize,
        out: &mut Vec<DecodedBatch>,
    ) -> Result<(), DecodeError> {
        let mut misfit = None;
        for (number, (cell, column)) in cells.iter().zip(&mut self.columns).enumerate() {
            if let Err(error) = cell.push(column, lossy) {
                misfit = Some((number, error));
                break;
            }
        }
        match misfit {
            None => self.rows += 1,
            Some((number, error)) => self.reject(cells, number, error),
        }
        self.records += 1;
        self.batch_bytes += bytes;
        let records = self.rows + self.rejects.len();
        if records >= self.options.batch_rows || self.batch_bytes >= self.options.batch_bytes {
            self.flush(out)?;
        }
        Ok(())
    }

    #[cold]
    fn reject(&mut self, cells: &[Cell<'_>], number: usize, misfit: Misfit) {
        for column in &mut self.columns {
            column.truncate(self.rows);
        }
        let values: Vec<Option<String>> = cells.iter().map(Cell::shown).collect();
        let column = self.name(number);
        let shown = values.get(number).and_then(Option::as_deref).unwrap_or_default();
        let reason = format!("column `{column}`: the cell {} {}", shorten(shown), misfit.words());
        self.rejects.push(DecodeReject { row: self.records, code: misfit.code().to_owned(), reason, column, values });
    }

    /// Moves what was collected into a batch.
    pub(super) fn flush(&mut self, out: &mut Vec<DecodedBatch>) -> Result<(), DecodeError> {
        let first_row = std::mem::replace(&mut self.batch_first, self.records);
        if first_row == self.records {
            return Ok(());
        }
        let build = |source| DecodeError::Build { row: first_row, source };
        let arrays: Result<Vec<ArrayRef>, _> = self.columns.iter_mut().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        let batch =
            RecordBatch::try_new_with_options(self.schema.clone(), arrays.map_err(build)?, &options).map_err(build)?;
        self.rows = 0;
        self.batch_bytes = 0;
        out.push(DecodedBatch { batch, first_row, rejects: std::mem::take(&mut self.rejects) });
        Ok(())
    }

    /// Runs a step of the decoder; after an error there is no other.
    pub(super) fn check_unspent(&mut self) -> Result<(), DecodeError> {
        // set until the step ended well
        if std::mem::replace(&mut self.spent, true) { Err(DecodeError::Spent) } else { Ok(()) }
    }

    pub(super) fn went_well(&mut self) {
        self.spent = false;
    }

    pub(super) fn error(&self, fault: Fault) -> DecodeError {
        let row = self.records;
        match fault {
            Fault::Unknown(field) => DecodeError::UnknownField { row, field },
            Fault::Missing(field) => DecodeError::MissingField { row, field },
            Fault::Repeated(field) => DecodeError::RepeatedField { row, field },
            Fault::Syntax(reason) => DecodeError::Syntax { row, format: self.format, reason },
        }
    }

    pub(super) fn cut(&self) -> DecodeError {
        DecodeError::Cut { row: self.records, format: self.format }
    }
}
