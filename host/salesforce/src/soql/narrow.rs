//! The same query over fewer rows: a further condition, and ranges of ids left out.

use super::Select;
use super::scan::{Kind, Token, scan};
use crate::error::{Error, Result};
use crate::schema::ResolvedQuery;

/// Characters of an id that tell rows apart; the other three are a checksum (SOAP API guide, "ID Field Type").
const ID_CHARS: usize = 15;
/// Digits of ids in their order: PK chunking cuts `Id >= a AND Id < b` by it (Bulk API guide, "PK Chunking": 250,000
/// rows on is `132G`). It is the order of the bytes too.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// What may follow the condition of a query.
const AFTER_CONDITION: [&str; 8] = ["WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "UPDATE"];

impl Select {
    /// The rows of this query that also fulfil `condition`.
    ///
    /// # Errors
    /// A query with LIMIT: it would give other rows, not fewer. One that gets too long for Salesforce.
    pub fn and_where(&self, condition: &str) -> Result<Self> {
        if self.limit().is_some() {
            return Err(Error::query("a query with LIMIT cannot be read in parts: each would have the limit anew"));
        }
        let tokens = scan(&self.rest)?;
        let is = |token: &Token, words: &[&str]| {
            token.depth == 0 && token.kind == Kind::Word && words.iter().any(|word| token.is_word(&self.rest, word))
        };
        let end_of = |from: usize| {
            let after = tokens[from..].iter().find(|token| is(token, &AFTER_CONDITION));
            after.map_or(self.rest.len(), |token| token.at.start)
        };
        let rest = match tokens.iter().position(|token| is(token, &["WHERE"])) {
            Some(at) => {
                let (start, end) = (tokens[at].at.end, end_of(at + 1));
                let own = self.rest[start..end].trim();
                format!("{} ({own}) AND {condition} {}", &self.rest[..start], &self.rest[end..])
            }
            None => {
                let end = end_of(0);
                format!("{} WHERE {condition} {}", &self.rest[..end], &self.rest[end..])
            }
        };
        let select = Self { rest: rest.trim().to_owned(), ..self.clone() };
        select.check_length()?;
        Ok(select)
    }

    /// A field of the query's object as its conditions name it.
    pub fn qualified(&self, field: &str) -> String {
        self.alias.as_ref().map_or_else(|| field.to_owned(), |alias| format!("{alias}.{field}"))
    }

    /// Whether its rows come in an order of their own (ORDER BY).
    pub fn is_ordered(&self) -> bool {
        let tokens = scan(&self.rest).unwrap_or_default();
        tokens.iter().any(|token| token.depth == 0 && token.is_word(&self.rest, "ORDER"))
    }

    /// The rows of this query whose ids lie in none of the ranges, both ends of which belong to them. Ids of 15 or 18
    /// characters; ranges that touch become one.
    ///
    /// # Errors
    /// What [`Select::and_where`] says; an id that is none.
    pub fn without_ids<S: AsRef<str>>(&self, ranges: &[(S, S)]) -> Result<Self> {
        let ranges = merged(ranges)?;
        if ranges.is_empty() {
            return Ok(self.clone());
        }
        let field = self.qualified("Id");
        let outside = |(min, max): &(String, String)| match min == max {
            true => format!("{field} != '{min}'"),
            false => format!("({field} < '{min}' OR {field} > '{max}')"),
        };
        let conditions: Vec<String> = ranges.iter().map(outside).collect();
        self.and_where(&conditions.join(" AND "))
    }
}

impl ResolvedQuery {
    /// The rows of this query that also fulfil `condition`; see [`Select::and_where`].
    ///
    /// # Errors
    /// What [`Select::and_where`] says.
    pub fn and_where(&self, condition: &str) -> Result<Self> {
        Ok(self.with(self.select.and_where(condition)?))
    }

    /// The rows of this query whose ids lie in none of the ranges; see [`Select::without_ids`].
    ///
    /// # Errors
    /// What [`Select::without_ids`] says.
    pub fn without_ids<S: AsRef<str>>(&self, ranges: &[(S, S)]) -> Result<Self> {
        Ok(self.with(self.select.without_ids(ranges)?))
    }

    fn with(&self, select: Select) -> Self {
        Self { soql: select.to_soql(), select, ..self.clone() }
    }
}

/// The id in the middle between two, of 15 characters: greater than the first, at most the second. None when there is
/// none, because they are the same, the wrong way round, or no ids.
pub fn middle_id(min: &str, max: &str) -> Option<String> {
    let (min, max) = (number_of(&id15(min).ok()?)?, number_of(&id15(max).ok()?)?);
    let above = max.checked_sub(min).filter(|above| *above > 0)?;
    let mut rest = min + above.div_ceil(2);
    let mut digits = vec![DIGITS[0]; ID_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[usize::try_from(rest % 62).ok()?];
        rest /= 62;
    }
    String::from_utf8(digits).ok()
}

/// Fifteen digits of 62 values are 90 bits.
fn number_of(id: &str) -> Option<u128> {
    id.bytes().try_fold(0, |number: u128, digit| Some(number * 62 + DIGITS.iter().position(|d| *d == digit)? as u128))
}

/// Ranges in their order, without overlaps.
fn merged<S: AsRef<str>>(ranges: &[(S, S)]) -> Result<Vec<(String, String)>> {
    let mut sorted = Vec::with_capacity(ranges.len());
    for (min, max) in ranges {
        let (min, max) = (id15(min.as_ref())?, id15(max.as_ref())?);
        if min > max {
            return Err(Error::query(format!("the ids {min} to {max} are no range: the first is the greater one")));
        }
        sorted.push((min, max));
    }
    sorted.sort();
    let mut merged: Vec<(String, String)> = Vec::new();
    for (min, max) in sorted {
        match merged.last_mut() {
            Some(last) if min <= last.1 || next_id(&last.1).as_deref() == Some(min.as_str()) => {
                if max > last.1 {
                    last.1 = max;
                }
            }
            _ => merged.push((min, max)),
        }
    }
    Ok(merged)
}

/// The part of an id that tells rows apart.
fn id15(text: &str) -> Result<String> {
    let is_id = [ID_CHARS, ID_CHARS + 3].contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    match is_id {
        true => Ok(text[..ID_CHARS].to_owned()),
        false => Err(Error::query(format!("{text:?} is no id: expected 15 or 18 letters and digits"))),
    }
}

/// The id behind this one; none behind the last.
fn next_id(id: &str) -> Option<String> {
    let mut digits = id.as_bytes().to_vec();
    for digit in digits.iter_mut().rev() {
        let value = DIGITS.iter().position(|known| known == digit)?;
        match DIGITS.get(value + 1) {
            Some(next) => {
                *digit = *next;
                return String::from_utf8(digits).ok();
            }
            None => *digit = DIGITS[0],
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(rest: &str) -> Select {
        Select::parse(&format!("SELECT Id FROM Account {rest}")).unwrap()
    }

    #[test]
    fn a_condition_stands_beside_the_querys_own() {
        for (rest, expected) in [
            ("", "WHERE x = 1"),
            ("WHERE a = 1 OR b = 2", "WHERE (a = 1 OR b = 2) AND x = 1"),
            ("WHERE Name = 'ORDER' ORDER BY Name", "WHERE (Name = 'ORDER') AND x = 1 ORDER BY Name"),
            ("ORDER BY Name", "WHERE x = 1 ORDER BY Name"),
            ("USING SCOPE mine", "USING SCOPE mine WHERE x = 1"),
            (
                "a WHERE a.Id IN (SELECT AccountId FROM Contact WHERE x = 2) ORDER BY a.Name",
                "WHERE (a.Id IN (SELECT AccountId FROM Contact WHERE x = 2)) AND x = 1 ORDER BY a.Name",
            ),
        ] {
            let narrowed = select(rest).and_where("x = 1").unwrap();
            assert_eq!(narrowed.rest.split_whitespace().collect::<Vec<_>>().join(" "), expected);
            Select::parse(&narrowed.to_soql()).unwrap();
        }
        assert!(select("LIMIT 5").and_where("x = 1").is_err());
    }

    #[test]
    fn ranges_of_ids_are_merged_and_left_out() {
        let id = |end: &str| format!("00100000000{end}");
        let ranges = [
            (id("000B"), id("000z")),
            // touches the one before: z is the last digit
            (id("0010"), id("0019")),
            // within it, with its checksum
            (format!("{}AAA", id("0011")), format!("{}AAA", id("0012"))),
            (id("002a"), id("002a")),
        ];
        let narrowed = select("WHERE x = 1").without_ids(&ranges).unwrap();
        assert_eq!(
            narrowed.rest.trim(),
            "WHERE (x = 1) AND (Id < '00100000000000B' OR Id > '001000000000019') AND Id != '00100000000002a'"
        );
        let none: [(&str, &str); 0] = [];
        assert_eq!(select("").without_ids(&none).unwrap(), select(""));
        assert!(select("").without_ids(&[("001", "002")]).is_err());
        assert!(select("").without_ids(&[(id("000b"), id("000B"))]).is_err(), "small letters come last");
    }

    #[test]
    fn ids_follow_each_other_as_pk_chunking_counts_them() {
        assert_eq!(next_id("001000000000009").as_deref(), Some("00100000000000A"));
        assert_eq!(next_id("00100000000000Z").as_deref(), Some("00100000000000a"));
        assert_eq!(next_id("00100000000Azzz").as_deref(), Some("00100000000B000"));
        assert_eq!(next_id("zzzzzzzzzzzzzzz"), None);
        assert!(DIGITS.is_sorted());
    }

    #[test]
    fn the_middle_lies_behind_the_first() {
        let middle = |min: &str, max: &str| middle_id(&format!("0010000000{min}"), &format!("0010000000{max}"));
        assert_eq!(middle("00000", "00002").as_deref(), Some("001000000000001"));
        assert_eq!(middle("00000", "00001").as_deref(), Some("001000000000001"));
        assert_eq!(middle("00000", "00100").as_deref(), Some("0010000000000V0"));
        assert_eq!(middle("0000z", "00010").as_deref(), Some("001000000000010"));
        assert_eq!((middle("00001", "00001"), middle("00002", "00001"), middle_id("x", "y")), (None, None, None));
    }
}
