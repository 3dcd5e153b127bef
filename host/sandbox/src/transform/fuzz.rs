//! `open` and `process`: settled outputs and outcomes of every sort, right and wrong, over a small batch.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Int32Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;

use super::output::Output;
use super::{Processed, Source, outcome};
use crate::bindings::exports::forcepump::plugin::transform as wit;
use crate::bindings::forcepump::plugin::types;
use crate::border::{Access, Border, Sheet, sheet};
use crate::contract::OpaqueTypes;
use crate::fuzz::Choices;
use crate::limits::Limits;

const FAN_OUT: u32 = 3;
const MAX_ROWS: u32 = 40;
/// The input's column that is withheld.
const WITHHELD: u32 = 2;

/// Settles an output and checks one outcome. What is accepted is valid by Arrow's own full validation, has the settled
/// schema, accounts for every input row once, keeps within the limits, and has in each kept column the values of the
/// rows that were selected.
pub fn process_result(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let batch = input(choices.below(16));
    let withheld = BTreeSet::from([batch.schema_ref().field(WITHHELD as usize).name().clone()]);
    let opened = opened(&mut choices, batch.schema_ref());
    let settled = Output::settle(&batch.schema(), opened, &OpaqueTypes::new(), &withheld);
    let Ok(mut output) = settled else { return false };
    if !output.withheld_reads().is_empty() {
        return false;
    }
    let limits = Limits { fan_out: FAN_OUT, rows: MAX_ROWS, output_bytes: 64 << 10, ..Limits::default() };
    let mut border = Border::new(&limits);
    let sheet = sheet(&batch, |column| output.access(column)).expect("flat already");
    border.begin(sheet.clone());
    let (answer, selection) = answer(&mut choices, &output, &sheet, &mut border);
    let Ok(processed) = outcome::check(&mut output, &sheet, answer, &mut border) else { return false };
    check(&processed, &output, &batch, selection.as_ref());
    true
}

fn input(rows: usize) -> RecordBatch {
    let fields = vec![
        Field::new("id", DataType::Int32, false),
        Field::new("name", DataType::Utf8, true),
        Field::new("hidden", DataType::Utf8, true),
        Field::new("flag", DataType::Boolean, true),
    ];
    let text = |word: &str| -> ArrayRef {
        Arc::new(StringArray::from_iter((0..rows).map(|row| (row % 3 != 1).then(|| format!("{word} {row}")))))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter_values((0..16).take(rows))),
        text("name"),
        text("hidden"),
        Arc::new(BooleanArray::from_iter((0..rows).map(|row| (row % 4 != 0).then_some(row % 2 == 0)))),
    ];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("fits")
}

fn opened(choices: &mut Choices<'_>, input: &SchemaRef) -> wit::Opened {
    let whole = crate::contract::schema_to_wit(input).fields;
    let output = (0..1 + choices.below(4)).map(|number| {
        let kept = choices.below(whole.len());
        let renamed = |field: types::Field| types::Field { name: format!("c{number}"), ..field };
        let (data_type, value) = match choices.below(3) {
            0 => (types::DataType::Int32, types::Value::Int(7)),
            1 => (types::DataType::Utf8, types::Value::Text("constant".into())),
            _ => (types::DataType::Boolean, types::Value::Null),
        };
        let made = types::Field { name: String::new(), data_type, nullable: !choices.once_in(8), metadata: vec![] };
        match choices.below(4) {
            0 | 1 => wit::OutputField {
                field: renamed(whole[kept].clone()),
                source: wit::Source::Keep(u32::try_from(kept).unwrap_or(0)),
            },
            2 => wit::OutputField { field: renamed(made), source: wit::Source::Computed },
            _ => wit::OutputField { field: renamed(made), source: wit::Source::Constant(value) },
        }
    });
    let mut output: Vec<_> = output.collect();
    let mut reads = vec![0, 1];
    if choices.once_in(10) {
        match choices.below(5) {
            0 => output[0].field.name = "c\u{1b}".into(),
            1 => output[0].source = wit::Source::Keep(99),
            2 => output.push(output[0].clone()),
            3 => reads.push(WITHHELD),
            _ => reads.push(99),
        }
    }
    wit::Opened { output, reads, preferred_rows: 0 }
}

/// What the guest answers; with the selection, when rows of the input go on.
fn answer(
    choices: &mut Choices<'_>,
    output: &Output,
    input: &Sheet,
    border: &mut Border,
) -> (wit::Outcome, Option<types::Selection>) {
    if choices.once_in(5) {
        let emitted = (0..choices.below(3)).map(|_| emitted(choices, output, border));
        return (wit::Outcome::Replaced(emitted.collect()), None);
    }
    let rows = selection(choices, input.rows);
    let chosen = chosen_rows(&rows, input.rows);
    let computed = (0..output.origins.len()).filter(|number| output.opened().sources[*number] == Source::Computed);
    let columns = computed.map(|number| column(choices, output.schema.field(number), chosen.len(), border));
    let mut columns: Vec<u32> = columns.collect();
    if choices.once_in(20) {
        columns.push(choices.pick(&[0, 1, WITHHELD, 99, 1 << 31]).unwrap_or(0));
    }
    let rejects = rejects(choices, &chosen, input.rows);
    (wit::Outcome::Derived(wit::Derived { rows: rows.clone(), columns, rejects }), Some(rows))
}

fn emitted(choices: &mut Choices<'_>, output: &Output, border: &mut Border) -> wit::Emitted {
    let rows = choices.below(12);
    let fields = output.schema.fields().iter();
    let columns = fields.map(|field| column(choices, field, rows, border)).collect();
    wit::Emitted { rows: u32::try_from(rows).unwrap_or(0), columns }
}

/// A column that fits, or now and then does not.
fn column(choices: &mut Choices<'_>, field: &Field, rows: usize, border: &mut Border) -> u32 {
    let odd = choices.once_in(16);
    let rows = if odd { choices.below(rows + 2) } else { rows };
    let array: ArrayRef = match field.data_type() {
        _ if odd && choices.below(2) == 1 => return choices.pick(&[0, 1, WITHHELD, 3, 77]).unwrap_or(0),
        DataType::Int32 => Arc::new(Int32Array::from_iter_values(vec![5; rows])),
        DataType::Boolean => Arc::new(BooleanArray::from(vec![true; rows])),
        _ => Arc::new(StringArray::from_iter_values(vec!["é"; rows])),
    };
    border.write(array).expect("few columns")
}

fn selection(choices: &mut Choices<'_>, rows: usize) -> types::Selection {
    let odd = choices.once_in(8);
    match choices.below(5) {
        0 => types::Selection::All,
        1 => types::Selection::None,
        2 | 3 => {
            let mut bits = choices.bytes(rows.div_ceil(8) + usize::from(odd));
            if let Some(last) = bits.last_mut().filter(|_| !odd && !rows.is_multiple_of(8)) {
                *last &= (1 << (rows % 8)) - 1;
            }
            types::Selection::Mask(bits)
        }
        _ => {
            let count = choices.below(rows * FAN_OUT as usize + 1 + usize::from(odd));
            let end = rows + usize::from(odd);
            let taken = (0..count).map(|_| u32::try_from(choices.below(end)).unwrap_or(0));
            types::Selection::Take(if end == 0 { Vec::new() } else { taken.collect() })
        }
    }
}

/// The input rows that a selection means, in their order.
fn chosen_rows(selection: &types::Selection, rows: usize) -> Vec<u32> {
    let all = 0..u32::try_from(rows).unwrap_or(0);
    match selection {
        types::Selection::All => all.collect(),
        types::Selection::None => Vec::new(),
        types::Selection::Mask(bits) => {
            let set = |row: &u32| bits.get(*row as usize / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1);
            all.filter(set).collect()
        }
        types::Selection::Take(taken) => taken.clone(),
    }
}

fn rejects(choices: &mut Choices<'_>, chosen: &[u32], rows: usize) -> Vec<types::Reject> {
    let chosen: HashSet<u32> = chosen.iter().copied().collect();
    let free = (0..u32::try_from(rows).unwrap_or(0)).filter(|row| !chosen.contains(row));
    let mut refused: Vec<u32> = free.filter(|_| choices.below(3) == 1).collect();
    let mut code = "bad_value".to_owned();
    if choices.once_in(12) {
        match choices.below(3) {
            0 => refused.push(choices.pick(&[0, 1, 99, u32::MAX]).unwrap_or(0)),
            1 => refused.extend_from_within(..refused.len().min(1)),
            _ => code = "Bad Code".to_owned(),
        }
    }
    let reason = "no\n\u{1b}good ".repeat(choices.pick(&[1, 100]).unwrap_or(1));
    let column = choices.pick(&[None, Some(0), Some(3), Some(3), Some(0), Some(1), Some(4)]).flatten();
    let reject = |row| types::Reject { row, code: code.clone(), reason: reason.clone(), column };
    refused.into_iter().map(reject).collect()
}

fn check(processed: &Processed, output: &Output, input: &RecordBatch, selection: Option<&types::Selection>) {
    let rows: usize = processed.batches.iter().map(RecordBatch::num_rows).sum();
    assert!(rows <= (input.num_rows() * FAN_OUT as usize).min(MAX_ROWS as usize), "{rows} rows");
    for batch in &processed.batches {
        assert_eq!((batch.schema_ref(), batch.num_rows() > 0), (&output.schema, true));
        for column in batch.columns() {
            column.to_data().validate_full().expect("what is accepted is valid");
        }
    }
    let Some(selection) = selection else {
        assert!(processed.replaced && processed.selected == 0 && processed.filtered == 0);
        return;
    };
    let refused = processed.rejects.len() as u64;
    assert_eq!(processed.selected + processed.filtered + refused, input.num_rows() as u64, "every row once");
    let chosen = chosen_rows(selection, input.num_rows());
    let selected: HashSet<u32> = chosen.iter().copied().collect();
    assert_eq!((rows, processed.selected), (chosen.len(), selected.len() as u64));
    let refused: HashSet<u32> = processed.rejects.iter().map(|reject| reject.row).collect();
    assert!(refused.len() == processed.rejects.len() && refused.is_disjoint(&selected));
    assert!(processed.rejects.iter().all(|reject| reject.reason.len() <= 512 && !reject.reason.contains('\u{1b}')));
    check_kept(processed, output, input, chosen);
}

/// The kept columns have the values of the chosen rows, the withheld one too.
fn check_kept(processed: &Processed, output: &Output, input: &RecordBatch, chosen: Vec<u32>) {
    let Some(batch) = processed.batches.first() else { return };
    let chosen = UInt32Array::from(chosen);
    for (column, source) in batch.columns().iter().zip(output.opened().sources) {
        if let Source::Keep(kept) = source {
            let expected = take(input.column(kept as usize), &chosen, None).expect("in range");
            assert_eq!(column, &expected);
        }
    }
    assert_eq!(output.access(WITHHELD as usize), Access::Withheld);
}
