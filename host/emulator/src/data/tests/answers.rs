//! Conditions, orders, aggregates and refusals.

use super::*;

#[test]
fn conditions_select_what_soql_says() {
    let org = demo();
    let ask = |condition: &str| count(&org, &format!("SELECT Id FROM Account WHERE {condition}"), QueryMode::Rest);
    let all = 1_837;
    assert_eq!(ask("Industry = null") + ask("Industry != null"), all);
    assert_eq!(ask("Industry = ''"), ask("Industry = null"));
    // A row without a value is not equal to one.
    assert_eq!(ask("BillingCountry != 'germany'") + ask("BillingCountry = 'GERMANY'"), all);
    assert_eq!(
        ask("NumberOfEmployees >= 1000 AND NumberOfEmployees < 1.0e6"),
        ask("NOT (NumberOfEmployees < 1000 OR NumberOfEmployees >= 1000000 OR NumberOfEmployees = null)")
    );
    assert_eq!(
        ask("BillingCountry IN ('Germany', 'France')"),
        ask("BillingCountry = 'Germany'") + ask("BillingCountry = 'France'")
    );
    assert_eq!(ask("Ext_Id__c NOT IN ('TICK-MMM-1')"), all - 1);
    assert_eq!(ask("Name LIKE '3_'"), 2);
    assert_eq!(ask("Id = '001gK0000000001'"), 1);
    assert_eq!(
        ask("Id IN ('001gK0000000002', '001gK0000000001QAA', '001gK0000000002', '003gK0000000001') AND Name = '3M'"),
        1
    );
    assert_eq!(ask("Id != '001gK0000000001'"), all - 1);
    assert_eq!(ask("CreatedDate > 2000-01-01T00:00:00+00:00"), all);
    assert_eq!(ask("CreatedDate = TODAY"), 0);
    assert_eq!(
        ask("Id IN (SELECT AccountId FROM Contact WHERE Segment__c = 'Home Office')"),
        count(&org, "SELECT Id FROM Contact WHERE Segment__c = 'Home Office'", QueryMode::Rest)
    );
    assert_eq!(
        count(&org, "SELECT Id FROM Awkward__c WHERE Many__c INCLUDES ('A;C', 'D, with comma')", QueryMode::Rest),
        2
    );
    assert_eq!(count(&org, "SELECT Id FROM Awkward__c WHERE Clock__c > 23:00:00Z", QueryMode::Rest), 6);
    assert_eq!(count(&org, "SELECT Id FROM Awkward__c WHERE CaseSensitive__c = 'CASE'", QueryMode::Rest), 1);
    assert_eq!(
        count(&org, "SELECT Id FROM Case WHERE Owner.Type = 'Group'", QueryMode::Rest)
            + count(&org, "SELECT Id FROM Case WHERE Owner.Type = 'User'", QueryMode::Rest),
        600
    );
}

#[test]
fn order_limit_and_offset() {
    let org = demo();
    let names = |soql: &str| {
        records(&org, soql).iter().map(|record| record["Name"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    let ordered = names("SELECT Name FROM Account ORDER BY NumberOfEmployees DESC NULLS LAST, Name LIMIT 3");
    assert_eq!(
        names("SELECT Name FROM Account ORDER BY NumberOfEmployees DESC NULLS LAST, Name LIMIT 2 OFFSET 1"),
        ordered[1..]
    );
    assert_eq!(
        records(&org, "SELECT NumberOfEmployees FROM Account ORDER BY NumberOfEmployees LIMIT 1")[0]["NumberOfEmployees"],
        Value::Null
    );
    assert_eq!(
        records(&org, "SELECT Subject, Priority FROM Case WHERE Priority != null ORDER BY Priority LIMIT 1")[0]["Priority"],
        "High"
    );
}

#[test]
fn aggregates() {
    let org = demo();
    let found = records(&org, "SELECT COUNT(Id) n, MIN(CloseDate), SUM(Amount) FROM Opportunity");
    assert_eq!(found[0]["n"], 5_009);
    assert_eq!(found[0]["attributes"]["type"], "AggregateResult");
    assert!(found[0]["expr0"].as_str().is_some_and(|day| day.starts_with("201")), "{:?}", found[0]);
    let groups = records(&org, "SELECT Segment__c, COUNT(Id) FROM Contact GROUP BY Segment__c");
    assert_eq!(groups.iter().filter_map(|group| group["expr0"].as_u64()).sum::<u64>(), 793);
}

#[test]
fn children_nest_below_their_parent() {
    let org = demo();
    let found = records(
        &org,
        "SELECT Ext_Id__c, (SELECT LastName, Account.Name FROM Contacts), (SELECT Id FROM opportunities WHERE Amount > 0 ORDER BY Amount DESC LIMIT 2) \
         FROM Account WHERE Ext_Id__c IN ('TICK-1U1-0', 'TICK-MMM-1') ORDER BY Ext_Id__c",
    );
    assert_eq!(found[0].pointer("/Contacts/records/0/LastName").and_then(Value::as_str), Some("Gute"));
    assert_eq!(found[0].pointer("/Contacts/records/0/Account/Name").and_then(Value::as_str), Some("1&1"));
    assert_eq!(found[0].pointer("/Opportunities/totalSize").and_then(Value::as_u64), Some(2));
    assert_eq!(found[1]["Contacts"], Value::Null);
    let error = refusal(&org, "SELECT Id, (SELECT Id FROM Nothings) FROM Account", QueryMode::Rest);
    assert!(
        error.code == "INVALID_TYPE"
            && error.message.contains("Didn't understand relationship 'Nothings' in FROM part"),
        "{error}"
    );
}

#[test]
fn probes_that_clients_send_at_login() {
    let org = demo();
    let found = records(
        &org,
        "SELECT Name, InstanceName, IsSandbox, TrialExpirationDate, NamespacePrefix, OrganizationType FROM Organization",
    );
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["IsSandbox"], false);
    assert_eq!(refusal(&org, "SELECT Id FROM ScratchOrgInfo limit 1", QueryMode::Rest).code, "INVALID_TYPE");
    assert_eq!(refusal(&org, "SELECT IsPersonAccount FROM Account LIMIT 1", QueryMode::Rest).code, "INVALID_FIELD");
    assert_eq!(
        records(
            &org,
            "SELECT EntityDefinition.QualifiedApiName FROM EntityDefinition WHERE QualifiedApiName = 'account'"
        )[0]["QualifiedApiName"],
        "Account"
    );
    assert_eq!(records(&org, "SELECT Account.Id, Account.Name FROM Account WHERE Account.Name LIKE '3M%' ORDER BY Account.Name ASC LIMIT 10").len(), 1);
}

#[test]
fn refusals_have_the_recorded_words() {
    let org = demo();
    let error = refusal(&org, "select count() from XYZZY", QueryMode::Rest);
    assert_eq!(
        (error.code, error.message.as_str()),
        (
            "INVALID_TYPE",
            "\nselect count() from XYZZY\n                    ^\nERROR at Row:1:Column:21\nsObject type 'XYZZY' is not supported. If you are \
             attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call \
             for the appropriate names."
        )
    );
    let error = refusal(&org, "SELECT Nope FROM Account", QueryMode::Bulk2);
    assert!(
        error.code == "INVALID_FIELD"
            && error
                .message
                .contains("\n       ^\nERROR at Row:1:Column:8\nNo such column 'Nope' on entity 'Account'."),
        "{error}"
    );
    for (soql, mode, code, text) in [
        (
            "SELECT Boss.Name FROM Account",
            QueryMode::Rest,
            "INVALID_FIELD",
            "Didn't understand relationship 'Boss' in field path.",
        ),
        ("SELECT Id, id FROM Account", QueryMode::Rest, "INVALID_FIELD", "duplicate field selected: Id"),
        (
            "SELECT Owner.Industry FROM Case",
            QueryMode::Rest,
            "INVALID_FIELD",
            "No such column 'Industry' on entity 'Name'",
        ),
        ("SELECT FIELDS(ALL) FROM Account", QueryMode::Rest, "MALFORMED_QUERY", "must have a LIMIT of at most 200"),
        (
            "SELECT Id FROM Account LIMIT 1 OFFSET 2001",
            QueryMode::Rest,
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Maximum SOQL offset allowed is 2000",
        ),
        ("SELECT Id FROM Account OFFSET 1", QueryMode::Bulk2, "API_ERROR", "OFFSET"),
        ("SELECT COUNT(Id) FROM Account", QueryMode::Bulk2, "API_ERROR", "Aggregate functions"),
        ("SELECT Name FROM Account GROUP BY Name", QueryMode::Bulk2, "API_ERROR", "GROUP BY"),
        (
            "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
            QueryMode::Bulk2,
            "API_ERROR",
            "Aggregate Relationships not supported",
        ),
        (
            "SELECT BillingAddress FROM Account",
            QueryMode::Bulk2,
            "API_ERROR",
            "Selecting compound data not supported in Bulk Query",
        ),
        (
            "SELECT FIELDS(STANDARD) FROM Account",
            QueryMode::Bulk2,
            "API_ERROR",
            "Selecting compound data not supported in Bulk Query",
        ),
        ("SELECT Body__c FROM Awkward__c", QueryMode::Bulk2, "API_ERROR", "Binary field not supported"),
        (
            "SELECT QualifiedApiName FROM EntityDefinition",
            QueryMode::Bulk2,
            "INVALIDENTITY",
            "Entity 'EntityDefinition' is not supported by the Bulk API.",
        ),
        (
            "SELECT Id FROM Account WHERE Description = 'x'",
            QueryMode::Rest,
            "INVALID_FIELD",
            "can not be filtered in a query call",
        ),
        (
            "SELECT Id FROM Account WHERE CreatedDate > 2024-01-01",
            QueryMode::Rest,
            "INVALID_FIELD",
            "must be of type dateTime",
        ),
        (
            "SELECT Id FROM Account WHERE Name = 3",
            QueryMode::Rest,
            "INVALID_FIELD",
            "must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Account WHERE Id = 'abc'",
            QueryMode::Rest,
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid ID field: abc",
        ),
        (
            "SELECT Name n FROM Account",
            QueryMode::Rest,
            "MALFORMED_QUERY",
            "only aggregate expressions use field aliasing",
        ),
    ] {
        let error = refusal(&org, soql, mode);
        assert!(error.code == code && error.message.contains(text), "{soql}: {error}");
    }
}
