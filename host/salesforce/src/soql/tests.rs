//! Tests of SOQL reading and building.

use proptest::prelude::*;

use super::*;

fn parsed(soql: &str) -> Select {
    Select::parse(soql).unwrap()
}

fn names(select: &Select) -> Vec<String> {
    select.fields.iter().map(Selected::to_string).collect()
}

#[test]
fn select_list_object_alias_rest() {
    let select = parsed("select a.Id,\n a.Owner.Name from Account a where a.Name = 'x, FROM y' ORDER BY Name LIMIT 5");
    assert_eq!(names(&select), ["Id", "Owner.Name"]);
    assert_eq!((select.object.as_str(), select.alias.as_deref()), ("Account", Some("a")));
    assert_eq!(select.rest, "where a.Name = 'x, FROM y' ORDER BY Name LIMIT 5");
    assert_eq!(
        select.to_soql(),
        "SELECT Id, Owner.Name FROM Account a where a.Name = 'x, FROM y' ORDER BY Name LIMIT 5"
    );
}

#[test]
fn semi_join_and_scope_are_carried() {
    let soql =
        "SELECT Id FROM Contact USING SCOPE mine WHERE AccountId IN (SELECT Id FROM Account WHERE Name LIKE 'a%')";
    assert_eq!(parsed(soql).to_soql(), soql);
}

#[test]
fn refused_queries_say_what_to_do() {
    let table = [
        ("SELECT COUNT() FROM Account", "aggregate"),
        ("SELECT MAX(Amount) m FROM Opportunity", "aggregate"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "sub-selects"),
        ("SELECT TYPEOF What WHEN Account THEN Phone END FROM Event", "TYPEOF"),
        ("SELECT FIELDS(SOME) FROM Account", "expected FIELDS(ALL)"),
        ("SELECT FIELDS(ALL) f FROM Account", "without an alias"),
        ("SELECT Id, Owner.FIELDS(ALL) FROM Account", "no FIELDS() of a parent"),
        ("SELECT FIELDS(ALL), Fields(all) FROM Account", "twice"),
        ("SELECT toLabel(Industry) FROM Account", "toLabel() gives labels"),
        ("SELECT FORMAT(Amount) FROM Opportunity", "locale"),
        ("SELECT convertCurrency(Amount) FROM Opportunity", "CurrencyIsoCode"),
        ("SELECT CALENDAR_YEAR(CloseDate) FROM Opportunity", "GROUP BY"),
        ("SELECT Sleep(1) FROM Opportunity", "not supported"),
        ("SELECT * FROM Account", "FIELDS(ALL)"),
        ("SELECT Name n FROM Account", "alias"),
        ("SELECT Id Name FROM Account", "comma is missing"),
        ("SELECT Id,, Name FROM Account", "comma too many"),
        ("SELECT Id, FROM Account", "comma too many"),
        ("SELECT FROM Account", "selects nothing"),
        ("SELECT Id", "no FROM"),
        ("SELECT Id FROM", "missing after FROM"),
        ("UPDATE x", "starts with SELECT"),
        ("SELECT Id FROM Account a, a.Contacts c", "one object"),
        ("SELECT Id FROM Account GROUP BY Id", "GROUP BY"),
        ("SELECT Id FROM Account LIMIT 5 OFFSET 10", "OFFSET"),
        ("SELECT Id FROM Account ALL ROWS", "query-all"),
        ("SELECT Id FROM Account FOR VIEW", "FOR VIEW"),
        ("SELECT Id FROM Account WHERE Name IS NULL", "= null"),
        ("SELECT Id, id FROM Account", "twice"),
        ("SELECT a.b.c.d.e.f.Name FROM Account", "at most 5"),
        ("SELECT Id FROM Account;", "no ;"),
    ];
    for (soql, expected) in table {
        let error = Select::parse(soql).unwrap_err().to_string();
        assert!(error.contains(expected), "{soql}: {error}");
    }
}

#[test]
fn groups_of_fields_are_items() {
    let select = parsed("select fields( all ), Owner.Name FROM Account a WHERE Id != null LIMIT 200");
    assert_eq!(select.fields[0], Selected::Group(FieldGroup::All));
    assert_eq!(select.to_soql(), "SELECT FIELDS(ALL), Owner.Name FROM Account a WHERE Id != null LIMIT 200");
    let select = Select::from_fields("Account", &["Fields(Custom)", "Name"], None).unwrap();
    assert_eq!(names(&select), ["FIELDS(CUSTOM)", "Name"]);
    assert!(Select::from_fields("Account", &["toLabel(Name)"], None).is_err());
}

#[test]
fn a_limit_is_read_where_it_is_one() {
    let limit = |rest: &str| parsed(&format!("SELECT Id FROM Account {rest}")).limit();
    assert_eq!(limit("WHERE Name = 'LIMIT 7' limit 20"), Some(20));
    assert_eq!(limit("WHERE Id IN (SELECT AccountId FROM Contact LIMIT 5)"), None);
    assert_eq!(limit(""), None);
}

#[test]
fn the_object_and_its_alias_are_no_parents() {
    for soql in ["SELECT x.a.b.c.d.e.F FROM Account x", "SELECT Account.a.b.c.d.e.F FROM Account"] {
        assert!(Select::parse(soql).is_ok(), "{soql}");
    }
    let error = Select::parse("SELECT x.a.b.c.d.e.f.G FROM Account x").unwrap_err().to_string();
    assert!(error.contains("6 parents, at most 5") && error.contains("formula field"), "{error}");
}

#[test]
fn where_text() {
    let select = Select::from_fields("Account", &["Id", "Name"], Some(" Industry != null ")).unwrap();
    assert_eq!(select.to_soql(), "SELECT Id, Name FROM Account WHERE Industry != null");
    let none: [&str; 0] = [];
    assert_eq!(Select::from_fields("Account", &none, Some("  ")).unwrap().rest, "");
    assert!(Select::from_fields("Order", &["Id"], Some("Limit__c = 1 AND Offset = 3")).is_ok());
}

#[test]
fn refused_where_text_says_the_corrected_one() {
    let table = [
        ("WHERE Industry != null", "where = \"Industry != null\""),
        ("where(Name = 'x')", "where = \"(Name = 'x')\""),
        ("Name = 'x' LIMIT 10", "LIMIT is no condition"),
        ("Name = 'x' ORDER BY Name", "ORDER BY is no condition"),
        ("Name = 'x", "never closed"),
        ("(Name = 'x'", "never closed"),
        ("Name = 'x')", "closing bracket"),
        ("Name = null GROUP BY Name", "GROUP BY"),
    ];
    for (text, expected) in table {
        let error = Select::from_fields("Account", &["Id"], Some(text)).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert!(Select::from_fields("Account", &["Id"], Some("Name = 'ORDER BY LIMIT 1 WHERE'")).is_ok());
}

#[test]
fn columns_are_pruned_in_order() {
    let mut select = parsed("SELECT Id, Name, Phone FROM Account");
    select.keep_columns(&[2, 0, 9]);
    assert_eq!(names(&select), ["Id", "Phone"]);
    select.keep_columns(&[]);
    assert_eq!(names(&select), ["Id"]);
}

#[test]
fn a_query_is_counted_whole_and_asked_for_its_ids() {
    for (soql, count, ids) in [
        ("SELECT Id, Name FROM Account", "SELECT COUNT() FROM Account", "SELECT Id FROM Account"),
        (
            "SELECT Name FROM Account a WHERE a.Name LIKE 'order by limit' ORDER BY Name LIMIT 5",
            "SELECT COUNT() FROM Account a WHERE a.Name LIKE 'order by limit'",
            "SELECT Id FROM Account a WHERE a.Name LIKE 'order by limit' ORDER BY Name LIMIT 5",
        ),
        ("SELECT Id FROM Account LIMIT 3", "SELECT COUNT() FROM Account", "SELECT Id FROM Account LIMIT 3"),
    ] {
        let select = Select::parse(soql).unwrap();
        assert_eq!((select.count_all().as_str(), select.ids().as_str()), (count, ids));
    }
}

#[test]
fn too_long_is_refused() {
    let filter = format!("Name = '{}'", "x".repeat(100_000));
    let error = Select::from_fields("Account", &["Id"], Some(&filter)).unwrap_err().to_string();
    assert!(error.contains("100000"), "{error}");
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(fields in prop::collection::btree_set("[A-Z][a-z]{1,6}[0-9](\\.[A-Z][a-z]{1,5}_9){0,3}", 1..6), text in "[a-z (),=%é\"]{0,20}") {
        let fields: Vec<String> = fields.into_iter().collect();
        let unique: std::collections::HashSet<String> = fields.iter().map(|f| f.to_lowercase()).collect();
        prop_assume!(unique.len() == fields.len());
        let filter = format!("Name = '{text}'");
        let built = Select::from_fields("Account", &fields, Some(&filter)).unwrap();
        prop_assert_eq!(Select::parse(&built.to_soql()).unwrap(), built);
    }

    #[test]
    fn never_panics(soql in "(SELECT |FROM |WHERE |[a-z.,()'\\\\ é]){0,20}") {
        let _ = Select::parse(&soql);
        let _ = Select::from_fields("Account", &["Id"], Some(&soql));
    }
}
