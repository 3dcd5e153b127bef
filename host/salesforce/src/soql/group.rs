//! What a SELECT list holds: fields, and groups of fields that are filled in from describe.

use std::fmt;

use super::path::FieldPath;
use super::scan::{Kind, Token, at, scan};
use crate::describe::FieldDescribe;
use crate::error::Result;

/// One item of a SELECT list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selected {
    /// A field.
    Field(FieldPath),
    /// All fields of a kind; [`crate::resolve`] puts the fields in its place.
    Group(FieldGroup),
}

/// `FIELDS(…)` (SOQL and SOSL reference, "FIELDS()"). Bulk API refuses two of them and REST wants a LIMIT for these,
/// therefore none is ever sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldGroup {
    /// `FIELDS(ALL)`
    All,
    /// `FIELDS(STANDARD)`
    Standard,
    /// `FIELDS(CUSTOM)`
    Custom,
}

impl FieldGroup {
    const ALL: [Self; 3] = [Self::All, Self::Standard, Self::Custom];

    fn word(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Standard => "STANDARD",
            Self::Custom => "CUSTOM",
        }
    }

    /// Whether the group holds the field.
    pub fn holds(self, field: &FieldDescribe) -> bool {
        match self {
            Self::All => true,
            Self::Standard => !field.custom,
            Self::Custom => field.custom,
        }
    }

    /// The group that an item of a SELECT list names; none when it is no call of FIELDS.
    ///
    /// # Errors
    /// A call of FIELDS that is none of the three, or goes through a parent.
    pub(super) fn of_tokens(soql: &str, item: &[Token]) -> Result<Option<Self>> {
        let [name, open, rest @ ..] = item else { return Ok(None) };
        let word = name.text(soql).rsplit('.').next().unwrap_or_default();
        if name.kind != Kind::Word || open.kind != Kind::Open || !word.eq_ignore_ascii_case("FIELDS") {
            return Ok(None);
        }
        if word.len() < name.text(soql).len() {
            let why = "SOQL has no FIELDS() of a parent; name the parent's fields, for example Owner.Name";
            return Err(at(soql, name.at.start, why));
        }
        let group = match rest {
            [which, close] if close.kind == Kind::Close => {
                Self::ALL.into_iter().find(|group| which.is_word(soql, group.word()))
            }
            _ => None,
        };
        let wrong =
            || at(soql, name.at.start, "expected FIELDS(ALL), FIELDS(STANDARD) or FIELDS(CUSTOM), without an alias");
        group.map(Some).ok_or_else(wrong)
    }
}

impl fmt::Display for FieldGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FIELDS({})", self.word())
    }
}

impl Selected {
    /// Reads a path, or `FIELDS(…)`.
    ///
    /// # Errors
    /// What is neither.
    pub fn parse(text: &str) -> Result<Self> {
        let tokens = scan(text).unwrap_or_default();
        match FieldGroup::of_tokens(text, &tokens)? {
            Some(group) => Ok(Self::Group(group)),
            None => FieldPath::parse(text).map(Self::Field),
        }
    }

    /// The path of a field; none of a group.
    pub fn path(&self) -> Option<&FieldPath> {
        match self {
            Self::Field(path) => Some(path),
            Self::Group(_) => None,
        }
    }

    pub(super) fn without_prefix(self, prefix: &str) -> Self {
        match self {
            Self::Field(path) => Self::Field(path.without_prefix(prefix).unwrap_or(path)),
            group => group,
        }
    }
}

impl fmt::Display for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(path) => path.fmt(f),
            Self::Group(group) => group.fmt(f),
        }
    }
}
