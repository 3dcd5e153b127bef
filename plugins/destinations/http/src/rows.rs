//! Rows as JSON objects, with the values as the file formats write them.

use forcepump_plugin_sdk::{Batch, DataType, PluginError, Reject, Utf8Column};

/// The rows of a batch, each an object, or the reason why it has none.
pub(crate) struct Rows {
    pub(crate) objects: Vec<Result<Vec<u8>, Reject>>,
}

/// How a column's canonical text stands in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// as it is: `true`, `12.50`
    Bare,
    /// as it is, unless it is no JSON number: NaN and the infinities
    Float,
    /// in quotes, escaped
    Quoted,
}

struct Member {
    /// `"name":`
    lead: Vec<u8>,
    name: String,
    number: u32,
    kind: Kind,
    text: Utf8Column,
}

impl Rows {
    pub(crate) fn of(batch: &Batch<'_>) -> Result<Self, PluginError> {
        let mut members = Vec::new();
        for (number, field) in (0u32..).zip(&batch.schema().fields) {
            let mut lead = quoted(&field.name)?;
            lead.push(b':');
            let (name, kind) = (field.name.clone(), kind(&field.data_type));
            members.push(Member { lead, name, number, kind, text: batch.as_text(number)? });
        }
        let objects = (0..batch.rows()).map(|row| object(&members, row)).collect::<Result<_, _>>()?;
        Ok(Rows { objects })
    }
}

fn kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Float32 | DataType::Float64 => Kind::Float,
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Uint8
        | DataType::Uint16
        | DataType::Uint32
        | DataType::Uint64
        | DataType::Decimal128(_) => Kind::Bare,
        _ => Kind::Quoted,
    }
}

fn object(members: &[Member], row: usize) -> Result<Result<Vec<u8>, Reject>, PluginError> {
    let mut out = vec![b'{'];
    for member in members {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&member.lead);
        match (member.text.get(row), member.kind) {
            (None, _) => out.extend_from_slice(b"null"),
            (Some(text), Kind::Quoted) => out.extend(quoted(text)?),
            (Some(text), Kind::Float) if !text.ends_with(|last: char| last.is_ascii_digit()) => {
                let reason = format!("JSON has no number for the {text} in column \"{}\"", member.name);
                return Ok(Err(Reject::new(row as u32, "not_json", reason).at(member.number)));
            }
            (Some(text), Kind::Bare | Kind::Float) => out.extend_from_slice(text.as_bytes()),
        }
    }
    out.push(b'}');
    Ok(Ok(out))
}

fn quoted(text: &str) -> Result<Vec<u8>, PluginError> {
    serde_json::to_vec(text).map_err(|fault| PluginError::fatal(format!("text as JSON: {fault}")))
}
