//! From names in a statement to fields of objects, over relationships.

use crate::soql::SoqlError;
use crate::soql::ast::{Expression, Path};

use super::function::Function;
use super::schema::{FieldDef, FieldType, ObjectDef, Schema};
use super::tables::Tables;

/// Relationships that a path may go up (SOQL reference, "Understanding relationship query limitations").
const LEVELS_LIMIT: usize = 5;
/// Fields that a polymorphic relationship shows (object `Name` of the object reference).
const NAME_FIELDS: [&str; 12] = [
    "Id",
    "Name",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "Title",
    "Username",
    "Alias",
    "IsActive",
    "ProfileId",
    "UserRoleId",
];
/// Functions that give the value of their field as it is here: labels are values, and there is one currency.
const TRANSPARENT: [&str; 2] = ["TOLABEL", "CONVERTCURRENCY"];
const WSDL_HINT: &str = "Please reference your WSDL or the describe call for the appropriate names.";

/// A field, and the reference fields on the way to it.
#[derive(Debug, Clone)]
pub struct FieldPath {
    /// Where the way begins.
    pub object: usize,
    /// Reference fields with the objects they may lead to; after a polymorphic one, several.
    pub hops: Vec<Hop>,
    /// The field in each object that may stand at the end.
    pub ends: Vec<(usize, End)>,
    /// Type of the field; where objects differ, of the first.
    pub kind: FieldType,
    /// The names in their canonical spelling.
    pub names: Vec<String>,
    /// What is done with the value, and the type that it has before.
    pub function: Option<(Function, FieldType)>,
}

/// One step up.
#[derive(Debug, Clone)]
pub struct Hop {
    /// The reference field in each object that may stand here.
    pub fields: Vec<(usize, usize)>,
}

/// What stands at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A field.
    Field(usize),
    /// The object's own name: `Type` of a polymorphic relationship.
    TypeName,
}

impl FieldPath {
    /// A path to no field, for a number that has none.
    pub fn number(object: usize) -> FieldPath {
        FieldPath {
            object,
            hops: Vec::new(),
            ends: Vec::new(),
            kind: FieldType::Int,
            names: Vec::new(),
            function: None,
        }
    }

    /// Whether both give the same value of a row.
    pub fn same(&self, other: &FieldPath) -> bool {
        self.names == other.names && self.function == other.function
    }

    /// The values of a picklist in setup order, by which they sort.
    pub fn picks(&self, schema: &Schema) -> Vec<String> {
        let field = self.field(schema).filter(|_| self.function.is_none());
        field.map(|field| field.picklist.iter().map(|pick| pick.value.clone()).collect()).unwrap_or_default()
    }

    /// The names with dots between them.
    pub fn dotted(&self) -> String {
        self.names.join(".")
    }

    /// The field when the path has no relationship in it.
    pub fn local(&self) -> Option<usize> {
        match (self.hops.as_slice(), self.ends.as_slice()) {
            ([], [(_, End::Field(field))]) if self.function.is_none() => Some(*field),
            _ => None,
        }
    }

    /// The definition of the field at the end; where objects differ, of the first.
    pub fn field<'a>(&self, schema: &'a Schema) -> Option<&'a FieldDef> {
        self.ends.iter().find_map(|(object, end)| match end {
            End::Field(field) => schema.objects.get(*object)?.fields.get(*field),
            End::TypeName => None,
        })
    }

    /// The record at the end of the relationships.
    pub fn record(&self, tables: &Tables, row: u64) -> Option<(usize, u64)> {
        let mut at = (self.object, row);
        for hop in &self.hops {
            let field = hop.fields.iter().find(|(object, _)| *object == at.0)?.1;
            at = tables.parent(at.0, at.1, field)?;
        }
        Some(at)
    }

    /// Appends the value's text; nothing for null.
    pub fn text(&self, tables: &Tables, row: u64, out: &mut Vec<u8>) {
        let Some((function, kind)) = self.function else { return self.plain_text(tables, row, out) };
        let mut text = Vec::new();
        self.plain_text(tables, row, &mut text);
        function.apply(kind, &text, out);
    }

    fn plain_text(&self, tables: &Tables, row: u64, out: &mut Vec<u8>) {
        let Some((object, row)) = self.record(tables, row) else { return };
        match self.ends.iter().find(|end| end.0 == object) {
            Some((_, End::Field(field))) => tables.cell(object, row, *field, out),
            Some((_, End::TypeName)) => out.extend_from_slice(tables.object(object).name.as_bytes()),
            None => {}
        }
    }
}

/// Resolves names against one FROM clause.
#[derive(Clone, Copy)]
pub struct Resolver<'a> {
    /// The org's objects.
    pub schema: &'a Schema,
    /// The statement, for messages.
    pub statement: &'a str,
    /// The object after FROM.
    pub object: usize,
    /// Its alias.
    pub alias: Option<&'a str>,
    /// Further aliases of FROM, with the relationships they stand for.
    pub joins: &'a [(Path, String)],
}

impl<'a> Resolver<'a> {
    fn definition(&self, object: usize) -> &'a ObjectDef {
        &self.schema.objects[object]
    }

    /// An error at the beginning of a path.
    pub fn error(&self, code: &'static str, path: &Path, reason: &str) -> SoqlError {
        SoqlError::located(code, self.statement, path.at, reason)
    }

    /// The field that a path names.
    ///
    /// # Errors
    /// `INVALID_FIELD` for an unknown field or relationship.
    pub fn field(&self, path: &Path) -> Result<FieldPath, SoqlError> {
        let parts = self.expand(path);
        let Some((name, relationships)) = parts.split_last() else {
            return Err(self.no_column(path, "", &self.definition(self.object).name));
        };
        if relationships.len() > LEVELS_LIMIT {
            return Err(self.error(
                "INVALID_FIELD",
                path,
                &format!("SELECT statement exceeds {LEVELS_LIMIT} levels of parent relationships"),
            ));
        }
        let mut found = FieldPath {
            object: self.object,
            hops: Vec::new(),
            ends: Vec::new(),
            kind: FieldType::String,
            names: Vec::new(),
            function: None,
        };
        let mut objects = vec![self.object];
        for relationship in relationships {
            objects = self.hop(path, relationship, &objects, &mut found)?;
        }
        self.end(path, name, &objects, &mut found)?;
        Ok(found)
    }

    /// The field that an expression reads, with the function over it.
    ///
    /// # Errors
    /// As [`Resolver::field`]; a function that is unknown or does not take the field.
    pub fn expression(&self, expression: &Expression) -> Result<FieldPath, SoqlError> {
        let (name, argument) = match expression {
            Expression::Field(path) => return self.field(path),
            Expression::Call { name, argument } => (name, argument.as_deref()),
        };
        let argument = argument.ok_or_else(|| self.error("MALFORMED_QUERY", name, "unexpected token: )"))?;
        let word = name.dotted();
        if TRANSPARENT.iter().any(|known| known.eq_ignore_ascii_case(&word)) {
            return self.expression(argument);
        }
        let dates = Function::named(&word);
        let mut found = match argument {
            // The user's time zone is GMT, so there is nothing to convert.
            Expression::Call { name, argument: Some(inner) }
                if dates.is_some() && name.dotted().eq_ignore_ascii_case("convertTimezone") =>
            {
                self.expression(inner)?
            }
            argument => self.expression(argument)?,
        };
        let function = match dates {
            Some(function) => function,
            None if word.eq_ignore_ascii_case("FORMAT") => {
                let scale = found.field(self.schema).map_or(0, |field| field.scale);
                Function::Format(scale)
            }
            None => {
                let reason = format!("the emulator does not evaluate {word}()");
                return Err(self.error("MALFORMED_QUERY", name, &reason));
            }
        };
        if found.function.is_some() || !function.takes(found.kind) {
            let reason = format!("field {} does not support the function {word}", found.dotted());
            return Err(self.error("INVALID_FIELD", name, &reason));
        }
        found.function = Some((function, found.kind));
        found.kind = function.kind();
        Ok(found)
    }

    /// Takes away the object's name or alias in front, and puts relationships for further aliases.
    fn expand(&self, path: &Path) -> Vec<String> {
        let mut parts = path.parts.clone();
        let Some(first) = parts.first().filter(|_| parts.len() > 1) else { return parts };
        let is = |name: &str| name.eq_ignore_ascii_case(first);
        if let Some((way, _)) = self.joins.iter().find(|(_, alias)| is(alias)) {
            let rest = parts.split_off(1);
            return self.expand(&Path { parts: [way.parts.clone(), rest].concat(), at: path.at });
        }
        let own = self.definition(self.object);
        if self.alias.is_some_and(is) || (own.relationship(first).is_none() && is(&own.name)) {
            parts.remove(0);
        }
        parts
    }

    fn hop(
        &self,
        path: &Path,
        relationship: &str,
        objects: &[usize],
        found: &mut FieldPath,
    ) -> Result<Vec<usize>, SoqlError> {
        let fields: Vec<(usize, usize)> = objects
            .iter()
            .filter_map(|object| Some((*object, self.definition(*object).relationship(relationship)?)))
            .collect();
        let Some((object, field)) = fields.first().copied() else {
            let reason = format!(
                "Didn't understand relationship '{relationship}' in field path. If you are attempting to use a custom relationship, be sure to \
                 append the '__r' after the custom relationship name. {WSDL_HINT}"
            );
            return Err(self.error("INVALID_FIELD", path, &reason));
        };
        let definition = &self.definition(object).fields[field];
        found.names.push(definition.relationship.clone().unwrap_or_else(|| relationship.to_owned()));
        let mut next: Vec<usize> = Vec::new();
        for (object, field) in &fields {
            let targets =
                self.definition(*object).fields[*field].references.iter().filter_map(|name| self.schema.find(name));
            for target in targets {
                if !next.contains(&target) {
                    next.push(target);
                }
            }
        }
        found.hops.push(Hop { fields });
        Ok(next)
    }

    fn end(&self, path: &Path, name: &str, objects: &[usize], found: &mut FieldPath) -> Result<(), SoqlError> {
        let polymorphic = objects.len() > 1;
        if polymorphic && name.eq_ignore_ascii_case("Type") {
            found.ends = objects.iter().map(|object| (*object, End::TypeName)).collect();
            found.names.push("Type".to_owned());
            return Ok(());
        }
        let visible = |name: &str| !polymorphic || NAME_FIELDS.iter().any(|known| known.eq_ignore_ascii_case(name));
        let ends: Vec<(usize, usize)> = objects
            .iter()
            .filter(|_| visible(name))
            .filter_map(|object| Some((*object, self.definition(*object).field(name)?)))
            .collect();
        let Some((object, field)) = ends.first().copied() else {
            let entity = if polymorphic {
                "Name"
            } else {
                objects.first().map_or("", |object| self.definition(*object).name.as_str())
            };
            return Err(self.no_column(path, name, entity));
        };
        let definition = &self.definition(object).fields[field];
        found.kind = definition.kind;
        found.names.push(definition.name.clone());
        found.ends = ends.into_iter().map(|(object, field)| (object, End::Field(field))).collect();
        Ok(())
    }

    fn no_column(&self, path: &Path, name: &str, entity: &str) -> SoqlError {
        let reason = format!(
            "No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field, be sure to append the '__c' after the \
             custom field name. {WSDL_HINT}"
        );
        self.error("INVALID_FIELD", path, &reason)
    }
}

/// Where an expression stands, for messages: its innermost name.
pub fn place(expression: &Expression) -> &Path {
    match expression {
        Expression::Call { argument: Some(argument), .. } => place(argument),
        Expression::Field(path) | Expression::Call { name: path, argument: None } => path,
    }
}

/// The object after FROM.
///
/// # Errors
/// `INVALID_TYPE` when there is none of that name.
pub fn object(schema: &Schema, statement: &str, from: &Path) -> Result<usize, SoqlError> {
    let name = from.dotted();
    schema.find(&name).ok_or_else(|| {
        let reason = format!(
            "sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity \
             name. {WSDL_HINT}"
        );
        SoqlError::located("INVALID_TYPE", statement, from.at, &reason)
    })
}
