//! What Salesforce itself adds to a record: audit fields, defaults, names, and what follows from a stage.

use super::demo::{STAGES, Stage};
use super::generate::day_and_second;
use super::number::Decimal;
use super::schema::{FieldType, ObjectDef};
use super::stored::Stored;

/// Users who own records in turn: not the inactive one.
const OWNERS: u64 = 4;

/// Fills in what the data did not say.
pub fn complete(object: &ObjectDef, rows: &mut Stored, users: &[Vec<u8>]) {
    let user =
        |row: u64| users.get((row % OWNERS.min(users.len().max(1) as u64)) as usize).cloned().unwrap_or_default();
    let admin = users.first().cloned().unwrap_or_default();
    let since = object.field("CreatedDate");
    rows.fill_gaps(since, |_, row| created(object, row).into_bytes());
    for name in ["LastModifiedDate", "SystemModstamp"] {
        rows.fill_gaps(object.field(name), |rows, row| {
            since.map_or_else(|| created(object, row).into_bytes(), |since| rows.cell(row, since).to_vec())
        });
    }
    rows.fill_gaps(object.field("OwnerId"), |_, row| user(row / 7));
    for name in ["CreatedById", "LastModifiedById"] {
        rows.fill_gaps(object.field(name), |_, _| admin.clone());
    }
    names(object, rows);
    if object.name == "Opportunity" {
        opportunity(object, rows);
    }
    for (index, field) in object.fields.iter().enumerate() {
        if field.kind == FieldType::Boolean {
            rows.fill_gaps(Some(index), |_, _| b"false".to_vec());
        }
    }
    rows.count_deleted(object.field("IsDeleted"));
}

/// The fields that follow from others, and must be worked out anew when a record changes; those that follow from the
/// stage only when it `moved`.
pub fn derived(object: &ObjectDef, moved: bool) -> Vec<usize> {
    let mut names = Vec::new();
    if object.field("FirstName").is_some() && object.field("LastName").is_some() {
        names.push("Name");
    }
    if object.name == "Opportunity" {
        names.extend(["ExpectedRevenue", "FiscalYear", "FiscalQuarter", "Fiscal"]);
        if moved {
            names.extend(["IsClosed", "IsWon", "ForecastCategory", "ForecastCategoryName", "Probability"]);
        }
    }
    names.into_iter().filter_map(|name| object.field(name)).collect()
}

/// A moment of creation that depends on object and row only.
fn created(object: &ObjectDef, row: u64) -> String {
    let spread = object.name.bytes().fold(row, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    day_and_second(spread)
}

fn names(object: &ObjectDef, rows: &mut Stored) {
    let Some(name) = object.field("Name") else { return };
    if let (Some(first), Some(last)) = (object.field("FirstName"), object.field("LastName")) {
        return rows.fill_gaps(Some(name), |rows, row| {
            let (first, last) = (rows.cell(row, first), rows.cell(row, last));
            if first.is_empty() { last.to_vec() } else { [first, b" ", last].concat() }
        });
    }
    // Salesforce names a record after its id when nobody does.
    let key = object.field("Ext_Id__c").or_else(|| object.field("Id"));
    rows.fill_gaps(Some(name), |rows, row| key.map(|key| rows.cell(row, key).to_vec()).unwrap_or_default());
}

fn opportunity(object: &ObjectDef, rows: &mut Stored) {
    let Some(name) = object.field("StageName") else { return };
    let stage = |rows: &Stored, row: u64| STAGES.iter().find(|stage| stage.name.as_bytes() == rows.cell(row, name));
    let mut derive = |field: &str, of: fn(&Stage) -> &'static str| {
        rows.fill_gaps(object.field(field), |rows, row| {
            stage(rows, row).map(|stage| of(stage).as_bytes().to_vec()).unwrap_or_default()
        });
    };
    derive("IsClosed", |stage| stage.closed);
    derive("IsWon", |stage| stage.won);
    derive("ForecastCategory", |stage| stage.forecast);
    derive("ForecastCategoryName", |stage| stage.forecast_name);
    derive("Probability", |stage| stage.probability);
    let (Some(amount), Some(probability), Some(close)) =
        (object.field("Amount"), object.field("Probability"), object.field("CloseDate"))
    else {
        return;
    };
    rows.fill_gaps(object.field("ExpectedRevenue"), |rows, row| {
        expected(rows.cell(row, amount), rows.cell(row, probability)).unwrap_or_default()
    });
    let year = |rows: &Stored, row: u64| rows.cell(row, close).get(..4).unwrap_or_default().to_vec();
    let quarter = |rows: &Stored, row: u64| {
        let month = std::str::from_utf8(rows.cell(row, close).get(5..7).unwrap_or_default())
            .ok()
            .and_then(|month| month.parse::<u32>().ok());
        month.map(|month| (month.saturating_sub(1) / 3 + 1).to_string().into_bytes()).unwrap_or_default()
    };
    rows.fill_gaps(object.field("FiscalYear"), year);
    rows.fill_gaps(object.field("FiscalQuarter"), quarter);
    rows.fill_gaps(object.field("Fiscal"), |rows, row| {
        [year(rows, row).as_slice(), b" ", &quarter(rows, row)].concat()
    });
}

/// Amount × probability, in whole cents.
fn expected(amount: &[u8], probability: &[u8]) -> Option<Vec<u8>> {
    let read = |text: &[u8]| std::str::from_utf8(text).ok().and_then(Decimal::parse);
    let (amount, probability) = (read(amount)?, read(probability)?);
    amount.percent(probability).map(String::into_bytes)
}
