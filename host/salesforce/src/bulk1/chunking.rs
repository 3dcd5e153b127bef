//! PK chunking: what the header says, and which objects and queries it works for (Bulk API guide, "PK Chunking").

use super::supported::{Known, is_named, known};
use crate::soql::Select;
use crate::soql::scan::{Kind, scan};

/// Rows of a chunk at most, by the guide.
const MAX_CHUNK_SIZE: u32 = 250_000;

/// How a job is split by ranges of ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PkChunking {
    /// Ids in a chunk; `None`: Salesforce's 100,000.
    pub chunk_size: Option<u32>,
    /// The object whose ids the rows are split by, for shares and histories.
    pub parent: Option<String>,
    /// The first id.
    pub start_row: Option<String>,
}

/// Why a query cannot be split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkingFault {
    /// What is wrong and the way out.
    pub message: String,
}

impl PkChunking {
    /// The value of `Sforce-Enable-PKChunking`.
    pub(crate) fn header(&self) -> String {
        let parts = [
            self.chunk_size.map(|size| format!("chunkSize={size}")),
            self.parent.as_ref().map(|parent| format!("parent={parent}")),
            self.start_row.as_ref().map(|id| format!("startRow={id}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "true".to_owned() } else { parts.join("; ") }
    }

    /// What is wrong with the settings themselves; each fault with its key.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.chunk_size.is_some_and(|size| size == 0 || size > MAX_CHUNK_SIZE) {
            faults.push((
                "chunk_size",
                format!("must be 1 to {MAX_CHUNK_SIZE} (Salesforce's limit; its default is 100000)"),
            ));
        }
        if self.parent.as_deref().is_some_and(|name| crate::describe::check_name(name).is_err()) {
            faults.push(("parent", "must be the API name of an object, for example \"Account\"".to_owned()));
        }
        let is_id = |id: &str| matches!(id.len(), 15 | 18) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if self.start_row.as_deref().is_some_and(|id| !is_id(id)) {
            faults.push(("start_row", "must be an id of 15 or 18 letters and digits".to_owned()));
        }
        faults
    }
}

/// Whether Salesforce can split this query. Gives the settings with the parent filled in where the object's name tells
/// it, and what the operator should know.
///
/// # Errors
/// Why not, and the way out.
pub fn check_chunking(select: &Select, chunking: &PkChunking) -> Result<(PkChunking, Vec<String>), ChunkingFault> {
    let fault = |message: String| ChunkingFault { message };
    let mut chunking = chunking.clone();
    if chunking.parent.is_none() {
        chunking.parent = parent_of(&select.object);
    }
    let split = chunking.parent.as_deref().unwrap_or(&select.object);
    let mut notes = Vec::new();
    match known(split) {
        Known::Splits => {}
        Known::Never => {
            return Err(fault(format!(
                "{split} is not of a kind that Salesforce splits by id (standard and custom objects, by a parent their \
                 shares and histories)\n\
                 hint: leave pk_chunking out"
            )));
        }
        Known::Untold => notes.push(format!(
            "{split} is not among the objects that Salesforce's guide names for PK chunking: the org decides whether it \
             splits it"
        )),
    }
    clauses(&select.rest, &mut notes).map_err(fault)?;
    Ok((chunking, notes))
}

/// `AccountShare` → `Account`, `CaseHistory` → `Case`, `X__History` → `X__c`.
fn parent_of(object: &str) -> Option<String> {
    for (ending, custom) in
        [("__Share", true), ("__History", true), ("FieldHistory", false), ("Share", false), ("History", false)]
    {
        let Some(parent) = object.strip_suffix(ending) else { continue };
        if custom {
            return Some(format!("{parent}__c"));
        }
        if is_named(parent) && !is_named(object) {
            return Some(parent.to_owned());
        }
    }
    None
}

/// A WHERE alone may follow, and it must leave the ids to Salesforce.
fn clauses(rest: &str, notes: &mut Vec<String>) -> Result<(), String> {
    let tokens = scan(rest).map_err(|error| error.to_string())?;
    let without = "hint: leave the clause out, or leave pk_chunking out";
    for (clause, why) in [
        ("ORDER", "ORDER BY switches PK chunking off"),
        ("LIMIT", "LIMIT would hold for every chunk by itself"),
        ("USING", "USING SCOPE is not possible with PK chunking, which takes a WHERE clause alone"),
        ("WITH", "WITH is not possible with PK chunking, which takes a WHERE clause alone"),
    ] {
        if tokens.iter().any(|token| token.depth == 0 && token.is_word(rest, clause)) {
            return Err(format!("{why}\n{without}"));
        }
    }
    if tokens.iter().any(|token| token.is_word(rest, "SELECT")) {
        return Err(format!("a sub-query in WHERE is not possible with PK chunking\n{without}"));
    }
    for token in tokens.iter().filter(|token| token.kind == Kind::Word) {
        let path = token.text(rest);
        let field = path.rsplit('.').next().unwrap_or(path);
        if field == "Id" || field.eq_ignore_ascii_case("id") || field.ends_with("Id") || field.ends_with("Id__c") {
            return Err(format!("a filter on {path} switches PK chunking off, as any on an id does\n{without}"));
        }
        if field.to_ascii_lowercase().contains("id") {
            notes.push(format!(
                "Salesforce may not split the query, because the filter has a field with \"id\" in its name: {path}"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(soql: &str, parent: Option<&str>) -> Result<(PkChunking, Vec<String>), String> {
        let chunking = PkChunking { parent: parent.map(str::to_owned), ..PkChunking::default() };
        check_chunking(&Select::parse(soql).unwrap(), &chunking).map_err(|fault| fault.message)
    }

    #[test]
    fn headers() {
        assert_eq!(PkChunking::default().header(), "true");
        let all = PkChunking {
            chunk_size: Some(1_000),
            parent: Some("Case".into()),
            start_row: Some("00130000000xEftMGH".into()),
        };
        assert_eq!(all.header(), "chunkSize=1000; parent=Case; startRow=00130000000xEftMGH");
        assert!(all.faults().is_empty());
        let wrong = PkChunking { chunk_size: Some(0), parent: Some("a b".into()), start_row: Some("001".into()) };
        assert_eq!(wrong.faults().len(), 3);
    }

    #[test]
    fn parents_are_told_by_names() {
        let parent = |soql: &str| check(soql, None).unwrap().0.parent;
        assert_eq!(parent("SELECT Id FROM Account"), None);
        assert_eq!(parent("SELECT Id FROM AccountShare").as_deref(), Some("Account"));
        assert_eq!(parent("SELECT Id FROM CaseHistory").as_deref(), Some("Case"));
        assert_eq!(parent("SELECT Id FROM OpportunityFieldHistory").as_deref(), Some("Opportunity"));
        assert_eq!(parent("SELECT Id FROM OpportunityHistory"), None, "has chunks of its own");
        assert_eq!(parent("SELECT Id FROM ns__Thing__History").as_deref(), Some("ns__Thing__c"));
        assert_eq!(check("SELECT Id FROM FooShare", Some("Account")).unwrap().0.parent.as_deref(), Some("Account"));
    }

    #[test]
    fn what_cannot_be_split_is_refused_with_the_way_out() {
        for (soql, word) in [
            ("SELECT Id FROM Thing__mdt", "Thing__mdt is not of a kind"),
            ("SELECT Id FROM AccountChangeEvent", "not of a kind"),
            ("SELECT Id FROM Account ORDER BY Name", "ORDER BY"),
            ("SELECT Id FROM Account LIMIT 5", "LIMIT"),
            ("SELECT Id FROM Account WHERE Id > '001'", "filter on Id"),
            ("SELECT Id FROM Account WHERE Owner.ProfileId != null", "Owner.ProfileId"),
            ("SELECT Id FROM Account WHERE Ext_Id__c = 'a'", "Ext_Id__c"),
            ("SELECT Id FROM Account WHERE Name IN (SELECT Name FROM Contact)", "sub-query"),
        ] {
            let error = check(soql, None).unwrap_err();
            assert!(error.contains(word) && error.contains("hint: leave"), "{error}");
        }
    }

    #[test]
    fn an_object_that_the_guide_does_not_name_is_left_to_the_org() {
        let (_, notes) = check("SELECT Id FROM WorkStep", None).unwrap();
        assert!(notes[0].contains("WorkStep") && notes[0].contains("the org decides"), "{notes:?}");
        assert!(check("SELECT Id FROM WorkPlanTemplate", None).unwrap().1.is_empty());
    }

    #[test]
    fn a_plain_filter_is_taken_and_a_doubtful_one_told() {
        assert!(check("SELECT Id FROM Thing__c WHERE Name = 'order by id'", None).unwrap().1.is_empty());
        let notes = check("SELECT Id FROM Thing__c WHERE Paid__c = true", None).unwrap().1;
        assert!(notes[0].contains("Paid__c"), "{notes:?}");
    }
}
