//! Changes of records while the org is served: created, updated, deleted, taken back from the recycle bin.
//!
//! A change is worked out as a whole before anything of it is seen. Statements that were evaluated before keep the rows
//! that they found: a job shows the org as it was when the job was created.
//!
//! Deliberately absent: triggers, validation rules, duplicate rules, and what a delete does to the records below.

use std::sync::{Arc, PoisonError};

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Map, Value};

use super::complete;
use super::edit_value;
use super::ids::{self, Id};
use super::schema::{ObjectDef, Schema};
use super::stored::Stored;
use super::tables::{Table, Tables};
use super::{Org, describe, value};

/// Generated rows that can be held in memory once one of them is changed.
const HELD_ROWS: u64 = 1_000_000;

/// One change of one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// A new record.
    Create {
        /// Its object.
        object: String,
        /// Its fields, as in the body of a REST call.
        fields: Map<String, Value>,
    },
    /// New values of some fields.
    Update {
        /// The record's object.
        object: String,
        /// 15 or 18 characters.
        id: String,
        /// The fields, as in the body of a REST call.
        fields: Map<String, Value>,
    },
    /// Into the recycle bin.
    Delete {
        /// The record's object.
        object: String,
        /// 15 or 18 characters.
        id: String,
    },
    /// Out of the recycle bin.
    Undelete {
        /// 15 or 18 characters.
        id: String,
    },
}

/// A refusal, as it goes on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct EditError {
    /// `errorCode` in REST, `statusCode` in SOAP.
    pub code: &'static str,
    /// Text for the caller.
    pub message: String,
    /// The fields at fault.
    pub fields: Vec<String>,
}

impl EditError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> EditError {
        EditError { code, message: message.into(), fields: Vec::new() }
    }

    pub(super) fn of(code: &'static str, message: impl Into<String>, field: &str) -> EditError {
        EditError { fields: vec![field.to_owned()], ..EditError::new(code, message) }
    }
}

/// Who changes a record, and the stamp that the change carries.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// Id of a user.
    pub user: &'a str,
    /// The stamp; parts of seconds are cut off, as records have none.
    pub at: DateTime<Utc>,
}

impl Author<'_> {
    fn stamp(&self) -> Vec<u8> {
        value::show_moment(&self.at.trunc_subsecs(0).naive_utc()).into_bytes()
    }
}

/// The rows of an org at one moment.
pub(crate) struct Held(Arc<Vec<Arc<Table>>>);

/// What a change does to the rows.
struct Change {
    object: usize,
    /// The row that is there already; none: a new one.
    row: Option<u64>,
    id: Id,
    cells: Vec<Vec<u8>>,
}

/// The change as one user sees the org.
struct View<'a> {
    /// Objects and fields that the user sees.
    schema: &'a Schema,
    /// All of them, and the rows.
    tables: &'a Tables,
    author: Author<'a>,
}

impl Org {
    /// The rows as they are, to be put back should a change that belongs to others fail.
    pub(crate) fn held(&self) -> Held {
        Held(Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Makes the rows what they were, with every change since undone.
    pub(crate) fn put_back(&self, held: Held) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = held.0;
    }

    /// Changes a record and gives its id.
    ///
    /// # Errors
    /// The refusal as it goes on the wire; nothing has changed then.
    pub fn edit(&self, edit: &Edit, author: Author<'_>) -> Result<String, EditError> {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let tables = Tables { schema: self.full.clone(), tables: Arc::clone(&held) };
        let change = View { schema: &self.schema, tables: &tables, author }.change(edit)?;
        drop(tables);
        apply(&self.full, Arc::<Vec<_>>::make_mut(&mut held), change)
    }
}

impl View<'_> {
    fn change(&self, edit: &Edit) -> Result<Change, EditError> {
        match edit {
            Edit::Create { object, fields } => self.create(self.object(object, "inserted", "createable")?, fields),
            Edit::Update { object, id, fields } => {
                self.update(self.record(self.object(object, "updated", "updateable")?, id)?, fields)
            }
            Edit::Delete { object, id } => {
                self.mark(self.record(self.object(object, "deleted", "deletable")?, id)?, b"true")
            }
            Edit::Undelete { id } => self.undelete(id),
        }
    }

    fn object(&self, name: &str, done: &str, flag: &str) -> Result<usize, EditError> {
        let missing = || EditError::new("NOT_FOUND", "The requested resource does not exist");
        let index = self.schema.find(name).ok_or_else(missing)?;
        let object = &self.schema.objects[index];
        if describe::allows(object, flag) {
            return Ok(index);
        }
        Err(EditError::new("INVALID_TYPE_FOR_OPERATION", format!("entity type cannot be {done}: {}", object.name)))
    }

    /// A record that is not in the recycle bin.
    fn record(&self, object: usize, id: &str) -> Result<(usize, u64, Id), EditError> {
        let missing = || {
            let text = format!("Provided external ID field does not exist or is not accessible: {id}");
            EditError::new("NOT_FOUND", text)
        };
        let long = ids::normalise(id.as_bytes()).ok_or_else(missing)?;
        let (found, row) = self.tables.find(&long).filter(|at| at.0 == object).ok_or_else(missing)?;
        if self.is_deleted(found, row) {
            return Err(EditError::new("ENTITY_IS_DELETED", "entity is deleted"));
        }
        Ok((found, row, long))
    }

    fn is_deleted(&self, object: usize, row: u64) -> bool {
        let field = self.tables.object(object).field("IsDeleted");
        field.is_some_and(|field| self.cell(object, row, field) == b"true")
    }

    fn cell(&self, object: usize, row: u64, field: usize) -> Vec<u8> {
        let mut out = Vec::new();
        self.tables.cell(object, row, field, &mut out);
        out
    }

    fn create(&self, object: usize, fields: &Map<String, Value>) -> Result<Change, EditError> {
        let definition = self.tables.object(object).clone();
        let mut cells = vec![Vec::new(); definition.fields.len()];
        if fields.keys().any(|name| name.eq_ignore_ascii_case("Id")) {
            return Err(EditError::of("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", "Id"));
        }
        self.take(object, None, fields, &mut cells)?;
        let absent: Vec<&str> = definition
            .fields
            .iter()
            .zip(&cells)
            .filter(|(field, cell)| cell.is_empty() && required(field))
            .map(|(field, _)| field.name.as_str())
            .collect();
        if !absent.is_empty() {
            let text = format!("Required fields are missing: [{}]", absent.join(", "));
            let fields = absent.into_iter().map(str::to_owned).collect();
            return Err(EditError { fields, ..EditError::new("REQUIRED_FIELD_MISSING", text) });
        }
        let (row, id) = self.next_id(object)?;
        for (field, cell) in definition.fields.iter().zip(&mut cells).filter(|(_, cell)| cell.is_empty()) {
            if field.auto_number {
                *cell = format!("{:08}", row + 1).into_bytes();
            } else if let Some(pick) = field.picklist.iter().find(|pick| pick.default) {
                *cell = pick.value.clone().into_bytes();
            }
        }
        self.set(&definition, &mut cells, "Id", &id);
        self.set(&definition, &mut cells, "CreatedDate", &self.author.stamp());
        self.set(&definition, &mut cells, "CreatedById", self.author.user.as_bytes());
        if let Some(owner) = definition.field("OwnerId").filter(|owner| cells[*owner].is_empty()) {
            cells[owner] = self.author.user.as_bytes().to_vec();
        }
        Ok(Change { object, row: None, id, cells: self.finished(&definition, cells) })
    }

    fn update(&self, (object, row, id): (usize, u64, Id), fields: &Map<String, Value>) -> Result<Change, EditError> {
        let definition = self.tables.object(object).clone();
        let mut cells: Vec<Vec<u8>> = (0..definition.fields.len()).map(|field| self.cell(object, row, field)).collect();
        if fields.keys().any(|name| name.eq_ignore_ascii_case("Id")) {
            let text = "The Id field should not be specified in the sobject data.";
            return Err(EditError::new("INVALID_FIELD", text));
        }
        let stage = definition.field("StageName").map(|field| cells[field].clone());
        self.take(object, Some(row), fields, &mut cells)?;
        let moved = definition.field("StageName").is_some_and(|field| stage.as_ref() != Some(&cells[field]));
        for field in complete::derived(&definition, moved) {
            let given = fields.keys().any(|name| name.eq_ignore_ascii_case(&definition.fields[field].name));
            if !given {
                cells[field].clear();
            }
        }
        Ok(Change { object, row: Some(row), id, cells: self.finished(&definition, cells) })
    }

    fn mark(&self, (object, row, id): (usize, u64, Id), deleted: &[u8]) -> Result<Change, EditError> {
        let definition = self.tables.object(object).clone();
        let mut cells: Vec<Vec<u8>> = (0..definition.fields.len()).map(|field| self.cell(object, row, field)).collect();
        self.set(&definition, &mut cells, "IsDeleted", deleted);
        Ok(Change { object, row: Some(row), id, cells: self.finished(&definition, cells) })
    }

    fn undelete(&self, id: &str) -> Result<Change, EditError> {
        let unknown = || EditError::new("INVALID_ID_FIELD", format!("invalid id {id}"));
        let long = ids::normalise(id.as_bytes()).ok_or_else(unknown)?;
        let (object, row) = self.tables.find(&long).ok_or_else(unknown)?;
        let name = &self.tables.object(object).name;
        self.object(name, "undeleted", "undeletable")?;
        if !self.is_deleted(object, row) {
            return Err(EditError::new("UNDELETE_FAILED", "Entity is not in the recycle bin"));
        }
        self.mark((object, row, long), b"false")
    }

    /// Puts the values of a body into the cells of a row.
    fn take(
        &self,
        object: usize,
        row: Option<u64>,
        fields: &Map<String, Value>,
        cells: &mut [Vec<u8>],
    ) -> Result<(), EditError> {
        // Where the field is hidden from the caller, it is as if there were none.
        let seen = &self.schema.objects[object];
        for (name, value) in fields.iter().filter(|(name, _)| *name != "attributes") {
            let index = seen.field(name).ok_or_else(|| {
                let text = format!("No such column '{name}' on sobject of type {}", seen.name);
                EditError::new("INVALID_FIELD", text)
            })?;
            let field = &seen.fields[index];
            if !(if row.is_some() { field.updateable } else { field.createable }) {
                let text = format!(
                    "Unable to create/update fields: {}. Please check the security settings of this field and verify \
                     that it is read/write for your profile or permission set.",
                    field.name
                );
                return Err(EditError::of("INVALID_FIELD_FOR_INSERT_UPDATE", text, &field.name));
            }
            let text = edit_value::text(seen, field, value)?;
            edit_value::refers(self.tables, field, &text)?;
            if field.unique {
                self.is_free(object, row, index, text.as_bytes())?;
            }
            cells[index] = text.into_bytes();
        }
        Ok(())
    }

    /// Whether no other living record has that value of a unique field.
    fn is_free(&self, object: usize, row: Option<u64>, field: usize, text: &[u8]) -> Result<(), EditError> {
        let definition = self.tables.object(object);
        let exact = definition.fields[field].case_sensitive;
        let same = |cell: &[u8]| if exact { cell == text } else { cell.eq_ignore_ascii_case(text) };
        let mut others = (0..self.tables.tables[object].rows()).filter(|other| Some(*other) != row);
        let taken = |other: &u64| same(&self.cell(object, *other, field)) && !self.is_deleted(object, *other);
        match others.find(taken).filter(|_| !text.is_empty()) {
            None => Ok(()),
            Some(other) => {
                let id = String::from_utf8_lossy(&self.cell(object, other, 0)).into_owned();
                let name = &definition.fields[field].name;
                let text = format!("duplicate value found: {name} duplicates value on record with id: {id}");
                Err(EditError::new("DUPLICATE_VALUE", text))
            }
        }
    }

    /// Row and id of the next record: above all ids there are.
    fn next_id(&self, object: usize) -> Result<(u64, Id), EditError> {
        let prefix = self.tables.object(object).prefix_bytes();
        let row = self.tables.tables[object].rows();
        let given = match self.tables.tables[object].as_ref() {
            Table::Stored(Stored { given_ids: Some(given), .. }) => given.keys().map(ids::number_of).max(),
            _ => None,
        };
        let id = given.map_or_else(
            || Some(ids::of_row(prefix, row)),
            |last| ids::normalise(ids::of_number(prefix, last + 1).as_bytes()),
        );
        id.map(|id| (row, id)).ok_or_else(|| EditError::new("UNKNOWN_EXCEPTION", "the org has run out of ids"))
    }

    fn set(&self, object: &ObjectDef, cells: &mut [Vec<u8>], name: &str, text: &[u8]) {
        if let Some(cell) = object.field(name).and_then(|field| cells.get_mut(field)) {
            *cell = text.to_vec();
        }
    }

    /// Stamps a row and fills in what Salesforce itself adds.
    fn finished(&self, object: &ObjectDef, mut cells: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let stamp = self.author.stamp();
        self.set(object, &mut cells, "LastModifiedDate", &stamp);
        self.set(object, &mut cells, "SystemModstamp", &stamp);
        self.set(object, &mut cells, "LastModifiedById", self.author.user.as_bytes());
        let mut one = Stored::empty(object);
        one.append(&cells);
        complete::complete(object, &mut one, &[self.author.user.as_bytes().to_vec()]);
        (0..cells.len()).map(|field| one.cell(0, field).to_vec()).collect()
    }
}

fn required(field: &super::schema::FieldDef) -> bool {
    !field.nillable && !field.defaulted && field.createable && field.kind != super::schema::FieldType::Boolean
}

/// Makes a change that was worked out.
fn apply(schema: &Schema, tables: &mut [Arc<Table>], change: Change) -> Result<String, EditError> {
    let Change { object, row, id, cells } = change;
    let (definition, table) = (&schema.objects[object], &mut tables[object]);
    if let Table::Generated(generated) = table.as_ref() {
        if generated.rows > HELD_ROWS {
            let text = format!(
                "this emulator changes no object with more than {HELD_ROWS} generated rows; {} has {}",
                definition.name, generated.rows
            );
            return Err(EditError::new("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", text));
        }
        *table = Arc::new(Table::Stored(Stored::of_generated(definition, generated)));
    }
    if let Table::Stored(stored) = Arc::make_mut(table) {
        match row {
            None => stored.append_with_id(&cells, id),
            Some(row) => stored.replace(row, &cells),
        }
        stored.count_deleted(definition.field("IsDeleted"));
    }
    Ok(id.into_iter().map(char::from).collect())
}
