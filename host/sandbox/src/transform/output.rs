//! What `open` settled: the output schema, where each column comes from, who may read what.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow_schema::{Field, Fields, Schema, SchemaRef};
use arrow_select::take::take;

use super::{Opened, Source, access};
use crate::bindings::exports::forcepump::plugin::transform as wit;
use crate::border::Access;
use crate::contract::{OpaqueTypes, check_fields, field_from_wit, flattened, is_opaque};
use crate::convert::constant;

/// Rows that a constant column is first made with; longer batches make it anew.
const CONSTANT_ROWS: usize = 8_192;

/// A column of the output.
pub(super) enum Origin {
    /// Input column of that number.
    Keep(usize),
    /// One value, repeated; made longer when a batch needs it.
    Constant(ArrayRef),
    /// The next column that the plugin computes.
    Computed,
}

/// The settled output of one instance.
pub(super) struct Output {
    pub(super) schema: SchemaRef,
    pub(super) origins: Vec<Origin>,
    pub(super) computed: usize,
    input: SchemaRef,
    access: Vec<Access>,
    reads: Vec<u32>,
    preferred_rows: u32,
}

impl Output {
    /// Checks what `open` answered; the error is the broken rule.
    pub(super) fn settle(
        input: &SchemaRef,
        answer: wit::Opened,
        opaque: &OpaqueTypes,
        withheld: &BTreeSet<String>,
    ) -> Result<Self, String> {
        check_fields(answer.output.iter().map(|output| &output.field).collect::<Vec<_>>().into_iter())?;
        if answer.output.is_empty() {
            return Err("the output has no column".into());
        }
        let reads = check_reads(answer.reads, input)?;
        let mut fields = Vec::with_capacity(answer.output.len());
        let mut origins = Vec::with_capacity(answer.output.len());
        for wit::OutputField { field, source } in answer.output {
            let field = field_from_wit(&field, opaque)?;
            let (field, origin) = settle_column(input, field, source)?;
            fields.push(field);
            origins.push(origin);
        }
        let schema = Schema::new_with_metadata(Fields::from(fields), input.metadata().clone());
        Ok(Output {
            schema: Arc::new(schema),
            computed: origins.iter().filter(|origin| matches!(origin, Origin::Computed)).count(),
            origins,
            access: column_access(input, &reads, withheld),
            input: Arc::clone(input),
            reads,
            preferred_rows: answer.preferred_rows,
        })
    }

    /// What the host tells the pipeline.
    pub(super) fn opened(&self) -> Opened {
        let source = |origin: &Origin| match origin {
            Origin::Keep(number) => Source::Keep(u32::try_from(*number).unwrap_or(u32::MAX)),
            Origin::Constant(_) => Source::Constant,
            Origin::Computed => Source::Computed,
        };
        Opened {
            output: Arc::clone(&self.schema),
            sources: self.origins.iter().map(source).collect(),
            reads: self.reads.clone(),
            preferred_rows: self.preferred_rows,
        }
    }

    /// Whether the bytes of an input column may enter the guest.
    pub(super) fn access(&self, column: usize) -> Access {
        self.access.get(column).copied().unwrap_or(Access::Undeclared)
    }

    /// Columns that the plugin lists under `reads` and the pipeline withholds, by name.
    pub(super) fn withheld_reads(&self) -> Vec<String> {
        let reads = self.reads.iter().map(|number| *number as usize);
        let closed = reads.filter(|number| self.access(*number) == Access::Withheld);
        closed.map(|number| self.input.field(number).name().clone()).collect()
    }

    /// A batch must have the columns that were settled: the guest knows them by number only.
    pub(super) fn check_input(&self, batch: &RecordBatch) -> Result<(), String> {
        if Arc::ptr_eq(batch.schema_ref(), &self.input) {
            return Ok(());
        }
        let given = batch.schema_ref().fields();
        let settled = self.input.fields();
        let same = given.len() == settled.len()
            && given.iter().zip(settled).all(|(given, settled)| {
                given.name() == settled.name()
                    && (given.data_type() == settled.data_type()
                        || flattened(given.data_type()) == *settled.data_type())
            });
        if same { Ok(()) } else { Err("the batch has another schema than the settled input".into()) }
    }

    /// Bytes that [`Output::constant`] is about to make; 0 when the column is long enough already.
    pub(super) fn constant_bytes(&self, column: usize, rows: usize) -> usize {
        match self.origins.get(column) {
            Some(Origin::Constant(array)) if array.len() < rows => bytes_repeated(array, rows.max(CONSTANT_ROWS)),
            _ => 0,
        }
    }

    /// The constant column of that number, `rows` long.
    pub(super) fn constant(&mut self, column: usize, rows: usize) -> Result<ArrayRef, String> {
        let Some(Origin::Constant(array)) = self.origins.get_mut(column) else {
            return Err("the column is no constant".into());
        };
        if array.len() < rows {
            *array = repeated(array, rows.max(CONSTANT_ROWS))?;
        }
        Ok(array.slice(0, rows))
    }
}

fn repeated(array: &ArrayRef, rows: usize) -> Result<ArrayRef, String> {
    let first = array.slice(0, 1);
    if first.null_count() == 1 || first.data_type().is_null() {
        return Ok(new_null_array(first.data_type(), rows));
    }
    let bytes = bytes_repeated(array, rows);
    if bytes > i32::MAX as usize {
        return Err(format!("a constant column of {rows} rows would have {bytes} bytes"));
    }
    let zeros = UInt32Array::from(vec![0u32; rows]);
    take(&first, &zeros, None).map_err(|error| error.to_string())
}

fn bytes_repeated(array: &ArrayRef, rows: usize) -> usize {
    array.slice(0, 1).to_data().get_slice_memory_size().unwrap_or(usize::MAX).saturating_mul(rows)
}

fn check_reads(reads: Vec<u32>, input: &Schema) -> Result<Vec<u32>, String> {
    let mut known = BTreeSet::new();
    for number in reads {
        let Some(field) = input.fields().get(number as usize) else {
            let count = input.fields().len();
            return Err(format!("`reads` names column {number}, the input has {count}"));
        };
        if is_opaque(field.data_type()) {
            return Err(format!("`reads` names the column `{}`, which is opaque", field.name()));
        }
        known.insert(number);
    }
    Ok(known.into_iter().collect())
}

fn column_access(input: &Schema, reads: &[u32], withheld: &BTreeSet<String>) -> Vec<Access> {
    let numbered = input.fields().iter().zip(0u32..);
    numbered.map(|(field, number)| access(field.name(), reads.contains(&number), withheld)).collect()
}

fn settle_column(input: &Schema, field: Field, source: wit::Source) -> Result<(Field, Origin), String> {
    match source {
        wit::Source::Keep(number) => {
            let field = kept(input, field, number)?;
            Ok((field, Origin::Keep(number as usize)))
        }
        wit::Source::Constant(value) => {
            let named = |rule| format!("the column `{}`: {rule}", field.name());
            let array = constant(value, field.data_type()).map_err(named)?;
            if array.null_count() > 0 && !field.is_nullable() {
                return Err(named("a null constant in a column declared without nulls".into()));
            }
            Ok((field, Origin::Constant(array)))
        }
        wit::Source::Computed => Ok((field, Origin::Computed)),
    }
}

/// A kept column keeps its type and its metadata: what Salesforce said of it stays true.
fn kept(input: &Schema, field: Field, number: u32) -> Result<Field, String> {
    let Some(original) = input.fields().get(number as usize) else {
        let count = input.fields().len();
        return Err(format!("the column `{}` keeps column {number}, the input has {count}", field.name()));
    };
    if field.data_type() != original.data_type() {
        return Err(format!(
            "the column `{}` keeps a column of type {} as {}",
            field.name(),
            original.data_type(),
            field.data_type()
        ));
    }
    let nullable = original.is_nullable() || field.is_nullable();
    let mut metadata = field.metadata().clone();
    metadata.extend(original.metadata().clone());
    Ok(field.with_nullable(nullable).with_metadata(metadata))
}
