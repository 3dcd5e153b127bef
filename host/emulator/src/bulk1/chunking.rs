//! `Sforce-Enable-PKChunking`, and which statements can be cut.

use crate::data::Chunk;
use crate::soql::ast::{Comparison, Condition, Expression, Item, Literal, Path, Statement};

use super::wire::Failure;

/// Ids of one chunk when the header gives none (Bulk API guide, "PK Chunking Header").
const DEFAULT_SIZE: u64 = 100_000;
/// Largest number of ids of one chunk.
const LARGEST_SIZE: u64 = 250_000;
/// Standard objects of this org that can be chunked (Bulk API guide); custom ones all can.
const SUPPORTED: [&str; 12] = [
    "Account",
    "Campaign",
    "Case",
    "Contact",
    "Event",
    "Lead",
    "Opportunity",
    "OpportunityContactRole",
    "Pricebook2",
    "Product2",
    "Task",
    "User",
];

/// What the header asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunking {
    pub(super) size: u64,
    /// Lower bound, 15 or 18 characters.
    pub(super) start: Option<String>,
    pub(super) parent: Option<String>,
}

impl Chunking {
    /// `true`, `false`, or directives joined by `;`, in front of which `true` may stand.
    pub(super) fn parse(header: &str) -> Result<Option<Chunking>, Failure> {
        let wrong =
            |part: &str| Failure::new("InvalidJob", format!("Invalid value of Sforce-Enable-PKChunking: {part}"));
        let mut found = Chunking { size: DEFAULT_SIZE, start: None, parent: None };
        for part in header.split([';', ',']).map(str::trim).filter(|part| !part.is_empty()) {
            let Some((key, value)) = part.split_once('=') else {
                match part.to_ascii_lowercase().as_str() {
                    "true" => continue,
                    "false" => return Ok(None),
                    _ => return Err(wrong(part)),
                }
            };
            let value = value.trim();
            match key.trim().to_ascii_lowercase().as_str() {
                "chunksize" => {
                    let size = value.parse().ok().filter(|size| (1..=LARGEST_SIZE).contains(size));
                    found.size = size.ok_or_else(|| wrong(part))?;
                }
                "parent" => found.parent = Some(value.to_owned()).filter(|parent| !parent.is_empty()),
                "startrow" if value.is_empty() => {}
                "startrow" if crate::ids::short(value).is_some() => found.start = Some(value.to_owned()),
                "usesampleddata" => {}
                _ => return Err(wrong(part)),
            }
        }
        Ok(Some(found))
    }

    /// Refuses objects that cannot be chunked; the text of this is not published.
    pub(super) fn check(&self, object: &str) -> Result<(), Failure> {
        let refuse = |message: String| Err(Failure::new("InvalidJob", message));
        let known =
            |name: &str| name.ends_with("__c") || SUPPORTED.iter().any(|known| known.eq_ignore_ascii_case(name));
        for suffix in ["Share", "History"] {
            if let Some(head) = object.strip_suffix(suffix).filter(|head| !head.is_empty()) {
                return match &self.parent {
                    Some(parent) if known(parent) && head.starts_with(parent.trim_end_matches('c')) => Ok(()),
                    _ => refuse(format!("PK chunking of {object} needs its parent object in the header")),
                };
            }
        }
        if known(object) { Ok(()) } else { refuse(format!("Entity '{object}' is not supported for PK chunking")) }
    }
}

/// Whether the server cuts this statement; others run as one batch.
pub(super) fn applies(statement: &Statement) -> bool {
    statement.order_by.is_empty()
        && statement.limit.is_none()
        && statement.group_by.is_empty()
        && !statement.items.iter().any(|item| matches!(item, Item::Children(_)))
        && !statement.filter.as_ref().is_some_and(names_id)
}

/// Any filter on a field with "id" in its name switches chunking off.
fn names_id(condition: &Condition) -> bool {
    match condition {
        Condition::And(parts) | Condition::Or(parts) => parts.iter().any(names_id),
        Condition::Not(inner) => names_id(inner),
        Condition::InSelect(..) => true,
        Condition::Compare(left, ..) | Condition::In(left, ..) | Condition::Includes(left, ..) => match left {
            Expression::Field(path) => path.parts.last().is_some_and(|name| name.to_ascii_lowercase().contains("id")),
            Expression::Call { .. } => false,
        },
    }
}

/// The statement of one chunk, as `GET …/request` of its batch shows it.
pub(super) fn statement_of(statement: &Statement, chunk: &Chunk) -> String {
    let id = || Expression::Field(Path { parts: vec!["Id".to_owned()], at: 0 });
    let bound = |operator, bound: &str| Condition::Compare(id(), operator, Literal::Text(bound.to_owned()));
    let mut parts = vec![bound(Comparison::GreaterOrEqual, &chunk.from), bound(Comparison::Less, &chunk.until)];
    match statement.filter.clone() {
        Some(Condition::And(own)) => parts.splice(0..0, own).for_each(drop),
        Some(own) => parts.insert(0, own),
        None => {}
    }
    Statement { filter: Some(Condition::And(parts)), ..statement.clone() }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soql::parse;

    #[test]
    fn header_variants() {
        let size = |header| Chunking::parse(header).map(|found| found.map(|found| found.size)).map_err(|f| f.code);
        for (header, expected) in [
            ("true", Ok(Some(100_000))),
            ("TRUE", Ok(Some(100_000))),
            ("false", Ok(None)),
            ("chunkSize=1000;", Ok(Some(1_000))),
            ("true; chunkSize=50000; parent=", Ok(Some(50_000))),
            ("chunksize=250000; parent=Case; startRow=00130000000xEftMGH", Ok(Some(250_000))),
            ("chunkSize=250001", Err("InvalidJob")),
            ("chunkSize=0", Err("InvalidJob")),
            ("chunkSize=many", Err("InvalidJob")),
            ("startRow=1", Err("InvalidJob")),
            ("yes", Err("InvalidJob")),
            ("size=1", Err("InvalidJob")),
        ] {
            assert_eq!(size(header), expected, "{header}");
        }
    }

    #[test]
    fn clauses_that_switch_chunking_off() {
        for (soql, chunked) in [
            ("SELECT Id FROM Account WHERE Name != 'x' AND IsDeleted = false", true),
            ("SELECT Id FROM Account ORDER BY Name", false),
            ("SELECT Id FROM Account LIMIT 5", false),
            ("SELECT Id FROM Account WHERE (OwnerId != null OR Name = 'x')", false),
            ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", false),
        ] {
            assert_eq!(parse(soql).map(|statement| applies(&statement)), Ok(chunked), "{soql}");
        }
    }

    #[test]
    fn some_objects_cannot_be_chunked() {
        let own = Chunking { size: 1, start: None, parent: None };
        let of_case = Chunking { parent: Some("Case".to_owned()), ..own.clone() };
        assert!(
            own.check("Account").is_ok() && own.check("Order_Line__c").is_ok() && of_case.check("CaseHistory").is_ok()
        );
        assert!(own.check("Organization").is_err() && own.check("CaseHistory").is_err());
    }
}
