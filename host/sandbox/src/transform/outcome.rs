//! What `process` and `finish` answered, checked and made into batches.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_buffer::BooleanBuffer;
use arrow_schema::Field;
use forcepump_batch::RowReject;

use super::Processed;
use super::output::{Origin, Output};
use crate::bindings::exports::forcepump::plugin::transform as wit;
use crate::border::selection::{Chosen, RowCap};
use crate::border::{Access, Border, Column, Sheet, check_column};
use crate::convert::rejects_from_wit;

/// Batches that one call may give in place of its input.
const MAX_EMITTED: usize = 1_024;

/// Checks an outcome; the error is the broken rule.
pub(super) fn check(
    output: &mut Output,
    input: &Sheet,
    answer: wit::Outcome,
    border: &mut Border,
) -> Result<Processed, String> {
    let cap = border.row_cap(input.rows);
    match answer {
        wit::Outcome::Derived(derived) => check_derived(output, input, derived, border, cap),
        wit::Outcome::Replaced(emitted) => check_replaced(output, emitted, border, cap),
    }
}

fn check_derived(
    output: &mut Output,
    input: &Sheet,
    derived: wit::Derived,
    border: &mut Border,
    cap: RowCap,
) -> Result<Processed, String> {
    let rows = input.rows;
    let chosen = border.chosen(&derived.rows, rows, cap)?;
    cap.check(chosen.count(rows) as u64)?;
    check_repeats(input, &chosen, cap)?;
    let rejects = rejects_from_wit(derived.rejects, rows, input.columns.len())?;
    let selected = count_selected(&chosen, rows, &rejects)?;
    let columns = derived_columns(output, input, &derived.columns, &chosen, border)?;
    let batch = batch(output, columns, chosen.count(rows))?;
    Ok(Processed {
        filtered: (rows - selected - rejects.len()) as u64,
        batches: Some(batch).filter(|batch| batch.num_rows() > 0).into_iter().collect(),
        selected: selected as u64,
        rejects,
        replaced: false,
    })
}

/// A withheld column is not charged for what a `take` makes of it, for the charge would tell of its values. What bounds
/// it instead is the same whatever they are: no row more often than the fan-out.
fn check_repeats(input: &Sheet, chosen: &Chosen, cap: RowCap) -> Result<(), String> {
    let fan_out = cap.fan_out();
    let withheld = input.columns.iter().any(|column| column.access == Access::Withheld);
    if withheld && chosen.most_of_one(input.rows) > fan_out {
        return Err(format!(
            "a row is taken more than {fan_out} times beside a withheld column (limits.fan_out = {fan_out})"
        ));
    }
    Ok(())
}

/// Counts the selected rows; a rejected row must not be one of them.
fn count_selected(chosen: &Chosen, rows: usize, rejects: &[RowReject]) -> Result<usize, String> {
    match (chosen, rejects.first()) {
        (Chosen::All, None) => return Ok(rows),
        (Chosen::None, _) => return Ok(0),
        _ => {}
    }
    let bits: BooleanBuffer = chosen.bits(rows);
    match rejects.iter().find(|reject| bits.value(reject.row as usize)) {
        Some(reject) => Err(format!("row {} is both selected and rejected", reject.row)),
        None => Ok(bits.count_set_bits()),
    }
}

fn derived_columns(
    output: &mut Output,
    input: &Sheet,
    computed: &[u32],
    chosen: &Chosen,
    border: &mut Border,
) -> Result<Vec<ArrayRef>, String> {
    if computed.len() != output.computed {
        let settled = output.computed;
        return Err(format!("{} computed columns are given, {settled} were settled", computed.len()));
    }
    let rows = chosen.count(input.rows);
    let mut computed = computed.iter();
    let mut columns = Vec::with_capacity(output.origins.len());
    let mut made = BTreeMap::new();
    for number in 0..output.origins.len() {
        columns.push(match &output.origins[number] {
            Origin::Keep(kept) => keep(*kept, input, chosen, border, &mut made)?,
            Origin::Constant(_) => {
                border.charge(output.constant_bytes(number, rows))?;
                output.constant(number, rows)?
            }
            Origin::Computed => {
                let given = computed.next().ok_or("a computed column is missing")?;
                delivered(*given, output.schema.field(number), rows, border)?
            }
        });
    }
    Ok(columns)
}

/// The chosen rows of a kept column, made once however often it is kept. What a `take` multiplies is charged: the
/// cap on rows alone would let the longest value of a batch be repeated.
fn keep(
    kept: usize,
    input: &Sheet,
    chosen: &Chosen,
    border: &mut Border,
    made: &mut BTreeMap<usize, ArrayRef>,
) -> Result<ArrayRef, String> {
    if let Some(array) = made.get(&kept) {
        return Ok(Arc::clone(array));
    }
    let Column { array: column, access } = input.columns.get(kept).ok_or("a kept column is missing")?;
    let withheld = *access == Access::Withheld;
    if matches!(chosen, Chosen::Take(_)) && !withheld {
        border.charge(chosen.bytes(column))?;
    }
    let array = chosen.apply(column);
    let array =
        array.map_err(|rule| if withheld { "a withheld column cannot take these rows".into() } else { rule })?;
    made.insert(kept, Arc::clone(&array));
    Ok(array)
}

/// A column that the guest delivers. It is made of what the guest may read: a column that `reads` leaves out may not
/// have been fetched, and its stand-in of nulls must not become data.
fn delivered(given: u32, field: &Field, rows: usize, border: &Border) -> Result<ArrayRef, String> {
    let column = border.column(given)?.readable().map_err(|rule| format!("the column `{}`: {rule}", field.name()))?;
    check_column(field, &column.array, rows)?;
    Ok(Arc::clone(&column.array))
}

fn check_replaced(
    output: &Output,
    emitted: Vec<wit::Emitted>,
    border: &Border,
    cap: RowCap,
) -> Result<Processed, String> {
    if emitted.len() > MAX_EMITTED {
        return Err(format!("{} batches are more than {MAX_EMITTED}", emitted.len()));
    }
    let total: u64 = emitted.iter().map(|emitted| u64::from(emitted.rows)).sum();
    cap.check(total)?;
    let batches = emitted.into_iter().map(|emitted| self::emitted(output, emitted, border));
    let mut batches = batches.collect::<Result<Vec<_>, _>>()?;
    batches.retain(|batch| batch.num_rows() > 0);
    Ok(Processed { batches, replaced: true, ..Processed::default() })
}

/// A batch with rows of its own: every output column, in order.
pub(super) fn emitted(output: &Output, emitted: wit::Emitted, border: &Border) -> Result<RecordBatch, String> {
    let rows = emitted.rows as usize;
    let fields = output.schema.fields();
    if emitted.columns.len() != fields.len() {
        let (given, settled) = (emitted.columns.len(), fields.len());
        return Err(format!("{given} columns are given, the output has {settled}"));
    }
    let columns = fields.iter().zip(&emitted.columns).map(|(field, number)| delivered(*number, field, rows, border));
    let columns = columns.collect::<Result<Vec<_>, String>>()?;
    batch(output, columns, rows)
}

fn batch(output: &Output, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, String> {
    debug_assert!(columns.iter().all(|column| column.len() == rows));
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(&output.schema), columns, &options)
        .map_err(|error| format!("the batch does not fit the settled output: {error}"))
}
