//! Queries that run for too long: those that look at more rows than the org's options allow.
//!
//! A real org gives a query up after two minutes (Bulk API guide, "Bulk API Limits"); how many rows that is depends on
//! the day. What is sure is what helps: conditions on indexed fields, and chunks of ids.

use super::{Org, Prepared, QueryMode};
use crate::soql::ast::{Comparison, Condition, Expression, Item, Path, Statement};

/// As on the wire, for REST, `errorMessage` of Bulk 2.0 and `stateMessage` of Bulk 1.0 alike.
pub(crate) const QUERY_TIMEOUT: &str = "QUERY_TIMEOUT: Your query request was running for too long.";
/// Fields with an index in every object that has them (SOQL guide, "Working with Very Large SOQL Queries").
const INDEXED: [&str; 6] = ["Id", "Name", "OwnerId", "CreatedDate", "SystemModstamp", "RecordTypeId"];

impl Org {
    /// Whether the statement looks at more rows than `most`. One that is no statement is not slow.
    pub(crate) fn is_slow(&self, soql: &str, mode: QueryMode, most: Option<u64>) -> bool {
        let (Some(most), Ok(statement)) = (most, crate::soql::parse(soql)) else { return false };
        self.looked_at(&statement, mode).is_some_and(|rows| rows > most)
    }

    /// Rows that the statement looks at: those that its conditions on indexed fields leave, up to its LIMIT when there is
    /// no other condition and no order.
    fn looked_at(&self, statement: &Statement, mode: QueryMode) -> Option<u64> {
        let alias = statement.alias.as_deref();
        let (kept, others) = split(statement.filter.clone(), alias);
        let id = Path { parts: vec!["Id".to_owned()], at: 0 };
        let plain = Statement {
            items: vec![Item::Expression(Expression::Field(id), None)],
            from: statement.from.clone(),
            alias: statement.alias.clone(),
            filter: kept,
            ..Statement::default()
        };
        let rows = self.prepare(&plain.to_string(), mode).ok().as_ref().map(Prepared::total)?;
        let by_index = statement.order_by.iter().all(|order| is_indexed(&order.by, alias));
        match statement.limit {
            Some(limit) if by_index && !others => Some(rows.min(limit)),
            _ => Some(rows),
        }
    }
}

/// The conditions that an index answers, and whether there are others.
fn split(filter: Option<Condition>, alias: Option<&str>) -> (Option<Condition>, bool) {
    let parts = match filter {
        None => return (None, false),
        Some(Condition::And(parts)) => parts,
        Some(other) => vec![other],
    };
    let whole = parts.len();
    let mut others = false;
    let mut kept = Vec::with_capacity(whole);
    for part in parts {
        match part {
            // brackets around an AND
            Condition::And(_) => {
                let (part, more) = split(Some(part), alias);
                kept.extend(part);
                others |= more;
            }
            part if answers(&part, alias) => kept.push(part),
            _ => others = true,
        }
    }
    let condition = match kept.len() {
        0 => None,
        1 => kept.pop(),
        _ => Some(Condition::And(kept)),
    };
    (condition, others)
}

fn answers(condition: &Condition, alias: Option<&str>) -> bool {
    match condition {
        Condition::And(parts) | Condition::Or(parts) => parts.iter().all(|part| answers(part, alias)),
        Condition::Compare(field, operator, _) => {
            is_indexed(field, alias) && !matches!(operator, Comparison::NotEqual | Comparison::Like)
        }
        Condition::In(field, is_in, _) => *is_in && is_indexed(field, alias),
        Condition::Not(_) | Condition::InSelect(..) | Condition::Includes(..) => false,
    }
}

fn is_indexed(expression: &Expression, alias: Option<&str>) -> bool {
    let Expression::Field(path) = expression else { return false };
    let name = match path.parts.as_slice() {
        [name] => name,
        [first, name] if alias.is_some_and(|alias| alias.eq_ignore_ascii_case(first)) => name,
        _ => return false,
    };
    INDEXED.iter().any(|known| known.eq_ignore_ascii_case(name))
}
