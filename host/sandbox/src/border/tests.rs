//! Numbers of columns and batches, and whose bytes may be read.

use arrow_array::{Int32Array, StringArray};
use arrow_schema::{Field, Schema};

use super::table::WITHHELD;
use super::*;

fn three_columns() -> Sheet {
    let schema = Schema::new(vec![
        Field::new("open", DataType::Int32, true),
        Field::new("undeclared", DataType::Int32, true),
        Field::new("withheld", DataType::Utf8, true),
    ]);
    let number: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let column = |array: &ArrayRef, access| Column { array: Arc::clone(array), access };
    Sheet {
        schema: Arc::new(schema),
        columns: vec![
            column(&number, Access::Open),
            column(&number, Access::Undeclared),
            column(&text, Access::Withheld),
        ],
        rows: 3,
    }
}

fn border() -> Border {
    let mut border = Border::new(&Limits::default());
    border.begin(three_columns());
    border
}

#[test]
fn a_closed_column_stays_closed_whatever_is_made_of_it() {
    let mut border = border();
    let cast = border.cast(1, &wit::DataType::Utf8, OnCastError::Null).expect("casts");
    let selected = border.select(1, &wit::Selection::Mask(vec![0b101])).expect("selects");
    for number in [1, cast, selected] {
        assert!(border.read(number, None).is_err(), "column {number}");
        assert!(border.null_count(number).is_err(), "column {number}");
    }
    let retained = border.retain(0, usize::MAX).expect("retains");
    border.end();
    let columns = border.columns_of(retained).expect("known");
    assert!(border.read(columns[0], None).is_ok());
    assert!(border.read(columns[1], None).is_err());
    assert!(border.read(columns[2], None).is_err());
}

#[test]
fn nothing_can_be_made_of_a_withheld_column() {
    let mut border = border();
    let field = wit::Field { name: "a".into(), data_type: wit::DataType::Utf8, nullable: true, metadata: vec![] };
    let shape = wit::Schema { fields: vec![field], metadata: vec![] };
    let retained = border.retain(0, usize::MAX).expect("retains");
    let kept = border.columns_of(retained).expect("known")[2];
    for withheld in [2, kept] {
        let range = Some(wit::RowRange { offset: 0, len: 0 });
        let said = [
            border.read(withheld, None).map(drop),
            border.read(withheld, range).map(drop),
            border.null_count(withheld).map(drop),
            border.cast(withheld, &wit::DataType::Utf8, OnCastError::Null).map(drop),
            border.cast(withheld, &wit::DataType::Null, OnCastError::Fail).map(drop),
            border.select(withheld, &wit::Selection::None).map(drop),
            border.select(withheld, &wit::Selection::Take(vec![0])).map(drop),
            border.assemble(&shape, &[withheld]).map(drop),
        ];
        for (way, said) in said.into_iter().enumerate() {
            assert_eq!(said, Err(WITHHELD.to_owned()), "way {way}");
        }
    }
}

/// Two batches that differ in a withheld column alone look the same from within, to the byte.
#[test]
fn a_withheld_column_leaves_no_trace_in_what_is_charged() {
    let cost = |texts: Vec<Option<&str>>| {
        let mut sheet = three_columns();
        sheet.columns[2].array = Arc::new(StringArray::from(texts));
        let mut border = Border::new(&Limits::default());
        border.begin(sheet);
        border.retain(0, usize::MAX).expect("retains");
        let offsets = [0i32, 1, 2, 3].map(i32::to_le_bytes).concat();
        (border.retained_bytes(), border.room(), border.known_offsets(&offsets).is_some())
    };
    assert_eq!(cost(vec![None; 3]), cost(vec![Some("a"), Some("b"), Some("c")]));
}

#[test]
fn a_withheld_column_does_not_leave_by_a_host_function() {
    let border = border();
    let refused = border.sheet(0).expect("known").batch().expect_err("withheld");
    assert!(refused.contains("withholds"), "{refused}");
}

#[test]
fn numbers_end_with_the_call() {
    let mut border = border();
    let made = border.select(0, &wit::Selection::All).expect("selects");
    assert_eq!(made, 3);
    border.end();
    assert!(border.read(0, None).is_err());
    assert!(border.sheet(0).is_err());
    assert!(border.columns_of(0).is_err());
}

#[test]
fn a_range_of_rows_is_within_the_column() {
    let border = border();
    let range = |offset, len| border.read(0, Some(wit::RowRange { offset, len }));
    assert!(range(1, 2).is_ok());
    assert!(range(3, 0).is_ok());
    assert!(range(1, 3).is_err());
    assert!(range(u32::MAX, u32::MAX).is_err());
}

#[test]
fn what_a_call_makes_is_capped() {
    let limits = Limits { output_bytes: 100, ..Limits::default() };
    let mut border = Border::new(&limits);
    border.begin(three_columns());
    let take = wit::Selection::Take(vec![0; 20]);
    assert!(border.select(0, &take).is_ok());
    assert!(border.select(0, &take).expect_err("over").contains("100 bytes"));
    border.end();
    border.begin(three_columns());
    assert!(border.select(0, &take).is_ok(), "the next call starts anew");
}

#[test]
fn retained_batches_are_counted_and_released() {
    let mut border = border();
    let first = border.retain(0, usize::MAX).expect("retains");
    let bytes = border.retained_bytes();
    assert!(bytes > 0);
    assert!(border.retain(0, bytes - 1).is_err());
    border.release(first);
    border.release(first);
    assert_eq!(border.retained_bytes(), 0);
    assert!(border.sheet(first).is_err());
}

#[test]
fn an_assembled_batch_fits_its_shape() {
    let mut border = border();
    let field = |name: &str, data_type| wit::Field { name: name.into(), data_type, nullable: true, metadata: vec![] };
    let shape = |fields| wit::Schema { fields, metadata: vec![] };
    let good = shape(vec![field("n", wit::DataType::Int32)]);
    assert_eq!(border.assemble(&good, &[0]), Ok(1));
    assert!(border.assemble(&good, &[]).is_err());
    assert!(border.assemble(&good, &[9]).is_err());
    assert!(border.assemble(&shape(vec![field("n", wit::DataType::Utf8)]), &[0]).is_err());
    let twice = shape(vec![field("n", wit::DataType::Int32), field("n", wit::DataType::Int32)]);
    assert!(border.assemble(&twice, &[0, 0]).is_err());
}

#[test]
fn offsets_that_were_read_are_known_again() {
    let mut sheet = three_columns();
    sheet.columns[2].access = Access::Open;
    let mut border = Border::new(&Limits::default());
    border.begin(sheet);
    let bytes = |offsets: [i32; 4]| offsets.map(i32::to_le_bytes).concat();
    assert!(border.known_offsets(&bytes([0, 1, 2, 3])).is_some());
    assert!(border.known_offsets(&bytes([0, 1, 1, 3])).is_none());
    assert!(border.known_offsets(&bytes([0, 1, 2, 3])[..8]).is_none());
    assert!(border.known_offsets(&[]).is_none());
}
