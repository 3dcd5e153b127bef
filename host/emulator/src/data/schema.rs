//! Which objects the org has, and their fields, as the tables in `data/schema` list them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::load::nearest;
use super::schema_text;

/// Field types, named as describe names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    Id,
    Reference,
    String,
    Picklist,
    MultiPicklist,
    Combobox,
    TextArea,
    Email,
    Phone,
    Url,
    EncryptedString,
    AnyType,
    DataCategoryGroupReference,
    ComplexValue,
    Boolean,
    Int,
    Long,
    Double,
    Currency,
    Percent,
    Date,
    DateTime,
    Time,
    Base64,
    Address,
    Location,
}

const TYPE_NAMES: [(FieldType, &str, &str); 26] = [
    (FieldType::Id, "id", "tns:ID"),
    (FieldType::Reference, "reference", "tns:ID"),
    (FieldType::String, "string", "xsd:string"),
    (FieldType::Picklist, "picklist", "xsd:string"),
    (FieldType::MultiPicklist, "multipicklist", "xsd:string"),
    (FieldType::Combobox, "combobox", "xsd:string"),
    (FieldType::TextArea, "textarea", "xsd:string"),
    (FieldType::Email, "email", "xsd:string"),
    (FieldType::Phone, "phone", "xsd:string"),
    (FieldType::Url, "url", "xsd:string"),
    (FieldType::EncryptedString, "encryptedstring", "xsd:string"),
    (FieldType::AnyType, "anyType", "xsd:anyType"),
    (FieldType::DataCategoryGroupReference, "datacategorygroupreference", "xsd:string"),
    (FieldType::ComplexValue, "complexvalue", "xsd:string"),
    (FieldType::Boolean, "boolean", "xsd:boolean"),
    (FieldType::Int, "int", "xsd:int"),
    (FieldType::Long, "long", "xsd:long"),
    (FieldType::Double, "double", "xsd:double"),
    (FieldType::Currency, "currency", "xsd:double"),
    (FieldType::Percent, "percent", "xsd:double"),
    (FieldType::Date, "date", "xsd:date"),
    (FieldType::DateTime, "datetime", "xsd:dateTime"),
    (FieldType::Time, "time", "xsd:time"),
    (FieldType::Base64, "base64", "xsd:base64Binary"),
    (FieldType::Address, "address", "urn:address"),
    (FieldType::Location, "location", "urn:location"),
];

impl FieldType {
    /// The type's name in describe.
    pub fn as_str(self) -> &'static str {
        TYPE_NAMES.iter().find(|(kind, ..)| *kind == self).map_or("string", |(_, name, _)| name)
    }

    /// The type's name in SOAP.
    pub fn soap_type(self) -> &'static str {
        TYPE_NAMES.iter().find(|(kind, ..)| *kind == self).map_or("xsd:string", |(.., soap)| soap)
    }

    /// The type that describe calls `name`.
    pub fn named(name: &str) -> Option<FieldType> {
        TYPE_NAMES.iter().find(|(_, known, _)| *known == name).map(|(kind, ..)| *kind)
    }

    /// double, currency and percent: a decimal to us, a Java double on the wire.
    pub fn is_decimal(self) -> bool {
        matches!(self, FieldType::Double | FieldType::Currency | FieldType::Percent)
    }

    /// Any type whose values compare as numbers.
    pub fn is_number(self) -> bool {
        self.is_decimal() || matches!(self, FieldType::Int | FieldType::Long)
    }

    /// Types that hold ids.
    pub fn is_id(self) -> bool {
        matches!(self, FieldType::Id | FieldType::Reference)
    }

    /// Fields made of other fields.
    pub fn is_compound(self) -> bool {
        matches!(self, FieldType::Address | FieldType::Location)
    }
}

/// One picklist entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick {
    pub value: String,
    pub default: bool,
}

/// One field of an object.
#[derive(Debug, Clone)]
pub struct FieldDef {
    pub name: String,
    pub label: String,
    pub kind: FieldType,
    pub length: u32,
    pub precision: u8,
    pub scale: u8,
    pub digits: u8,
    pub nillable: bool,
    pub createable: bool,
    pub updateable: bool,
    pub defaulted: bool,
    pub aggregatable: bool,
    pub filterable: bool,
    pub sortable: bool,
    pub groupable: bool,
    pub permissionable: bool,
    pub auto_number: bool,
    pub calculated: bool,
    pub formula: Option<String>,
    pub external_id: bool,
    pub unique: bool,
    pub case_sensitive: bool,
    pub id_lookup: bool,
    pub name_field: bool,
    pub restricted: bool,
    pub html: bool,
    pub compound: Option<String>,
    pub extra: Option<String>,
    pub references: Vec<String>,
    pub relationship: Option<String>,
    pub picklist: Vec<Pick>,
    /// Data classification: compliance groups, joined by `;`.
    pub compliance: Option<String>,
    /// Data classification: sensitivity level.
    pub sensitivity: Option<String>,
}

impl FieldDef {
    /// Whether an administrator added the field.
    pub fn custom(&self) -> bool {
        self.name.ends_with("__c") || self.name.ends_with("__s")
    }
}

/// One object.
#[derive(Debug, Clone)]
pub struct ObjectDef {
    pub name: String,
    pub prefix: String,
    pub label: String,
    pub plural: String,
    /// Describe keys that are false although they usually are true.
    pub without: Vec<String>,
    pub fields: Vec<FieldDef>,
    by_name: HashMap<String, usize>,
    by_relationship: HashMap<String, usize>,
    /// Fields that the user does not see.
    hidden: HashSet<usize>,
}

impl ObjectDef {
    /// An object of these fields.
    pub fn new(name: &str, prefix: &str, label: &str, plural: &str, without: Vec<String>) -> ObjectDef {
        ObjectDef {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            label: label.to_owned(),
            plural: plural.to_owned(),
            without,
            fields: Vec::new(),
            by_name: HashMap::new(),
            by_relationship: HashMap::new(),
            hidden: HashSet::new(),
        }
    }

    /// The fields that the user sees.
    pub fn visible_fields(&self) -> impl Iterator<Item = &FieldDef> {
        self.fields.iter().enumerate().filter(|(index, _)| self.sees(*index)).map(|(_, field)| field)
    }

    /// Whether the user sees the field of that number.
    pub fn sees(&self, index: usize) -> bool {
        !self.hidden.contains(&index)
    }

    /// Hides a field with its relationship; only where field-level security can.
    pub fn hide(&mut self, name: &str) {
        let Some(index) = self.field(name).filter(|index| self.fields[*index].permissionable) else { return };
        self.hidden.insert(index);
        self.by_name.remove(&name.to_ascii_lowercase());
        self.by_relationship.retain(|_, field| *field != index);
    }

    /// Adds a field at the end.
    pub fn push(&mut self, field: FieldDef) {
        let index = self.fields.len();
        self.by_name.insert(field.name.to_ascii_lowercase(), index);
        if let Some(relationship) = field.relationship.as_ref().filter(|_| field.kind == FieldType::Reference) {
            self.by_relationship.insert(relationship.to_ascii_lowercase(), index);
        }
        self.fields.push(field);
    }

    /// The field of that name, case ignored.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// The reference field behind a relationship name, case ignored.
    pub fn relationship(&self, name: &str) -> Option<usize> {
        self.by_relationship.get(&name.to_ascii_lowercase()).copied()
    }

    /// Whether an administrator made the object.
    pub fn custom(&self) -> bool {
        self.name.ends_with("__c")
    }

    /// A describe flag that is true unless the object's line says otherwise.
    pub fn has(&self, flag: &str) -> bool {
        !self.without.iter().any(|without| without == flag)
    }

    /// The first three characters of its ids.
    pub fn prefix_bytes(&self) -> [u8; 3] {
        self.prefix.as_bytes().try_into().unwrap_or(*b"000")
    }
}

/// All objects of an org.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub objects: Vec<Arc<ObjectDef>>,
    by_name: HashMap<String, usize>,
    by_prefix: HashMap<[u8; 3], usize>,
}

impl Schema {
    /// The org that is built into the crate.
    ///
    /// # Errors
    /// The line of the table that does not parse.
    pub fn built_in() -> Result<Schema, String> {
        let mut objects = Vec::new();
        for text in [
            include_str!("../../data/schema/standard.txt"),
            include_str!("../../data/schema/org.txt"),
            include_str!("../../data/schema/custom.txt"),
        ] {
            schema_text::read(text, &mut objects)?;
        }
        objects.push(schema_text::wide());
        let mut schema = Schema::default();
        for object in objects {
            schema.push(object);
        }
        Ok(schema)
    }

    /// Adds an object and gives its number.
    pub fn push(&mut self, object: ObjectDef) -> usize {
        let index = self.objects.len();
        self.by_name.insert(object.name.to_ascii_lowercase(), index);
        self.by_prefix.insert(object.prefix_bytes(), index);
        self.objects.push(Arc::new(object));
        index
    }

    /// The objects that the user sees.
    pub fn visible_objects(&self) -> impl Iterator<Item = &Arc<ObjectDef>> {
        self.objects.iter().filter(|object| self.find(&object.name).is_some())
    }

    /// Hides an object (`Case`) or a field (`Account.Phone`), case ignored.
    pub fn hide(&mut self, name: &str) {
        match name.split_once('.') {
            Some((object, field)) => {
                if let Some(index) = self.find(object) {
                    Arc::make_mut(&mut self.objects[index]).hide(field);
                }
            }
            None => {
                self.by_name.remove(&name.to_ascii_lowercase());
            }
        }
    }

    /// Whether an object (`Case`) or a field (`Account.Phone`) is there and can be hidden; says why not.
    pub fn check_hidden(&self, name: &str) -> Result<(), String> {
        let (object, field) = name.split_once('.').map_or((name, None), |(object, field)| (object, Some(field)));
        let names = self.objects.iter().map(|object| object.name.as_str());
        let hint = || nearest(object, names).map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        let index = self.find(object).ok_or_else(|| format!("hidden: there is no object '{object}'{}", hint()))?;
        let (definition, Some(field)) = (&self.objects[index], field) else { return Ok(()) };
        match definition.field(field).and_then(|index| definition.fields.get(index)) {
            None => Err(format!("hidden: {} has no field '{field}'", definition.name)),
            Some(field) if field.permissionable => Ok(()),
            Some(field) => Err(format!(
                "hidden: {}.{} cannot be hidden; field-level security covers the fields that describe calls \
                 permissionable",
                definition.name, field.name
            )),
        }
    }

    /// The number of the object, case ignored.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// The object whose ids begin so.
    pub fn by_prefix(&self, prefix: &[u8]) -> Option<usize> {
        let prefix: [u8; 3] = prefix.get(..3)?.try_into().ok()?;
        self.by_prefix.get(&prefix).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_not_found_and_the_rest_is() {
        let mut schema = Schema::built_in().unwrap_or_else(|error| panic!("{error}"));
        for name in ["account.industry", "Contact.AccountId", "Campaign", "Account.Id", "Nothing", "Account.Nothing"] {
            schema.hide(name);
        }
        let object = |name: &str| schema.objects[schema.find(name).unwrap_or_else(|| panic!("{name}"))].clone();
        let account = object("Account");
        assert!(account.field("Industry").is_none() && account.field("Id") == Some(0));
        assert!(account.visible_fields().all(|field| field.name != "Industry"));
        assert_eq!(account.visible_fields().count() + 1, account.fields.len());
        assert!(object("Contact").relationship("Account").is_none());
        assert!(schema.find("Campaign").is_none() && schema.visible_objects().all(|object| object.name != "Campaign"));
        assert!(schema.check_hidden("Acount").is_err_and(|text| text.contains("did you mean 'Account'?")));
        assert!(schema.check_hidden("Account.Id").is_err() && schema.check_hidden("Account.Rating").is_ok());
    }

    #[test]
    fn the_built_in_tables_parse_and_hold_together() {
        let schema = Schema::built_in().unwrap_or_else(|error| panic!("{error}"));
        for object in &schema.objects {
            assert!(object.field("Id") == Some(0), "{}", object.name);
            for field in &object.fields {
                for target in &field.references {
                    assert!(schema.find(target).is_some(), "{}.{} → {target}", object.name, field.name);
                }
                if let Some(compound) = &field.compound {
                    assert!(object.field(compound).is_some(), "{}.{} in {compound}", object.name, field.name);
                }
            }
        }
        assert_eq!(schema.by_prefix.len(), schema.objects.len(), "two objects share a key prefix");
        assert_eq!(schema.find("wide__C").map(|wide| schema.objects[wide].fields.len()), Some(500));
    }
}
