//! What SOQL refuses of sub-selects after IN (SOQL reference, "Comparison operators: semi-joins and anti-joins").

use crate::soql::SoqlError;
use crate::soql::ast::{Condition, Expression, Item, Statement};

/// Sub-selects of one WHERE.
const MOST: usize = 2;
/// Objects that cannot stand in a sub-select.
const NOT_INSIDE: [&str; 7] =
    ["ActivityHistory", "Attachment", "Event", "EventAttendee", "Note", "OpenActivity", "Task"];

/// Checks the sub-selects of a statement.
///
/// # Errors
/// The refusal as it goes on the wire.
pub fn check(statement: &Statement) -> Result<(), SoqlError> {
    let mut found = Vec::new();
    if let Some(filter) = &statement.filter {
        collect(filter, false, &mut found);
    }
    if found.len() > MOST {
        let message = format!("at most {MOST} semi join sub-selects are allowed in a statement, not {}", found.len());
        return Err(SoqlError::new("EXCEEDED_MAX_SEMIJOIN_SUBSELECTS", message));
    }
    found.into_iter().try_for_each(|(inner, below)| {
        if below {
            return Err(SoqlError::malformed(
                "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE \
                 expressions.",
            ));
        }
        one(statement, inner)
    })
}

/// Every sub-select, and whether it stands below OR or NOT.
fn collect<'a>(condition: &'a Condition, below: bool, found: &mut Vec<(&'a Statement, bool)>) {
    match condition {
        Condition::And(parts) => parts.iter().for_each(|part| collect(part, below, found)),
        Condition::Or(parts) => parts.iter().for_each(|part| collect(part, true, found)),
        Condition::Not(inner) => collect(inner, true, found),
        Condition::InSelect(_, _, inner) => found.push((inner, below)),
        Condition::Compare(..) | Condition::In(..) | Condition::Includes(..) => {}
    }
}

fn one(outer: &Statement, inner: &Statement) -> Result<(), SoqlError> {
    let name = inner.from.dotted();
    let refused = |message: &str| Err(SoqlError::malformed(message));
    if inner.filter.as_ref().is_some_and(joins) {
        return refused("Nesting of semi join sub-selects is not supported");
    }
    if name.eq_ignore_ascii_case(&outer.from.dotted()) {
        return refused("The inner and outer selects should not be on the same object type");
    }
    if NOT_INSIDE.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
        return refused(&format!("Entity '{name}' is not supported for semi join inner selects"));
    }
    if !inner.order_by.is_empty() || inner.limit.is_some() || inner.offset.is_some() {
        return refused("ORDER BY, LIMIT and OFFSET cannot be used in semi join sub-selects");
    }
    match inner.items.as_slice() {
        [Item::Expression(Expression::Field(path), None)] => {
            let own = |first: &String| {
                first.eq_ignore_ascii_case(&name)
                    || inner.alias.as_ref().is_some_and(|alias| alias.eq_ignore_ascii_case(first))
            };
            if path.parts.len() == 1 || (path.parts.len() == 2 && path.parts.first().is_some_and(own)) {
                Ok(())
            } else {
                refused("semi join sub-selects can only query id fields of their own object")
            }
        }
        _ => refused(
            "semi join sub-selects can only query id fields, cannot use aggregate functions and select one field",
        ),
    }
}

fn joins(condition: &Condition) -> bool {
    let mut found = Vec::new();
    collect(condition, false, &mut found);
    !found.is_empty()
}
