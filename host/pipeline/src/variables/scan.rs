//! Finds `$name` and `${name}` in an expression or a query, and knows whether each stands inside quotes.

/// How quotes inside text are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `''`
    Sql,
    /// `\'`
    Soql,
}

/// A stretch of the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// as it is
    Text(&'a str),
    /// a variable, and whether it stands inside single quotes
    Variable { name: &'a str, quoted: bool },
}

/// Whether this can be a variable's name.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The text in pieces; `$$` stands for a dollar sign, and a dollar sign before no name for itself.
pub(super) fn pieces(text: &str, dialect: Dialect) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let (mut start, mut at, mut quoted) = (0, 0, false);
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            // `''` inside SQL text closes it and opens it again, which comes to the same
            b'\'' => quoted = !quoted,
            b'\\' if quoted && dialect == Dialect::Soql => at += 1,
            b'$' => {
                if let Some((name, end)) = variable(text, at) {
                    push(&mut out, text, start, at);
                    out.push(Piece::Variable { name, quoted });
                    (start, at) = (end, end);
                    continue;
                }
                if bytes.get(at + 1) == Some(&b'$') {
                    push(&mut out, text, start, at);
                    start = at + 1;
                    at += 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    push(&mut out, text, start, text.len());
    out
}

fn push<'a>(out: &mut Vec<Piece<'a>>, text: &'a str, start: usize, end: usize) {
    if let Some(piece) = text.get(start..end).filter(|piece| !piece.is_empty()) {
        out.push(Piece::Text(piece));
    }
}

/// The name after the dollar sign at `at`, and where the text goes on.
fn variable(text: &str, at: usize) -> Option<(&str, usize)> {
    let rest = text.get(at + 1..)?;
    if let Some(inner) = rest.strip_prefix('{') {
        let name = inner.get(..inner.find('}')?)?;
        return is_name(name).then_some((name, at + 3 + name.len()));
    }
    let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let name = rest.get(..length)?;
    is_name(name).then_some((name, at + 1 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, dialect: Dialect) -> String {
        let show = |piece: Piece<'_>| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Variable { name, quoted } => format!("<{name}{}>", if quoted { " quoted" } else { "" }),
        };
        pieces(text, dialect).into_iter().map(show).collect()
    }

    #[test]
    fn names_are_found_inside_and_outside_quotes() {
        for (text, expected) in [
            ("a = $b", "a = <b>"),
            ("a = '$b' and ${c}d", "a = '<b quoted>' and <c>d"),
            ("$a$b", "<a><b>"),
            ("US$ 5, $5, ${, ${}, $$a, é$é", "US$ 5, $5, ${, ${}, $a, é$é"),
            ("'it''s $a' || $b", "'it''s <a quoted>' || <b>"),
        ] {
            assert_eq!(shown(text, Dialect::Sql), expected);
        }
    }

    #[test]
    fn an_escaped_quote_does_not_end_soql_text() {
        assert_eq!(shown(r"a = 'it\'s $b' and c = $d", Dialect::Soql), r"a = 'it\'s <b quoted>' and c = <d>");
        assert_eq!(shown(r"a = 'x\\' and c = $d", Dialect::Soql), r"a = 'x\\' and c = <d>");
    }
}
