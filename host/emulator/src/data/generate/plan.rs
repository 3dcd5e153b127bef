//! Which values a field gets, from its name and type.

use std::sync::Arc;

use crate::data::awkward;
use crate::data::schema::{FieldDef, FieldType, ObjectDef};
use crate::data::stored::TextColumn;
use crate::data::value;

use super::column::{Column, Kind, Place, named_seed};
use super::pool::Pool;
use super::words;

/// Largest share of nulls, out of 256, in fields that may be null.
const USUAL_NULLS: u64 = 26;
/// Null references, out of 256: children without a parent, 3 %.
const ORPHANS: u64 = 8;
/// Self references that are null: most records are at the top.
const ROOTS: u64 = 200;
/// Long texts are empty more often than not.
const LONG_NULLS: u64 = 140;
/// References that stay empty because nothing here was merged, converted or repeated.
const NEVER: [&str; 7] = [
    "MasterRecordId",
    "RecordTypeId",
    "ConvertedAccountId",
    "ConvertedContactId",
    "ConvertedOpportunityId",
    "RecurrenceActivityId",
    "Pricebook2Id",
];

/// An object that references may point to.
#[derive(Debug, Clone)]
pub struct Target {
    pub name: String,
    pub object: usize,
    pub prefix: [u8; 3],
    pub rows: u64,
    pub given: Option<Arc<TextColumn>>,
}

/// What is known while a column is planned.
struct Context<'a> {
    object: &'a ObjectDef,
    field: &'a FieldDef,
    rows: u64,
    targets: &'a [Target],
}

/// The column of one field.
pub fn column(object: &ObjectDef, field: &FieldDef, rows: u64, seed: u64, targets: &[Target]) -> Column {
    let context = Context { object, field, rows, targets };
    let (kind, group) = kind(&context);
    // A record's two dates of change are one.
    let name = if matches!(kind, Kind::Changed) { "changed" } else { field.name.as_str() };
    let own = named_seed(seed, &format!("{}.{name}", object.name));
    let group = named_seed(seed, &format!("{}:{}", object.name, group.unwrap_or(&field.name)));
    Column { seed: own, group, nulls: nulls(field, &kind), awkward: awkward_values(field, &kind), kind }
}

fn nulls(field: &FieldDef, kind: &Kind) -> u64 {
    match kind {
        Kind::Ancestor(_) => ROOTS,
        Kind::Reference { .. } if field.nillable => ORPHANS,
        Kind::Prose { .. } => LONG_NULLS,
        Kind::Id(_)
        | Kind::Null
        | Kind::Constant(_)
        | Kind::Boolean { .. }
        | Kind::Numbered { .. }
        | Kind::PersonName => 0,
        _ if field.nillable => USUAL_NULLS,
        _ => 0,
    }
}

/// The awkward values that the field can hold; none for system fields, ids and closed lists.
fn awkward_values(field: &FieldDef, kind: &Kind) -> Pool {
    let fits = |text: &&str| value::canonical(field, text).is_ok_and(|held| held == **text);
    let free = matches!(field.kind, FieldType::String | FieldType::TextArea | FieldType::Phone | FieldType::Url);
    if !field.createable && field.kind != FieldType::String {
        return Pool::default();
    }
    match kind {
        Kind::Decimal { .. } => Pool::decimals(awkward::NUMBERS.into_iter().filter(fits)),
        Kind::Day => Pool::texts(awkward::DATES.into_iter().filter(fits)),
        Kind::Moment => Pool::texts(awkward::MOMENTS.into_iter().filter(fits)),
        Kind::Company | Kind::LastName | Kind::FirstName | Kind::Street | Kind::Words | Kind::Phone | Kind::Url
            if free =>
        {
            Pool::texts(awkward::TEXTS.into_iter().filter(fits))
        }
        Kind::Prose { .. } => {
            let longest = awkward::long_text(usize::try_from(field.length).unwrap_or(usize::MAX));
            // One in so many awkward texts is as long as the field allows.
            let usual = std::iter::repeat_n(awkward::TEXTS, awkward::TEXTS_PER_LONGEST)
                .flatten()
                .filter(fits)
                .map(str::to_owned);
            Pool::texts(usual.chain([longest]))
        }
        _ => Pool::default(),
    }
}

type Planned = (Kind, Option<&'static str>);

fn kind(context: &Context<'_>) -> Planned {
    let Context { object, field, .. } = *context;
    if let Some(found) = system(context) {
        return found;
    }
    if let Some(found) = stage(object, field) {
        return found;
    }
    match field.kind {
        FieldType::Reference => (reference(context), None),
        FieldType::Boolean => (Kind::Boolean { trues: if field.name == "IsActive" { 243 } else { 26 } }, None),
        FieldType::Picklist | FieldType::Combobox | FieldType::MultiPicklist if !field.picklist.is_empty() => {
            (Kind::Pick(Pool::texts(picks(field))), None)
        }
        FieldType::Int | FieldType::Long => {
            (Kind::Whole { below: words::POWERS[usize::from(field.digits.clamp(1, 6))] }, None)
        }
        FieldType::Double | FieldType::Currency | FieldType::Percent => (decimal(field), None),
        FieldType::Date => (Kind::Day, None),
        FieldType::DateTime => (Kind::Moment, None),
        FieldType::Time => (Kind::Clock, None),
        FieldType::Address | FieldType::Location | FieldType::Base64 | FieldType::AnyType | FieldType::ComplexValue => {
            (Kind::Null, None)
        }
        _ => text(context),
    }
}

fn picks(field: &FieldDef) -> Vec<String> {
    let single: Vec<String> = field.picklist.iter().map(|pick| pick.value.clone()).collect();
    match (field.kind, single.as_slice()) {
        (FieldType::MultiPicklist, [first, second, ..]) => [single.clone(), vec![format!("{first};{second}")]].concat(),
        _ => single,
    }
}

fn system(context: &Context<'_>) -> Option<Planned> {
    let Context { object, field, .. } = *context;
    Some(match field.name.as_str() {
        "Id" => (Kind::Id(object.prefix_bytes()), None),
        "IsDeleted" | "IsConverted" | "IsArchived" => (Kind::Constant(Pool::texts(["false"])), None),
        "CreatedDate" => (Kind::Created, Some("created")),
        "LastModifiedDate" | "SystemModstamp" => (Kind::Changed, Some("created")),
        "LastViewedDate" | "LastReferencedDate" | "PhotoUrl" | "Jigsaw" | "JigsawCompanyId" | "JigsawContactId" => {
            (Kind::Null, None)
        }
        "CreatedById" | "LastModifiedById" => (reference(context), None),
        _ if field.external_id => (Kind::Numbered { head: "EXT-", width: 9 }, None),
        _ if field.auto_number => (Kind::Numbered { head: "", width: 8 }, None),
        _ => return None,
    })
}

/// What follows from an opportunity's stage, in the order of the stage's picklist.
fn stage(object: &ObjectDef, field: &FieldDef) -> Option<Planned> {
    if object.name != "Opportunity" {
        return None;
    }
    let value = |of: fn(&crate::data::demo::Stage) -> &'static str| crate::data::demo::STAGES.iter().map(of);
    let pool = match field.name.as_str() {
        "StageName" => Pool::texts(value(|stage| stage.name)),
        "IsClosed" => Pool::texts(value(|stage| stage.closed)),
        "IsWon" => Pool::texts(value(|stage| stage.won)),
        "ForecastCategory" => Pool::texts(value(|stage| stage.forecast)),
        "ForecastCategoryName" => Pool::texts(value(|stage| stage.forecast_name)),
        "Probability" => Pool::decimals(value(|stage| stage.probability)),
        "ExpectedRevenue" | "Fiscal" | "FiscalYear" | "FiscalQuarter" => return Some((Kind::Null, None)),
        _ => return None,
    };
    Some((Kind::Pick(pool), Some("stage")))
}

fn decimal(field: &FieldDef) -> Kind {
    let place = field.name.contains("Latitude") || field.name.contains("Longitude");
    let scale = u32::from(field.scale).min(if place { 6 } else { 4 });
    let whole = u32::from(field.precision.saturating_sub(field.scale)).min(8);
    let digits = if place { 7 } else { (whole + scale).min(12) };
    Kind::Decimal { digits, scale, negatives: place || field.kind == FieldType::Double }
}

fn reference(context: &Context<'_>) -> Kind {
    let Context { object, field, rows, targets } = *context;
    if NEVER.contains(&field.name.as_str()) {
        return Kind::Null;
    }
    let mut places: Vec<Place> = Vec::new();
    for name in &field.references {
        if let Some(target) = targets.iter().find(|target| target.name == *name && target.rows > 0) {
            places.push(Place {
                object: target.object,
                prefix: target.prefix,
                rows: target.rows,
                given: target.given.clone(),
            });
        }
    }
    // Users before queues: most records belong to people.
    places.sort_by_key(|place| place.prefix != *b"005");
    if places.len() == 1 && field.references.contains(&object.name) {
        return places.pop().filter(|_| rows > 1).map_or(Kind::Null, Kind::Ancestor);
    }
    if places.is_empty() { Kind::Null } else { Kind::Reference { places, skew: true } }
}

fn text(context: &Context<'_>) -> Planned {
    let Context { object, field, .. } = *context;
    let person = matches!(object.name.as_str(), "Contact" | "Lead" | "User");
    let name = field.name.as_str();
    match name {
        "Name" if person => (Kind::PersonName, Some("person")),
        "FirstName" => (Kind::FirstName, Some("person")),
        "LastName" => (Kind::LastName, Some("person")),
        "Company" | "SuppliedCompany" => (Kind::Company, None),
        "Name" if object.name == "Account" => (Kind::Company, None),
        _ => (shaped(field), group_of(name)),
    }
}

/// The part of an address that a field is, and whether its parts go together.
fn group_of(name: &str) -> Option<&'static str> {
    let address = ["City", "State", "PostalCode", "Country"].iter().find_map(|part| name.strip_suffix(part))?;
    Some(match address {
        "Billing" => "billing",
        "Shipping" => "shipping",
        "Mailing" => "mailing",
        "Other" => "other",
        _ => "place",
    })
}

fn shaped(field: &FieldDef) -> Kind {
    let name = field.name.as_str();
    let pool = |words: [&str; 16]| Kind::Pick(Pool::texts(words));
    match field.kind {
        FieldType::Email => return Kind::Email,
        FieldType::Phone => return Kind::Phone,
        FieldType::Url => return Kind::Url,
        FieldType::TextArea if name.ends_with("Street") => return Kind::Street,
        FieldType::TextArea if field.length > 255 => return Kind::Prose { most: 8 },
        _ => {}
    }
    match name {
        _ if name.ends_with("City") => pool(words::CITIES),
        _ if name.ends_with("State") => pool(words::STATES),
        _ if name.ends_with("PostalCode") => pool(words::POSTAL_CODES),
        _ if name.ends_with("Country") => pool(words::COUNTRIES),
        _ if field.length > 0 && field.length < 30 => {
            Kind::Whole { below: words::POWERS[(field.length as usize).clamp(1, 8)] }
        }
        _ => Kind::Words,
    }
}
