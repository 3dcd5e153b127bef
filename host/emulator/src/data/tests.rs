//! The org, asked as clients ask.

use std::sync::LazyLock;

use serde_json::Value;

use super::*;

const COMMA: CsvDialect = CsvDialect { delimiter: b',', crlf: false };

static DEMO: LazyLock<Org> = LazyLock::new(|| Org::open(&DataSource::Demo, &[], 1).unwrap_or_else(|error| panic!("{error}")));

fn demo() -> Org {
    DEMO.clone()
}

fn prepared(org: &Org, soql: &str, mode: QueryMode) -> Prepared {
    org.prepare(soql, mode).unwrap_or_else(|error| panic!("{soql}: {error}"))
}

fn csv(org: &Org, soql: &str) -> String {
    let found = prepared(org, soql, QueryMode::Bulk2);
    let mut out = Vec::new();
    found.csv_header(&COMMA, &mut out);
    found.csv_rows(0..found.total(), &COMMA, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn records(org: &Org, soql: &str) -> Vec<Value> {
    let found = prepared(org, soql, QueryMode::Rest);
    let mut out = Vec::new();
    found.json_rows(0..found.total(), "62.0", &mut out);
    out
}

fn refusal(org: &Org, soql: &str, mode: QueryMode) -> SoqlError {
    match org.prepare(soql, mode) {
        Ok(_) => panic!("not refused: {soql}"),
        Err(error) => error,
    }
}

fn count(org: &Org, soql: &str, mode: QueryMode) -> u64 {
    prepared(org, soql, mode).total()
}

#[test]
fn the_demo_org_has_its_tables_and_a_recycle_bin() {
    let org = demo();
    for (object, rows) in [("Account", 1_837), ("Contact", 793), ("Opportunity", 5_009), ("Order_Line__c", 9_994), ("Empty__c", 0), ("User", 5)] {
        assert_eq!(org.object_rows(object), Some(rows), "{object}");
        assert_eq!(count(&org, &format!("SELECT Id FROM {object}"), QueryMode::Bulk2), rows);
    }
    assert_eq!(count(&org, "SELECT Id FROM Account", QueryMode::Bulk2All), 1_840);
    assert_eq!(prepared(&org, "SELECT COUNT() FROM Account", QueryMode::Rest).count_only(), Some(1_837));
    assert_eq!(count(&org, "SELECT Id FROM Account WHERE IsDeleted = true", QueryMode::RestAll), 3);
    assert_eq!(org.object_rows("Nothing"), None);
}

#[test]
fn csv_has_the_dialect_of_bulk() {
    let org = demo();
    let text = csv(&org, "select id, NAME, annualrevenue, account.owner.name, isdeleted from ACCOUNT where name = '3m'");
    assert_eq!(text, "\"Id\",\"Name\",\"AnnualRevenue\",\"Owner.Name\",\"IsDeleted\"\n\"001gK0000000002QAA\",\"3M\",\"2.49E10\",\"Ada Admin\",\"false\"\n");
    let text = csv(&org, "SELECT Account.Ext_Id__c, CreatedDate, CloseDate, Amount FROM Opportunity WHERE Ext_Id__c = 'CA-2016-152156'");
    assert_eq!(text.lines().nth(1), Some("\"TICK-1U1-0\",\"2016-11-08T00:00:00.000Z\",\"2016-11-11\",\"993.9\""));
    let text = csv(&org, "SELECT Opportunity__r.Account.Name, Product__c FROM Order_Line__c WHERE Product__c LIKE '%\"%' LIMIT 1");
    assert!(text.starts_with("\"Opportunity__r.Account.Name\",\"Product__c\"\n\""), "{text}");
    assert!(text.contains("\"\""), "{text}");
    let found = prepared(&org, "SELECT Id, Name FROM Account LIMIT 1", QueryMode::Bulk2);
    let mut out = Vec::new();
    found.csv_rows(0..9, &CsvDialect { delimiter: b';', crlf: true }, &mut out);
    assert_eq!(out, b"\"001gK0000000001QAA\";\"1&1\"\r\n");
}

#[test]
fn records_have_the_rest_shape() {
    let org = demo();
    let found = records(&org, "SELECT Id, Name, Account.Name, Account.Owner.Id, Amount, CreatedDate, IsWon FROM Opportunity WHERE Ext_Id__c = 'CA-2016-152156'");
    let record = found.first().unwrap_or(&Value::Null);
    assert_eq!(record["attributes"]["type"], "Opportunity");
    assert_eq!(record["attributes"]["url"], format!("/services/data/v62.0/sobjects/Opportunity/{}", record["Id"].as_str().unwrap_or("")));
    assert_eq!(record["Account"]["attributes"]["type"], "Account");
    assert_eq!(record["Account"]["Name"], "1&1");
    assert_eq!(record["Account"]["Owner"]["attributes"]["type"], "User");
    assert_eq!(record["Amount"], 993.9);
    assert_eq!(record["CreatedDate"], "2016-11-08T00:00:00.000+0000");
    assert_eq!(record["IsWon"], true);
    let keys: Vec<&String> = record.as_object().map(|record| record.keys().collect()).unwrap_or_default();
    assert_eq!(keys, ["attributes", "Id", "Name", "Account", "Amount", "CreatedDate", "IsWon"]);
    let orphan = records(&org, "SELECT Parent__r.Name, Account__r.Name FROM Awkward__c WHERE Case__c = 'no parent'");
    assert_eq!(orphan.first().map(|record| (&record["Parent__r"], &record["Account__r"])), Some((&Value::Null, &Value::Null)));
    let place = records(&org, "SELECT Place__c FROM Awkward__c WHERE Case__c = 'place'");
    assert_eq!(place[0]["Place__c"], serde_json::json!({"latitude": 37.774929500000001, "longitude": -122.4194155}));
}

#[test]
fn conditions_select_what_soql_says() {
    let org = demo();
    let ask = |condition: &str| count(&org, &format!("SELECT Id FROM Account WHERE {condition}"), QueryMode::Rest);
    let all = 1_837;
    assert_eq!(ask("Industry = null") + ask("Industry != null"), all);
    assert_eq!(ask("Industry = ''"), ask("Industry = null"));
    // A row without a value is not equal to one.
    assert_eq!(ask("BillingCountry != 'germany'") + ask("BillingCountry = 'GERMANY'"), all);
    assert_eq!(ask("NumberOfEmployees >= 1000 AND NumberOfEmployees < 1.0e6"), ask("NOT (NumberOfEmployees < 1000 OR NumberOfEmployees >= 1000000 OR NumberOfEmployees = null)"));
    assert_eq!(ask("BillingCountry IN ('Germany', 'France')"), ask("BillingCountry = 'Germany'") + ask("BillingCountry = 'France'"));
    assert_eq!(ask("Ext_Id__c NOT IN ('TICK-MMM-1')"), all - 1);
    assert_eq!(ask("Name LIKE '3_'"), 2);
    assert_eq!(ask("Id = '001gK0000000001'"), 1);
    assert_eq!(ask("CreatedDate > 2000-01-01T00:00:00+00:00"), all);
    assert_eq!(ask("CreatedDate = TODAY"), 0);
    assert_eq!(ask("Id IN (SELECT AccountId FROM Contact WHERE Segment__c = 'Home Office')"), count(&org, "SELECT Id FROM Contact WHERE Segment__c = 'Home Office'", QueryMode::Rest));
    assert_eq!(count(&org, "SELECT Id FROM Awkward__c WHERE Many__c INCLUDES ('A;C', 'D, with comma')", QueryMode::Rest), 2);
    assert_eq!(count(&org, "SELECT Id FROM Awkward__c WHERE CaseSensitive__c = 'CASE'", QueryMode::Rest), 1);
    assert_eq!(count(&org, "SELECT Id FROM Case WHERE Owner.Type = 'Group'", QueryMode::Rest) + count(&org, "SELECT Id FROM Case WHERE Owner.Type = 'User'", QueryMode::Rest), 600);
}

#[test]
fn order_limit_and_offset() {
    let org = demo();
    let names = |soql: &str| records(&org, soql).iter().map(|record| record["Name"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>();
    let ordered = names("SELECT Name FROM Account ORDER BY NumberOfEmployees DESC NULLS LAST, Name LIMIT 3");
    assert_eq!(names("SELECT Name FROM Account ORDER BY NumberOfEmployees DESC NULLS LAST, Name LIMIT 2 OFFSET 1"), ordered[1..]);
    assert_eq!(records(&org, "SELECT NumberOfEmployees FROM Account ORDER BY NumberOfEmployees LIMIT 1")[0]["NumberOfEmployees"], Value::Null);
    assert_eq!(records(&org, "SELECT Subject, Priority FROM Case WHERE Priority != null ORDER BY Priority LIMIT 1")[0]["Priority"], "High");
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
fn probes_that_clients_send_at_login() {
    let org = demo();
    let found = records(&org, "SELECT Name, InstanceName, IsSandbox, TrialExpirationDate, NamespacePrefix, OrganizationType FROM Organization");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["IsSandbox"], false);
    assert_eq!(refusal(&org, "SELECT Id FROM ScratchOrgInfo limit 1", QueryMode::Rest).code, "INVALID_TYPE");
    assert_eq!(refusal(&org, "SELECT IsPersonAccount FROM Account LIMIT 1", QueryMode::Rest).code, "INVALID_FIELD");
    assert_eq!(records(&org, "SELECT EntityDefinition.QualifiedApiName FROM EntityDefinition WHERE QualifiedApiName = 'account'")[0]["QualifiedApiName"], "Account");
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
    assert!(error.code == "INVALID_FIELD" && error.message.contains("\n       ^\nERROR at Row:1:Column:8\nNo such column 'Nope' on entity 'Account'."), "{error}");
    for (soql, mode, code, text) in [
        ("SELECT Boss.Name FROM Account", QueryMode::Rest, "INVALID_FIELD", "Didn't understand relationship 'Boss' in field path."),
        ("SELECT Id, id FROM Account", QueryMode::Rest, "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Owner.Industry FROM Case", QueryMode::Rest, "INVALID_FIELD", "No such column 'Industry' on entity 'Name'"),
        ("SELECT FIELDS(ALL) FROM Account", QueryMode::Rest, "MALFORMED_QUERY", "must have a LIMIT of at most 200"),
        ("SELECT Id FROM Account LIMIT 1 OFFSET 2001", QueryMode::Rest, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"),
        ("SELECT Id FROM Account OFFSET 1", QueryMode::Bulk2, "API_ERROR", "OFFSET"),
        ("SELECT COUNT(Id) FROM Account", QueryMode::Bulk2, "API_ERROR", "Aggregate functions"),
        ("SELECT Name FROM Account GROUP BY Name", QueryMode::Bulk2, "API_ERROR", "GROUP BY"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", QueryMode::Bulk2, "API_ERROR", "Aggregate Relationships not supported"),
        ("SELECT BillingAddress FROM Account", QueryMode::Bulk2, "API_ERROR", "Selecting compound data not supported in Bulk Query"),
        ("SELECT FIELDS(STANDARD) FROM Account", QueryMode::Bulk2, "API_ERROR", "Selecting compound data not supported in Bulk Query"),
        ("SELECT Body__c FROM Awkward__c", QueryMode::Bulk2, "API_ERROR", "Binary field not supported"),
        ("SELECT QualifiedApiName FROM EntityDefinition", QueryMode::Bulk2, "INVALIDENTITY", "Entity 'EntityDefinition' is not supported by the Bulk API."),
        ("SELECT Id FROM Account WHERE Description = 'x'", QueryMode::Rest, "INVALID_FIELD", "can not be filtered in a query call"),
        ("SELECT Id FROM Account WHERE CreatedDate > 2024-01-01", QueryMode::Rest, "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Account WHERE Name = 3", QueryMode::Rest, "INVALID_FIELD", "must be of type string and should be enclosed in quotes"),
        ("SELECT Id FROM Account WHERE Id = 'abc'", QueryMode::Rest, "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: abc"),
        ("SELECT Name n FROM Account", QueryMode::Rest, "MALFORMED_QUERY", "only aggregate expressions use field aliasing"),
    ] {
        let error = refusal(&org, soql, mode);
        assert!(error.code == code && error.message.contains(text), "{soql}: {error}");
    }
}

#[test]
fn awkward_values_come_back_as_they_are() {
    let org = demo();
    let found = records(&org, "SELECT Text__c FROM Awkward__c WHERE Case__c = 'text'");
    let texts: Vec<&str> = found.iter().filter_map(|record| record["Text__c"].as_str()).collect();
    assert_eq!(texts, awkward::TEXTS);
    let numbers = csv(&org, "SELECT Whole__c, Money__c, Tiny__c FROM Awkward__c WHERE Case__c = 'number'");
    for shown in ["\"9.0E7\"", "\"1.6147805824397E13\"", "\"9999999.99\"", "\"1.0E-4\"", "\"1.0E18\""] {
        assert!(numbers.contains(shown), "{shown} in {numbers}");
    }
    let long = records(&org, "SELECT Long__c FROM Awkward__c WHERE Case__c = 'longest text'");
    assert_eq!(long[0]["Long__c"].as_str().map(|text| text.chars().count()), Some(131_072));
    assert_eq!(count(&org, "SELECT Id FROM Awkward__c WHERE Day__c < 1970-01-01", QueryMode::Rest), 2);
    let up = records(&org, "SELECT Parent__r.Parent__r.Parent__r.Parent__r.Parent__r.Text__c FROM Awkward__c WHERE Text__c = '6'");
    assert_eq!(up[0].pointer("/Parent__r/Parent__r/Parent__r/Parent__r/Parent__r/Text__c").and_then(Value::as_str), Some("1"));
}

#[test]
fn generated_rows_depend_on_seed_and_row_only() {
    let generate = [("Account".to_owned(), 20_000), ("Contact".to_owned(), 5_000)];
    let org = Org::open(&DataSource::Demo, &generate, 7).unwrap_or_else(|error| panic!("{error}"));
    let again = Org::open(&DataSource::Demo, &generate, 7).unwrap_or_else(|error| panic!("{error}"));
    let other = Org::open(&DataSource::Demo, &generate, 8).unwrap_or_else(|error| panic!("{error}"));
    let soql = "SELECT Id, Name, Industry, AnnualRevenue, CreatedDate, SystemModstamp, ParentId, Parent.Name, Owner.Name FROM Account";
    let rows = |org: &Org, range: std::ops::Range<u64>| {
        let mut out = Vec::new();
        prepared(org, soql, QueryMode::Bulk2).csv_rows(range, &COMMA, &mut out);
        out
    };
    let whole = rows(&org, 0..20_000);
    assert_eq!(whole, [rows(&again, 0..7_001), rows(&again, 7_001..20_000)].concat());
    assert_ne!(whole, rows(&other, 0..20_000));
    assert_eq!(prepared(&org, soql, QueryMode::Bulk2).total(), 20_000);
    // What CSV shows is what the conditions see.
    let found = records(&org, "SELECT Id, Name, Account.Name, AccountId FROM Contact WHERE AccountId != null LIMIT 50");
    for record in found {
        let id = record["AccountId"].as_str().unwrap_or("");
        assert_eq!(records(&org, &format!("SELECT Name FROM Account WHERE Id = '{id}'"))[0]["Name"], record["Account"]["Name"]);
    }
    let orphans = count(&org, "SELECT Id FROM Contact WHERE AccountId = null", QueryMode::Rest);
    assert!((75..300).contains(&orphans), "{orphans} of 5000 have no parent");
    let crowded = count(&org, "SELECT Id FROM Contact WHERE AccountId <= '001gK000000000L'", QueryMode::Rest);
    assert!(crowded > 1_000, "{crowded} of 5000 belong to the first twenty accounts");
}

#[test]
fn every_field_of_every_object_can_be_read() {
    let generate: Vec<(String, u64)> = ["Account", "Contact", "Opportunity", "Awkward__c", "Order_Line__c"].map(|name| (name.to_owned(), 300)).to_vec();
    for org in [demo(), Org::open(&DataSource::Demo, &generate, 3).unwrap_or_else(|error| panic!("{error}"))] {
        for object in org.describe_global()["sobjects"].as_array().into_iter().flatten() {
            let name = object["name"].as_str().unwrap_or("");
            let described = org.describe(name, 62.0).unwrap_or_default();
            for record in records(&org, &format!("SELECT FIELDS(ALL) FROM {name} LIMIT 50")) {
                for field in described["fields"].as_array().into_iter().flatten() {
                    check_value(name, field, &record[field["name"].as_str().unwrap_or("")]);
                }
            }
        }
    }
}

/// Whether a value goes with what describe says of its field.
fn check_value(object: &str, field: &Value, value: &Value) {
    let name = &field["name"];
    assert!(!value.is_null() || field["nillable"] == true, "{object}.{name} is null");
    let fits = match field["type"].as_str().unwrap_or("") {
        _ if value.is_null() => true,
        "boolean" => value.is_boolean(),
        "int" | "long" => value.is_i64(),
        "double" | "currency" | "percent" => value.is_number(),
        "address" | "location" => value.is_object(),
        "id" | "reference" => value.as_str().is_some_and(|id| id.len() == 18),
        "date" => value.as_str().is_some_and(|date| date.len() == 10),
        "datetime" => value.as_str().is_some_and(|at| at.ends_with(".000+0000") && at.len() == 28),
        "base64" => value.as_str().is_some_and(|url| url.starts_with("/services/data/v62.0/sobjects/")),
        _ => value.as_str().is_some_and(|text| text.chars().count() as u64 <= field["length"].as_u64().unwrap_or(0).max(1)),
    };
    assert!(fits || field["length"] == 0, "{object}.{name} {} is {value}", field["type"]);
}

#[test]
fn describe_has_every_key_of_recorded_describes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/oracles/recordings/derived");
    let org = demo();
    for name in ["Account", "Contact", "Lead", "Opportunity", "Case", "Event", "OpportunityContactRole"] {
        // Passed over where the recordings are not at hand.
        let Ok(text) = std::fs::read_to_string(format!("{folder}/{name}.describe.json")) else { continue };
        let recorded: Value = serde_json::from_str(&text).unwrap_or_default();
        let ours = org.describe(name, 52.0).unwrap_or_default();
        for key in recorded.as_object().into_iter().flat_map(Map::keys) {
            assert!(ours.get(key).is_some(), "{name} lacks {key}");
        }
        for field in recorded["fields"].as_array().into_iter().flatten() {
            let same = ours["fields"].as_array().into_iter().flatten().find(|ours| ours["name"] == field["name"]);
            let Some(same) = same else { continue };
            for (key, value) in field.as_object().into_iter().flatten() {
                let theirs_alone = ["picklistValues", "referenceTo", "inlineHelpText", "defaultValue", "searchPrefilterable", "compoundFieldName", "extraTypeInfo", "namePointing", "polymorphicForeignKey", "byteLength"];
                assert!(same.get(key).is_some(), "{name}.{} lacks {key}", field["name"]);
                assert!(theirs_alone.contains(&key.as_str()) || same[key] == *value, "{name}.{} {key}: {} for {value}", field["name"], same[key]);
            }
        }
    }
}

#[test]
fn a_folder_of_csv_files_is_an_org() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("accounts.csv"), "Id,Name,NumberOfEmployees\n001000000000001AAA,\"A, \"\"B\"\"\",5\n001000000000002AAA,C,\n")?;
    std::fs::write(folder.path().join("Machine__c.csv"), "Name,Serial__c,Weight__c,Bought__c,Account__r.Name\nM1,007,1.50,2024-01-31,C\nM2,008,,,\n")?;
    let org = Org::open(&DataSource::Folder(folder.path().to_owned()), &[], 1)?;
    assert_eq!(csv(&org, "SELECT Id, Name FROM Account"), "\"Id\",\"Name\"\n\"001000000000001AAA\",\"A, \"\"B\"\"\"\n\"001000000000002AAA\",\"C\"\n");
    assert_eq!(csv(&org, "SELECT Serial__c, Weight__c, Account__r.Id FROM Machine__c WHERE Bought__c = 2024-01-31").lines().nth(1), Some("\"007\",\"1.5\",\"001000000000002AAA\""));
    for (file, text, words) in [
        ("Acount.csv", "Name\nx\n", "did you mean 'Account'?"),
        ("Contact.csv", "LastNme\nx\n", "has no field 'LastNme'; did you mean 'LastName'?"),
        ("Contact.csv", "LastName,Birthdate\nx,1.2.2000\n", "line 2: Birthdate is '1.2.2000', expected a date such as 2024-01-31"),
        ("Contact.csv", "LastName,Email\nx\n", "line 2: 1 cells under 2 headers"),
    ] {
        let path = folder.path().join(file);
        std::fs::write(&path, text)?;
        let error = Org::open(&DataSource::Folder(folder.path().to_owned()), &[], 1).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(words) && error.contains(file), "{error}");
        std::fs::remove_file(path)?;
    }
    Ok(())
}
