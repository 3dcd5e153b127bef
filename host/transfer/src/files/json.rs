//! Rows to JSON lines: one object a row, members in the order of the columns, nulls written as `null`.

use arrow_array::RecordBatch;
use forcepump_batch::text::{ColumnText, TextKind};

use super::encode::EncodeFailure;

/// One column, ready to be written: the member's name is escaped once.
struct Member<'a> {
    /// `{"name":` or `,"name":`.
    lead: Vec<u8>,
    name: &'a str,
    text: ColumnText<'a>,
}

/// Appends one line for each row of `batch`. Numbers keep all their digits.
pub(crate) fn encode(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), EncodeFailure> {
    let members = members_of(batch)?;
    for row in 0..batch.num_rows() {
        if members.is_empty() {
            out.push(b'{');
        }
        for member in &members {
            out.extend_from_slice(&member.lead);
            write_value(member, row, out)?;
        }
        out.extend_from_slice(b"}\n");
    }
    Ok(())
}

fn members_of(batch: &RecordBatch) -> Result<Vec<Member<'_>>, EncodeFailure> {
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    let mut members = Vec::with_capacity(batch.num_columns());
    for (field, array) in columns {
        let mut lead = vec![if members.is_empty() { b'{' } else { b',' }];
        write_string(field.name(), &mut lead);
        lead.push(b':');
        let text = ColumnText::new(array.as_ref())
            .map_err(|e| EncodeFailure::Value(format!("cannot write the column \"{}\": {e}", field.name())))?;
        members.push(Member { lead, name: field.name(), text });
    }
    Ok(members)
}

#[inline]
fn write_value(member: &Member<'_>, row: usize, out: &mut Vec<u8>) -> Result<(), EncodeFailure> {
    if member.text.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    match member.text.kind() {
        TextKind::Text => write_string(member.text.as_str(row).unwrap_or_default(), out),
        TextKind::PlainText => {
            out.push(b'"');
            member.text.write(row, out);
            out.push(b'"');
        }
        TextKind::Null | TextKind::Boolean => member.text.write(row, out),
        TextKind::Number => {
            let start = out.len();
            member.text.write(row, out);
            // NaN, inf and -inf are the only ones that do not end with a digit.
            if !out.last().is_some_and(u8::is_ascii_digit) {
                let value = String::from_utf8_lossy(&out[start..]).into_owned();
                let text = format!("JSON has no number for the {value} in column \"{}\"", member.name);
                return Err(EncodeFailure::Value(text));
            }
        }
    }
    Ok(())
}

/// What a byte needs inside a JSON string (RFC 8259, section 7): 0 nothing, `u` a `\u00XX`, else `\` and this letter.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

/// Appends `text` in quotes.
fn write_string(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[usize::from(*byte)];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[written..at]);
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            out.extend_from_slice(&[b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        written = at + 1;
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        write_string(text, &mut out);
        String::from_utf8(out).expect("utf-8")
    }

    #[test]
    fn escapes() {
        assert_eq!(string("a\"b\\c\n\r\t\u{8}\u{c}\u{1}\u{7f}é🦀"), "\"a\\\"b\\\\c\\n\\r\\t\\b\\f\\u0001\u{7f}é🦀\"");
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in any::<String>()) {
            prop_assert_eq!(serde_json::from_str::<String>(&string(&text)).ok(), Some(text));
        }
    }
}
