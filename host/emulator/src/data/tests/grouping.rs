//! HAVING, date functions, roll-ups, TYPEOF, nested children, and what is refused of them.

use super::*;

fn number(record: &Value, key: &str) -> f64 {
    record[key].as_f64().unwrap_or(f64::NAN)
}

#[test]
fn groups_are_by_what_group_by_says() {
    let org = demo();
    // The key need not be selected.
    let counts = records(&org, "SELECT COUNT(Id) FROM Contact GROUP BY Segment__c");
    assert_eq!(counts.len(), records(&org, "SELECT Segment__c FROM Contact GROUP BY Segment__c").len());
    assert!(counts.len() > 1);
    let ordered = records(
        &org,
        "SELECT StageName s, COUNT(Id) n, SUM(Amount) FROM Opportunity GROUP BY StageName ORDER BY COUNT(Id) DESC, StageName LIMIT 3",
    );
    assert!(ordered.windows(2).all(|pair| pair[0]["n"].as_u64() >= pair[1]["n"].as_u64()), "{ordered:?}");
    assert!(ordered[0]["s"].is_string() && ordered[0]["expr0"].is_f64());
}

#[test]
fn having_filters_groups() {
    let org = demo();
    let all = records(&org, "SELECT Industry, COUNT(Id) n FROM Account GROUP BY Industry");
    let large = all.iter().filter(|group| number(group, "n") > 50.0).count();
    assert!(large > 0 && large < all.len());
    let count = |having: &str| {
        records(&org, &format!("SELECT Industry, COUNT(Id) n FROM Account GROUP BY Industry HAVING {having}")).len()
    };
    assert_eq!(count("COUNT(Id) > 50"), large);
    assert_eq!(count("NOT (COUNT(Id) > 50)"), all.len() - large);
    assert_eq!(count("COUNT(Id) > 50 OR COUNT(Id) <= 50"), all.len());
    assert_eq!(count("Industry = null"), 1);
    assert_eq!(count("COUNT(Id) IN (0)"), 0);
    assert_eq!(
        count("MAX(CreatedDate) > 2000-01-01T00:00:00Z AND AVG(NumberOfEmployees) > 0"),
        count("AVG(NumberOfEmployees) > 0")
    );
    assert_eq!(
        refusal(&org, "SELECT COUNT(Id) FROM Account GROUP BY Industry HAVING Name = 'x'", QueryMode::Rest).code,
        "MALFORMED_QUERY"
    );
}

#[test]
fn dates_fall_apart() {
    let org = demo();
    let years = records(
        &org,
        "SELECT CALENDAR_YEAR(CloseDate) y, COUNT(Id) n FROM Opportunity GROUP BY CALENDAR_YEAR(CloseDate) ORDER BY CALENDAR_YEAR(CloseDate)",
    );
    assert_eq!(
        years.iter().map(|year| year["y"].as_i64().unwrap_or(0)).collect::<Vec<_>>(),
        [2014, 2015, 2016, 2017, 2018]
    );
    assert_eq!(years.iter().map(|year| number(year, "n")).sum::<f64>(), 5_009.0);
    let of_2016 = count(&org, "SELECT Id FROM Opportunity WHERE CALENDAR_YEAR(CloseDate) = 2016", QueryMode::Rest);
    assert_eq!(number(&years[2], "n"), of_2016 as f64);
    assert_eq!(
        count(&org, "SELECT Id FROM Opportunity WHERE CALENDAR_YEAR(CloseDate) IN (2014, 2015)", QueryMode::Bulk2),
        count(&org, "SELECT Id FROM Opportunity WHERE CloseDate < 2016-01-01", QueryMode::Bulk2)
    );
    let days = records(
        &org,
        "SELECT DAY_ONLY(convertTimezone(CreatedDate)), COUNT(Id) FROM Opportunity GROUP BY DAY_ONLY(convertTimezone(CreatedDate)) LIMIT 5",
    );
    assert!(days.iter().all(|day| day["expr0"].as_str().is_some_and(|day| day.len() == 10)), "{days:?}");
    assert_eq!(
        count(&org, "SELECT Id FROM Opportunity WHERE DAY_ONLY(CreatedDate) = 2016-11-08", QueryMode::Rest),
        count(
            &org,
            "SELECT Id FROM Opportunity WHERE CreatedDate >= 2016-11-08T00:00:00Z AND CreatedDate < 2016-11-09T00:00:00Z",
            QueryMode::Rest
        )
    );
    for (soql, code) in [
        ("SELECT CALENDAR_YEAR(CloseDate) FROM Opportunity", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity WHERE CALENDAR_YEAR(Name) = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE HOUR_IN_DAY(CloseDate) = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE CALENDAR_YEAR(CloseDate) = '2016'", "INVALID_FIELD"),
        ("SELECT COUNT(Id) FROM Account GROUP BY Description", "MALFORMED_QUERY"),
        ("SELECT Name, COUNT(Id) FROM Account GROUP BY Industry", "MALFORMED_QUERY"),
        ("SELECT Industry n, COUNT(Id) n FROM Account GROUP BY Industry", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity GROUP BY Id", "MALFORMED_QUERY"),
    ] {
        assert_eq!(refusal(&org, soql, QueryMode::Rest).code, code, "{soql}");
    }
}

#[test]
fn roll_ups_have_subtotals() {
    let org = demo();
    let plain = records(&org, "SELECT StageName, IsWon, COUNT(Id) FROM Opportunity GROUP BY StageName, IsWon");
    let rolled = records(
        &org,
        "SELECT StageName, IsWon, GROUPING(StageName) s, GROUPING(IsWon) w, COUNT(Id) n FROM Opportunity GROUP BY ROLLUP(StageName, IsWon)",
    );
    let stages = records(&org, "SELECT StageName FROM Opportunity GROUP BY StageName").len();
    assert_eq!(rolled.len(), plain.len() + stages + 1);
    let total = rolled.iter().find(|row| row["s"] == 1).unwrap_or(&Value::Null);
    assert_eq!((&total["w"], &total["n"], &total["StageName"]), (&1.into(), &5_009.into(), &Value::Null));
    let cube = records(&org, "SELECT StageName, IsWon, COUNT(Id) FROM Opportunity GROUP BY CUBE(StageName, IsWon)");
    let won = records(&org, "SELECT IsWon FROM Opportunity GROUP BY IsWon").len();
    assert_eq!(cube.len(), rolled.len() + won);
}

#[test]
fn distinct_values_are_counted() {
    let org = demo();
    let found = records(&org, "SELECT COUNT_DISTINCT(Industry) d, COUNT(Industry) n FROM Account");
    let groups = records(&org, "SELECT Industry FROM Account WHERE Industry != null GROUP BY Industry").len();
    assert_eq!(found[0]["d"], groups);
    assert_eq!(found[0]["n"], count(&org, "SELECT Id FROM Account WHERE Industry != null", QueryMode::Rest));
}

#[test]
fn what_type_of_selects_depends_on_the_record() {
    let org = demo();
    let found = records(
        &org,
        "SELECT Id, TYPEOF Owner WHEN User THEN Username, Email WHEN Group THEN Name END, CaseNumber FROM Case",
    );
    let of = |kind: &str| found.iter().filter(|case| case["Owner"]["attributes"]["type"] == kind).collect::<Vec<_>>();
    let (users, groups) = (of("User"), of("Group"));
    assert!(!users.is_empty() && !groups.is_empty());
    assert_eq!(users.len() + groups.len(), found.len());
    assert!(users.iter().all(|case| case["Owner"]["Username"].is_string() && case["Owner"].get("Name").is_none()));
    assert!(groups.iter().all(|case| case["Owner"]["Name"].is_string()));
    let keys: Vec<&String> = found[0].as_object().map(|case| case.keys().collect()).unwrap_or_default();
    assert_eq!(keys, ["attributes", "Id", "Owner", "CaseNumber"]);
    let others = records(&org, "SELECT TYPEOF Owner WHEN User THEN Id ELSE Name END FROM Case");
    assert!(others.iter().all(|case| case["Owner"].is_object()));
    let none = records(&org, "SELECT TYPEOF Owner WHEN User THEN Id END FROM Case");
    assert!(none.iter().any(|case| case["Owner"].is_null()));
    for (soql, mode, code) in [
        ("SELECT TYPEOF Account WHEN Account THEN Name END FROM Contact", QueryMode::Rest, "INVALID_FIELD"),
        ("SELECT TYPEOF Owner WHEN Account THEN Name END FROM Case", QueryMode::Rest, "INVALID_TYPE"),
        ("SELECT TYPEOF Owner WHEN User THEN Nope END FROM Case", QueryMode::Rest, "INVALID_FIELD"),
        ("SELECT TYPEOF Owner WHEN User THEN Name END FROM Case", QueryMode::Bulk2, "API_ERROR"),
        (
            "SELECT TYPEOF Owner WHEN User THEN Name END FROM Case",
            QueryMode::Bulk1 { all: false, csv: false },
            "FUNCTIONALITY_NOT_ENABLED",
        ),
    ] {
        assert_eq!(refusal(&org, soql, mode).code, code, "{soql}");
    }
}

#[test]
fn values_can_be_formatted() {
    let org = demo();
    let found = records(
        &org,
        "SELECT FORMAT(Amount) shown, toLabel(StageName), FORMAT(CloseDate) day FROM Opportunity WHERE Ext_Id__c = 'CA-2016-152156'",
    );
    assert_eq!((&found[0]["shown"], &found[0]["day"]), (&"$993.90".into(), &"11/11/2016".into()));
    assert!(found[0]["StageName"].is_string());
}

#[test]
fn children_nest_more_than_once() {
    let org = demo();
    let found = records(
        &org,
        "SELECT Name, (SELECT Name, (SELECT Product__c FROM Order_Lines__r LIMIT 3) FROM Opportunities LIMIT 2) FROM Account \
         WHERE Ext_Id__c = 'TICK-1U1-0'",
    );
    let opportunities =
        found[0].pointer("/Opportunities/records").and_then(Value::as_array).cloned().unwrap_or_default();
    assert_eq!(opportunities.len(), 2);
    for opportunity in &opportunities {
        let lines = opportunity.pointer("/Order_Lines__r/records").and_then(Value::as_array).map_or(0, Vec::len);
        assert!((1..=3).contains(&lines), "{opportunity}");
    }
    let many = vec!["(SELECT Id FROM Contacts)"; 21].join(", ");
    for soql in [
        format!("SELECT Id, {many} FROM Account"),
        "SELECT Id, (SELECT Id FROM Contacts OFFSET 1) FROM Account".to_owned(),
        "SELECT Id, (SELECT COUNT(Id) FROM Contacts) FROM Account".to_owned(),
    ] {
        assert_eq!(refusal(&org, &soql, QueryMode::Rest).code, "MALFORMED_QUERY", "{soql}");
    }
}

#[test]
fn fields_need_few_rows() {
    let org = demo();
    assert_eq!(records(&org, "SELECT FIELDS(ALL) FROM Account WHERE Id = '001gK0000000001'").len(), 1);
    assert_eq!(
        records(&org, "SELECT FIELDS(CUSTOM), Id FROM Account WHERE Id IN ('001gK0000000001') LIMIT 500").len(),
        1
    );
    for soql in [
        "SELECT FIELDS(CUSTOM) FROM Account LIMIT 201",
        "SELECT FIELDS(ALL) FROM Account WHERE Name = 'x'",
        "SELECT FIELDS(ALL) FROM Account WHERE Id = '001gK0000000001' OR Name = 'x'",
    ] {
        let error = refusal(&org, soql, QueryMode::Rest);
        assert_eq!(error.message, "The SOQL FIELDS function must have a LIMIT of at most 200", "{soql}");
    }
    let twice = refusal(&org, "SELECT FIELDS(STANDARD), Name FROM Account", QueryMode::Rest);
    assert_eq!(twice.message, "duplicate field selected: Name");
}

#[test]
fn semi_joins_have_rules() {
    let org = demo();
    let inner = "Id IN (SELECT AccountId FROM Contact)";
    let anti = "Id NOT IN (SELECT AccountId FROM Opportunity)";
    let ask = |filter: &str| org.prepare(&format!("SELECT Id FROM Account WHERE {filter}"), QueryMode::Rest);
    assert!(ask(&format!("{inner} AND {anti}")).is_ok());
    for (filter, text) in [
        (format!("{inner} OR Name = 'x'"), "only allowed at the top level"),
        (format!("NOT ({inner})"), "only allowed at the top level"),
        (format!("{inner} AND {anti} AND Id IN (SELECT AccountId FROM Case)"), "at most 2"),
        ("Id IN (SELECT Id FROM Account)".to_owned(), "same object type"),
        ("Id IN (SELECT AccountId FROM Task)".to_owned(), "Entity 'Task' is not supported"),
        ("Id IN (SELECT AccountId FROM Contact LIMIT 1)".to_owned(), "LIMIT"),
        ("Id IN (SELECT Account.ParentId FROM Contact)".to_owned(), "id fields"),
        ("Id IN (SELECT AccountId FROM Contact WHERE Id IN (SELECT ContactId FROM Case))".to_owned(), "Nesting"),
    ] {
        let message = ask(&filter).map_or_else(|error| error.message, |_| "not refused".to_owned());
        assert!(message.contains(text), "{filter}: {message}");
    }
}

#[test]
fn ids_are_cut_into_chunks() {
    let org = demo();
    let all = prepared(&org, "SELECT Id FROM Account", QueryMode::Bulk2);
    let chunks = all.chunks(500, None).unwrap_or_default();
    assert_eq!(chunks.iter().map(|chunk| chunk.prepared.total()).sum::<u64>(), 1_837);
    assert!(chunks.windows(2).all(|pair| pair[0].until == pair[1].from));
    assert!(prepared(&org, "SELECT COUNT(Id) FROM Account", QueryMode::Rest).chunks(500, None).is_none());
}
